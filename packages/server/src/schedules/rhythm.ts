import type { ScheduleRow } from '../store/rows/schedules.ts'
import type { Rhythm } from './moments.ts'

/** As a schedule is stored. */
export const rhythmOf = (row: Pick<ScheduleRow, 'cron' | 'every_ms' | 'time_zone' | 'anchor_at' | 'starts_at' | 'ends_at'>): Rhythm => ({
  cron: row.cron,
  everyMs: row.every_ms,
  timeZone: row.time_zone,
  anchor: row.anchor_at.getTime(),
  startsAt: row.starts_at?.getTime() ?? null,
  endsAt: row.ends_at?.getTime() ?? null,
})
