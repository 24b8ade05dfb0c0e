import type { Tx } from '../store/database.ts'
import {
  agedRuns,
  agedTrials,
  deleteAgedAudit,
  deleteAgedEvents,
  deleteAgedKeys,
  deleteAgedTellings,
  deleteAgedWorkflows,
  deleteDoneDeliveries,
  deleteEndlessEvents,
  deleteExpiredPasswordTokens,
  deleteExpiredRefreshTokens,
  deleteExpiredTickets,
  deleteExpiredTrialStates,
  deleteLeftConnections,
  deleteLeftEvents,
  deleteOldDeliveries,
  deleteOldCounts,
  deleteRuns,
  deleteStrandedFiles,
  deleteTakenItems,
  deleteUnusedFiles,
  expiredRuns,
} from '../store/rows/retention.ts'
import type { Periods } from './periods.ts'

/** One kind of thing that goes. */
export interface Chore {
  name: string
  /** Milliseconds that it is kept beyond the moment it counts from; null: for ever. */
  keeps(periods: Periods): number | null
  /** The most rows of a batch. */
  size: number
  /** Deletes what was due at `before`; there may be more when it answers `size`. */
  batch(tx: Tx, before: Date, size: number): Promise<number>
}

const hour = 3_600_000
const day = 24 * hour
const many = 1_000
/** Of what drags many rows along. */
const few = 50
/** Descendants of a root that go with it in one batch, on the average. */
const descendants = 20

const runsOf =
  (find: (tx: Tx, before: Date, limit: number) => Promise<string[]>): Chore['batch'] =>
  async (tx, before, size) => {
    const roots = await find(tx, before, size)
    if (roots.length === 0) return 0
    const { gone, needed } = await deleteRuns(tx, roots, size * descendants)
    // Of a large tree only leaves may have gone: there is more to do. What is needed is not met again in this round.
    return needed.length > 0 || gone.length === roots.length ? gone.length : size
  }

/** In the order that frees most: runs before what they hold on to. */
export const chores: readonly Chore[] = [
  { name: 'trials', keeps: () => day, size: few, batch: runsOf(agedTrials) },
  { name: 'runs', keeps: ({ runs }) => runs, size: few, batch: runsOf(agedRuns) },
  { name: 'runs with a time of their own', keeps: () => 0, size: few, batch: runsOf(expiredRuns) },
  { name: 'events of runs that have gone', keeps: () => 0, size: many, batch: (tx, _before, size) => deleteLeftEvents(tx, null, size) },
  { name: 'deleted workflows', keeps: ({ runs }) => runs, size: few, batch: deleteAgedWorkflows },
  { name: 'events', keeps: ({ events }) => events, size: many, batch: deleteAgedEvents },
  { name: 'events of runs without end', keeps: ({ events }) => events, size: many, batch: deleteEndlessEvents },
  { name: 'items of queues that were taken', keeps: () => day, size: many, batch: deleteTakenItems },
  { name: 'idempotency keys', keeps: ({ keys }) => keys, size: many, batch: deleteAgedKeys },
  { name: 'unused files', keeps: ({ files }) => files, size: few, batch: deleteUnusedFiles },
  { name: 'broken uploads', keeps: () => hour, size: few, batch: deleteStrandedFiles },
  { name: 'deliveries', keeps: () => day, size: few, batch: deleteDoneDeliveries },
  { name: 'deliveries that nobody could take', keeps: () => 30 * day, size: few, batch: deleteOldDeliveries },
  { name: 'audit entries', keeps: ({ audit }) => audit, size: many, batch: deleteAgedAudit },
  { name: 'password tokens', keeps: () => 0, size: many, batch: deleteExpiredPasswordTokens },
  { name: 'refresh tokens', keeps: () => 0, size: many, batch: deleteExpiredRefreshTokens },
  { name: 'states of trials', keeps: () => 0, size: many, batch: deleteExpiredTrialStates },
  { name: 'connections that were left', keeps: () => hour, size: many, batch: deleteLeftConnections },
  { name: 'how far subscribers were told', keeps: () => 30 * day, size: many, batch: deleteAgedTellings },
  { name: 'tickets', keeps: () => 0, size: many, batch: deleteExpiredTickets },
  { name: 'counts of requests', keeps: () => hour, size: many, batch: deleteOldCounts },
]
