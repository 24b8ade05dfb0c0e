import type { Event, FaultCode, FaultKind, JsonObject, PassedEvent, Record as CollectionRecord, ResyncEvent, SnapshotEvent, TokenEvent } from '@sluice/schema'
import { callTRPCProcedure, type AnyTRPCRouter, type inferRouterInputs, type inferRouterOutputs } from '@trpc/server'
import { z } from 'zod'
import type { Context, Passage, ReceivedFile, Spoken } from '../rpc/context.ts'
import { invalidInput, type Problem, problemOf, WireFault, type WireIssue } from '../rpc/faults.ts'
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
  /**
   * How bodies come: as JSON, unless set; or `loose`, as JSON, `multipart/form-data` or `application/x-www-form-urlencoded`, whichever the
   * client likes, which all say one object. None says an empty one. What is no JSON has texts that are read by how they look.
   */
  bodies?: 'loose'
  rows: readonly DialectRow[]
  /** Where its clients are told of events over a socket. */
  sockets?: readonly DialectSocket[]
  /** And over server-sent events. */
  streams?: readonly DialectStream[]
  /** And of changes of records, over connections that they subscribe over. */
  realtime?: DialectRealtime
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
export interface Said<P = unknown, Q = unknown, B = unknown, H = unknown> {
  path: P
  query: Q
  body: B
  /** Of a row that has a schema for them. */
  headers?: H
  /** How the request came, with credentials and all: of a row that says `takesAny`, and over HTTP alone. */
  request?: { method: Method; headers: Record<string, string>; query: Record<string, string | string[]> }
}

/** Requests that have a limit of their own: see `rateLimit` of the settings. */
export type RateClass = 'playground'

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
  /** How many times as large as others its body may be: it holds several requests. Where bodies are `loose`. */
  room?: number
  /** The core's answer is a file, of which the bytes are sent. */
  gives?: 'bytes'
  /** The limit that its requests over HTTP count in, beside that of all requests of who asks. */
  counted?: RateClass
  /** What it refuses, beyond what all like it refuse. */
  faults?: readonly FaultCode[]
  /** What it may answer beside its reply, by status. */
  others?: Readonly<Record<number, { description: string; schema: z.ZodType }>>
  example?: { path?: JsonObject; query?: JsonObject; body?: JsonObject; reply?: unknown }
}

/** One address of a dialect, as all that serves and describes it sees it. */
export interface DialectRow extends Described {
  /** Null: nothing of the core. It answers anybody. */
  calls: CoreName | null
  schemas: { path: z.ZodObject; query: z.ZodObject; headers?: z.ZodObject; body: z.ZodType | null; reply: z.ZodType }
  ask(said: Said): unknown
  answer(value: unknown, setting: Setting, said: Said): unknown
  onFault(problem: Problem, setting: Setting, said: Said): unknown
  /** Over HTTP alone. */
  keeps?(value: unknown): Kept | null
  heads?(value: unknown): Readonly<Record<string, string>>
  tells?: Tells<unknown, Said>
}

/** Where the answer is found that is told from here on. */
export type Begun = Extract<Spoken, { is: 'begun' }>

/** One answer as it is told: server-sent events without names, each with one of these as its data, as JSON. */
export interface Telling<V = unknown> {
  /** Of the head of the reply. */
  headers?: Readonly<Record<string, string>>
  /** What is told once it has begun. */
  begin: readonly unknown[]
  piece(text: string): readonly unknown[]
  /** How it ends: what the core answers. */
  end(value: V): readonly unknown[]
  /** Or what went wrong, once it had begun. */
  failure(problem: Problem): unknown
  /** The data of the last event, as it stands, where nothing went wrong. */
  last?: string
}

/** That who asks for it is told an answer while it is made, as server-sent events over HTTP: what the core tells on the way to it, then its end. */
export interface Tells<V, S> {
  when(said: S): boolean
  /** Pure. */
  telling(begun: Begun, setting: Setting, said: S): Telling<V>
  /** How it is asked for and what comes then, as it is described. */
  asked: string
  /** Of the data of an event. */
  schema: z.ZodType<object>
  examples: Readonly<Record<string, { summary: string; value: JsonObject }>>
}

interface Route<C extends CoreName, P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType, H extends z.ZodObject, R extends z.ZodType> extends Described {
  params?: P
  query?: Q
  /** By their names in lower case. */
  headers?: H
  body?: B
  reply: R
  /** What the core is asked. May throw a Fault. */
  ask(said: Said<z.output<P>, z.output<Q>, z.output<B>, z.output<H>>): CoreInput<C>
  answer(value: CoreOutput<C>, setting: Setting, said: Said<z.output<P>, z.output<Q>, z.output<B>, z.output<H>>): z.input<R> | Other
  /** An answer in place of a fault; undefined: the fault it is. */
  onFault?(problem: Problem, setting: Setting, said: Said<z.output<P>, z.output<Q>, z.output<B>, z.output<H>>): z.input<R> | Other | undefined
  /** What the browser is to keep from now on in the dialect's cookie; null: nothing any more. */
  keeps?(value: CoreOutput<C>): Kept | null
  /** Headers of the answer. Over HTTP alone. */
  heads?(value: CoreOutput<C>): Readonly<Record<string, string>>
  tells?: Tells<CoreOutput<C>, Said<z.output<P>, z.output<Q>, z.output<B>, z.output<H>>>
}

const Nothing = z.object({})
type Nothing = typeof Nothing

/** A row. `calls` is the one procedure of the core behind it. */
export function route<
  C extends CoreName,
  R extends z.ZodType,
  P extends z.ZodObject = Nothing,
  Q extends z.ZodObject = Nothing,
  B extends z.ZodType = z.ZodUndefined,
  H extends z.ZodObject = Nothing,
>(calls: C, { params, query, headers, body, reply, ask, answer, onFault, keeps, heads, tells, ...described }: Route<C, P, Q, B, H, R>): DialectRow {
  // What comes in has been read by these schemas, and what the core gives is typed by its procedure: said once, here.
  type Here = Said<z.output<P>, z.output<Q>, z.output<B>, z.output<H>>
  return {
    ...described,
    calls,
    schemas: { path: params ?? Nothing, query: query ?? Nothing, ...(headers && { headers }), body: body ?? null, reply },
    ask: (said) => ask(said as Here),
    answer: (value, setting, said) => answer(value as CoreOutput<C>, setting, said as Here),
    onFault: (problem, setting, said) => onFault?.(problem, setting, said as Here),
    ...(keeps && { keeps: (value) => keeps(value as CoreOutput<C>) }),
    ...(heads && { heads: (value) => heads(value as CoreOutput<C>) }),
    ...(tells && { tells: { ...tells, when: (said) => tells.when(said as Here), telling: (begun, setting, said) => tells.telling(begun, setting, said as Here) } }),
  }
}

interface Standing<P extends z.ZodObject, Q extends z.ZodObject, R extends z.ZodType> extends Described {
  params?: P
  query?: Q
  reply: R
  answer(setting: Setting, said: Said<z.output<P>, z.output<Q>>): z.input<R> | Other
}

/** A row with nothing of the core behind it: anybody is answered, and nothing happens. */
export const standing = <R extends z.ZodType, P extends z.ZodObject = Nothing, Q extends z.ZodObject = Nothing>({
  params,
  query,
  reply,
  answer,
  ...described
}: Standing<P, Q, R>): DialectRow => ({
  ...described,
  calls: null,
  schemas: { path: params ?? Nothing, query: query ?? Nothing, body: null, reply },
  ask: () => undefined,
  answer: (_value, setting, said) => answer(setting, said as Said<z.output<P>, z.output<Q>>),
  onFault: () => undefined,
})

// ── sockets ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What a subscription of the core tells. */
export type Told = Event | SnapshotEvent | ResyncEvent | PassedEvent | TokenEvent

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

/** Who connects again: the last that they were told, and of which run or session. */
export interface Seen {
  subjectId: string
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

// ── realtime ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What a topic asks for. */
export interface WatchedRecords {
  /** By name or id. One that is not there is never told of. */
  collection: string
  /** One record alone. */
  id?: string
  filter?: string
  /** Relations to tell it with. */
  expand?: string
  /** It is told when a record does not match any more. */
  removals?: boolean
  /** It goes on where it was left, and each message says how far that is. */
  kept?: boolean
  /** What of a record is told, in the words of the dialect. */
  fields?: string
}

/** A change of a record, or that what came before is not kept any more. `cursor` stands in what is told of a kept topic. */
export type ToldChange = { action: 'create' | 'update' | 'delete' | 'remove'; record: CollectionRecord; cursor?: string } | { action: 'resync'; cursor?: string }

/**
 * An address at which a dialect's clients open a connection, without a credential, over which they are told of the topics that they
 * subscribe to by a row that calls `connections.subscribe`. What a connection keeps is the business of `http`: the dialect says what a
 * topic means and how messages are written, by pure functions.
 */
export interface DialectRealtime {
  /** Among the dialect's operations. */
  name: string
  /** As the document spells it. */
  path: string
  summary: string
  description?: string
  tags?: readonly string[]
  /** What it tells, by the name of the event. */
  tells: Readonly<Record<string, SocketMessage>>
  /** Null: nothing is ever told of it. */
  topic(name: string): WatchedRecords | null
  /** How each message over a connection begins: as lines of a server-sent event. */
  head(connection: string): string
  /** How the first one goes on. */
  greeting(connection: string): string
  /** How one goes on that is about a topic. */
  about(topic: string): string
  /** And how it ends. Made once for all who are told the same, whatever their topics are called. */
  message(told: ToldChange, asked: Pick<WatchedRecords, 'fields'>): string
}

// ── what is called ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** Calls the procedure of the core behind a row: it asks for credential and permission, and is what the audit log knows of. */
export async function callCore(row: DialectRow, ctx: Context, said: Said, signal: AbortSignal | undefined): Promise<unknown> {
  if (row.calls === null) return undefined
  return callTRPCProcedure({ router: appRouter, path: row.calls, type: typeOf(row.calls), ctx, getRawInput: async () => row.ask(said), signal, batchIndex: 0 })
}

interface CoreProcedure {
  _def: { type: 'query' | 'mutation' | 'subscription'; meta?: Meta }
}

const coreProcedures = appRouter._def.procedures as unknown as Readonly<Record<string, CoreProcedure>>

const typeOf = (name: CoreName | null): 'query' | 'mutation' => {
  if (name === null) return 'query'
  const { type } = coreProcedures[name]!._def
  if (type === 'subscription') throw new Error(`A row cannot call ${name}: it is a subscription`)
  return type
}

/** What the caller must be allowed to. */
export const actionOf = ({ calls }: DialectRow): Meta['action'] => (calls === null ? 'public' : coreProcedures[calls]!._def.meta!.action)

/** What the follower of a stream must be allowed to. */
export const followAction: Meta['action'] = coreProcedures['events.subscribe']!._def.meta!.action

/** Whether it changes something although it is a GET, as its API was published: `http` then asks for more. */
export const isGuarded = ({ method, calls }: Pick<DialectRow, 'method' | 'calls'>): boolean => method === 'GET' && typeOf(calls) === 'mutation'

// ── requests inside of a request ───────────────────────────────────────────────────────────────────────────────────────

/** A request to a row that came in the body of another one, as the row reads it: what it asks the core for, or why it does not. */
export type Inner<T> = { is: 'asked'; said: Said; asked: T } | { is: 'refused'; said: Said | null; problem: Problem }

/** Reads it as if it had come alone. What its row asks for is, with what stands beside it, of this schema. */
export function readInner<T>(row: DialectRow, came: { path: object; query: object; body: unknown }, schema: z.ZodType<T>, beside: object): Inner<T> {
  let said: Said | null = null
  try {
    said = saidOf(row, came)
    const { success, data, error } = schema.safeParse({ ...beside, ...(row.ask(said) as object) })
    if (!success) throw invalidInput(error.issues)
    return { is: 'asked', said, asked: data }
  } catch (error) {
    return { is: 'refused', said, problem: problemOf(error) }
  }
}

function saidOf({ schemas }: DialectRow, came: { path: object; query: object; body: unknown }): Said {
  const wire: WireIssue[] = []
  const parse = (where: keyof typeof came, schema: z.ZodType): unknown => {
    const { success, data, error } = schema.safeParse(came[where], { reportInput: true })
    if (!success) wire.push(...error.issues.map((issue) => ({ in: where, issue, whole: came[where] })))
    return data
  }
  const said = { path: parse('path', schemas.path), query: parse('query', schemas.query), body: schemas.body ? parse('body', schemas.body) : undefined }
  if (wire.length > 0) throw new WireFault(wire)
  return said
}

/** What the row would have answered to it. */
export const answerOfInner = (row: DialectRow, said: Said, value: unknown, setting: Setting): Other => answered(row, row.answer(value, setting, said))

/** And how it would have refused it. */
export function refusalOfInner(row: DialectRow, said: Said | null, problem: Problem, setting: Setting, { render }: Dialect['errors']): Other {
  const instead = said === null ? undefined : row.onFault(problem, setting, said)
  if (instead !== undefined) return answered(row, instead)
  const { status, body } = render(problem, '')
  return new Other(status, body)
}

const answered = ({ status = 200 }: DialectRow, value: unknown): Other => (value instanceof Other ? value : new Other(status, value))

/** The rows of dialects as procedures, `<dialect>.<row>`, which take `{path, query, body}` and give what the wire would. */
export const dialectsRouter = (dialects: readonly Dialect[]): AnyTRPCRouter =>
  router(Object.fromEntries(dialects.map(({ name, rows }) => [name, router(Object.fromEntries(rows.map((row) => [row.name, procedureOf(row)])))])))

function procedureOf(row: DialectRow) {
  const { path, query, headers, body } = row.schemas
  const wire = z.object({ path: path.prefault({}), query: query.prefault({}), headers: headers?.prefault({}) ?? z.undefined().optional(), body: body ?? z.undefined().optional() })
  // Who asks for nothing may send nothing.
  const door = passing(
    { action: actionOf(row) },
    z.preprocess((sent) => sent ?? {}, wire),
  )
  const answer = async ({
    ctx,
    input,
    signal,
  }: {
    ctx: Context
    input: { path: unknown; query: unknown; headers?: unknown; body?: unknown }
    signal?: AbortSignal | undefined
  }) => {
    const said: Said = { path: input.path, query: input.query, body: input.body, ...(headers && { headers: input.headers }) }
    const answered = row.answer(await callCore(row, ctx, said, signal), { now: new Date(), baseUrl: '' }, said)
    return answered instanceof Other ? answered.body : answered
  }
  return typeOf(row.calls) === 'query' ? door.query(answer) : door.mutation(answer)
}
