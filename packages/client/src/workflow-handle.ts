import type { Json, ListedRun, ListRuns, Run, StartRun, Workflow } from '@sluice/schema'
import type { Calls } from './calls.ts'
import type { Input } from './input.ts'
import type { Listing } from './listing.ts'
import type { FeedItem } from './nouns/events.ts'
import type { Workflows } from './nouns/workflows.ts'
import type { CallOptions } from './options.ts'
import { type RunEventsOptions, type RunHandle, type RunNouns, runHandle } from './run-handle.ts'
import type { AnyInput, AnyPauses, StartArguments } from './typing.ts'

/** What a start may be given beside its input. */
export type StartOptions = Omit<Input<typeof StartRun>, 'workflow' | 'input'> & CallOptions

/** One workflow, by its id or handle. Asks for nothing before one of its verbs is called. */
export interface WorkflowHandle<In = AnyInput, Out = Json, Pauses = AnyPauses> {
  readonly workflow: string
  /**
   * Starts a run, and answers when it is committed, or later with `wait`. Throws what `runs.start` throws. Without an
   * idempotency key one is made, and kept over the repeats of this call: a lost answer starts nothing twice.
   */
  start(...given: StartArguments<In, StartOptions>): Promise<RunHandle<Out, Pauses>>
  get(options?: CallOptions): Promise<Workflow>
  runs(filter?: Omit<Input<typeof ListRuns>, 'workflow'>, options?: CallOptions): Listing<ListedRun>
  /** The events of its runs, without end; after a cursor, or else after a snapshot. With `current` those of its current run alone, whichever that is. */
  events(options?: RunEventsOptions & { current?: boolean }): AsyncGenerator<FeedItem, void, undefined>
}

export function workflowHandle<In, Out, Pauses>(workflow: string, nouns: RunNouns & { workflows: Workflows }, calls: Calls): WorkflowHandle<In, Out, Pauses> {
  const { workflows, runs } = nouns
  return {
    workflow,
    async start(...[input, { signal, timeoutMs, retries, ...options } = {}]) {
      const run: Run = await runs.start({ ...options, workflow, ...(input !== undefined && { input: input as Json }) }, { signal, timeoutMs, retries })
      return runHandle<Out, Pauses>(run, nouns, calls)
    },
    get: (options) => workflows.get({ workflow }, options),
    runs: (filter, options) => runs.list({ ...filter, workflow }, options),
    events: ({ after, current, ...options } = {}) => workflows.watch({ workflow, after, current }, options),
  }
}
