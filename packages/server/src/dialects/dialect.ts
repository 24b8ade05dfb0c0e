import type { Event, FaultCode, FaultKind, JsonObject, PassedEvent, ResyncEvent, SnapshotEvent } from '@sluice/schema'
import { callTRPCProcedure, type AnyTRPCRouter, type inferRouterInputs, type inferRouterOutputs } from '@trpc/server'
import { z } from 'zod'
import type { Context, Passage, ReceivedFile } from '../rpc/context.ts'
import type { Problem } from '../rpc/faults.ts'
import { type AppRouter, appRouter } from '../rpc/router.ts'
import { type Meta, type Method, passing, router } from '../rpc/trpc.ts'

/**
 * What a dialect owes: a published API, said as a table. Each row is an address of the API and calls one procedure of the
 * core; what it asks and what it answers are pure functions. `http` serves the rows, `openapi` describes them, and `/trpc`
 * has them as `dialects.<name>.<row>`.
 */
export interface Dialect {
  /** `pyspur`: of its document, its procedures, and of the drafts that it cannot say. */
  name: string
  /** For people. */
  title: string
  /** Markdown. */
  description: string
  /** The addresses it owns, as `/wf`: errors there are in its manner, even where no row is. */
  prefixes: readonly string[]
  /** Paths of rows are served below each of these, the first of which is described; '' is the root. */
  mounts: readonly [string, ...string[]]
  /** Where a credential is sent, as OpenAPI has it; any one of them is enough. Beside these every credential of the server is taken. */
  credentials: Readonly<Record<string, JsonObject>>
  /** Of these the ones that its API refuses, with the words that tell what to send instead. */
  refuses?: { keyAsBearer?: string }
  /** The cookie in which its clients expect the token of a login. */
  cookie?: string
  /** Headers that its clients send of their own accord, in small letters: pages of other origins may. */
  clientHeaders?: readonly string[]
  /** What its clients look for in a token. */
  claims?(of: { userId: string; workspaceId: string }): JsonObject
  tags: readonly { name: string; description: string }[]
  /**
   * How the keys of a query are read: `flat`, unless set, and what no field is named after is dropped; or `nested`, as `a[]=x`, `a[0]=x`,
   * `a[b]=x` and `a.b=x` too, as lists and objects two levels deep, and what no field is named after the schema has to judge.
   */
  query?: 'flat' | 'nested'
  rows: readonly DialectRow[]
  /** Where its clients are told of events over a socket. */
  sockets?: readonly DialectSocket[]
  /** And over server-sent events. */
  streams?: readonly DialectStream[]
  errors: {
    /** The body of every error. */
    schema: z.ZodType
    /** Total: any problem in this dialect's manner. */
    render(problem: Problem, requestId: string): Rendered
  }
  /** The schemas of its contract, by the name that the document gives them. */
  words: Readonly<Record<string, z.ZodType>>
  /** What is said of schemas and keys in its document, where the contract says nothing: by name, and by `Schema.key` or key. */
  meanings: { schemas: Readonly<Record<string, string>>; keys: Readonly<Record<string, string>> }
  /** What it cannot say, and what it leaves out, each with the reason. */
  losses: readonly { what: string; why: string }[]
}

/** An error as one API shows it. */
export interface Rendered {
  status: number
  body: unknown
  headers?: Readonly<Record<string, string>>
}

/** A token that a browser keeps, until then. */
export interface Kept {
  token: string
  expiresAt: string
}

/** What an answer may be made of beside the value. */
export interface Setting {
  now: Date
  baseUrl: string
}

/** Answered in place of the reply of a row, under another status. */
export class Other {
  readonly status: number
  readonly body: unknown
  constructor(status: number, body: unknown) {
    this.status = status
    this.body = body
  }
}

/** A file of a form, which `http` has received. */
export const FormFile = z.custom<ReceivedFile>((value) => typeof value === 'object' && value !== null, 'expected a file').meta({ type: 'string', format: 'binary' })

type Inputs = inferRouterInputs<AppRouter>
type Outputs = inferRouterOutputs<AppRouter>

/** A procedure of the core, as `runs.get`. */
export type CoreName = { [Noun in keyof Inputs]: `${Noun}.${Extract<keyof Inputs[Noun], string>}` }[keyof Inputs]

type At<Of, Name extends string> = Name extends `${infer Noun}.${infer Verb}` ? (Noun extends keyof Of ? (Verb extends keyof Of[Noun] ? Of[Noun][Verb] : never) : never) : never
export type CoreInput<Name extends CoreName> = At<Inputs, Name>
export type CoreOutput<Name extends CoreName> = At<Outputs, Name>

/** What came over the wire, as the schemas of its row have it. */
export interface Said<P = unknown, Q = unknown, B = unknown> {
  path: P
  query: Q
  body: B
  /** How the request came, with credentials and all: of a row that says `takesAny`, and over HTTP alone. */
  request?: { method: Method; headers: Record<string, string>; query: Record<string, string | string[]> }
}

interface Described {
  /** Its name among the dialect's procedures, and the operation id: `createWorkflow`. */
  name: string
  method: Method
  /** As the document spells it: `/wf/{workflow_id}/`. */
  path: string
  summary: string
  description?: string
  tags?: readonly string[]
  /** Of success; 200 unless given. */
  status?: number
  /** Not in the dialect's document: ours, or of its public source. */
  extension?: true
  /** Its body is a form with files, fields of which are `FormFile`s. */
  takes?: 'multipart/form-data'
  /** Its body may be of any type: JSON as it is, a form as an object, anything else as text, none as null; and it is told of the `request`. */
  takesAny?: true
  /** The core's answer is a file, of which the bytes are sent. */
  gives?: 'bytes'
  /** What it refuses, beyond what all like it refuse. */
  faults?: readonly FaultCode[]
  /** What it may answer beside its reply, by status. */
  others?: Readonly<Record<number, { description: string; schema: z.ZodType }>>
  example?: { path?: JsonObject; query?: JsonObject; body?: JsonObject; reply?: unknown }
}

/** One address of a dialect, as all that serves and describes it sees it. */
export interface DialectRow extends Described {
  calls: CoreName
  schemas: { path: z.ZodObject; query: z.ZodObject; body: z.ZodType | null; reply: z.ZodType }
  ask(said: Said): unknown
  answer(value: unknown, setting: Setting, said: Said): unknown
  onFault(problem: Problem, setting: Setting, said: Said): unknown
  /** Over HTTP alone. */
  keeps?(value: unknown): Kept | null
}

interface Route<C extends CoreName, P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType, R extends z.ZodType> extends Described {
  params?: P
  query?: Q
  body?: B
  reply: R
  /** What the core is asked. May throw a Fault. */
  ask(said: Said<z.output<P>, z.output<Q>, z.output<B>>): CoreInput<C>
  answer(value: CoreOutput<C>, setting: Setting, said: Said<z.output<P>, z.output<Q>, z.output<B>>): z.input<R> | Other
  /** An answer in place of a fault; undefined: the fault it is. */
  onFault?(problem: Problem, setting: Setting, said: Said<z.output<P>, z.output<Q>, z.output<B>>): z.input<R> | Other | undefined
  /** What the browser is to keep from now on in the dialect's cookie; null: nothing any more. */
  keeps?(value: CoreOutput<C>): Kept | null
}

const Nothing = z.object({})
type Nothing = typeof Nothing

/** A row. `calls` is the one procedure of the core behind it. */
export function route<C extends CoreName, R extends z.ZodType, P extends z.ZodObject = Nothing, Q extends z.ZodObject = Nothing, B extends z.ZodType = z.ZodUndefined>(
  calls: C,
  { params, query, body, reply, ask, answer, onFault, keeps, ...described }: Route<C, P, Q, B, R>,
): DialectRow {
  // What comes in has been read by these schemas, and what the core gives is typed by its procedure: said once, here.
  type Here = Said<z.output<P>, z.output<Q>, z.output<B>>
  return {
    ...described,
    calls,
    schemas: { path: params ?? Nothing, query: query ?? Nothing, body: body ?? null, reply },
    ask: (said) => ask(said as Here),
    answer: (value, setting, said) => answer(value as CoreOutput<C>, setting, said as Here),
    onFault: (problem, setting, said) => onFault?.(problem, setting, said as Here),
    ...(keeps && { keeps: (value) => keeps(value as CoreOutput<C>) }),
  }
}

// ── sockets ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What a subscription of the core tells. */
export type Told = Event | SnapshotEvent | ResyncEvent | PassedEvent

/** A kind of message, as it is described. */
export interface SocketMessage {
  summary: string
  description?: string
  schema: z.ZodType<object>
  example: JsonObject
}

/**
 * An address at which a dialect's clients are told of events over a WebSocket, in JSON. It follows one subscription of the
 * core: a snapshot first, then what comes, and a snapshot again when the client asks for it. What a connection keeps is the
 * business of `http`: the dialect says what is followed and how it is told, by pure functions.
 */
export interface DialectSocket {
  name: string
  /** As the document spells it: `/ws/workflow/{workflow_id}/`. */
  path: string
  summary: string
  description?: string
  schemas: { path: z.ZodObject; query: z.ZodObject }
  ask(said: Said): CoreInput<'events.subscribe'>
  /** What it tells, by name. */
  tells: Readonly<Record<string, SocketMessage>>
  /** A message; null: it is not told. Made once for all who are told the same. */
  frame(item: Told): object | null
  /** What the client may say, by the `type` of its message, and what it is answered: the snapshot anew, or always the same. Other types are passed over. */
  hears: Readonly<Record<string, SocketMessage & { answer: 'snapshot' | object }>>
  /** What is wrong with a message, or ends the socket. */
  problem(problem: Problem): object
  /** The code that the socket is closed with, by what ended it: a browser cannot read how an upgrade is refused. */
  closes: Readonly<Record<FaultKind, number>>
}

interface Socket<P extends z.ZodObject, Q extends z.ZodObject> extends Omit<DialectSocket, 'schemas' | 'ask'> {
  params?: P
  query?: Q
  /** What is followed. May throw a Fault. */
  ask(said: Said<z.output<P>, z.output<Q>>): CoreInput<'events.subscribe'>
}

export const socket = <P extends z.ZodObject = Nothing, Q extends z.ZodObject = Nothing>({ params, query, ask, ...described }: Socket<P, Q>): DialectSocket => ({
  ...described,
  schemas: { path: params ?? Nothing, query: query ?? Nothing },
  ask: (said) => ask(said as Said<z.output<P>, z.output<Q>>),
})

/** Calls the subscription behind a socket or a stream: it asks for permission. */
export const followCore = (ask: () => CoreInput<'events.subscribe'>, ctx: Context, signal: AbortSignal): Promise<unknown> =>
  callTRPCProcedure({ router: appRouter, path: 'events.subscribe', type: 'subscription', ctx, getRawInput: async () => ask(), signal, batchIndex: 0 })

// ── streams ────────────────────────────────────────────────────────────────────────────────────────────────────────────

export type { Passage }

/** A server-sent event of a dialect; `http` gives it its id. */
export interface StreamMessage {
  event?: string
  /** JSON. */
  data: unknown
}

/** Who connects again: the last that they were told, where it was told of a run. */
export interface Seen {
  runId: string
  cursor: string
}

/**
 * An address at which a dialect's clients are told of events as server-sent events. It follows one subscription of the core,
 * and ends when that does. Who connects again goes on after the id of the last message: what they then are told is made of the
 * same events, by functions that know nothing else.
 */
export interface DialectStream {
  /** Among the dialect's operations: `subscribeToWorkflow`. */
  name: string
  /** As the document spells it. */
  path: string
  summary: string
  description?: string
  tags?: readonly string[]
  /** Not in the dialect's document: ours, or of its public source. */
  extension?: true
  schemas: { path: z.ZodObject; query: z.ZodObject }
  ask(said: Said, seen: Seen | null): CoreInput<'events.subscribe'>
  /** What it tells, by the name of the event. */
  tells: Readonly<Record<string, SocketMessage>>
  /** What is told of an item, in this order. `passage` is how its run stood before and after; null: nobody knows. Made once for all who ask for the same. */
  messages(item: Told, passage: Passage | null, said: Said): readonly StreamMessage[]
  /** What it refuses, beyond what all like it refuse. */
  faults?: readonly FaultCode[]
}

interface Stream<P extends z.ZodObject, Q extends z.ZodObject> extends Omit<DialectStream, 'schemas' | 'ask' | 'messages'> {
  params?: P
  query?: Q
  /** What is followed. May throw a Fault. */
  ask(said: Said<z.output<P>, z.output<Q>>, seen: Seen | null): CoreInput<'events.subscribe'>
  messages(item: Told, passage: Passage | null, said: Said<z.output<P>, z.output<Q>>): readonly StreamMessage[]
}

export const stream = <P extends z.ZodObject = Nothing, Q extends z.ZodObject = Nothing>({ params, query, ask, messages, ...described }: Stream<P, Q>): DialectStream => ({
  ...described,
  schemas: { path: params ?? Nothing, query: query ?? Nothing },
  ask: (said, seen) => ask(said as Said<z.output<P>, z.output<Q>>, seen),
  messages: (item, passage, said) => messages(item, passage, said as Said<z.output<P>, z.output<Q>>),
})

// ── what is called ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** Calls the procedure of the core behind a row: it asks for credential and permission, and is what the audit log knows of. */
export function callCore(row: DialectRow, ctx: Context, said: Said, signal: AbortSignal | undefined): Promise<unknown> {
  return callTRPCProcedure({ router: appRouter, path: row.calls, type: typeOf(row.calls), ctx, getRawInput: async () => row.ask(said), signal, batchIndex: 0 })
}

interface CoreProcedure {
  _def: { type: 'query' | 'mutation' | 'subscription'; meta?: Meta }
}

const coreProcedures = appRouter._def.procedures as unknown as Readonly<Record<string, CoreProcedure>>

const typeOf = (name: CoreName): 'query' | 'mutation' => {
  const { type } = coreProcedures[name]!._def
  if (type === 'subscription') throw new Error(`A row cannot call ${name}: it is a subscription`)
  return type
}

/** What the caller must be allowed to. */
export const actionOf = ({ calls }: DialectRow): Meta['action'] => coreProcedures[calls]!._def.meta!.action

/** What the follower of a stream must be allowed to. */
export const followAction: Meta['action'] = coreProcedures['events.subscribe']!._def.meta!.action

/** Whether it changes something although it is a GET, as its API was published: `http` then asks for more. */
export const isGuarded = ({ method, calls }: Pick<DialectRow, 'method' | 'calls'>): boolean => method === 'GET' && typeOf(calls) === 'mutation'

/** The rows of dialects as procedures, `<dialect>.<row>`, which take `{path, query, body}` and give what the wire would. */
export const dialectsRouter = (dialects: readonly Dialect[]): AnyTRPCRouter =>
  router(Object.fromEntries(dialects.map(({ name, rows }) => [name, router(Object.fromEntries(rows.map((row) => [row.name, procedureOf(row)])))])))

function procedureOf(row: DialectRow) {
  const { path, query, body } = row.schemas
  const wire = z.object({ path: path.prefault({}), query: query.prefault({}), body: body ?? z.undefined().optional() })
  // Who asks for nothing may send nothing.
  const door = passing(
    { action: actionOf(row) },
    z.preprocess((sent) => sent ?? {}, wire),
  )
  const answer = async ({ ctx, input, signal }: { ctx: Context; input: { path: unknown; query: unknown; body?: unknown }; signal?: AbortSignal | undefined }) => {
    const said: Said = { path: input.path, query: input.query, body: input.body }
    const answered = row.answer(await callCore(row, ctx, said, signal), { now: new Date(), baseUrl: '' }, said)
    return answered instanceof Other ? answered.body : answered
  }
  return typeOf(row.calls) === 'query' ? door.query(answer) : door.mutation(answer)
}
