import {
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
  pageOf,
  RetryStep,
  Run,
  RunEvent,
  StartRun,
  Step,
  StopRun,
  WaitForRun,
} from '@sluice/schema'
import { z } from 'zod'
import { authorize } from '../access/policy.ts'
import { authorizeIncluded } from './included.ts'
import { can, router, type Rest } from './trpc.ts'
import { viewerOf } from './viewer.ts'

const tags = ['runs']
const one = '/v1/runs/{id}'
const at = (method: Rest['method'], path: string, summary: string, rest: Partial<Rest> = {}): Rest => ({ method, path, summary, tags, ...rest })

export const runs = router({
  start: can('runs.start', at('POST', '/v1/runs', 'Start a run', { status: 201 }), StartRun)
    .output(Run)
    .mutation(async ({ ctx, input }) => {
      authorizeIncluded(ctx.principal, input.include)
      // A session of somebody else's is not there to start rounds in.
      if (input.sessionId !== undefined) {
        authorize(ctx.principal, 'sessions.use')
        await ctx.parts.sessions.check({ ...ctx.actor, ...viewerOf(ctx.principal) }, input.sessionId)
      }
      return ctx.parts.engine.start(ctx.actor, input)
    }),

  list: can('runs.read', at('GET', '/v1/runs', 'List runs, newest first'), ListRuns)
    .output(pageOf(ListedRun))
    .query(({ ctx, input }) => {
      authorizeIncluded(ctx.principal, input.include)
      return ctx.parts.views.listRuns(ctx.parts.database, ctx.actor.workspaceId, input)
    }),

  get: can('runs.read', at('GET', one, 'Get a run as it stands'), GetRun)
    .output(Run)
    .query(({ ctx, input }) => {
      authorizeIncluded(ctx.principal, input.include)
      return ctx.parts.views.getRun(ctx.parts.database, ctx.actor.workspaceId, input.id, input.include)
    }),

  find: can('runs.read', at('GET', '/v1/workflows/{workflow}/transactions/{transactionId}', 'Get the run of a transaction id: the live one, else the newest'), FindRun)
    .output(Run)
    .query(({ ctx, input }) => {
      authorizeIncluded(ctx.principal, input.include)
      return ctx.parts.views.findRun(ctx.parts.database, ctx.actor.workspaceId, input)
    }),

  current: can('runs.read', at('GET', '/v1/workflows/{workflow}/current', 'Get the current run of a workflow, or one of its runs'), CurrentRun)
    .output(Run)
    .query(({ ctx, input }) => {
      authorizeIncluded(ctx.principal, input.include)
      return ctx.parts.views.currentRun(ctx.parts.database, ctx.actor.workspaceId, input)
    }),

  wait: can('runs.read', at('GET', `${one}/wait`, 'Wait until a run is parked, paused or finished'), WaitForRun)
    .output(Run)
    .query(({ ctx, input }) => {
      authorizeIncluded(ctx.principal, input.include)
      return ctx.parts.engine.wait(ctx.actor, input)
    }),

  cancel: can('runs.control', at('POST', `${one}/cancel`, 'Cancel a run'), CancelRun)
    .output(Run)
    .mutation(({ ctx, input }) => {
      authorizeIncluded(ctx.principal, input.include)
      return ctx.parts.engine.cancel(ctx.actor, input)
    }),

  stop: can('runs.control', at('POST', '/v1/workflows/{workflow}/stop', 'Cancel the current run of a workflow, if it is live'), StopRun)
    .output(Run)
    .mutation(({ ctx, input }) => {
      authorizeIncluded(ctx.principal, input.include)
      return ctx.parts.engine.stop(ctx.actor, input)
    }),

  hold: can('runs.control', at('POST', `${one}/hold`, 'Freeze a run'), OneRun)
    .output(Run)
    .mutation(({ ctx, input }) => ctx.parts.engine.hold(ctx.actor, input)),

  release: can('runs.control', at('POST', `${one}/release`, 'Let a held run go on'), OneRun)
    .output(Run)
    .mutation(({ ctx, input }) => ctx.parts.engine.release(ctx.actor, input)),

  retryStep: can('runs.control', at('POST', `${one}/retry-step`, 'Make a retrying step try now'), RetryStep)
    .output(Run)
    .mutation(({ ctx, input }) => ctx.parts.engine.retryStep(ctx.actor, input)),

  fork: can('runs.start', at('POST', `${one}/fork`, 'Start a new run from a step of this one', { status: 201 }), ForkRun)
    .output(Run)
    .mutation(({ ctx, input }) => ctx.parts.engine.fork(ctx.actor, input)),

  delete: can('runs.delete', at('DELETE', one, 'Delete an ended run and the runs that it started', { status: 204 }), OneRun)
    .output(z.void())
    .mutation(({ ctx, input }) => ctx.parts.runDeletion.deleteRun(ctx.actor, input)),

  steps: can('runs.read', at('GET', `${one}/steps`, 'List the steps of a run'), ListSteps)
    .output(pageOf(Step))
    .query(({ ctx, input: { id, ...page } }) => ctx.parts.views.listSteps(ctx.parts.database, ctx.actor.workspaceId, id, page)),

  events: can('events.read', at('GET', `${one}/events`, 'List the events of a run'), ListEvents)
    .output(pageOf(RunEvent))
    .query(({ ctx, input: { id, ...page } }) => ctx.parts.views.listEvents(ctx.parts.database, ctx.actor.workspaceId, id, page)),
})
