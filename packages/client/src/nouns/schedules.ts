import type { CreateSchedule, ListSchedules, OneSchedule, PreviewSchedule, Run, Schedule, ScheduleMoments, UpdateSchedule } from '@sluice/schema'
import type { Calls } from '../calls.ts'
import type { Input } from '../input.ts'
import type { Listing } from '../listing.ts'
import type { CallOptions } from '../options.ts'

/** They start runs of a workflow by the clock: by a cron in a time zone, or every so often. */
export interface Schedules {
  /** Newest first unless asked otherwise. */
  list(filter?: Input<typeof ListSchedules>, options?: CallOptions): Listing<Schedule>
  /** Throws `NotFoundError` (`schedule_missing`). */
  get(which: Input<typeof OneSchedule>, options?: CallOptions): Promise<Schedule>
  /**
   * Each of its moments starts one run. When its answer is lost, another try throws `ConflictError` (`name_taken`) with the `id` of
   * what was made. Throws `NotFoundError` (`workflow_missing`) and `InvalidError` for a cron, a time zone or an end that cannot be.
   */
  create(schedule: Input<typeof CreateSchedule>, options?: CallOptions): Promise<Schedule>
  /** What is absent stays; null takes it away. Throws `ConflictError` (`schedule_in_code`) for one that code says. */
  update(change: Input<typeof UpdateSchedule>, options?: CallOptions): Promise<Schedule>
  /** No run is started until it is resumed, and no moment is missed. */
  pause(which: Input<typeof OneSchedule>, options?: CallOptions): Promise<Schedule>
  resume(which: Input<typeof OneSchedule>, options?: CallOptions): Promise<Schedule>
  /** A run now, beside its moments. Throws `ConflictError` (`lane_busy`) where runs are not to overlap. */
  start(which: Input<typeof OneSchedule>, options?: CallOptions): Promise<Run>
  /** Runs that it started go on. */
  delete(which: Input<typeof OneSchedule>, options?: CallOptions): Promise<void>
  /** The next moments of a rhythm that is no schedule yet. */
  preview(rhythm: Input<typeof PreviewSchedule>, options?: CallOptions): Promise<ScheduleMoments>
}

export const schedulesOf = ({ read, list, repeat, remove, write }: Calls): Schedules => ({
  list: (filter, options) => list('schedules.list', filter, options),
  get: (which, options) => read('schedules.get', which, options),
  create: (schedule, options) => write('schedules.create', schedule, options),
  update: (change, options) => repeat('schedules.update', change, options),
  pause: (which, options) => repeat('schedules.pause', which, options),
  resume: (which, options) => repeat('schedules.resume', which, options),
  start: (which, options) => write('schedules.start', which, options),
  delete: (which, options) => remove('schedules.delete', which, options),
  preview: (rhythm, options) => read('schedules.preview', rhythm, options),
})
