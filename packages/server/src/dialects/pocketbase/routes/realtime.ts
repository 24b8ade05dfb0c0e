import { connectionLimits, Fault, type SubscribeConnection, Topic } from '@sluice/schema'
import { z } from 'zod'
import { type DialectRow, Other, route } from '../../dialect.ts'
import { isReplayName, topicSaid } from '../topics.ts'

/** In PocketBase's words. */
export const RealtimeSubscriptions = z.object({
  clientId: z.string().min(1).max(255).meta({ description: 'Of `PB_CONNECT`' }),
  subscriptions: z
    .preprocess((sent) => (typeof sent === 'string' ? [sent] : sent), z.array(Topic).max(connectionLimits.topics).nullish())
    .meta({ description: 'All topics that are to be told from now on, as `workflow_sessions/*`, in place of those that were' }),
})

/** Throws a Fault `input_invalid` for a name of a replay that cannot be kept. Whatever else is no topic, nothing is ever told of. */
export function subscriptionOf({ clientId, subscriptions }: z.output<typeof RealtimeSubscriptions>): SubscribeConnection {
  const topics = subscriptions ?? []
  const kept = topics.filter((topic) => {
    const replay = topicSaid(topic)?.replay
    if (replay !== undefined && !isReplayName(replay))
      throw new Fault('input_invalid', { issues: [{ path: ['subscriptions'], message: `the name of a replay has at most ${connectionLimits.nameChars} characters` }] })
    return replay !== undefined
  })
  return { connection: clientId, topics, ...(kept.length > 0 && { kept }) }
}

const elsewhere = new Other(400, { data: {}, message: 'Invalid realtime client.', status: 400 })

export const realtimeRows: readonly DialectRow[] = [
  route('connections.subscribe', {
    name: 'realtimeSubscribe',
    method: 'POST',
    path: '/api/realtime',
    summary: 'Subscribe over a realtime connection',
    description:
      'It has begun when it is answered: whatever changes from then on is told, on any server. A topic that is unknown, that may not be read or whose filter cannot be read is accepted, and nothing is told of it.',
    tags: ['realtime'],
    status: 204,
    body: RealtimeSubscriptions,
    reply: z.undefined(),
    faults: ['connection_missing', 'connection_mismatch'],
    ask: ({ body }) => subscriptionOf(body),
    answer: () => undefined,
    onFault: ({ code, issues }) => (code === 'input_invalid' && issues.some(({ path }) => path?.[0] === 'connection') ? elsewhere : undefined),
    example: { body: { clientId: 'oXq2ZzB7vYk1WcTn5RfLs8Ud0MjHa3EpGi6KtNye', subscriptions: ['workflow_sessions/*'] } },
  }),
]
