import type { DecidedPause, DecidePause, DecisionAction, ListPauses, OnePause, Pause } from '@sluice/schema'
import type { Calls } from '../calls.ts'
import { keyed } from '../idempotency.ts'
import type { Input } from '../input.ts'
import type { Listing } from '../listing.ts'
import type { CallOptions } from '../options.ts'

/** What a decision may carry. */
export type DecisionInput = Omit<Input<typeof DecidePause>, 'id' | 'runId' | 'action'>

/** Questions to people, and their answers. */
export interface Pauses {
  /**
   * Newest first, unless there is an `order`; of one run or workflow, of some statuses, for one assignee, or `where` something
   * else holds; up to 1,000 a page. Throws `NotFoundError` (`run_missing`, `workflow_missing`).
   */
  list(filter?: Input<typeof ListPauses>, options?: CallOptions): Listing<Pause>
  /** Throws `NotFoundError` (`pause_missing`). */
  get(which: Input<typeof OnePause>, options?: CallOptions): Promise<Pause>
  /**
   * Exactly one decision wins. The same one again succeeds; another one throws `ConflictError` (`pause_decided`), whose
   * `winner` is the decision that stands. Named by its run the only open pause is meant: with several, `ConflictError`
   * (`pause_ambiguous`), with none ever `ConflictError` (`run_not_paused`). Throws `InvalidError` (`input_invalid`) for inputs that
   * do not fit the pause's form. With `include: ['run']` the answer has the `run` as it stands after the decision. A `label` that
   * is another member's id or email throws `ForbiddenError`, unless the client has an API key: then the decision is theirs.
   */
  decide(decision: Input<typeof DecidePause>, options?: CallOptions): Promise<DecidedPause>
  /** The step completes with what it was given, merged with `inputs`. Throws what `decide` throws, as the next two do. */
  approve(id: string, decision?: DecisionInput, options?: CallOptions): Promise<DecidedPause>
  /** The run takes its `declined` link, or is undone and cancelled. */
  decline(id: string, decision?: DecisionInput, options?: CallOptions): Promise<DecidedPause>
  /** The `inputs` are the output of the step. */
  override(id: string, decision?: DecisionInput, options?: CallOptions): Promise<DecidedPause>
}

export function pausesOf({ list, read, repeat }: Calls): Pauses {
  const decide: Pauses['decide'] = (decision, options) => repeat('pauses.decide', keyed(decision), options)
  const as =
    (action: DecisionAction): Pauses['approve'] =>
    (id, decision, options) =>
      decide({ ...decision, id, action }, options)
  return {
    list: (filter, options) => list('pauses.list', filter, options),
    get: (which, options) => read('pauses.get', which, options),
    decide,
    approve: as('approve'),
    decline: as('decline'),
    override: as('override'),
  }
}
