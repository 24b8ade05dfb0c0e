import type { Report, Step } from '@sluice/schema'
import type { Calls } from '../calls.ts'
import type { Input } from '../input.ts'
import type { CallOptions } from '../options.ts'

/** What happens outside and is reported. `runs.steps` lists those of a run. */
export interface Steps {
  /**
   * Tells the outcome of an external step, from outside. The same report again succeeds. Throws `ConflictError`
   * (`report_conflict` for another outcome, `step_not_waiting`, `step_ambiguous`), `NotFoundError` (`run_missing`, `step_missing`).
   */
  report(report: Input<typeof Report>, options?: CallOptions): Promise<Step>
}

export const stepsOf = ({ repeat }: Calls): Steps => ({
  report: (report, options) => repeat('steps.report', report, options),
})
