import { z } from 'zod'
import { listInput } from './conditions.ts'
import { Id, instant, Timestamp, WorkflowRef } from './ids.ts'
import { Json, JsonObject } from './json.ts'
import { StepError } from './step-error.ts'

/** Names a schedule among those of its workflow. */
export const ScheduleName = z.string().regex(/^[A-Za-z0-9._-]{1,80}$/, 'expected 1 to 80 characters of A-Z a-z 0-9 . _ -')

/**
 * What becomes of moments that nobody served within a minute, as no server was there: `skip` starts nothing for them, `once` one
 * run for all of them, under the last of their times, `all` one for each, in their order.
 */
export const MissedMoments = z.enum(['skip', 'once', 'all'])
export type MissedMoments = z.infer<typeof MissedMoments>

/**
 * What becomes of a moment while a run of the schedule is live: `allow` starts another beside it, `skip` none, `queue` one that
 * waits until the runs before it have ended; at most ten wait.
 */
export const OverlappingRuns = z.enum(['allow', 'skip', 'queue'])
export type OverlappingRuns = z.infer<typeof OverlappingRuns>

export const ScheduleOrigin = z.enum(['api', 'code']).meta({ description: 'Who says what it is: callers, or the code of its workflow' })

/** Starts runs of a workflow by the clock. */
export const Schedule = z.object({
  id: Id,
  workflowId: Id,
  name: z.string(),
  cron: z.string().nullable(),
  everyMs: z.int().nullable(),
  timeZone: z.string(),
  input: Json.optional().meta({ description: 'What its runs are started with. With neither this nor `inputs` it is `{"scheduledFor": TIME}`' }),
  inputs: JsonObject.optional(),
  missed: MissedMoments,
  overlap: OverlappingRuns,
  times: z.int().nullable().meta({ description: 'It ends after so many runs' }),
  startsAt: Timestamp.nullable(),
  endsAt: Timestamp.nullable(),
  enabled: z.boolean(),
  nextAt: Timestamp.nullable().meta({ description: 'Null: it is paused, or has ended' }),
  lastAt: Timestamp.nullable().meta({ description: 'The last moment that a run was started for' }),
  lastRunId: Id.nullable(),
  count: z.int().meta({ description: 'How many runs it has started' }),
  skipped: z.int().meta({ description: 'How many of its moments have started none: missed, with another run live, or refused' }),
  lastError: StepError.nullable().meta({ description: 'Why the last start was refused; null when a run has been started since' }),
  retryAt: Timestamp.nullable().meta({ description: 'When a start that was refused is tried again' }),
  origin: ScheduleOrigin,
  created: Timestamp,
  updated: Timestamp,
})
export type Schedule = z.infer<typeof Schedule>

export const scheduleFields = ['id', 'workflowId', 'name', 'enabled', 'origin', 'nextAt', 'lastAt', 'count', 'created', 'updated'] as const
export type ScheduleField = (typeof scheduleFields)[number]

// Functions, so that documents have no words of their own for them.
const cron = () =>
  z
    .string()
    .min(1)
    .max(200)
    .meta({
      description: 'Minute, hour, day of the month, month, day of the week; six fields begin with the second. Both kinds of day given: either is enough',
      examples: ['30 9 * * MON-FRI'],
    })
const everyMs = () =>
  z
    .int()
    .min(1_000)
    .max(366 * 86_400_000)
    .meta({ description: 'Milliseconds from one moment to the next, in place of a cron; the first is at `startsAt`, or so much from now' })
const timeZone = () => z.string().min(1).max(100).meta({ description: 'What the cron is read in, as `Europe/Berlin`; UTC unless set' })
const times = () => z.int().min(1).max(2_147_483_647)

const settings = {
  missed: MissedMoments.optional().meta({ description: '`once` unless set' }),
  overlap: OverlappingRuns.optional().meta({ description: '`skip` unless set' }),
}

/** What is there unless a schedule says otherwise. */
export const scheduleDefaults = { name: 'default', timeZone: 'UTC', missed: 'once', overlap: 'skip' } as const

/** Either `cron` or `everyMs`; `input` or `inputs` or neither. */
export const CreateSchedule = z.strictObject({
  workflow: WorkflowRef,
  name: ScheduleName.optional().meta({ description: 'Among those of its workflow; `default` unless set' }),
  cron: cron().optional(),
  everyMs: everyMs().optional(),
  timeZone: timeZone().optional(),
  input: Json.optional().meta({ description: 'The input of its runs; `{"scheduledFor": TIME}` unless set' }),
  inputs: JsonObject.optional().meta({ description: 'Values by the id or title of their input node' }),
  ...settings,
  times: times().optional().meta({ description: 'It ends after so many runs' }),
  startsAt: instant().optional().meta({ description: 'No moment is before' }),
  endsAt: instant().optional().meta({ description: 'No moment is after' }),
  enabled: z.boolean().optional().meta({ description: 'False: it is paused from the beginning' }),
})
export type CreateSchedule = z.infer<typeof CreateSchedule>

/** What is absent stays as it is; null takes it away. A `cron` takes the place of `everyMs`, `input` that of `inputs`, and the other way round. */
export const UpdateSchedule = z.strictObject({
  id: Id,
  name: ScheduleName.optional(),
  cron: cron().optional(),
  everyMs: everyMs().optional(),
  timeZone: timeZone().optional(),
  input: Json.optional().meta({ description: 'Null is an input; `inputs` of null takes both away' }),
  inputs: JsonObject.nullable().optional(),
  ...settings,
  times: times().nullable().optional(),
  startsAt: instant().nullable().optional(),
  endsAt: instant().nullable().optional(),
})
export type UpdateSchedule = z.infer<typeof UpdateSchedule>

export const OneSchedule = z.strictObject({ id: Id })
export type OneSchedule = z.infer<typeof OneSchedule>

export const ListSchedules = z.strictObject({
  workflow: WorkflowRef.optional().meta({ description: 'Only those of this workflow' }),
  ...listInput(scheduleFields),
})
export type ListSchedules = z.infer<typeof ListSchedules>

/** Either `cron` or `everyMs`. */
export const PreviewSchedule = z.strictObject({
  cron: cron().optional(),
  everyMs: everyMs().optional(),
  timeZone: timeZone().optional(),
  startsAt: instant().optional().meta({ description: 'No moment is before' }),
  endsAt: instant().optional().meta({ description: 'No moment is after' }),
  after: instant().optional().meta({ description: 'Only moments after this one; now unless set' }),
  count: z.int().min(1).max(100).optional().meta({ description: 'How many; 5 unless set' }),
})
export type PreviewSchedule = z.infer<typeof PreviewSchedule>

/** Fewer than were asked for: there are no more. */
export const ScheduleMoments = z.object({ moments: z.array(Timestamp) })
export type ScheduleMoments = z.infer<typeof ScheduleMoments>
