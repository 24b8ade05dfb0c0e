import { randomUUID } from 'node:crypto'
import type { Doorbell } from '../events/doorbell.ts'
import type { Database, Tx } from '../store/database.ts'
import type { NewRun, RunRow } from '../store/rows/runs.ts'
import type { Plan } from '../workflows/plans.ts'
import { inBatches } from './batches.ts'
import { type Change, type StartWrite, isPlain, laneNameOf, tellTimers, timerWrites, weightOf, writeStarts } from './commit.ts'
import type { Happening } from './happening.ts'
import type { Payload } from './payload.ts'
import type { Job } from './queue.ts'
import type { RunState } from './state.ts'
import type { Turn } from './turn.ts'

/** A turn of a run that is about to be stored, or claimed, in the hands of the worker of this process already. */
export interface Beginning {
  turn: Turn
  /** What the turn changes. */
  change: Change
  /** The job it is held by; null where it came to rest at once. */
  job: Job | null
  /** It is durable: what its first turn begins is begun. */
  begun(): void
  /** It was not stored, or nobody knows: it is let go. */
  dropped(): void
}

/** The worker of this process, to whom a new run is handed without a round trip. Null where it has no room, or there is none. */
export type HandOver = (run: NewRun, input: Payload, plan: Plan) => Promise<Beginning | null>

/** A run that the worker of this process has, as soon as its claim is durable. */
export interface Claim {
  job: Job
  /** Turns it in the transaction that claims it. */
  first(happenings: readonly Happening[], tx: Tx): Promise<Beginning>
  /** The claim did not come about. */
  abandon(): void
}

/** Has the worker of this process claim a run that nobody works on, `row` as it will be then. Null where it has no room, or there is none. */
export type TakeOver = (row: RunRow, state: RunState, plan: Plan) => Claim | null

export interface NewStart extends Pick<StartWrite, 'run' | 'pin' | 'key' | 'retainSeconds'> {
  plan: Plan
  /** The run's, parsed. */
  input: Payload
}

export interface Beginner {
  /**
   * Stores a run with its first turn, together with others that are started at the same moment. Null when what was known of
   * its workflow is no longer so, its key is taken, or its lane is not free: then nothing of it is stored.
   */
  begin(start: NewStart): Promise<{ ended: boolean } | null>
}

export function createBeginner(parts: { database: Database; doorbell: Doorbell; handOver: HandOver; timed(dueAt: number): void }): Beginner {
  const { database, doorbell, handOver, timed } = parts

  const store = inBatches<{ start: StartWrite; beginning: Beginning | null }, boolean>({
    lanes: 2,
    // Two of one lane would be stored beside each other.
    keyOf: ({ start: { run } }) => laneNameOf(run) ?? run.id,
    weightOf: ({ start, beginning }) => start.run.input.length + (beginning ? weightOf(beginning.change) : 0),
    async work(asked) {
      const stored = await writeStarts(
        database,
        asked.map(({ start }) => start),
      )
      return asked.map(({ start }) => stored.has(start.run.id))
    },
  })

  /** A first turn that writes more than the rows of its run is made again by whoever comes. */
  async function handedOver(run: NewRun, input: Payload, plan: Plan): Promise<Beginning | null> {
    const beginning = await handOver(run, input, plan)
    if (!beginning || isPlain(beginning.change)) return beginning
    beginning.dropped()
    return null
  }

  return {
    async begin({ plan, input, ...start }) {
      const { id, workspaceId } = start.run
      const beginning = await handedOver(start.run, input, plan)
      const isStored = await store({ start: beginning ? moved(start, beginning) : queued(start), beginning }).catch((error: unknown) => {
        beginning?.dropped()
        throw error
      })
      if (!isStored) {
        beginning?.dropped()
        return null
      }
      if (beginning) tellTimers(beginning.change.timers, timed)
      beginning?.begun()
      doorbell.ring({ runs: [id], workspaces: [workspaceId], jobs: beginning === null })
      return { ended: beginning?.change.terminal ?? false }
    },
  }
}

/** What is told of a run that is stored. */
export const queuedText = ({ version, lane, trial }: NewRun): string => JSON.stringify({ version, ...(lane !== null && { lane }), ...(trial && { trial: true }) })

const firstEvent = (run: NewRun): StartWrite['events'][number] => ({
  runId: run.id,
  workspaceId: run.workspaceId,
  workflowId: run.workflowId,
  seq: 1,
  type: 'run.queued',
  data: queuedText(run),
  at: run.createdAt.getTime(),
})

const atRest = { waitingKind: null, progress: 0, steps: 0, output: null, reason: null, ending: null, deadlineAt: null, startedAt: null, endedAt: null }

type Known = Omit<NewStart, 'plan' | 'input'>

/** For whoever comes. */
const queued = (start: Known): StartWrite => ({
  ...start,
  moved: { ...atRest, epoch: 0, revision: 0, status: 'queued', seq: 1 },
  steps: [],
  events: [firstEvent(start.run)],
  pauses: [],
  timers: [],
  job: { id: randomUUID(), taken: false },
})

const moved = (start: Known, { change, job }: Beginning): StartWrite => ({
  ...start,
  moved: { ...change.run, revision: change.run.revision + 1 },
  steps: change.steps,
  events: [firstEvent(start.run), ...change.events],
  pauses: change.pauses,
  timers: timerWrites(change),
  job: job && { id: job.id, taken: true },
})
