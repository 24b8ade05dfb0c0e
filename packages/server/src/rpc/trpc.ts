import { Fault, type FaultKind, type Issue, type Json } from '@sluice/schema'
import { initTRPC, TRPCError } from '@trpc/server'
import { z } from 'zod'
import { authorize, type Action } from '../access/policy.ts'
import type { Principal } from '../access/principal.ts'
import type { Actor } from '../engine/engine.ts'
import { called, isProcedure } from './call.ts'
import type { Context } from './context.ts'
import { problemOf, trpcCodes, type ProblemCode } from './faults.ts'
import { deedOf } from './witness.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** What a body may be beside JSON. */
export type BodyType = 'multipart/form-data' | 'application/octet-stream'

/** Where a procedure is found as REST, and how it is described. */
export interface Rest {
  method: Method
  /** `/v1/runs/{id}` */
  path: string
  summary: string
  description?: string
  tags?: string[]
  /** Of success; 200 unless given, and 204 when there is nothing to say. */
  status?: number
  /** False: described as open to everyone. */
  protect?: boolean
  /** Its input has files, which come as these: fields of a form, or the body under the key `file`. */
  takes?: readonly BodyType[]
  /** Its output is a `FileContent`, of which the bytes are sent. */
  gives?: 'bytes'
}

/** Where a subscription is found as an SSE stream. Beside a list at the same address, the Accept header decides. */
export interface RestStream {
  path: string
  summary: string
  description?: string
  tags?: string[]
}

export interface Meta {
  openapi?: Rest
  streams?: RestStream[]
  /** What the principal must be allowed to; `signed-in` asks for any principal, `public` for none. */
  action: Action | 'signed-in' | 'public'
}

/** What a tRPC client finds under `error.data`. */
export interface ErrorData {
  code: ProblemCode
  kind: FaultKind
  /** The HTTP status. */
  status: number
  requestId: string | null
  issues: Issue[]
  details: { [key: string]: Json }
}

const t = initTRPC
  .context<Context>()
  .meta<Meta>()
  .create({
    // tRPC takes NODE_ENV for an answer otherwise, and shows stacks.
    isDev: false,
    sse: { ping: { enabled: true, intervalMs: 15_000 }, client: { reconnectAfterInactivityMs: 45_000 } },
    errorFormatter({ shape, error, ctx }) {
      const { code, kind, status, message, issues, details } = problemOf(error)
      const data: ErrorData = { code, kind, status, requestId: ctx?.requestId ?? null, issues, details }
      return { code: shape.code, message, data }
    },
  })

/** A noun's procedures, each called by our own means (`call.ts`), whatever the face. */
export const router: typeof t.router = (procedures) =>
  t.router(Object.fromEntries(Object.entries(procedures).map(([name, each]) => [name, isProcedure(each) ? called(each) : each])) as typeof procedures)

/** The same error under the name tRPC has for its kind, with the fault as its cause. */
export function nameError(error: unknown): TRPCError {
  const problem = problemOf(error)
  const cause = error instanceof TRPCError ? error.cause : error
  return new TRPCError({ code: trpcCodes[problem.kind], message: problem.message, cause })
}

const base = t.procedure.use(async ({ ctx, path, type, getRawInput, next }) => {
  const leave = await ctx.enter?.().catch((error: unknown) => Promise.reject(nameError(error)))
  try {
    const result = await next()
    const deed = type === 'mutation' ? await deedOf({ ctx, path, getRawInput, result }) : null
    if (deed) ctx.parts.audit.record(deed)
    if (!result.ok) throw nameError(result.error)
    return result
  } finally {
    leave?.()
  }
})

const metaOf = (action: Meta['action'], at: Rest | RestStream[]): Meta => (Array.isArray(at) ? { action, streams: at } : { action, openapi: at })

/** The input of a procedure that asks for none. */
export const nothing = z.strictObject({}).optional()

/** A door that leads on to another, which asks for everything itself: credential, permission, audit. */
export const passing = <S extends z.ZodType>(meta: Meta, input: S) => t.procedure.meta(meta).input(input)

/** A door that is open to everyone. */
export const open = <S extends z.ZodType>(at: Rest | RestStream[], input: S) => base.meta(metaOf('public', at)).input(input)

/** A door for any principal. */
export const signedIn = <S extends z.ZodType>(at: Rest | RestStream[], input: S) =>
  base
    .meta(metaOf('signed-in', at))
    .use(({ ctx, next }) => next({ ctx: proven(ctx) }))
    .input(input)

/** A door for who may do it: first the credential, then the schema, then the permission. What a room below knows of the resource, it checks there. */
export const can = <S extends z.ZodType>(action: Action, at: Rest | RestStream[], input: S) =>
  base
    .meta(metaOf(action, at))
    .use(({ ctx, next }) => next({ ctx: proven(ctx) }))
    .input(input)
    .use(({ ctx, next }) => {
      authorize(ctx.principal, action)
      return next()
    })

/** Counts a try at something secret: only what failed is held against a name. */
export async function attempted<R extends { ok: boolean }>({ attempt }: Context, name: string, next: () => Promise<R>): Promise<R> {
  const takeBack = await attempt(name)
  const result = await next()
  if (result.ok) takeBack()
  return result
}

/** The principal, and as whom the engine acts. */
function proven(ctx: Context): { principal: Principal; actor: Actor } {
  const { principal, refusal, traceparent = null } = ctx
  if (!principal) throw refusal ?? new Fault('credential_missing')
  return { principal, actor: { workspaceId: principal.workspaceId, userId: principal.userId, principalId: principal.id, traceparent } }
}
