import { Subscribe, WatchWorkflow } from '@sluice/schema'
import { authorize } from '../access/policy.ts'
import type { Principal } from '../access/principal.ts'
import type { Batch, Feed } from '../events/feed.ts'
import { Subscription } from './subscription.ts'
import { can, router, type RestStream } from './trpc.ts'
import { viewerOf } from './viewer.ts'

const tags = ['events']
const streams: RestStream[] = [
  { path: '/v1/events', summary: 'Follow the events of the workspace', tags },
  { path: '/v1/runs/{runId}/events', summary: 'Follow the events of a run, from its first to its last', tags },
  { path: '/v1/sessions/{sessionId}/events', summary: 'Follow the events of a session', tags },
  { path: '/v1/workflows/{workflow}/events', summary: 'Follow the events of the runs of a workflow', tags },
]

export const events = router({
  // Not a generator: that there is no such run is said before the stream begins.
  subscribe: can('events.read', streams, Subscribe).subscription(
    async ({ ctx, input, signal = new AbortController().signal }) => new Subscription(await follow(ctx.parts.feed, ctx.principal, input, signal), ctx),
  ),
})

function follow(
  feed: Feed,
  principal: Principal,
  { runId, workflow, transactionId, sessionId, current, where, tokens, after, lastEventId = after }: Subscribe,
  signal: AbortSignal,
): Promise<AsyncIterable<Batch>> {
  const { workspaceId } = principal
  if (workflow !== undefined && transactionId !== undefined) return feed.transaction({ workspaceId, workflow, transactionId, runId, after: lastEventId, where, tokens }, signal)
  if (runId !== undefined) return feed.run({ workspaceId, runId, workflow, after: lastEventId, where, tokens }, signal)
  if (workflow !== undefined) return ofWorkflow(feed, workspaceId, { workflow, current, where, after: lastEventId }, signal)
  if (sessionId === undefined) return feed.workspace({ viewer: viewerOf(principal), after: lastEventId, where }, signal)
  authorize(principal, 'sessions.use')
  return feed.session({ viewer: viewerOf(principal), sessionId, after: lastEventId, where, tokens }, signal)
}

function ofWorkflow(feed: Feed, workspaceId: string, { workflow, current, where, after }: WatchWorkflow, signal: AbortSignal): Promise<AsyncIterable<Batch>> {
  if (current) return feed.current({ workspaceId, workflow, where }, signal)
  return feed.workflow({ workspaceId, workflow, after, where }, signal)
}

/** The events of a workflow's runs, under the noun of the workflow. */
export const watch = can('events.read', [], WatchWorkflow).subscription(
  async ({ ctx, input: { after, lastEventId = after, ...input }, signal = new AbortController().signal }) =>
    new Subscription(await ofWorkflow(ctx.parts.feed, ctx.actor.workspaceId, { ...input, after: lastEventId }, signal), ctx),
)
