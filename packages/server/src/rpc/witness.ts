import type { AuditRecord } from '@sluice/schema'
import type { Deed } from '../access/audit.ts'
import type { Principal } from '../access/principal.ts'
import type { Context } from './context.ts'
import { isOurs, problemOf } from './faults.ts'

/** A call that came to its end. */
export interface Call {
  ctx: Context
  /** `members.invite` */
  path: string
  getRawInput(): Promise<unknown>
  result: { ok: true; data: unknown } | { ok: false; error: Error }
}

/** Open to everybody, and recorded all the same when they fail: somebody tries to get in. */
const guarded = new Set(['auth.login', 'auth.setPassword', 'records.login'])

/** What the audit log is to know of a call; null when nobody stands behind it whom it could name. Other than these keys nothing of an input gets there. */
export async function deedOf({ ctx, path, getRawInput, result }: Call): Promise<Deed | null> {
  const principal = ctx.principal ?? (result.ok ? await newcomer(ctx, result.data) : null)
  const problem = result.ok ? null : problemOf(result.error)
  if (!principal && (!guarded.has(path) || problem?.kind === 'rate_limited')) return null
  const input = await getRawInput().catch(() => undefined)
  const answer = result.ok ? result.data : undefined
  return {
    principal,
    action: path,
    resource: textAt(answer, ['id', 'userId']) ?? textAt(input, ['id', 'userId', 'runId', 'workflow', 'workspace', 'name']),
    outcome: !problem ? 'done' : isOurs(problem) ? 'failed' : 'refused',
    code: problem?.code ?? null,
    details: detailsOf(input),
    requestId: ctx.requestId,
    ip: ctx.ip,
  }
}

/** Whoever a new token lets in. It is looked up as with their next request, which then finds it known. */
async function newcomer({ parts }: Context, answer: unknown): Promise<Principal | null> {
  const token = at(answer, 'token')
  return typeof token === 'string' ? parts.access.authenticate({ kind: 'bearer', value: token }).catch(() => null) : null
}

const told = ['email', 'name', 'role', 'handle', 'workspace', 'defaultWorkspace', 'workflow', 'version', 'nodeId', 'step', 'action', 'transactionId'] as const

/** A name is a name: what is longer is something else, and stays out. */
const longest = 320

function detailsOf(input: unknown): AuditRecord['details'] {
  return Object.fromEntries(
    told.flatMap((key) => {
      const value = at(input, key)
      return typeof value === 'number' || typeof value === 'boolean' || (typeof value === 'string' && value.length <= longest) ? [[key, value]] : []
    }),
  )
}

function textAt(value: unknown, keys: readonly string[]): string | null {
  for (const key of keys) {
    const found = at(value, key)
    if (typeof found === 'string' && found.length <= longest) return found
  }
  return null
}

const at = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined
