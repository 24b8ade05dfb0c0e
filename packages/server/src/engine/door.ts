import { Fault, type Json } from '@sluice/schema'
import type { Doorbell } from '../events/doorbell.ts'
import { type Database, Outage, type Tx } from '../store/database.ts'
import { openPausesOf } from '../store/rows/pauses.ts'
import { type RunRow, lockRun, readRun } from '../store/rows/runs.ts'
import { keptSignalsOf } from '../store/rows/signals.ts'
import { stepsOf } from '../store/rows/steps.ts'
import { takeRun } from '../store/rows/jobs.ts'
import type { Time } from '../store/time.ts'
import { nodeAt } from '../workflows/graph.ts'
import type { Plan, Plans } from '../workflows/plans.ts'
import { type Committer, changeOf, isEmpty, tellTimers, writeChanges } from './commit.ts'
import type { Claim, TakeOver } from './begin.ts'
import type { Happening } from './happening.ts'
import { stateFrom } from './load.ts'
import { happen, rest } from './machine.ts'
import type { Observer } from './observe.ts'
import type { Queue } from './queue.ts'
import { payloadOf } from './payload.ts'
import { type RunState, bodyStepOf, isTerminal, stepKey } from './state.ts'
import { type Turn, beginTurn } from './turn.ts'

export interface DoorParts {
  database: Database
  queue: Queue
  doorbell: Doorbell
  plans: Plans
  time: Time
  /** Told of timers that were set. */
  timed(dueAt: number): void
  takeOver: TakeOver
  committer: Committer
  observer: Observer
}

/** What an outside happening left behind. */
export interface Passed {
  state: RunState
  turn: Turn
  /** Where the worker of this process has claimed the run with it, and goes on. */
  begun: (() => void) | null
}

/**
 * How things happen to a run from outside its worker: decisions, reports, signals, timers, control. Under the run's row
 * lock the state is read, the machine asked, the change written and a job inserted, in one transaction: of several at once
 * one comes first, and all see the same outcome.
 */
export interface Door {
  /**
   * `ask` sees the run as it stands and says what happens to it; nothing, to leave it as it is. What it throws is thrown.
   * The caller's transaction may be given: then the caller says `passed` after its commit.
   */
  pass(id: string, workspaceId: string | null, ask: (state: RunState, row: RunRow, tx: Tx) => Happening[] | Promise<Happening[]>, tx?: Tx): Promise<Passed>
  /**
   * The same for what is asked most, tried first without the lock: where nobody works on the run it is claimed with the change,
   * in one statement together with the turns of others. `ask` writes nothing, and may be asked twice. The run's row may be given
   * by who has just read it: where it has moved since, the change does not hold, and it is done under the lock.
   */
  passFreely(id: string, workspaceId: string, ask: (state: RunState, row: RunRow, tx: Tx) => Happening[] | Promise<Happening[]>, read?: RunRow): Promise<Passed>
  /** Rings for what was committed. */
  passed(passed: Passed): void
  /**
   * What came for an item of a producer that waits for it, out of a queue or by a webhook. `take` takes it where it lies, in the
   * same transaction, under the run's lock. Says whether it was taken; not when nobody waits there any more, or `take` says so.
   */
  deliver(to: { runId: string; nodeId: string; iteration: string }, payload: Json, take: (tx: Tx) => Promise<boolean>): Promise<boolean>
}

async function loadLocked(tx: Tx, plan: Plan, row: RunRow): Promise<RunState> {
  // One connection takes one statement after the other: in turn, not at once.
  const steps = await stepsOf(tx, [row.id])
  const pauses = await openPausesOf(tx, [row.id])
  const signals = await keptSignalsOf(tx, [row.id])
  return stateFrom(row, plan, { steps, pauses, signals })
}

/** After these a run that waited goes on, most of the time: it is worth a claim. */
const movesOn: ReadonlySet<Happening['is']> = new Set(['decided', 'reported', 'signalled', 'delivered', 'due', 'childEnded', 'retryNow'])

/** Whether a worker that had the run would have nothing under way in it: so there is nothing that its claim could cut off. */
const isIdle = ({ run, flight }: RunState): boolean => (run.status === 'running' || run.status === 'waiting') && run.waitingKind !== 'version' && !run.ending && flight.size === 0

const isHeardOutside = ({ listeners, pushes }: Turn): boolean => pushes.length > 0 || [...listeners.values()].some((listener) => listener !== null)

/** Whether a step waits, and what it waits for has not come yet. */
function isExpected(state: RunState, nodeId: string, iteration: string): boolean {
  const step = state.steps.get(stepKey(nodeId, iteration))
  const parent = nodeAt(state.graph, nodeId, iteration)?.parent
  if (state.run.ending || step?.state !== 'waiting' || !parent) return false
  const awaits = bodyStepOf(state, parent, iteration)?.body?.items?.awaits
  return awaits !== undefined && awaits !== null && !state.signals.some(({ name }) => name === awaits)
}

export function createDoor(parts: DoorParts): Door {
  const { database, queue, doorbell, plans, time, timed, takeOver, committer, observer } = parts

  async function through(tx: Tx, id: string, workspaceId: string | null, ask: Parameters<Door['pass']>[2], claimed: ((claim: Claim) => void) | null): Promise<Passed> {
    const row = await lockRun(tx, id)
    if (!row || (workspaceId !== null && row.workspace_id !== workspaceId)) throw new Fault('run_missing')
    const plan = await plans.of(tx, row)
    const state = await loadLocked(tx, plan, row)
    const wasTerminal = isTerminal(state.run.status)
    const happenings = await ask(state, row, tx)
    if (claimed && isIdle(state) && happenings.length > 0 && happenings.every(({ is }) => movesOn.has(is))) {
      const claim = takeOver({ ...row, epoch: row.epoch + 1 }, state, plan)
      if (claim) {
        claimed(claim)
        const passed = await claimThrough(tx, claim, state, happenings)
        if (passed) return passed
      }
    }
    const turn = beginTurn(state, time.now(), Math.random, time.newId)
    for (const happening of happenings) happen(turn, happening)
    if (happenings.length > 0) rest(turn)
    if (!isEmpty(turn)) await writeChanges(tx, [changeOf(turn)])
    // Also of a run that has just ended: its worker tells the parent and the next in its lane.
    if (happenings.length > 0 && !wasTerminal) await queue.insert(tx, [id])
    return { state, turn, begun: null }
  }

  /** Null where it is to be done under the lock: somebody works on the run, or it has moved meanwhile, or nobody here has room. */
  async function claimFreely(id: string, workspaceId: string, ask: Parameters<Door['passFreely']>[2], read?: RunRow): Promise<Passed | null> {
    // The run first: what is read of it then is as old at most, and if it is younger, the change will not hold.
    const row = read ?? (await readRun(database, id))
    if (row?.workspace_id !== workspaceId) return null
    const plan = await plans.of(database, row)
    const [steps, pauses, signals] = await Promise.all([stepsOf(database, [id]), openPausesOf(database, [id]), keptSignalsOf(database, [id])])
    const state = stateFrom(row, plan, { steps, pauses, signals })
    if (!isIdle(state)) return null
    const happenings = await ask(state, row, database)
    if (happenings.length === 0 || !happenings.every(({ is }) => movesOn.has(is))) return null
    const claim = takeOver({ ...row, epoch: row.epoch + 1 }, state, plan)
    if (!claim) return null
    try {
      const { turn, change, job, begun } = await claim.first(happenings, database)
      const result = await committer.submit({ ...change, run: { ...change.run, takenBy: job && claim.job.id } }, null)
      if (result === 'stale') {
        claim.abandon()
        return null
      }
      if (job) state.run.epoch++
      return { state, turn, begun }
    } catch (error) {
      claim.abandon()
      if (error instanceof Outage) throw error
      // Whatever came of rows that were read one after the other, the lock decides.
      return null
    }
  }

  /** What happens is the first turn of the worker here, in the transaction of its claim. Null where somebody has the run's job. */
  async function claimThrough(tx: Tx, claim: Claim, state: RunState, happenings: readonly Happening[]): Promise<Passed | null> {
    if (!(await takeRun(tx, claim.job))) {
      claim.abandon()
      return null
    }
    state.run.epoch++
    const { turn, change, job, begun } = await claim.first(happenings, tx)
    await writeChanges(tx, [change], job ? [] : [claim.job])
    return { state, turn, begun }
  }

  // Who waits for one run's lock waits here, not on a connection: a run that many ask of at once must not keep all others
  // from the database.
  const queues = new Map<string, Promise<unknown>>()
  async function inTurn<T>(id: string, work: () => Promise<T>): Promise<T> {
    const mine = (queues.get(id) ?? Promise.resolve()).then(work, work)
    queues.set(id, mine)
    try {
      return await mine
    } finally {
      if (queues.get(id) === mine) queues.delete(id)
    }
  }

  const door: Door = {
    async pass(id, workspaceId, ask, tx) {
      if (tx) return through(tx, id, workspaceId, ask, null)
      const claims: Claim[] = []
      try {
        const passed = await inTurn(id, () => database.transaction((own) => through(own, id, workspaceId, ask, (claim) => claims.push(claim))))
        door.passed(passed)
        if (!passed.begun) for (const child of passed.turn.childrenToCancel) await door.pass(child, null, () => [{ is: 'cancelled', undo: false }])
        return passed
      } catch (error) {
        for (const claim of claims) claim.abandon()
        throw error
      }
    },
    async passFreely(id, workspaceId, ask, read) {
      const passed = await inTurn(id, () => claimFreely(id, workspaceId, ask, read))
      if (!passed) return door.pass(id, workspaceId, ask)
      passed.begun!()
      return passed
    },
    async deliver({ runId, nodeId, iteration }, payload, take) {
      let isTaken = false
      await door.pass(runId, null, async (state, _row, tx) => {
        isTaken = isExpected(state, nodeId, iteration) && (await take(tx))
        return isTaken ? [{ is: 'delivered', nodeId, iteration, payload: payloadOf(payload) }] : []
      })
      return isTaken
    },
    passed({ state, turn, begun }) {
      const { id, workspaceId, sessionId } = state.run
      const isNews = !isEmpty(turn)
      begun?.()
      if (!isNews) return
      tellTimers(turn.timers, timed)
      doorbell.ring({
        runs: [id],
        workspaces: [workspaceId],
        sources: isHeardOutside(turn),
        ...(sessionId !== null && { sessions: [sessionId] }),
        ...(!begun && { holders: [id], jobs: true }),
      })
      if (!begun) observer.committed(turn)
    },
  }
  return door
}
