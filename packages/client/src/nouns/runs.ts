import type {
  CancelRun,
  CurrentRun,
  FindRun,
  ForkRun,
  GetRun,
  ListedRun,
  ListEvents,
  ListRuns,
  ListSteps,
  OneRun,
  RetryStep,
  Run,
  RunEvent,
  StartRun,
  Step,
  StopRun,
  WaitForRun,
} from '@sluice/schema'
import type { Calls } from '../calls.ts'
import { VersionSkewError } from '../errors.ts'
import { keyed } from '../idempotency.ts'
import type { Input } from '../input.ts'
import type { Listing } from '../listing.ts'
import type { CallOptions, Versions } from '../options.ts'
import { waitOf } from '../waiting.ts'

/** Executions of workflows, as values. `sluice.workflow(name).start()` gives one to hold on to. */
export interface Runs {
  /**
   * Answers when the run is committed, or, with `wait`, when it is parked or finished, as it then stands. A failed run is an
   * outcome, not an error. Throws `NotFoundError` (`workflow_missing`), `InvalidError` (`input_invalid`, `definition_invalid`),
   * `ConflictError` (`idempotency_conflict`, `transaction_conflict`, `lane_busy`), `VersionSkewError`. Without an
   * idempotency key one is made, and kept over the repeats of this call. With a `sessionId` it is a round of that session:
   * it may bring its user's `message`, which is kept with the run, and be given the messages before it (`historyAs`), as
   * they are when it is accepted: rounds come one after another, and what one before it has yet to answer is not among them.
   * `otherInputs: 'ignore'` leaves out of `inputs` what names no input node. What a run is told with besides, here and wherever
   * one is asked for, `include` says: `['version', 'pauses', 'iterations', 'steps', 'outputs']` give it `pinned`, `openPauses`,
   * `iterations` of its nodes in bodies, its `steps` outside of bodies, and what its nodes were given and gave, or with `steps`
   * what these gave, as a whole, where that is else told by its size, up to 8 MiB together; the last is not for lists.
   */
  start(run: Input<typeof StartRun>, options?: CallOptions): Promise<Run>
  /**
   * Newest first, unless there is an `order`. What is asked for holds all together:
   * `{ status: ['failed', 'held'], where: { created: { gte: '2026-01-31' }, or: [{ tags: { has: 'vip' } }, { lane: null }] }, order: ['-endedAt'] }`.
   * `paused` are those with an open pause; `q` is a text in their transaction id, id or status, or in the id or handle of their
   * workflow; one of the `workflows` that is not there has no runs, where an unknown `workflow` is a fault. With `whole` the items are as `get` gives them, large values by their size; throws
   * `LimitExceededError` when a page is too large for an answer: ask for fewer.
   */
  list(filter: Input<typeof ListRuns> & { whole: true }, options?: CallOptions): Listing<Run>
  list(filter?: Input<typeof ListRuns>, options?: CallOptions): Listing<ListedRun>
  /** As it stands. Throws `NotFoundError` (`run_missing`). */
  get(which: Input<typeof GetRun>, options?: CallOptions): Promise<Run>
  /** The live run of a transaction id, else its newest; one without a transaction id goes by its own id. Throws `NotFoundError` (`workflow_missing`, `run_missing`). */
  find(which: Input<typeof FindRun>, options?: CallOptions): Promise<Run>
  /**
   * The live run of a workflow: of its lane `canvas` (`lane: { key: 'canvas', of: 'workflow' }`), else the newest live one, else
   * its newest; or its `run` of this id. Throws `NotFoundError` (`workflow_missing`, `run_missing`).
   */
  current(of: Input<typeof CurrentRun>, options?: CallOptions): Promise<Run>
  /** Answers when the run is parked, paused (only a person can make it go on) or finished, or after `ms` milliseconds (30,000 unless set, 300,000 at most) as it then stands. */
  wait(what: Input<typeof WaitForRun>, options?: CallOptions): Promise<Run>
  /** Of an ended run it changes nothing. Throws `ConflictError` (`run_compensating`). */
  cancel(which: Input<typeof CancelRun>, options?: CallOptions): Promise<Run>
  /**
   * Cancels the `current` run of a workflow, or its `run` of this id, and answers with it. One that has ended, or whose end is
   * decided, is left as it is. Throws `NotFoundError` (`workflow_missing`, `run_missing`).
   */
  stop(which: Input<typeof StopRun>, options?: CallOptions): Promise<Run>
  /** Freezes it: what is under way ends, nothing new starts. Throws `ConflictError` (`run_ended`, `run_not_holdable`). */
  hold(which: Input<typeof OneRun>, options?: CallOptions): Promise<Run>
  /** Lets a held run go on. Throws `ConflictError` (`run_not_held`, `run_ended`). */
  release(which: Input<typeof OneRun>, options?: CallOptions): Promise<Run>
  /** Makes a step that waits for its retry try now. Throws `ConflictError` (`step_not_retrying`, `step_ambiguous`). */
  retryStep(which: Input<typeof RetryStep>, options?: CallOptions): Promise<Run>
  /**
   * A new run of the same version that starts again from a step, named by its node's id or title; what does not depend on it
   * keeps its recorded outputs. Not repeated when its answer is lost. Throws `NotFoundError` (`run_missing`, `step_missing`).
   */
  fork(from: Input<typeof ForkRun>, options?: CallOptions): Promise<Run>
  /**
   * An ended run goes at once, with all that is known of it and of the runs that it started. Throws `ConflictError`
   * (`run_live`, `run_is_child`).
   */
  delete(which: Input<typeof OneRun>, options?: CallOptions): Promise<void>
  /** One for each node and iteration, in the order they came to be; `progress` and `nodes` of the run sum them up. */
  steps(of: Input<typeof ListSteps>, options?: CallOptions): Listing<Step>
  /** What has happened so far, oldest first, from after the event numbered `after` on. Live: `events()` of a run handle. */
  events(of: Input<typeof ListEvents>, options?: CallOptions): Listing<RunEvent>
}

/** Goes along with a start that would take the newest version, whatever it is. */
function expecting(run: Input<typeof StartRun>, versions: Versions): Input<typeof StartRun> {
  if (run.version !== undefined || run.expectHash !== undefined || !Object.hasOwn(versions, run.workflow)) return run
  return { ...run, expectHash: versions[run.workflow] }
}

export const runsOf = ({ list, read, write, repeat, remove }: Calls, versions: Versions): Runs => ({
  start: (run, options) => {
    const expected = expecting(run, versions)
    return repeat<Run>('runs.start', keyed(expected), { ...options, waitMs: waitOf(run.wait) }).catch((error: unknown) => {
      throw error instanceof VersionSkewError ? error.against(expected) : error
    })
  },
  // Whole or not, as the overloads say.
  list: (filter?: Input<typeof ListRuns>, options?: CallOptions) => list<Run>('runs.list', filter, options),
  get: (which, options) => read('runs.get', which, options),
  find: (which, options) => read('runs.find', which, options),
  current: (of, options) => read('runs.current', of, options),
  wait: (what, options) => read('runs.wait', what, { ...options, waitMs: waitOf(what) }),
  cancel: (which, options) => repeat('runs.cancel', which, options),
  stop: (which, options) => repeat('runs.stop', which, options),
  hold: (which, options) => repeat('runs.hold', which, options),
  release: (which, options) => write('runs.release', which, options),
  retryStep: (which, options) => write('runs.retryStep', which, options),
  fork: (from, options) => write('runs.fork', from, { ...options, waitMs: waitOf(from.wait) }),
  delete: (which, options) => remove('runs.delete', which, options),
  steps: (of, options) => list('runs.steps', of, options),
  events: (of, options) => list('runs.events', of, options),
})
