import type { Report, ReportedStep } from '@sluice/schema'
import type { Calls } from '../calls.ts'
import type { Input } from '../input.ts'
import type { CallOptions } from '../options.ts'
import { waitOf } from '../waiting.ts'

/** What happens outside and is reported. `runs.steps` lists those of a run. */
export interface Steps {
  /**
   * Tells the outcome of an external step, from outside. The same report again succeeds. With `wait` it answers when the run
   * is parked or finished, with `include: ['run']` the step has its run as it then stands. Throws `ConflictError`
   * (`report_conflict` for another outcome, `step_not_waiting`, both with how the step stands in `details`, `step_ambiguous`),
   * `NotFoundError` (`workflow_missing`, `run_missing`, `step_missing`).
   */
  report(report: Input<typeof Report>, options?: CallOptions): Promise<ReportedStep>
}

export const stepsOf = ({ repeat }: Calls): Steps => ({
  report: (report, options) => repeat('steps.report', report, { ...options, waitMs: waitOf(report.wait) }),
})
