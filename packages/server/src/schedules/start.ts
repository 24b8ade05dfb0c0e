import type { Json, StartRun } from '@sluice/schema'
import type { ScheduleRow } from '../store/rows/schedules.ts'
import { mostCounted } from './duty.ts'

type Scheduled = Pick<ScheduleRow, 'id' | 'workflow_id' | 'name' | 'given' | 'overlap'>

/** The start of a run for a moment: by its tags, and, where the schedule gives nothing else, by its input it knows its time. */
export function startFor(schedule: Scheduled, moment: Date, stands = 0): Pick<StartRun, 'workflow' | 'input' | 'inputs' | 'lane' | 'tags'> {
  const scheduledFor = moment.toISOString()
  return {
    workflow: schedule.workflow_id,
    ...(schedule.given ?? { input: { scheduledFor } satisfies Json }),
    tags: [`schedule:${schedule.name}`, `scheduledFor:${scheduledFor}`, ...(stands > 0 ? [`missed:${stands < mostCounted ? stands : `${mostCounted}+`}`] : [])],
    ...(schedule.overlap !== 'allow' && { lane: { key: `schedule:${schedule.id}`, whenBusy: schedule.overlap === 'skip' ? 'refuse' : 'queue' } }),
  }
}

/** Of its schedule and its moment, so that each moment has one run however often it is started. */
export const transactionOf = (schedule: Pick<ScheduleRow, 'id'>, moment: Date): string => `schedule:${schedule.id}:${moment.toISOString()}`
