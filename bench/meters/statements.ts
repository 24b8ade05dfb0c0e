import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

/** What PostgreSQL answered in this process so far. */
export interface Answered {
  statements: number
  transactions: number
}

type Emit = (event: string, message?: { status?: string }) => boolean

/** Both are the same version, installed twice: ours, which DBOS and pg-boss use too, and the server's. */
const homes = ['../package.json', '../../packages/server/package.json']

/**
 * Counts at the connections of `pg`, which everything measured speaks through: a completed command is a statement, and the
 * return to idle the end of a transaction. PostgreSQL's own counts come up to ten seconds late.
 */
export function countAnswers(): () => Answered {
  const answered: Answered = { statements: 0, transactions: 0 }
  for (const home of homes) {
    const require = createRequire(fileURLToPath(new URL(home, import.meta.url)))
    const { Connection } = require('pg') as { Connection: { prototype: { emit: Emit } } }
    const { emit } = Connection.prototype
    Connection.prototype.emit = function (event, message) {
      if (event === 'commandComplete') answered.statements++
      else if (event === 'readyForQuery' && message?.status === 'I') answered.transactions++
      return emit.call(this, event, message)
    }
  }
  return () => ({ ...answered })
}
