import type { Event, PassedEvent, ResyncEvent, SnapshotEvent, Subscribe, TokenEvent } from '@sluice/schema'
import type { Calls } from '../calls.ts'
import type { Input } from '../input.ts'
import type { CallOptions } from '../options.ts'

/**
 * What a stream tells. A newer server may tell of types that are not listed here: they arrive as they came, so a `switch`
 * over `type` needs a `default`.
 */
export type FeedItem = Event | SnapshotEvent | ResyncEvent | PassedEvent | TokenEvent

/** Everything that happens, live. */
export interface Events {
  /**
   * The events of a run, of a workflow's runs, of a session, or of all of the workspace, as they happen. After a cursor it begins with what
   * was missed, without one with a snapshot; `resync` says that the cursor is too old, and a snapshot follows. Of a run
   * it ends after the terminal event, else never: leave the loop, or abort the signal. It connects again by itself.
   * With `current` it tells of the current run of a workflow alone, whole in a snapshot first, and of the next one once that is the current one.
   * Of events `where` picks some, as `{ type: { in: ['run.failed', 'pause.opened'] } }`; `passed` then says how far it has come without one.
   * With `tokens`, of a run or a session, what steps say is told as well, piece by piece: live, and not again after a cut.
   * Throws `NotFoundError` (`run_missing`, `workflow_missing`, `session_missing`), `InvalidError` (`cursor_invalid`).
   */
  subscribe(what?: Input<typeof Subscribe>, options?: CallOptions): AsyncGenerator<FeedItem, void, undefined>
}

export const eventsOf = ({ follow }: Calls): Events => ({
  subscribe: ({ after, lastEventId = after, ...scope } = {}, options) => follow('events.subscribe', scope, { ...options, after: lastEventId }),
})
