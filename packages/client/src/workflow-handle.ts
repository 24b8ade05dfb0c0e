import type { Json, ListRuns, Run, RunSummary, StartRun, Workflow } from '@sluice/schema'
import type { Calls } from './calls.ts'
import type { Input } from './input.ts'
import type { Listing } from './listing.ts'
import type { FeedItem } from './nouns/events.ts'
import type { Runs } from './nouns/runs.ts'
import type { Workflows } from './nouns/workflows.ts'
import type { CallOptions } from './options.ts'
import { type RunEventsOptions, type RunHandle, runHandle } from './run-handle.ts'

/**
 * What is known of the workflows of a server, by handle: `{ invoice: { input: …, output: … } }`. Empty here; declared by
 * those who know, in a module of their own:
 * `declare module '@sluice/client' { interface WorkflowTypes { invoice: { input: Order; output: Receipt } } }`
 */
// oxlint-disable-next-line typescript/no-empty-interface -- filled by declaration merging
export interface WorkflowTypes {}

/** Known handles are offered; any other id or handle will do. */
// oxlint-disable-next-line typescript/no-redundant-type-constituents -- `never` only until it is filled
export type WorkflowName = keyof WorkflowTypes | (string & {})

/** What a workflow takes: JSON, or an object that becomes JSON. */
export type InputOf<Name> = Name extends keyof WorkflowTypes ? (WorkflowTypes[Name] extends { input: infer In } ? In : Json | object) : Json | object
/** What a workflow returns. */
export type OutputOf<Name> = Name extends keyof WorkflowTypes ? (WorkflowTypes[Name] extends { output: infer Out } ? Out : Json) : Json

/** What a start may be given beside its input. */
export type StartOptions = Omit<Input<typeof StartRun>, 'workflow' | 'input'> & CallOptions

/** One workflow, by its id or handle. Asks for nothing before one of its verbs is called. */
export interface WorkflowHandle<In = Json | object, Out = Json> {
  readonly workflow: string
  /**
   * Starts a run, and answers when it is committed, or later with `wait`. Throws what `runs.start` throws. Without an
   * idempotency key one is made, and kept over the repeats of this call: a lost answer starts nothing twice.
   */
  start(input?: In, options?: StartOptions): Promise<RunHandle<Out>>
  get(options?: CallOptions): Promise<Workflow>
  runs(filter?: Omit<Input<typeof ListRuns>, 'workflow'>, options?: CallOptions): Listing<RunSummary>
  /** The events of its runs, without end; after a cursor, or else after a snapshot. */
  events(options?: RunEventsOptions): AsyncGenerator<FeedItem, void, undefined>
}

export function workflowHandle<In, Out>(workflow: string, { workflows, runs }: { workflows: Workflows; runs: Runs }, calls: Calls): WorkflowHandle<In, Out> {
  return {
    workflow,
    async start(input, { signal, timeoutMs, retries, ...options } = {}) {
      const run: Run = await runs.start({ ...options, workflow, ...(input !== undefined && { input: input as Json }) }, { signal, timeoutMs, retries })
      return runHandle<Out>(run, runs, calls)
    },
    get: (options) => workflows.get({ workflow }, options),
    runs: (filter, options) => runs.list({ ...filter, workflow }, options),
    events: ({ after, ...options } = {}) => workflows.watch({ workflow, after }, options),
  }
}
