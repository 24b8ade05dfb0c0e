import { CreateSchedule, ListSchedules, OneSchedule, pageOf, PreviewSchedule, Run, Schedule, ScheduleMoments, UpdateSchedule } from '@sluice/schema'
import { z } from 'zod'
import { authorize } from '../access/policy.ts'
import { can, router, type Rest } from './trpc.ts'

const all = '/v1/schedules'
const one = '/v1/schedules/{id}'
const at = (method: Rest['method'], path: string, summary: string, rest: Partial<Rest> = {}): Rest => ({ method, path, summary, tags: ['schedules'], ...rest })

/** In the words of everybody who says when. */
const when =
  'Each moment starts one run of the newest published version, whatever server dies: its transaction id is `schedule:ID:TIME`, its `trigger` is `schedule`, and its tags tell the name and the time, as `schedule:nightly` and `scheduledFor:2026-01-31T02:30:00.000Z`. A cron that names its times of day (no `*` and no step in hour, minute and second) is due once a day also when clocks change: what they pass over at the first moment after, what they show twice the first time. Any other goes on through it evenly. A moment that nobody served within a minute is missed.'

export const schedules = router({
  list: can('schedules.read', at('GET', all, 'List schedules, newest first'), ListSchedules)
    .output(pageOf(Schedule))
    .query(({ ctx, input }) => ctx.parts.views.listSchedules(ctx.parts.database, ctx.actor.workspaceId, input)),

  get: can('schedules.read', at('GET', one, 'Get a schedule'), OneSchedule)
    .output(Schedule)
    .query(({ ctx, input }) => ctx.parts.views.getSchedule(ctx.parts.database, ctx.actor.workspaceId, input.id)),

  create: can('schedules.manage', at('POST', all, 'Create a schedule', { description: when, status: 201 }), CreateSchedule)
    .output(Schedule)
    .mutation(({ ctx, input }) => {
      // Who says that runs are started must be allowed to start them.
      authorize(ctx.principal, 'runs.start')
      return ctx.parts.schedules.create(ctx.actor, input)
    }),

  update: can(
    'schedules.manage',
    at('PATCH', one, 'Change a schedule', {
      description: 'With another rhythm its next moment is the first from now on; with anything else it goes on where it was. What the code of its workflow says is changed there.',
    }),
    UpdateSchedule,
  )
    .output(Schedule)
    .mutation(({ ctx, input }) => {
      authorize(ctx.principal, 'runs.start')
      return ctx.parts.schedules.update(ctx.actor, input)
    }),

  pause: can('schedules.control', at('POST', `${one}/pause`, 'Pause a schedule: meanwhile no run is started, and no moment missed'), OneSchedule)
    .output(Schedule)
    .mutation(({ ctx, input }) => ctx.parts.schedules.pause(ctx.actor, input)),

  resume: can('schedules.control', at('POST', `${one}/resume`, 'Let a schedule go on, at its first moment from now on'), OneSchedule)
    .output(Schedule)
    .mutation(({ ctx, input }) => ctx.parts.schedules.resume(ctx.actor, input)),

  start: can(
    'schedules.control',
    at('POST', `${one}/start`, 'Start a run of a schedule now', {
      description: 'Beside its moments, and counted nowhere. Where its runs do not overlap, this one does not either: it is refused with `lane_busy`, or waits.',
      status: 201,
    }),
    OneSchedule,
  )
    .output(Run)
    .mutation(({ ctx, input }) => {
      authorize(ctx.principal, 'runs.start')
      return ctx.parts.schedules.start(ctx.actor, input)
    }),

  delete: can(
    'schedules.manage',
    at('DELETE', one, 'Delete a schedule', {
      description: 'Runs that it started go on. One that the code of its workflow says comes back when a server is started with that code: pause it instead.',
      status: 204,
    }),
    OneSchedule,
  )
    .output(z.void())
    .mutation(({ ctx, input }) => ctx.parts.schedules.delete(ctx.actor, input)),

  preview: can('schedules.read', at('GET', `${all}/preview`, 'Tell the next moments of a rhythm'), PreviewSchedule)
    .output(ScheduleMoments)
    .query(({ ctx, input }) => ctx.parts.schedules.preview(input)),
})
