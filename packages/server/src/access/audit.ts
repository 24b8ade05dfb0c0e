import { Fault, type AuditRecord, type ListAudit, type Page } from '@sluice/schema'
import { Outage, type Tx } from '../store/index.ts'
import { newId } from '../store/ids.ts'
import { insertAudit, listAudit, type NewAudit } from '../store/rows/audit.ts'
import { normalEmail } from './passwords.ts'
import { authorize } from './policy.ts'
import type { Principal } from './principal.ts'

/** Something that was done through a door, or refused there. */
export interface Deed extends Pick<AuditRecord, 'action' | 'resource' | 'outcome' | 'code' | 'details' | 'requestId' | 'ip'> {
  /** Null for who was not let in: it is then about the user of `details.email`, or whose id `resource` is. */
  principal: Principal | null
  /** Where it was done, by nobody who is named; that of the user it is about unless given. */
  workspaceId?: string
}

/**
 * Who did what. Written behind the answer, many in one statement: a deed commits in its own room, mostly together with
 * those of others, and what was refused has no transaction at all. So a server that is killed loses what it did in the
 * last hundredths of a second; one that leaves loses nothing, and an outage is waited out with up to 10,000 deeds.
 */
export interface Audit {
  /** Neither waits nor throws. */
  record(deed: Deed): void
  /** Newest first unless asked otherwise; what this server has answered is in it. */
  list(principal: Principal, input?: Partial<ListAudit>): Promise<Page<AuditRecord>>
  /** Writes what is left, for at most a second. */
  close(): Promise<void>
}

export interface AuditOptions {
  database: Tx
  /** Told of what could not be written. */
  onError(error: unknown): void
  now?: () => number
}

const mostWaiting = 10_000
const mostAtOnce = 500
/** How long deeds are gathered: each statement is an fsync that the runs of the server wait for, too. */
const gatherMs = 25
const retryMs = 500
const patienceMs = 1_000

export function createAudit({ database, onError, now = Date.now }: AuditOptions): Audit {
  const waiting: NewAudit[] = []
  let writing: Promise<void> | null = null
  /** Somebody waits for what is left. */
  let hurried = false
  let hurry = (): void => {}
  let closed = false
  let lost = 0

  async function write(): Promise<void> {
    let most = mostAtOnce
    while (waiting.length > 0) {
      if (!hurried && waiting.length < most) await gathered()
      const deeds = waiting.slice(0, most)
      try {
        await insertAudit(database, deeds)
        waiting.splice(0, deeds.length)
        most = mostAtOnce
      } catch (error) {
        if (passes(error)) {
          onError(error)
          if (closed) break
          await pause(retryMs)
        } else if (deeds.length > 1) {
          most = Math.ceil(deeds.length / 2)
        } else {
          onError(error)
          // What PostgreSQL does not take will not be taken later either.
          waiting.shift()
        }
      }
    }
    if (lost > 0) onError(new Error(`${lost} deeds were not recorded: too many were waiting`))
    lost = 0
    hurried = closed
    // At once with the last look: a deed that comes now starts the next round.
    writing = null
  }

  const gathered = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, gatherMs).unref()
      hurry = () => {
        clearTimeout(timer)
        resolve()
      }
    })

  function written(): Promise<unknown> {
    if (!writing) return Promise.resolve()
    hurried = true
    hurry()
    return Promise.race([writing, pause(patienceMs)])
  }

  return {
    record({ principal, workspaceId: at = null, ...deed }) {
      if (waiting.length >= mostWaiting) return void lost++
      const { workspaceId = at, id: principalId = null, userId = null, credential = null } = principal ?? {}
      const { email } = deed.details
      waiting.push({
        ...deed,
        id: newId(),
        at: new Date(now()).toISOString(),
        workspaceId,
        principalId,
        userId,
        credential,
        email: typeof email === 'string' ? normalEmail(email) : null,
      })
      writing ??= write()
    },

    async list(principal, asked = {}) {
      authorize(principal, 'audit.read')
      await written()
      return listAudit(database, principal.workspaceId, { limit: 50, ...asked })
    },

    async close() {
      closed = true
      await written()
    },
  }
}

/** Whether the same statement may do better in a while. */
const passes = (error: unknown): boolean => error instanceof Outage || (error instanceof Fault && error.code === 'storage_full')

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms).unref())
