import type { Doorbell } from '../events/doorbell.ts'
import type { Abilities } from '../nodes/contract.ts'
import { type Database, Outage } from '../store/database.ts'
import { openPausesOf } from '../store/rows/pauses.ts'
import { type RunRow, claimRuns, enterLane, lanePeers, lockLane, runRevisions, setMissing } from '../store/rows/runs.ts'
import { keptSignalsOf } from '../store/rows/signals.ts'
import { stepsOf } from '../store/rows/steps.ts'
import type { Log } from '../telemetry.ts'
import type { Plans } from '../workflows/plans.ts'
import type { Afterlife } from './afterlife.ts'
import type { ChildStart } from './attempt.ts'
import type { Committer } from './commit.ts'
import type { Door } from './door.ts'
import type { Happening } from './happening.ts'
import { type Held, Holder } from './holder.ts'
import { stateFrom } from './load.ts'
import type { Job, Queue } from './queue.ts'
import { isTerminal } from './state.ts'

export interface WorkerParts {
  database: Database
  queue: Queue
  doorbell: Doorbell
  plans: Plans
  committer: Committer
  door: Door
  afterlife: Afterlife
  /** Starts a child run, or finds the one that this step has started; answers with its id. */
  startChild(parent: RunRow, start: ChildStart, failures: number): Promise<string>
  abilities(row: RunRow, step: { nodeId: string; iteration: string }): Pick<Abilities, 'secret'>
  log: Log
}

export interface Worker {
  start(): void
  /** Takes no new work, lets attempts finish for `ms`, and hands over what is left. */
  drain(ms: number): Promise<void>
}

/** Runs held at once, and jobs fetched at once. */
const mostRuns = 500
const mostJobs = 100
const pollMs = 1_000
const heartbeatMs = 2_000

/**
 * Fetches jobs, claims their runs and holds them while they move. A claim is an epoch: the job may come to another worker
 * when this one falls silent, and then nothing this one writes counts any more.
 */
export function createWorker(parts: WorkerParts): Worker {
  const { database, queue, doorbell, plans, log } = parts
  const held = new Map<string, Held>()
  let stopping = false
  let fetching: Promise<void> | undefined
  let wake = () => {}
  let heartbeat: NodeJS.Timeout | undefined
  let offJobs = () => {}

  const holding = {
    ...parts,
    released(runId: string) {
      held.delete(runId)
      if (held.size === mostRuns - 1) wake()
    },
  }

  async function fetchLoop(): Promise<void> {
    let rung = false
    offJobs = doorbell.on('jobs', () => {
      rung = true
      wake()
    })
    while (!stopping) {
      rung = false
      const took = await fetchOnce()
      if (stopping) return
      if (took > 0 || (rung && held.size < mostRuns)) continue
      await new Promise<void>((resolve) => {
        // Spread a little, so that several workers do not look at the same moment.
        const timer = setTimeout(resolve, pollMs * (0.75 + Math.random() / 2))
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  async function fetchOnce(): Promise<number> {
    const room = Math.min(mostRuns - held.size, mostJobs)
    if (room <= 0) return 0
    try {
      const jobs = await queue.fetch(room)
      if (jobs.length > 0) await claim(jobs)
      return jobs.length
    } catch (error) {
      if (!(error instanceof Outage)) log.error({ err: error }, 'fetching jobs failed')
      return 0
    }
  }

  /** Claims the runs of jobs. A claim that fails leaves its jobs to fall silent, and so to come back. */
  async function claim(jobs: readonly Job[]): Promise<void> {
    const byRun = new Map(jobs.map((job) => [job.runId, job]))
    const ids = [...byRun.keys()]
    const rows = await claimRuns(database, ids, ids.map((id) => (byRun.get(id)!.redelivered > 0 ? 1 : 0)))
    const gone = jobs.filter((job) => !rows.some((row) => row.id === job.runId))
    if (gone.length > 0) await queue.complete(database, gone.map((job) => job.id))
    const [steps, pauses, signals] = await Promise.all([stepsOf(database, ids), openPausesOf(database, ids), keptSignalsOf(database, ids)])
    const of = <T extends { run_id: string }>(all: readonly T[], id: string): T[] => (ids.length === 1 ? [...all] : all.filter((row) => row.run_id === id))
    for (const row of rows) {
      const job = byRun.get(row.id)!
      take(row, job, { steps: of(steps, row.id), pauses: of(pauses, row.id), signals: of(signals, row.id) }).catch((error: unknown) => {
        if (!(error instanceof Outage)) log.error({ err: error, runId: row.id }, 'claiming a run failed')
      })
    }
  }

  async function take(row: RunRow, job: Job, rows: Parameters<typeof stateFrom>[2]): Promise<void> {
    const plan = await plans.of(database, row)
    const state = stateFrom(row, plan, rows)
    const first: Happening[] = []
    if (!isTerminal(state.run.status)) {
      const missing = plan.missing
      if (missing.length > 0) {
        await setMissing(database, row.id, missing)
        first.push({ is: 'unserved' })
      } else if (state.run.status === 'queued') {
        if (row.lane !== null && row.lane_live === null && !(await enter(row, job))) return
        first.push({ is: 'started' })
      } else first.push({ is: 'claimed' })
      if (row.deaths >= 5) first.push({ is: 'poisoned' })
    }
    const made = new Holder(holding, row, state, plan, job)
    held.set(row.id, made)
    made.happen(...first)
  }

  /** Enters the run's lane, if it is free and no older run waits for it; else the job ends, and the one before it wakes it. */
  async function enter(row: RunRow, job: Job): Promise<boolean> {
    return database.transaction(async (tx) => {
      await lockLane(tx, row.workspace_id, row.lane!)
      const peers = await lanePeers(tx, row.workspace_id, row.lane!)
      const next = peers.find((peer) => peer.holds) ?? peers.find((peer) => !peer.held)
      if (next?.id === row.id && (await enterLane(tx, row.id, row.epoch)).length > 0) return true
      await queue.complete(tx, [job.id])
      return false
    })
  }

  /** A sign of life for every job at hand; and a look whether a run was moved, or taken over, behind our back. */
  async function beat(): Promise<void> {
    const all = [...held.values()]
    if (all.length === 0) return
    try {
      await queue.touch(all.map((each) => each.jobId))
      const now = new Map((await runRevisions(database, all.map((each) => each.runId))).map((row) => [row.id, row]))
      for (const each of all) each.compare(now.get(each.runId))
    } catch (error) {
      if (!(error instanceof Outage)) log.error({ err: error }, 'heartbeat failed')
    }
  }

  /** Ends the jobs that are left and makes new ones in one transaction: a claim handed over is no death. */
  async function handOver(): Promise<void> {
    const left = [...held.values()]
    for (const each of left) each.abandon()
    if (left.length === 0) return
    await database.transaction(async (tx) => {
      await queue.complete(tx, left.map((each) => each.jobId))
      await queue.insert(tx, left.map((each) => each.runId))
    })
    doorbell.ring({ jobs: true })
  }

  return {
    start() {
      fetching = fetchLoop()
      heartbeat = setInterval(() => void beat(), heartbeatMs)
    },
    async drain(ms) {
      stopping = true
      offJobs()
      wake()
      await fetching
      const end = Date.now() + ms
      while (held.size > 0 && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 25))
      clearInterval(heartbeat)
      await handOver().catch((error: unknown) => log.warn({ err: error }, 'claims were not handed over; they come back when this worker has been silent'))
    },
  }
}
