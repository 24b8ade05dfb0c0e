import type { DefinitionKind, Json, JsonObject, MessageRole, NodeTypeDialect, NodeTypeOption, PauseKind } from '@sluice/schema'
import type * as Schema from 'effect/Schema'

/**
 * All that the engine knows of nodes. A node type is one value: what it says of itself (title, config, handles), how the
 * strings of its config are read, and what it does. It gets all it may touch handed in; it imports no engine.
 */

/**
 * How a string in a config is read, once, before the config is decoded:
 * `template` Liquid, gives text · `value` Liquid, but a string that is one `{{ expression }}` and nothing else gives the
 * value itself · `condition` CEL, gives a boolean · `expression` CEL, gives any value · `jinja` a Jinja template whose
 * names are steps before, gives text · `jinja-data` one whose only name is `data`, gives text, a string without `{{` as it
 * stands · `jinja-data-value` the same, but a string that is one `{{ expression }}` and nothing else gives the value itself ·
 * `python` a condition as Python writes it, whose only name is `data`, gives a boolean · `path` the name of a step before,
 * then keys and indexes (`step.key.0`), gives what stands there or null · `reference` a place (`$input/customer/name`,
 * `$steps/charge/id`, `$run/id`), gives a `Taken` of what stands there; any other string as it stands · `raw` as it stands.
 */
export type Reading = 'template' | 'value' | 'condition' | 'expression' | 'jinja' | 'jinja-data' | 'jinja-data-value' | 'python' | 'path' | 'reference' | 'raw'

/** Readings by dotted path into the config; `*` stands for one key or index, a last `**` for all below. The rest are templates. */
export type Readings = { readonly [path: string]: Reading }

/** What the expressions of a node see. Predecessors stand beside these by step name, where the name is free. */
export interface Scope {
  /** The run's input. */
  input: Json
  /** The outputs of everything upstream that completed, by step name. */
  nodes: JsonObject
  /** Everything upstream merged, shallow, in topological order; built on first use. */
  readonly data: JsonObject
  run: { id: string; workflowId: string; version: number; transactionId: string | null; trigger: string; tags: string[] }
  session: JsonObject | null
  /** Inside a map: the value and its number. Inside a loop: what it carries from the iterations before, and how many these are. */
  item?: Json
  index?: number
  last?: Json
  count?: number
}

/** What happened to be asked of a node, and what it may touch while it answers. */
export interface StepContext {
  workspaceId: string
  runId: string
  workflowId: string
  nodeId: string
  iteration: string
  /** `runId/nodeId/iteration`: the same on every retry. Sent along as Idempotency-Key. */
  key: string
  /** 1 for the first try. */
  attempt: number
  /** How many steps of this node were begun before in its run. */
  pass: number
  /** Outputs of the predecessors that completed, by step name. */
  input: JsonObject
  /** For an input node: the value the run was started with; in a body, what that hands to the iteration. When undoing: what the step left for it. */
  given: Json
  now: Date
  /** The W3C trace context of this attempt: calls outside carry it on. Null: there is no trace. */
  traceparent: string | null
}

/** What a step gives that lets its input through: the output of its one completed predecessor, else, or with `steps`, all of them by step name; with `nothing` none. */
export function passThrough({ input }: Pick<StepContext, 'input'>, passes: 'value' | 'steps' | 'nothing' = 'value'): Json {
  if (passes === 'nothing') return {}
  const outputs = Object.values(input)
  return passes === 'value' && outputs.length === 1 ? outputs[0]! : input
}

/** A function that a model may call. */
export interface OfferedTool {
  /** `[A-Za-z0-9_-]{1,64}`, as the model calls it. */
  name: string
  description: string
  /** JSON Schema of its arguments: an object. */
  parameters: JsonObject
  /** `here`: the node `tool` does it · `workflow`: a child run of `workflow` · `client`: who sent the message does it, and signals. */
  kind: 'here' | 'workflow' | 'client'
  /** The id of the workflow that is run. */
  workflow: string | null
  /** A person is asked before it is called. */
  approval: boolean
}

/** A file of a conversation, as a model is told of it. */
export interface DocumentSummary {
  id: string
  name: string
  type: 'table' | 'text' | 'json' | 'pdf' | 'other'
  bytes: number
  /** Of a table. */
  rows?: number
  columns?: {
    name: string
    type: 'number' | 'text' | 'date' | 'boolean'
    /** All there are, of a column of texts with few. */
    values?: string[]
  }[]
  pages?: number
  /** How a text begins: at most 1,000 characters. */
  preview?: string
  /** Why it cannot be read. */
  error?: string
}

/** What a model wants called, with which arguments. */
export interface ToolCall {
  name: string
  arguments: JsonObject
  /** No person was asked, and what wants that by now is not called. Unless set, that is for who designed the workflow. */
  approved?: false
}

/** The run for which tools are offered and called. */
export interface ToolUser {
  workspaceId: string
  runId: string
  /** The session whose round it is. */
  sessionId: string | null
  /** Who started it. */
  userId: string | null
}

/** What models may call, and what is called here. */
export interface Toolbox {
  /** The functions that the session allows: those of its files, of the library and of the workspace. Of a run without a session none. */
  offered(of: ToolUser): Promise<OfferedTool[]>
  /** The files of the session. */
  documents(of: ToolUser): Promise<DocumentSummary[]>
  /** Calls one of the kind `here`. What the model could do better it is told by the result; throws a StepFailure for the rest. */
  call(of: ToolUser, call: ToolCall, context: WorkContext): Promise<StepResult>
}

/** What a node needs of the server, handed to it by the engine. */
export interface Abilities {
  /** As `Toolbox`, for the run of the step. */
  tools(): Promise<OfferedTool[]>
  documents(): Promise<DocumentSummary[]>
  callTool(call: ToolCall, context: WorkContext): Promise<StepResult>
  /** Tells a piece of an answer live, to who follows the run or its session; nothing of it is kept. */
  say(piece: string): void
  /** The value of a named secret of the run's workspace. Throws a StepFailure `secret_missing`. */
  secret(name: string): Promise<string>
  /**
   * Writes into a file that the step's node has under a key, in its place or at its end: once, however often the step is tried.
   * Throws a StepFailure with the code of what refused it, as `files_full`.
   */
  writeFile(writing: { key: string; text: string; append: boolean }): Promise<{ id: string; key: string; bytes: number }>
  /** Writes a log event of the run; with `once`, unless this server has written the same of this run. */
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string, options?: { once?: boolean }): void
}

export interface WorkContext extends StepContext {
  /** Aborted on cancel, time-out, shutdown and loss of the claim. A body that ignores it is fenced all the same. */
  signal: AbortSignal
  abilities: Abilities
}

/** A step's own contribution, and the handles it leaves by (`['default']` unless given). */
export interface StepResult {
  output: Json
  route?: string[]
  /** Single keys of the context of the session whose round the run is: set together with the step's result. At most 64 KiB. */
  context?: JsonObject
  /** What it took of a language model: added up over the round. */
  usage?: { promptTokens: number; completionTokens: number }
  /** Into durable queues of the workspace: committed together with the step's result, so that each is pushed once. */
  push?: { queue: string; value: Json }[]
  /** What its undoing gets in place of its output. */
  compensateInput?: Json
}

/** What was called goes on elsewhere: the step waits for a report of what came of it. */
export interface Awaits {
  awaits: 'report'
  /** Called again when no report has come for so long, so many times at most; then it goes on waiting. */
  remind?: { everyMs: number; times: number }
}

export interface PauseRequest {
  kind: PauseKind
  message: string
  form: JsonObject | null
  assignee: string | null
  expiresInMs: number | null
  /** The decision taken when it expires, if the node has a default. */
  onExpiry: { action: 'approve' | 'decline' | 'override'; inputs?: JsonObject } | null
  blocks: 'dependants' | 'run'
  /** What an approval lets through, as with `passThrough`; `value` unless set. */
  passes?: 'value' | 'steps' | 'nothing'
}

/** What a waiting step waits for; durable, and nothing of it stays in memory. */
export type WaitRequest =
  | { for: 'pause'; pause: PauseRequest }
  | { for: 'signal'; name: string; timeoutMs: number | null }
  | { for: 'report' }
  /** Gives `output` then; the time, `{at}`, unless set. */
  | { for: 'timer'; at: Date; output?: Json }

export interface MapPlan {
  items: Json[]
  concurrency: number
  onItemFailure: 'fail' | 'collect'
}

export interface ChildRequest {
  workflow: string
  version: number | null
  input: Json
}

/** How a loop carries on what its iterations give. */
export interface Carriage {
  /** What `last` becomes, of what it was and what an iteration gave. Null: what that gave, whatever it was before, so that no other is looked at. */
  lay: ((last: Json, given: Json) => Json) | null
  /** Under this key of what an iteration is handed stands what the nodes of the body gave in those before it, by node id. Nothing carries the key on. */
  historyAs: string | null
}

/** Where a loop has come to: what it carries, what its last iteration gave by itself (both before the first one: what it starts with), how many there were. */
export interface LoopEnd {
  last: Json
  given: Json
  count: number
}

/** Where a producer stands: what it keeps between two items (null before the first; at most 64 KiB), and how many it gave. */
export interface ProducerState {
  state: Json
  count: number
}

/** Where the next item comes from, when it is not made here: a signal sent into the run, a durable queue, a webhook, or what nodes that lead to it in its definition write. */
export type Source = { signal: string } | { queue: string } | { webhook: string } | { channel: true }

/** What a producer does next: it gives an item, or has none any more, or waits for one. */
export type Produced = { item: Json; state: Json } | { ended: true } | { awaits: Source }

/** What a node does, by kind. `C` is its decoded config. */
export type Behaviour<C> =
  /** Free of effects and instant: the engine may run it inline, and again, at will. */
  | { is: 'pure'; run(config: C, context: StepContext): StepResult }
  /** Does work in the world: at least once, under the step's key. */
  | { is: 'work'; run(config: C, context: WorkContext): Promise<StepResult | Awaits> }
  | { is: 'wait'; wait(config: C, context: StepContext): WaitRequest }
  /** Runs the nodes that name it as parent once an item. */
  | { is: 'map'; plan(config: C): MapPlan }
  /** Runs them again while it says so; asked before each iteration, with `last` and `count` in the config's scope. `max` bounds it. */
  | {
      is: 'loop'
      again(config: C, count: number): boolean
      max(config: C): number
      /** The key of the config for what `last` is before the first iteration: read by itself, in the scope around the loop, and not there when the loop is asked. */
      startIn: string
      /** Asked of the config as written. */
      carries(config: JsonObject): Carriage
      /** The output, when there is no iteration more. */
      gives(config: C, end: LoopEnd): Json
    }
  /**
   * Gives items one after another, each with an iteration of its own for all nodes that it leads to; by `done` it leads to what
   * comes after the last one. Its config is read once for all of them, and again by a server that takes the run over.
   */
  | {
      is: 'producer'
      /** Free of effects and instant. */
      next(config: C, context: StepContext, at: ProducerState): Produced
      /** What comes when it waited: the item itself unless set. Waiting again, it passes it over. */
      receive?(config: C, payload: Json, at: ProducerState): Produced
    }
  | { is: 'child'; child(config: C, context: StepContext): ChildRequest }

/** A node type as a function for models. */
export interface NodeTool {
  /** A person is asked before it is called. */
  approval: boolean
  /** What the model is told that it does; the node type's description unless set. */
  description?: string
  /** Keys of the config that are not a model's to give. */
  without?: readonly string[]
  /** Keys that a call has to give, and not as an empty text, though a config need not. */
  needs?: readonly string[]
}

export interface NodeDeclaration<C = unknown> {
  /** The type id; never changes once published. */
  type: string
  title: string
  description: string
  category: 'flow' | 'data' | 'people' | 'work' | 'structure'
  /** The one declaration of the config: decoding, issues, form, JSON Schema and test data come from it. */
  config: Schema.Codec<C, unknown>
  readings?: Readings
  /** Handles beside `default` and `failed`, which every node has. */
  handles?: { fixed?: readonly string[]; fromConfig?: string }
  /** An entry of a definition wherever it stands. */
  entry?: boolean
  /** What it gives is what the run, or the body it stands in, returns. */
  returns?: boolean
  /** Of a map or a loop: its body is what this handle leads to, with everything behind. Without one it is the nodes that name it as parent. A producer's is what `default` leads to. */
  draws?: string
  /** Writes into the channels of the queue readers it leads to: what it gives is an item of each. */
  writes?: true
  /** Of a producer: reads what writers that lead to it write. To any other they lead like every node. */
  reads?: true
  /** False: it looks at nothing but its config, so that what came before is not fetched for it, and its `input` is empty. */
  takesInput?: false
  /** Refused in a definition of these kinds. */
  notIn?: readonly DefinitionKind[]
  /** Models may call it as a function whose arguments are its config. */
  tool?: NodeTool
  /** What decoding the config cannot see: one message a path. Static: runs at validation on the config as written. */
  check?(config: JsonObject): { path: (string | number)[]; message: string }[]
  /** What a field of the config, by its dotted path, can be, given what others are; null: what its schema counts up. PURE. */
  options?(field: string, values: JsonObject): NodeTypeOption[] | null
  /** Paths into the config at which a JSON Schema stands: checked when the definition is, and by it the values at run time. */
  schemaFields?: readonly string[]
  /** The key of its output that those schemas are about; the whole output unless set, or where it gives null. Also asked of a config as written. */
  schemaOf?(config: C): string | null
  /** The name of what a config needs of a program that this server has not loaded; null: nothing. Asked of the config as written: a run of it waits. */
  lacks?(config: JsonObject): string | null
  behaviour: Behaviour<C>
  /** Set when this is another name of a node type: then `config` and `readings` are about what the stored config means. */
  alias?: AnyAlias
}

// oxlint-disable-next-line typescript/no-explicit-any -- a catalogue holds nodes of every config
export type AnyNode = NodeDeclaration<any>

/** Keeps the config's type between declaration and behaviour. */
export const defineNode = <C>(declaration: NodeDeclaration<C>): NodeDeclaration<C> => declaration

/** A place inside a config, from the outside in. */
export type Place = readonly (string | number)[]

/** Where an alias stands in its definition. */
export interface Standing {
  id: string
  title: string
  /** Step names of the predecessors that are part of the run, in topological order. */
  names: readonly string[]
}

/** What the config of an alias means: a config of the library's type. */
export interface Mapped {
  config: JsonObject
  /**
   * Where what stands in that config is said in the alias's own: an issue at the first place, or anywhere below it, is told at
   * the second. The longest one that fits counts; what none fits is told of the config as a whole.
   */
  places: readonly (readonly [library: Place, own: Place])[]
  /** How strings of this config are read where it is not as the alias says. */
  readings?: Readings
}

/** A message that came into a session, and the messages before it, oldest first. */
export interface ReceivedMessage {
  text: string
  history: { role: MessageRole; content: string }[]
  sessionId: string
  /** Ids. */
  files: string[]
  metadata: JsonObject
}

interface AliasFacts<C> {
  /** The dialect whose name it is. */
  dialect: NodeTypeDialect
  /** The name, as definitions have it. */
  type: string
  /** The node type it is a name of. */
  of: string
  title: string
  description: string
  category: NodeDeclaration['category']
  /** Of its own config, as it is stored. Keys that it does not know are allowed, and kept. */
  config: Schema.Codec<C, unknown>
  /** How the strings of its own config are read, for those who write them; the rest are `raw`. */
  reads?: Readings
  /** What decoding its own config cannot see. */
  check?(config: C): { path: (string | number)[]; message: string }[]
  /**
   * Its own config is read first, by `reads`, and decoded, checked and mapped when nothing is left in it to be read: what it is mapped
   * to is taken as it stands. In a definition it is decoded and checked as it is written: what is yet to be read has to pass. PURE.
   */
  settles?: {
    /** What is read, decoded and checked in place of the stored config, and again of what was read: there texts that hold JSON may be opened. */
    opens(config: JsonObject): JsonObject
    /** Stands before what is wrong with what was read: `Form validation failed`. */
    refusal: string
  }
  /** What a field of its own config can be, as `NodeDeclaration.options`. */
  options?(field: string, values: JsonObject): NodeTypeOption[] | null
  /** Of the mapped config, in place of the library's. */
  readings?: Readings
  /** The fields of what it gives, as far as its config tells. */
  outputFields?(config: C): string[]
  /** Of an input node: what it gives when its run is a round that a message started. The message itself, as native input nodes get it, unless set. PURE. */
  receives?(message: ReceivedMessage): Json
  /** Its links leave by `default` whatever handle they name, but for `failed` and the handles that every node of the type has. */
  leaves?: 'default'
  /** What a step of the library's type came to, in the dialect's manner. PURE. */
  gives?(result: StepResult, config: C): StepResult
  /** Of a map or a loop: the handle that leads to its body, as `NodeDeclaration.draws`. */
  draws?: string
  /** What a drawn map hands to the nodes behind it for an element; that itself unless set. PURE. */
  hands?(element: { item: Json; index: number }, config: C): Json
  /** Whatever it leads to, but for channels that it writes to, does not follow. */
  ends?: true
}

/**
 * A node type under a name of a dialect, with that dialect's config: data, from which the catalogue makes a node type of that
 * name. Stored definitions keep name and config as they came.
 */
export type NodeAlias<C = unknown> = AliasFacts<C> &
  (
    | { map(config: C, node: Standing): Mapped; refused?: undefined }
    /** Why no definition with it is published: a name that is known, of something that is not done here. */
    | { refused: string; map?: undefined }
  )

// oxlint-disable-next-line typescript/no-explicit-any -- a catalogue holds aliases of every config
export type AnyAlias = NodeAlias<any>

/** The node types a server has. */
export interface Catalogue {
  /** By name: of the library, of a program, or of a dialect. */
  get(type: string): AnyNode | undefined
  /** Those of library and program; given a dialect, its names for them. */
  list(dialect?: NodeTypeDialect): AnyNode[]
}

/** The node type behind a name: of an alias the one it stands for. */
export const typeBehind = ({ type, alias }: Pick<AnyNode, 'type' | 'alias'>): string => alias?.of ?? type

/** Thrown by a node: how a step failed. Recorded as an outcome; `retry: false` ends the retries. */
export class StepFailure extends Error {
  override readonly name = 'StepFailure'
  readonly code: string
  readonly details: Json | undefined
  readonly retry: boolean
  /** Who was asked wants to be left alone for so long: the next attempt comes no earlier, whatever the backoff. */
  readonly retryAfterMs: number | null
  /** What the undoing of the failed step gets. */
  readonly compensateInput: Json | undefined
  constructor(code: string, message: string, options: { details?: Json; retry?: boolean; retryAfterMs?: number | null; compensateInput?: Json; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.code = code
    this.details = options.details
    this.retry = options.retry ?? true
    this.retryAfterMs = options.retryAfterMs ?? null
    this.compensateInput = options.compensateInput
  }
}
