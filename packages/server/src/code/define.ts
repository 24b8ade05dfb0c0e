import { Definition, Handle, type Json, limits } from '@sluice/schema'
import { DefinitionError } from './errors.ts'
import { Flow } from './flow.ts'
import type { TakeUps } from './hooks.ts'
import type { PauseInputs } from './pauses.ts'
import type { Result } from './result.ts'
import { schemaOf, type Shape } from './shapes.ts'
import type { BranchValue, Stored } from './values.ts'
import { writtenMark, type WrittenSchedule, type WrittenWorkflow } from './written.ts'

/** When runs are started by the clock: `cron` or `everyMs`. */
export type Schedule<In> = Omit<WrittenSchedule, 'name' | 'input'> & {
  /** Among those of the workflow; `schedule` unless set. */
  name?: string
  /** What the runs are started with. */
  input?: In
}

export interface WorkflowOptions<In> {
  /** What runs are started with: a zod schema, or `type<Order>()`. Each start is held against it. */
  input?: Shape<In>
  /** Shown to people; the name unless set. */
  title?: string
  description?: string
  /** How long an ended run is kept. */
  retainForSeconds?: number
  /** A start with the transaction id of an ended run answers with that run. */
  idempotent?: boolean
  /** Of a run: counts waiting, not queueing. */
  timeoutMs?: number
  schedule?: Schedule<In> | readonly Schedule<In>[]
  /** Not published any more: its handlers are there for runs of its versions that are in flight. */
  superseded?: boolean
}

/** A workflow that is written in code, with the places that other modules may take up. */
export interface Workflow<Types, Hooks> extends WrittenWorkflow<Types> {
  readonly hooks: Hooks
}

type Returned<R> =
  R extends Result<infer T, infer Hooks extends readonly unknown[], infer Pauses extends readonly unknown[]>
    ? { value: T; hooks: Hooks; pauses: Pauses }
    : { value: R; hooks: []; pauses: [] }
interface Parts {
  value: unknown
  hooks: readonly unknown[]
  pauses: readonly unknown[]
}
type TypesOf<In, P extends Parts> = { input: In; output: Stored<BranchValue<P['value']>> } & (P['pauses'] extends readonly [] ? object : { pauses: PauseInputs<P['pauses']> })

/** The workflow that a function came to which returned R. */
export type Defined<In, R> = Workflow<TypesOf<In, Returned<R>>, TakeUps<Returned<R>['hooks']>>

type Composed<R> = R extends PromiseLike<unknown> ? 'A workflow is composed at once, and not by an async function: what waits is a step' : unknown

/**
 * Defines a workflow: `defineWorkflow('order', { input: Order }, (w) => …)`. The function is called at once, and what it calls on `w` is
 * the workflow; what it returns is what runs return. Throws a DefinitionError.
 */
export function defineWorkflow<In, R>(name: string, build: (w: Flow<In>) => R & Composed<R>): Defined<In, R>
export function defineWorkflow<In, R>(name: string, options: WorkflowOptions<In>, build: (w: Flow<In>) => R & Composed<R>): Defined<In, R>
export function defineWorkflow<In, R>(name: string, ...rest: [build: (w: Flow<In>) => R] | [options: WorkflowOptions<In>, build: (w: Flow<In>) => R]): Defined<In, R> {
  const [options, build] = rest.length === 1 ? [{}, rest[0]] : rest
  if (!Handle.safeParse(name).success)
    throw new DefinitionError(`A workflow cannot be called ${JSON.stringify(name)}: a name has 1 to 100 characters of A-Z a-z 0-9 . _ -`, String(name))
  if (typeof build !== 'function') throw new DefinitionError(`Workflow ${name} needs a function that composes it: defineWorkflow('${name}', (w) => …)`, name)
  const schema = options.input && schemaOf(options.input, 'input', name)
  const flow = new Flow<In>(name, schema ? { schema } : {})
  const { definition, functions, hooks } = flow.end(build(flow), settingsOf(options))
  check(name, definition)
  const written: Workflow<object, unknown> = {
    [writtenMark]: true,
    name,
    title: options.title ?? name,
    description: options.description ?? '',
    superseded: options.superseded ?? false,
    definition,
    functions,
    schedules: schedulesOf(name, options.schedule),
    types: {},
    hooks,
  }
  // Types are for the compiler alone, and the hooks are those of `Returned<R>`: at run time a workflow is a workflow.
  return written as Defined<In, R>
}

function settingsOf({
  timeoutMs,
  retainForSeconds,
  idempotent,
}: Pick<WorkflowOptions<unknown>, 'timeoutMs' | 'retainForSeconds' | 'idempotent'>): NonNullable<Definition['settings']> {
  return { ...(timeoutMs !== undefined && { timeoutMs }), ...(retainForSeconds !== undefined && { retainForSeconds }), ...(idempotent !== undefined && { idempotent }) }
}

/** The form that every definition has, and its size: what it means, is looked at where it is published. */
function check(name: string, definition: Definition): void {
  const { success, error } = Definition.safeParse(definition)
  if (!success) {
    const { path, message } = error.issues[0]!
    const step = path[0] === 'nodes' && typeof path[1] === 'number' ? definition.nodes[path[1]]!.id : null
    const place = path.slice(step === null ? 0 : 2).join('.')
    throw new DefinitionError(`${step === null ? 'Workflow' : `Step ${step} of workflow`} ${name}${place === '' ? '' : `, ${place}`}: ${message}`, name, step)
  }
  const bytes = Buffer.byteLength(JSON.stringify(definition))
  if (bytes > limits.definitionBytes)
    throw new DefinitionError(`Workflow ${name} has ${bytes} bytes; ${limits.definitionBytes} are allowed. A transform stands in every step that takes it`, name)
}

function schedulesOf(workflow: string, given: Schedule<unknown> | readonly Schedule<unknown>[] = []): WrittenSchedule[] {
  const schedules = [given].flat().map(({ name = 'schedule', input, ...schedule }) => ({ name, ...schedule, ...(input !== undefined && { input: input as Json }) }))
  for (const [at, { name, cron, everyMs }] of schedules.entries()) {
    const refuse = (problem: string): never => {
      throw new DefinitionError(`Schedule ${name} of workflow ${workflow} ${problem}`, workflow)
    }
    if ((cron === undefined) === (everyMs === undefined)) refuse('needs one of cron and everyMs')
    if (schedules.findIndex((other) => other.name === name) < at) refuse('has a name that another one has: give each its own')
  }
  return schedules
}
