import { tracked, type TrackedEnvelope } from '@trpc/server'
import type { Batch, FeedItem } from '../events/feed.ts'
import type { Context } from './context.ts'
import { nameError } from './trpc.ts'

/** What a subscriber is sent: in batches, by who can send several items at once, or one by one, as tRPC sends them. */
export class Subscription implements AsyncIterable<TrackedEnvelope<FeedItem>, void> {
  readonly batches: AsyncIterable<Batch>
  readonly #flow: Context['flow']

  constructor(batches: AsyncIterable<Batch>, { flow }: Pick<Context, 'flow'>) {
    this.batches = batches
    this.#flow = flow
  }

  /** Each item under its cursor, and the next one only when the consumer has taken this one: nothing piles up here. */
  async *[Symbol.asyncIterator](): AsyncGenerator<TrackedEnvelope<FeedItem>, void> {
    try {
      for await (const batch of this.batches)
        for (const item of batch) {
          yield tracked(item.cursor, item)
          await this.#flow?.()
        }
    } catch (error) {
      throw nameError(error)
    }
  }
}
