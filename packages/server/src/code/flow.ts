import { createHash } from 'node:crypto'
import type { Definition, DefinitionSettings, Json, JsonObject, Node } from '@sluice/schema'
import { Draft, type OnFailure, resultId } from './draft.ts'
import { type Taker, treeOf } from './given.ts'
import { type Hook, type StepFunction, type TakeUp, takeUp } from './hooks.ts'
import { type Pause, type PauseOptions, pauseConfig } from './pauses.ts'
import { reference, sourceOf } from './references.ts'
import { Result } from './result.ts'
import type { Shape } from './shapes.ts'
import { schemaOf } from './shapes.ts'
import { type InputArguments, settingsOf, type StepHandlers, type StepOptions, type StepOutput, type Trying, type WrittenStep } from './steps.ts'
import { applied, chosen } from './takes.ts'
import { configOf, Text } from './text.ts'
import type { BranchValue, Given, Instant, Ref, Resolved } from './values.ts'
import { type StepAt, stepKey, type WrittenFunction, type WrittenWorkflow } from './written.ts'

/** What a definition came to. */
export interface Compiled {
  definition: Definition
  functions: Map<string, WrittenFunction>
  hooks: { [name: string]: TakeUp<never> }
}

interface TypesOf {
  input?: unknown
  output?: unknown
}

/**
 * What a workflow is composed with: `(w: Flow<Order>) => …`. Its verbs say what a run will do, in their order; nothing runs yet, so that what
 * they give are references to values that will be there. They are only called while the workflow is being defined.
 */
export class Flow<In> {
  /** What a run is started with. */
  readonly input: Ref<In>
  /** The id of the run. */
  readonly runId: Ref<string>
  readonly #draft: Draft
  readonly #functions = new Map<string, WrittenFunction>()
  readonly #keys = new Map<unknown, string>()
  readonly #hooks: { [name: string]: TakeUp<never> } = {}
  #closed = false

  /** Called by defineWorkflow. */
  constructor(workflow: string, input: JsonObject) {
    this.#draft = new Draft(workflow, input)
    this.input = this.#reference('input')
    this.runId = this.#reference('run', 'id')
  }

  /** A step: work that is done once, retried when it fails and undone when a later one does. Gives a reference to what `invoke` gives. */
  step<Input, Output>(step: WrittenStep<Input, Output>, ...given: InputArguments<Input, { name?: string }>): Ref<Output>
  step<I = undefined, R = unknown, T = unknown, const A extends boolean = false, const F extends OnFailure = 'stop'>(
    name: string,
    options: StepOptions<I, R, T, A, F>,
  ): Ref<StepOutput<R, T, A, F>>
  step(step: string | WrittenStep<never, unknown>, given?: unknown, { name }: { name?: string } = {}): Ref<unknown> {
    this.#open('step')
    if (typeof step !== 'string') return this.#function(name ?? step.name, step.options, given)
    const { input, ...options } = given as Trying & StepHandlers & { input?: unknown }
    return this.#function(step, options, input)
  }

  /**
   * Computes a value of others. It is no step: it is done when a step needs its value, and again for each that does, so that it has to be
   * free of effects, and to give the same for the same values.
   */
  transform<I, O>(values: I, of: (values: Resolved<I>) => O & Instant<O>): Ref<O> {
    this.#open('transform')
    const tree = treeOf(values, this.#taker('A transform', 'values')) ?? null
    return this.#computed(null, applied(this.#key(of, 'A transform'), tree))
  }

  /**
   * Steps that run if a condition holds, and those that run otherwise. Gives what the branch returns that is taken; where that is not there,
   * nothing. The condition is asked once, when the run comes to it.
   */
  when<I, T, E = undefined>(name: string, values: I, condition: (values: Resolved<I>) => boolean, then: () => T, otherwise?: () => E): Ref<BranchValue<T> | BranchValue<E>> {
    this.#open('when')
    const id = this.#draft.name(name)
    const takes = treeOf(values, this.#taker(`Condition ${id}`, 'values'))
    this.#draft.add({ id, type: 'function-choice', config: { workflow: this.#draft.workflow, of: this.#key(condition, `Condition ${id}`), ...(takes !== undefined && { takes }) } })
    const block = { is: 'when', name: `when ${id}`, closed: false } as const
    const branchOf = (build: (() => unknown) | undefined) => (): Branch => this.#branch(id, build)
    const [held, other] = this.#draft.beside(block, [
      { from: 'then', build: branchOf(then) },
      { from: 'default', build: branchOf(otherwise) },
    ])
    if (held!.place && other!.tree === undefined) return this.#reference('steps', ...held!.place)
    return this.#computed(id, chosen(`$steps/${id}`, held!.tree, other!.tree))
  }

  /** Branches that run at the same time; what comes after them waits for all. Gives what each returns. */
  parallel<const Branches extends readonly (() => unknown)[]>(...branches: Branches): { -readonly [K in keyof Branches]: ReturnType<Branches[K]> } {
    this.#open('parallel')
    const name = 'w.parallel'
    const built = this.#draft.beside(
      { is: 'parallel', name, closed: false },
      branches.map((branch) => ({ build: () => this.#synchronous(branch(), `A branch of ${name}`) })),
    )
    return built as { -readonly [K in keyof Branches]: ReturnType<Branches[K]> }
  }

  /** A place at which another module does something of its own, if it wants: `order.hooks.orderCreated(async ({ id }, at) => …)`. */
  hook<const Name extends string, I = undefined>(name: Name, values?: I, trying: Trying<'stop' | 'continue'> = {}): Hook<Name, Resolved<I>> {
    this.#open('hook')
    const id = this.#draft.name(name)
    const step: StepFunction = { is: 'step', invoke: null, compensate: null }
    this.#functions.set(id, step)
    const takes = treeOf(values, this.#taker(`Hook ${id}`, 'values'))
    this.#draft.add(
      { id, type: 'function', config: { workflow: this.#draft.workflow, name: id, hook: true, ...(takes !== undefined && { takes }) }, ...settingsOf(trying) },
      trying.onFailure,
    )
    this.#hooks[id] = takeUp(this.#draft.workflow, this.#draft.nodes.at(-1)!, step)
    return { name }
  }

  /** Another workflow as a step: a run of its own, whose failure fails the step. Gives what that returns. */
  run<Types extends TypesOf, const F extends OnFailure = 'stop'>(
    workflow: WrittenWorkflow<Types>,
    ...given: InputArguments<Types['input'], NestedOptions<Types['output'], F>>
  ): Ref<Types['output'] | (F extends 'stop' ? never : undefined)>
  /** A workflow by its handle, wherever it was made. */
  run<T = Json, const F extends OnFailure = 'stop'>(
    workflow: string,
    input?: unknown,
    options?: NestedOptions<T, F> & { output?: Shape<T> },
  ): Ref<T | (F extends 'stop' ? never : undefined)>
  run(workflow: string | WrittenWorkflow, input?: unknown, options: NestedOptions<never, OnFailure> = {}): Ref<unknown> {
    this.#open('run')
    const child = typeof workflow === 'string' ? workflow : workflow.name
    const { name = `${child}-as-step`, version, compensate } = options
    const id = this.#draft.name(name)
    const { workflow: own } = this.#draft
    if (compensate) this.#functions.set(id, { is: 'step', invoke: null, compensate })
    const takes = treeOf(input, this.#taker(`Step ${id}`, 'input'))
    const config = { workflow: own, child, ...(version !== undefined && { version }), ...(takes !== undefined && { takes }) }
    const undo = compensate && { type: 'function-undo', config: { workflow: own, name: id } }
    return this.#put({ id, type: 'function-child', config, ...settingsOf(options, undo) }, options.onFailure)
  }

  /** Waits for a person, who approves, declines or answers. Gives what they filled in; declined, the run is undone and cancelled. */
  pause<const Name extends string, Inputs = JsonObject>(name: Name, options: PauseOptions<Inputs>): Pause<Name, Inputs> {
    this.#open('pause')
    const id = this.#draft.name(name)
    const schema = options.form && schemaOf(options.form, `form of pause ${id}`, this.#draft.workflow)
    return this.#put<Inputs>({ id, type: 'human', config: pauseConfig(options, schema ?? undefined, this.#taker(`Pause ${id}`, 'config')) })
  }

  /** Waits for a message that is sent into the run, and gives its payload. Of two that wait for one name each gets a message. */
  signal<T = Json, const F extends OnFailure = 'stop'>(name: string, options: SignalOptions<T, F> = {}): Ref<T | (F extends 'stop' ? never : undefined)> {
    this.#open('signal')
    const id = this.#draft.name(name)
    const { signal, timeoutMs, onFailure } = options
    return this.#put({ id, type: 'signal', config: { ...(signal !== undefined && { name: signal }), ...(timeoutMs !== undefined && { timeoutMs }) } }, onFailure)
  }

  /** Waits for so many milliseconds, or until a moment (ISO 8601). */
  sleep(name: string, until: Given<number> | { until: Given<string> }): void {
    this.#open('sleep')
    const id = this.#draft.name(name)
    const isTime = typeof until === 'number' || sourceOf(until) !== undefined
    this.#put({ id, type: 'delay', config: this.#config(`Sleep ${id}`, isTime ? { ms: until } : until) })
  }

  /**
   * Any node type of the library: `w.node('fetch', 'http-request', { method: 'GET', url: w.text`https://api.example/${w.input.id}` })`. Its own
   * texts are read as in a drawn graph; references in it are `{{ expressions }}`, and so only where its type reads those.
   */
  node<T = Json, const F extends OnFailure = 'stop'>(
    name: string,
    nodeType: string,
    config: { [key: string]: unknown } = {},
    options: Trying<F> & { output?: Shape<T> } = {},
  ): Ref<T | (F extends 'stop' ? never : undefined)> {
    this.#open('node')
    const id = this.#draft.name(name)
    return this.#put({ id, type: nodeType, config: this.#config(`Node ${id}`, config), ...settingsOf(options) }, options.onFailure)
  }

  /** A text with values in it, for the message of a pause and the config of a node. */
  text(strings: TemplateStringsArray, ...values: unknown[]): Text {
    return new Text(strings, values)
  }

  /** What the workflow returns, with the hooks that others may take up and the pauses that clients know by name. To be returned. */
  result<T, const Hooks extends readonly Hook<string, unknown>[] = [], const Pauses extends readonly Pause<string, unknown>[] = []>(
    value: T,
    more: { hooks?: Hooks; pauses?: Pauses } = {},
  ): Result<T, Hooks, Pauses> {
    this.#open('result')
    return new Result(value, more)
  }

  /** Ends it with what the function returned that defines it. Called by defineWorkflow. */
  end(returned: unknown, settings: DefinitionSettings): Compiled {
    const value = this.#synchronous(returned, 'The definition')
    const { workflow, nodes, links } = this.#draft
    const takes = treeOf(value instanceof Result ? value.value : value, this.#taker('The result', 'value'))
    this.#draft.end({ id: resultId, type: 'function-result', config: { workflow, ...(takes !== undefined && { takes }) } })
    this.#closed = true
    const definition: Definition = { kind: 'workflow', nodes, links, ...(Object.keys(settings).length > 0 && { settings }) }
    return { definition, functions: this.#functions, hooks: this.#hooks }
  }

  // ── how ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #open(verb: string): void {
    if (this.#closed) this.#draft.refuse(`w.${verb} was called when workflow ${this.#draft.workflow} was defined already: a handler composes nothing`)
  }

  #function(name: string, options: Trying & StepHandlers, input: unknown): Ref<unknown> {
    const id = this.#draft.name(name)
    const { workflow } = this.#draft
    const { invoke, compensate, revision = 1, output, remind, async: isAsync, compensateAsync } = options
    const about = this.#checked(id, options)
    this.#functions.set(stepKey(id, revision), { is: 'step', invoke, compensate: compensate ?? null })
    const named = { workflow, name: id, ...(revision !== 1 && { revision }) }
    const takes = treeOf(input, this.#taker(about, 'input'))
    const schema = output && schemaOf(output, `output of step ${id}`, workflow)
    const config = { ...named, ...(takes !== undefined && { takes }), ...(isAsync && { async: true, ...(remind && { remind }) }), ...(schema && { output: schema }) }
    const undo = compensate && { type: 'function-undo', config: { ...named, ...(compensateAsync && { async: true }) } }
    return this.#put({ id, type: 'function', config, ...settingsOf(options, undo) }, options.onFailure)
  }

  #checked(id: string, { invoke, compensate, revision = 1, remind, async: isAsync, compensateAsync }: StepHandlers): string {
    const about = `Step ${id}`
    const refuse = (problem: string): never => this.#draft.refuse(`${about} of workflow ${this.#draft.workflow} ${problem}`, id)
    if (typeof invoke !== 'function') refuse('needs a function `invoke`')
    if (!Number.isInteger(revision) || revision < 1) refuse('has a revision that is not 1, 2, 3 …')
    if (remind && !isAsync) refuse('has reminders, and waits for no report: set async')
    if (compensateAsync && !compensate) refuse('has nothing to be undone by, and so nothing to wait for: give `compensate`')
    return about
  }

  #put<T>(node: Node, onFailure?: OnFailure): Ref<T> {
    this.#draft.add(node, onFailure)
    return this.#reference('steps', node.id)
  }

  #branch(id: string, build: (() => unknown) | undefined): Branch {
    const came = build && this.#synchronous(build(), `A branch of when ${id}`)
    const tree = treeOf(came, this.#taker(`A branch of when ${id}`, 'value'))
    const source = sourceOf(came)
    const isItsOwn = source?.at.is === 'place' && source.at.root === 'steps' && source.frames.includes(this.#draft.frames.at(-1)!)
    return { tree, place: isItsOwn ? source.at.path : null }
  }

  #synchronous<T>(came: T, what: string): T {
    if (came instanceof Promise) {
      came.catch(() => {})
      this.#draft.refuse(`${what} of workflow ${this.#draft.workflow} is an async function: what is composed is composed at once. What waits is a step`)
    }
    return came
  }

  #taker(about: string, what: string): Taker {
    const { workflow, frames } = this.#draft
    return {
      owner: this,
      frames,
      refuse: (problem, place) => this.#draft.refuse(`${about} of workflow ${workflow}: its ${what}${place === '' ? '' : ` at ${place}`} ${problem}`, about.split(' ')[1] ?? null),
    }
  }

  #config(about: string, config: object): JsonObject {
    return configOf(config, this.#taker(about, 'config'))
  }

  #reference<T>(root: 'input' | 'steps' | 'run', ...path: string[]): Ref<T> {
    return reference({ owner: this, frames: this.#draft.frames, step: root === 'steps' ? path[0]! : null, at: { is: 'place', root, path } })
  }

  #computed<T>(step: string | null, tree: Json): Ref<T> {
    return reference({ owner: this, frames: this.#draft.frames, step, at: { is: 'computed', tree, path: [] } })
  }

  /**
   * The name of a transform or a condition: made of its source, so that a changed one makes another version, and of two with one source
   * (which may see different things around them) each has its own.
   */
  #key(of: unknown, about: string): string {
    const known = this.#keys.get(of)
    if (known !== undefined) return known
    const refuse = (problem: string): never => this.#draft.refuse(`${about} of workflow ${this.#draft.workflow} ${problem}`)
    if (typeof of !== 'function') return refuse('needs a function')
    const source = Function.prototype.toString.call(of)
    if (/\{\s*\[native code\]\s*\}$/.test(source)) refuse('is a bound or a native function, whose source nobody can read: write it as (values) => …')
    if (of.constructor.name === 'AsyncFunction') refuse('is an async function, and is done again wherever its value is needed: what waits is a step')
    const base = `transform:${createHash('sha256').update(source).digest('hex').slice(0, 16)}`
    let key = base
    for (let same = 2; this.#functions.has(key); same++) key = `${base}-${same}`
    this.#functions.set(key, { is: 'value', of: of as (values: never) => unknown })
    this.#keys.set(of, key)
    return key
  }
}

interface Branch {
  tree: Json | undefined
  /** Of a value that a step of the branch itself gives: where the branch was not taken, it is not there anyway. */
  place: readonly string[] | null
}

export interface NestedOptions<Output, F extends OnFailure> extends Trying<F> {
  /** Of the step; `<workflow>-as-step` unless set. */
  name?: string
  /** The newest unless set. */
  version?: number
  compensate?: (output: Output | undefined, at: StepAt) => unknown
}

export interface SignalOptions<T, F extends OnFailure> {
  /** Its name, where that is not the step's. */
  signal?: string
  /** Milliseconds to wait; without end unless set. Then the step has failed. */
  timeoutMs?: number
  onFailure?: F
  /** Says the type of the payload. */
  payload?: Shape<T>
}
