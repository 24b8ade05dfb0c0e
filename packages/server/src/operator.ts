import { CreateKey, Fault } from '@sluice/schema'
import { type Audit, type Deed, createAudit } from './access/audit.ts'
import { createKeys } from './access/keys.ts'
import { memberPrincipal } from './access/operator.ts'
import { drawPassword } from './access/password-tokens.ts'
import { createStandings } from './access/standings.ts'
import type { KeyMade, KeyWanted } from './command/keys.ts'
import { type Database, openDatabase, sqlState } from './store/database.ts'
import { type Orm, openOrm } from './store/orm.ts'
import { StartRefused } from './store/refused.ts'

/** What an operator does from the command line. Whoever runs it may do anything with this database, and is not asked who they are. */

/** A new password for the user, who is logged out everywhere; null when nobody has this email. */
export async function resetPassword(databaseUrl: string, email: string): Promise<string | null> {
  return atHand(databaseUrl, async ({ orm, audit }) => {
    const drawn = await drawPassword(orm, email)
    if (drawn) audit.record(deed({ action: 'users.resetPassword', resource: drawn.userId }))
    return drawn && drawn.password
  })
}

/** A key that acts as a user. Throws StartRefused for what cannot be had. */
export async function createKey(databaseUrl: string, { email, workspace, ...input }: KeyWanted): Promise<KeyMade> {
  const asked = CreateKey.safeParse(input)
  if (!asked.success) throw new StartRefused(asked.error.issues.map(({ path, message }) => `--${path[0] === 'scopes' ? 'scopes' : 'name'}: ${message}`).join('; '))
  return atHand(databaseUrl, async ({ database, orm, audit }) => {
    const { principal, workspace: at } = await memberPrincipal(orm, email, workspace)
    const keys = createKeys(orm, database, createStandings(database, Date.now), Date.now)
    const { id, name, scopes, secret } = await keys.create(principal, asked.data)
    audit.record(deed({ action: 'keys.create', resource: id, workspaceId: at.id, details: { name, email: principal.email } }))
    const reach = scopes === null ? `all that their role (${principal.role}) may` : scopes.join(', ')
    return { secret, about: `Key "${name}" of ${principal.email} in the workspace ${at.handle}, for ${reach}. The secret is shown only now.` }
  })
}

const deed = ({ details, ...about }: Pick<Deed, 'action' | 'resource' | 'workspaceId'> & { details?: Deed['details'] }): Deed => ({
  principal: null,
  outcome: 'done',
  code: null,
  requestId: '',
  ip: '',
  ...about,
  details: { at: 'the command line', ...details },
})

async function atHand<T>(databaseUrl: string, work: (parts: { database: Database; orm: Orm; audit: Audit }) => Promise<T>): Promise<T> {
  const database = openDatabase({ url: databaseUrl, max: 1 })
  const orm = openOrm(databaseUrl)
  const audit = createAudit({ database, onError: () => {} })
  try {
    return await work({ database, orm, audit })
  } catch (error) {
    if (sqlState(error) === '42P01') throw new StartRefused('The database has no users yet, or is of an older version: start the server once, or run sluice-server migrate')
    if (error instanceof Fault) throw new StartRefused([error.message, ...error.issues.map(({ message }) => message)].join(': '))
    throw error
  } finally {
    await audit.close()
    await orm.close()
    await database.close()
  }
}
