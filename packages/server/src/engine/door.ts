import { Fault } from '@sluice/schema'
import type { Doorbell } from '../events/doorbell.ts'
import type { Database, Tx } from '../store/database.ts'
import { newId } from '../store/ids.ts'
import { openPausesOf } from '../store/rows/pauses.ts'
import { type RunRow, lockRun } from '../store/rows/runs.ts'
import { keptSignalsOf } from '../store/rows/signals.ts'
import { stepsOf } from '../store/rows/steps.ts'
import { takeRun } from '../store/rows/jobs.ts'
import type { Plan, Plans } from '../workflows/plans.ts'
import { changeOf, isEmpty, tellTimers, writeChanges } from './commit.ts'
import type { Claim, TakeOver } from './begin.ts'
import type { Happening } from './happening.ts'
import { stateFrom } from './load.ts'
import { happen, rest } from './machine.ts'
import type { Observer } from './observe.ts'
import type { Queue } from './queue.ts'
import { type RunState, isTerminal } from './state.ts'
import { type Turn, beginTurn } from './turn.ts'

export interface DoorParts {
  database: Database
  queue: Queue
  doorbell: Doorbell
  plans: Plans
  /** Told of timers that were set. */
  timed(dueAt: number): void
  takeOver: TakeOver
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
  /** Rings for what was committed. */
  passed(passed: Passed): void
}

async function loadLocked(tx: Tx, plan: Plan, row: RunRow): Promise<RunState> {
  // One connection takes one statement after the other: in turn, not at once.
  const steps = await stepsOf(tx, [row.id])
  const pauses = await openPausesOf(tx, [row.id])
  const signals = await keptSignalsOf(tx, [row.id])
  return stateFrom(row, plan, { steps, pauses, signals })
}

/** After these a run that waited goes on, most of the time: it is worth a claim. */
const movesOn: ReadonlySet<Happening['is']> = new Set(['decided', 'reported', 'signalled', 'due', 'childEnded', 'retryNow'])

/** Whether a worker that had the run would have nothing under way in it: so there is nothing that its claim could cut off. */
const isIdle = ({ run, flight }: RunState): boolean => (run.status === 'running' || run.status === 'waiting') && run.waitingKind !== 'version' && !run.ending && flight.size === 0

export function createDoor(parts: DoorParts): Door {
  const { database, queue, doorbell, plans, timed, takeOver, observer } = parts

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
    const turn = beginTurn(state, Date.now(), Math.random, newId)
    for (const happening of happenings) happen(turn, happening)
    if (happenings.length > 0) rest(turn)
    if (!isEmpty(turn)) await writeChanges(tx, [changeOf(turn)])
    // Also of a run that has just ended: its worker tells the parent and the next in its lane.
    if (happenings.length > 0 && !wasTerminal) await queue.insert(tx, [id])
    return { state, turn, begun: null }
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
    passed({ state, turn, begun }) {
      const { id, workspaceId, sessionId } = state.run
      const isNews = !isEmpty(turn)
      begun?.()
      if (!isNews) return
      tellTimers(turn.timers, timed)
      doorbell.ring({ runs: [id], workspaces: [workspaceId], ...(sessionId !== null && { sessions: [sessionId] }), ...(!begun && { holders: [id], jobs: true }) })
      if (!begun) observer.committed(turn)
    },
  }
  return door
}
