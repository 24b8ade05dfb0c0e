import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { limits } from '@sluice/schema'
import { Outage } from '../store/database.ts'
import { openPausesOf } from '../store/rows/pauses.ts'
import { type NewRun, type RunRow, claimRuns, deathsOf, enterLane, lanePeers, lockLane, rowOfNew, runRevisions, setMissing } from '../store/rows/runs.ts'
import { keptSignalsOf } from '../store/rows/signals.ts'
import { stepsOf } from '../store/rows/steps.ts'
import type { Plan } from '../workflows/plans.ts'
import type { Beginning, HandOver, TakeOver } from './begin.ts'
import type { Happening } from './happening.ts'
import { type Held, Holder, type WorkerParts } from './holder.ts'
import { freshState, headOfNew, stateFrom } from './load.ts'
import { patiently } from './patience.ts'
import type { Payload } from './payload.ts'
import { type Suspect, createProbation } from './probation.ts'
import type { Job } from './queue.ts'
import { type RunState, isTerminal } from './state.ts'

export interface Worker {
  start(): void
  /** Takes a run that is about to be stored, where there is room. */
  begin: HandOver
  /** Claims a run that nobody works on, where there is room. */
  takeOver: TakeOver
  /** Takes no new work, hands each run over as soon as its attempts are done, and after `ms` whatever is left. */
  drain(ms: number): Promise<void>
  /** Runs whose claim it holds. */
  readonly held: number
  holds(runId: string): boolean
  /** The attempts under way in all of them; null while anything else goes on. */
  underWay(): number | null
}

/** Runs held at once, and jobs fetched at once. */
const mostRuns = 500
const mostJobs = 100
const pollMs = 1_000
const heartbeatMs = 2_000

const plus = (one: number | null, other: number | null): number | null => (one === null || other === null ? null : one + other)

/**
 * Fetches jobs, claims their runs and holds them while they move. A claim is an epoch: the job may come to another worker
 * when this one falls silent, and then nothing this one writes counts any more.
 */
export function createWorker(parts: WorkerParts): Worker {
  const { database, queue, doorbell, plans, log } = parts
  const held = new Map<string, Held>()
  /** Jobs fetched, on their way to a holder. */
  const claiming = new Map<string, Job>()
  let stopping = false
  let fetching: Promise<void> | undefined
  let wake = () => {}
  let heartbeat: NodeJS.Timeout | undefined
  let offJobs = () => {}

  const holding = {
    ...parts,
    atWork: new Map<string, Promise<unknown>>(),
    released(each: Held) {
      if (held.get(each.runId) === each) held.delete(each.runId)
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
      if (jobs.length > 0) await admit(jobs)
      return jobs.length
    } catch (error) {
      if (!(error instanceof Outage)) log.error({ err: error }, 'fetching jobs failed')
      return 0
    }
  }

  const probation = createProbation({
    begin: (jobs) => claim(jobs.filter((job) => claiming.has(job.id))),
    isCleared: (job) => !claiming.has(job.id) && held.get(job.runId)?.hasMoved() !== false,
  })

  /** Claims what is above suspicion, and puts the rest on probation. */
  async function admit(jobs: readonly Job[]): Promise<void> {
    for (const job of jobs) claiming.set(job.id, job)
    const suspects = await suspectsAmong(jobs).catch((error: unknown) => {
      forget(jobs)
      throw error
    })
    const suspected = new Set(suspects.map(({ job }) => job))
    await claim(jobs.filter((job) => !suspected.has(job)))
    probation.add(suspects)
  }

  async function suspectsAmong(jobs: readonly Job[]): Promise<Suspect[]> {
    const back = jobs.filter((job) => job.redelivered > 0)
    if (back.length === 0) return []
    const deaths = await patientFor(back)(() =>
      deathsOf(
        database,
        back.map((job) => job.runId),
      ),
    )
    return back.map((job) => ({ job, deaths: deaths.get(job.runId) ?? 0 })).filter((each) => each.deaths > 0)
  }

  /** Leaves jobs to fall silent, and so to come back; when we leave ourselves, they are handed over with the rest. */
  function forget(jobs: readonly Job[]): void {
    if (!stopping) for (const job of jobs) claiming.delete(job.id)
  }

  /** For as long as one of these jobs is ours, and we stay. */
  const patientFor =
    (jobs: readonly Job[]) =>
    <T>(work: () => Promise<T>): Promise<T> =>
      patiently(work, () => !stopping && jobs.some((job) => claiming.has(job.id)))

  /**
   * Claims the runs of jobs. While PostgreSQL is away they are kept, and shown to be alive, as long as they are ours: left
   * alone they would come back late, and be counted as deaths.
   */
  async function claim(jobs: readonly Job[]): Promise<void> {
    if (jobs.length === 0) return
    const patient = patientFor(jobs)
    try {
      const byRun = new Map(jobs.map((job) => [job.runId, job]))
      // In their order, as everybody locks several runs.
      const ids = [...byRun.keys()].toSorted()
      let deaths = ids.map((id) => (byRun.get(id)!.redelivered > 0 ? 1 : 0))
      const rows = await patient(() => {
        const counted = deaths
        // A claim whose answer was lost has counted them.
        deaths = deaths.map(() => 0)
        return claimRuns(database, ids, counted)
      })
      const gone = jobs.filter((job) => !rows.some((row) => row.id === job.runId))
      if (gone.length > 0) await patient(() => queue.complete(database, gone))
      const [steps, pauses, signals] = await patient(() => Promise.all([stepsOf(database, ids), openPausesOf(database, ids), keptSignalsOf(database, ids)]))
      const of = <T extends { run_id: string }>(all: readonly T[], id: string): T[] => (ids.length === 1 ? [...all] : all.filter((row) => row.run_id === id))
      for (const row of rows) void settleIn(row, byRun.get(row.id)!, { steps: of(steps, row.id), pauses: of(pauses, row.id), signals: of(signals, row.id) })
      for (const job of gone) claiming.delete(job.id)
    } catch (error) {
      forget(jobs)
      throw error
    }
  }

  /** A run that cannot be taken is left to fall silent, and so to come back. */
  async function settleIn(row: RunRow, job: Job, rows: Parameters<typeof stateFrom>[2]): Promise<void> {
    try {
      await take(row, job, rows)
    } catch (error) {
      if (!(error instanceof Outage)) log.error({ err: error, runId: row.id }, 'claiming a run failed')
    } finally {
      claiming.delete(job.id)
    }
  }

  async function take(row: RunRow, job: Job, rows: Parameters<typeof stateFrom>[2]): Promise<void> {
    const patient = patientFor([job])
    const plan = await patient(() => plans.of(database, row))
    const state = stateFrom(row, plan, rows)
    const first: Happening[] = []
    if (!isTerminal(state.run.status)) {
      const missing = plan.missing
      if (missing.length > 0) {
        await patient(() => setMissing(database, row.id, missing))
        first.push({ is: 'unserved' })
      } else if (state.run.status === 'queued') {
        if (row.lane !== null && row.lane_live === null && !(await patient(() => enter(row, job)))) return
        first.push({ is: 'started' })
      } else first.push({ is: 'claimed' })
      if (row.deaths >= limits.workerDeaths) first.push({ is: 'poisoned' })
    }
    // The claim had lapsed and came back to us: what is under way here is of an older epoch, and cannot count any more.
    held.get(row.id)?.abandon()
    const made = new Holder(holding, row, state, plan, job)
    held.set(row.id, made)
    made.happen(...first)
    if (stopping) made.leave()
  }

  /** Enters the run's lane, if it is free and no older run waits for it; else the job ends, and the one before it wakes it. */
  async function enter(row: RunRow, job: Job): Promise<boolean> {
    return database.transaction(async (tx) => {
      await lockLane(tx, row.workspace_id, row.lane!)
      const peers = await lanePeers(tx, row.workspace_id, row.lane!)
      const next = peers.find((peer) => peer.holds) ?? peers.find((peer) => !peer.held)
      if (next?.id === row.id && (await enterLane(tx, row.id, row.epoch)).length > 0) return true
      await queue.complete(tx, [job])
      return false
    })
  }

  /** A sign of life for every job at hand; and a look whether a run was moved, or taken over, behind our back. */
  async function beat(): Promise<void> {
    const all = [...held.values()]
    const onTheWay = [...claiming.values()]
    if (all.length + onTheWay.length === 0) return
    try {
      const ours = await queue.touch([...all.map((each) => each.job), ...onTheWay])
      for (const job of onTheWay) if (!ours.has(job.id)) claiming.delete(job.id)
      // A claim that is stored while this is asked may be answered of as it was before: it is not compared.
      const claimed = all.filter((each) => each.isClaimed())
      const now = new Map(
        (
          await runRevisions(
            database,
            claimed.map((each) => each.runId),
          )
        ).map((row) => [row.id, row]),
      )
      for (const each of claimed) each.compare(now.get(each.runId))
    } catch (error) {
      if (!(error instanceof Outage)) log.error({ err: error }, 'heartbeat failed')
    }
  }

  /** Ends jobs and makes new ones for their runs in one transaction: a claim handed over is no death. */
  async function handOver(jobs: readonly Job[], goOn: () => boolean): Promise<void> {
    const again = () =>
      database.transaction(async (tx) => {
        await queue.complete(tx, jobs)
        await queue.insert(
          tx,
          jobs.map((job) => job.runId),
        )
      })
    await patiently(again, goOn).catch((error: unknown) => log.warn({ err: error }, 'claims were not handed over; they come back when this worker has been silent'))
    doorbell.ring({ jobs: true })
  }

  /** Hands over what has come to rest; when the time is up, everything. */
  async function empty(end: number): Promise<void> {
    for (const each of held.values()) each.leave()
    const untried = probation.stop()
    for (const job of untried) claiming.delete(job.id)
    if (untried.length > 0) await handOver(untried, () => performance.now() < end)
    while (held.size + claiming.size > 0) {
      const late = performance.now() >= end
      const leaving = [...held.values()].filter((each) => late || each.isAtRest())
      const jobs = [...leaving.map((each) => each.job), ...(late ? claiming.values() : [])]
      for (const each of leaving) each.abandon()
      if (late) claiming.clear()
      if (jobs.length > 0) await handOver(jobs, () => performance.now() < end)
      else await sleep(25)
    }
  }

  /** As if its job had been fetched and claimed; in truth both are about to be written. */
  function takeOver(row: RunRow, state: RunState, plan: Plan): Holder | null {
    if (fetching === undefined || stopping || held.size >= mostRuns || held.has(row.id) || plan.missing.length > 0) return null
    const made = new Holder(holding, row, state, plan, { id: randomUUID(), runId: row.id, redelivered: 0 }, 'coming')
    held.set(row.id, made)
    return made
  }

  async function begin(run: NewRun, input: Payload, plan: Plan): Promise<Beginning | null> {
    const row = rowOfNew(run)
    const made = takeOver(row, freshState({ ...headOfNew(run, input), epoch: row.epoch }, plan), plan)
    if (!made) return null
    try {
      return await made.first([{ is: 'started' }])
    } catch (error) {
      log.error({ err: error, runId: run.id }, 'a run could not be begun: it is queued')
      made.abandon()
      return null
    }
  }

  return {
    begin,
    takeOver,
    get held() {
      return held.size
    },
    holds: (runId) => held.has(runId),
    underWay: () => (claiming.size > 0 ? null : [...held.values()].reduce<number | null>((sum, each) => plus(sum, each.underWay()), 0)),
    start() {
      fetching = fetchLoop()
      let beating: Promise<void> | undefined
      heartbeat = setInterval(() => (beating ??= beat().finally(() => (beating = undefined))), heartbeatMs)
    },
    async drain(ms) {
      const end = performance.now() + ms
      stopping = true
      offJobs()
      wake()
      await fetching
      await empty(end)
      clearInterval(heartbeat)
    },
  }
}
