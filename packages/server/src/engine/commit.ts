import type { Database, Tx } from '../store/database.ts'
import { type EventWrite, type RunWrite, type StartWrite, type StepWrite, beginRuns, commitRuns } from '../store/rows/commit.ts'
import type { PauseRecord } from '../store/rows/pauses.ts'
import { changeSessions } from '../events/sessions.ts'
import { type NewRun, deleteRounds, nameOfLane, sessionsWithRounds, tryLanes } from '../store/rows/runs.ts'
import { lockSessions } from '../store/rows/sessions.ts'
import { logOf } from '../store/rows/events.ts'
import { type ListenerKey, type ListenerWrite, deleteListeners, insertListeners } from '../store/rows/listeners.ts'
import { pushItems } from '../store/rows/queues.ts'
import { deleteSignals, insertSignals } from '../store/rows/signals.ts'
import { deleteSteps, inlineOutputBytes } from '../store/rows/steps.ts'
import type { TimerWrite } from '../store/rows/timers.ts'
import type { Doorbell } from '../events/doorbell.ts'
import type { StepRef } from './happening.ts'
import type { Observer } from './observe.ts'
import { inBatches } from './batches.ts'
import type { Job } from './queue.ts'
import { type PauseRow, type RunHead, type StepRow, isTerminal } from './state.ts'
import { type Telling, apply, tellingOf } from './telling.ts'
import type { Turn } from './turn.ts'

/**
 * THE door into run state: nothing else writes it.
 *
 * C1. A change is written whole, with its events, in one transaction, or not at all.
 * C2. It holds only on the epoch and the revision it was computed on; else it is refused and nothing of it is written.
 * C3. A reply to COMMIT that was lost counts as unknown: the turn is computed again on what is found, and what was written
 *     before makes its happenings no-ops.
 * C4. A job is completed in the transaction that leaves its holder nothing to do, under the run's row lock; a job that an
 *     outside happening inserts is inserted in that happening's transaction. So no run is left without a job that needs one.
 * C5. What a round changes of its session is written in the same transaction, run before session, sessions in the order of
 *     their ids: nobody who holds a session waits for a run. A run that is no round pays nothing for it.
 */

export interface Change {
  run: RunWrite
  steps: StepWrite[]
  events: EventWrite[]
  pauses: PauseRecord[]
  timers: Turn['timers']
  signals: Turn['signals']
  folded: StepRef[]
  listens: ListenerWrite[]
  ceases: ListenerKey[]
  pushes: Turn['pushes']
  terminal: boolean
  /** What a round tells its session; null for a run that is no round. */
  telling: Telling | null
  /** When its turn was. */
  at: number
}

const date = (ms: number | null): Date | null => (ms === null ? null : new Date(ms))
const json = (value: unknown): string | null => (value === null || value === undefined ? null : JSON.stringify(value))

function runWrite(run: RunHead, seq: number): RunWrite {
  return {
    id: run.id,
    workspaceId: run.workspaceId,
    workflowId: run.workflowId,
    epoch: run.epoch,
    revision: run.revision,
    status: run.status,
    waitingKind: run.waitingKind,
    heldAt: run.heldAt,
    deaths: run.deaths,
    seq,
    progress: run.progress,
    steps: run.steps,
    output: run.output?.text ?? null,
    reason: json(run.reason),
    ending: json(run.ending),
    deadlineAt: run.deadlineAt,
    startedAt: run.startedAt,
    endedAt: run.endedAt,
    takenBy: null,
  }
}

function stepWrite(runId: string, step: StepRow): StepWrite {
  return {
    runId,
    nodeId: step.nodeId,
    iteration: step.iteration,
    state: step.state,
    attempts: step.attempts,
    failures: step.failures,
    settled: step.settled,
    output: step.output?.text ?? null,
    outputBytes: step.outputBytes,
    route: json(step.route),
    error: json(step.error),
    waitingFor: json(step.waitingFor),
    skipReason: step.skipReason,
    compensation: json(step.compensation),
    compensateInput: step.compensateInput === undefined ? null : JSON.stringify(step.compensateInput),
    body: json(step.body),
    reported: step.reported,
    startedAt: step.startedAt,
    lastAttemptAt: step.lastAttemptAt,
    retryAt: step.retryAt,
    timedOutAt: step.timedOutAt,
    endedAt: step.endedAt,
  }
}

function pauseRecord(run: RunHead, pause: PauseRow): PauseRecord {
  return {
    id: pause.id,
    workspace_id: run.workspaceId,
    workflow_id: run.workflowId,
    run_id: run.id,
    node_id: pause.nodeId,
    iteration: pause.iteration,
    step: pause.step,
    kind: pause.kind,
    status: pause.status,
    message: pause.message,
    form: pause.form,
    input: pause.input,
    assignee: pause.assignee,
    blocks: pause.blocks,
    on_expiry: pause.onExpiry,
    opened_at: new Date(pause.openedAt),
    due_at: date(pause.dueAt),
    decision: pause.decision,
    decision_key: pause.decisionKey,
  }
}

/** What a turn wants written. The events get their numbers here: `seq` goes on from the run's own. */
export function changeOf(turn: Turn): Change {
  const { run } = turn.state
  const { id: runId, workflowId, seq } = run
  const workspaceId = logOf(run)
  return {
    run: runWrite(run, seq + turn.events.length),
    steps: [...turn.steps.values()].map((step) => stepWrite(runId, step)),
    events: turn.events.map((event, index) => ({ runId, workspaceId, workflowId, seq: seq + index + 1, at: turn.now, ...event })),
    pauses: [...turn.pauses.values()].map((pause) => pauseRecord(run, pause)),
    timers: turn.timers,
    signals: turn.signals,
    folded: [...turn.folded].map(refOf),
    ...listenersOf(turn),
    pushes: turn.pushes,
    terminal: isTerminal(run.status),
    telling: tellingOf(turn),
    at: turn.now,
  }
}

const refOf = (key: string): StepRef => {
  const [nodeId, iteration] = key.split('\n') as [string, string]
  return { nodeId, iteration }
}

function listenersOf({ state: { run }, listeners }: Turn): Pick<Change, 'listens' | 'ceases'> {
  const { id: runId, workspaceId } = run
  const listens: ListenerWrite[] = []
  const ceases: ListenerKey[] = []
  for (const [key, listener] of listeners) {
    if (listener) listens.push({ runId, workspaceId, ...listener, since: new Date(run.createdAt) })
    else ceases.push({ runId, ...refOf(key) })
  }
  return { listens, ceases }
}

/** Whether there is anything to write: a turn of late happenings changes nothing. */
export const isEmpty = (turn: Turn): boolean =>
  turn.events.length === 0 &&
  turn.steps.size === 0 &&
  turn.pauses.size === 0 &&
  turn.timers.size === 0 &&
  turn.signals.kept.length === 0 &&
  turn.signals.consumed.length === 0 &&
  turn.folded.size === 0 &&
  turn.listeners.size === 0

/** The state takes note that its change is durable. Large outputs are let go: they are fetched again when needed. */
export function adopt(turn: Turn): void {
  const { run } = turn.state
  run.revision++
  run.seq += turn.events.length
  for (const step of turn.steps.values()) if (step.output && step.output.bytes > inlineOutputBytes) step.output = null
}

/** Writes changes in the caller's transaction, and ends the jobs of those that held; gives the runs whose change held. */
export async function writeChanges(tx: Tx, changes: readonly Change[], jobs: readonly Job[] = []): Promise<Set<string>> {
  const done = await writeRows(tx, changes, jobs)
  await writeBeside(
    tx,
    changes.filter((change) => done.has(change.run.id)),
  )
  return done
}

/** What changes that held write beside the rows of their runs. */
async function writeBeside(tx: Tx, held: readonly Change[]): Promise<void> {
  const kept = held.flatMap((change) => change.signals.kept.map((signal) => ({ runId: change.run.id, name: signal.name, payload: signal.payload.text })))
  if (kept.length > 0) await insertSignals(tx, kept)
  const consumed = held.flatMap((change) => change.signals.consumed.map((signal) => ({ runId: change.run.id, ...signal })))
  if (consumed.length > 0) await deleteSignals(tx, consumed)
  const folded = held.flatMap((change) => change.folded.map((step) => ({ runId: change.run.id, ...step })))
  if (folded.length > 0) await deleteSteps(tx, folded)
  const ceases = held.flatMap((change) => change.ceases)
  if (ceases.length > 0) await deleteListeners(tx, ceases)
  const listens = held.flatMap((change) => change.listens)
  if (listens.length > 0) await insertListeners(tx, listens)
  const pushes = held.flatMap(({ run, pushes: all }) => all.map(({ queue, payload }) => ({ workspaceId: run.workspaceId, queue, payload: payload.text })))
  if (pushes.length > 0) await pushItems(tx, pushes)
  const tellings = held.flatMap((change) => change.telling ?? [])
  if (tellings.length > 0) await tellSessions(tx, tellings)
}

const writeRows = (tx: Tx, changes: readonly Change[], jobs: readonly Job[]): Promise<Set<string>> =>
  commitRuns(tx, new Date(Math.max(...changes.map(({ at }) => at))), {
    runs: changes.map((change) => change.run),
    steps: changes.flatMap((change) => change.steps),
    events: changes.flatMap((change) => change.events),
    jobs: jobs.map((job) => ({ id: job.id, runId: job.runId, attempt: job.redelivered })),
    ended: changes.flatMap((change) => (change.terminal ? [change.run.id] : [])),
    pauses: changes.flatMap((change) => change.pauses),
    timers: changes.flatMap(timerWrites),
  })

/** Of a run that has ended none is set any more, and all go. */
export const timerWrites = ({ run, timers, terminal }: Change): TimerWrite[] => (terminal ? [] : [...timers.values()].map((timer) => ({ runId: run.id, ...timer })))

async function tellSessions(tx: Tx, tellings: readonly Telling[]): Promise<void> {
  const ids = [...new Set(tellings.map((telling) => telling.sessionId))]
  const rows = await lockSessions(tx, ids)
  // Asked under the locks: a round that starts now comes after, and one that started is seen.
  const live = tellings.some((telling) => telling.ends) ? await sessionsWithRounds(tx, ids) : new Set<string>()
  await changeSessions(tx, rows, (sessions) => {
    for (const telling of tellings) {
      const session = sessions.get(telling.sessionId)
      // Unbound meanwhile it is its client's own; bound to another mode, what it was bound to goes on to its end.
      if (session && session.row.workflow_id !== null) apply(telling, session, live.has(telling.sessionId))
    }
  })
  const known = new Set(rows.map((row) => row.id))
  for (const telling of tellings) if (telling.ends && !known.has(telling.sessionId)) await deleteRounds(tx, telling.sessionId)
}

/** Characters of what a turn writes, about: of its rows what may be large. */
export function weightOf({ run, steps, events, pauses, signals, pushes }: Change): number {
  let weight = run.output?.length ?? 0
  for (const { output, compensateInput, error, waitingFor } of steps)
    weight += (output?.length ?? 0) + (compensateInput?.length ?? 0) + (error?.length ?? 0) + (waitingFor?.length ?? 0)
  for (const { data } of events) weight += data.length
  for (const { input } of pauses) if (input !== null && input !== undefined) weight += JSON.stringify(input).length
  for (const { payload } of [...signals.kept, ...pushes]) weight += payload.text.length
  return weight
}

/** Tells the clock of timers that were set. */
export function tellTimers(timers: Turn['timers'], timed: (dueAt: number) => void): void {
  for (const { dueAt } of timers.values()) if (dueAt !== null) timed(dueAt)
}

/** Whether the rows of its run are all there is to write: then one statement is enough. */
export const isPlain = ({ telling, signals, folded, listens, ceases, pushes }: Change): boolean =>
  telling === null && [signals.kept, signals.consumed, folded, listens, ceases, pushes].every(({ length }) => length === 0)

export type { StartWrite }

/** Stores runs, each with its first turn: of a run that is no round and has no signals yet, its rows are all there is. Gives the ids of those that were stored, which of one lane is at most one. */
export async function writeStarts(database: Database, starts: readonly StartWrite[]): Promise<Set<string>> {
  const lanes = starts.flatMap(({ run }) => laneNameOf(run) ?? [])
  if (lanes.length === 0) return beginRuns(database, lastOf(starts), starts)
  return database.transaction(async (tx) => {
    // By a statement of its own: what was committed in a lane before we had it is seen by the next.
    const got = await tryLanes(tx, lanes)
    const free = starts.filter(({ run }) => run.lane === null || got.has(laneNameOf(run)!))
    return free.length === 0 ? new Set() : beginRuns(tx, lastOf(free), free)
  })
}

/** Of a run that has one. */
export const laneNameOf = ({ workspaceId, lane }: NewRun): string | null => lane && nameOfLane(workspaceId, lane)

const lastOf = (starts: readonly StartWrite[]): Date => new Date(Math.max(...starts.map(({ run }) => run.createdAt.getTime())))

interface Submission {
  change: Change
  completeJob: Job | null
}

export interface Committer {
  /**
   * Writes a worker's change together with what other runs want to write at the same moment. `done` once it is durable,
   * `stale` when the run has moved on. With `completeJob` the run's job ends in the same transaction.
   */
  submit(change: Change, completeJob: Job | null): Promise<'done' | 'stale'>
}

export function createCommitter(parts: { database: Database; doorbell: Doorbell; timed(dueAt: number): void; observer: Pick<Observer, 'wrote'> }): Committer {
  const { database, doorbell, timed, observer } = parts

  /** Of one kind: what fails in a batch is tried again alone, and must not be what others of another statement have stored. */
  const batchesOf = (write: (changes: readonly Change[], jobs: readonly Job[]) => Promise<Set<string>>) =>
    inBatches<Submission, 'done' | 'stale'>({
      lanes: 2,
      // Two who hold one run, one of them no longer, may write at the same moment.
      keyOf: ({ change }) => change.run.id,
      weightOf: ({ change }) => weightOf(change),
      async work(batch) {
        const began = performance.now()
        const done = await write(
          batch.map(({ change }) => change),
          batch.flatMap(({ completeJob }) => completeJob ?? []),
        )
        observer.wrote(batch.length, performance.now() - began)
        tell(batch.flatMap(({ change }) => (done.has(change.run.id) ? change : [])))
        return batch.map(({ change }) => (done.has(change.run.id) ? 'done' : 'stale'))
      },
    })
  const rows = batchesOf((changes, jobs) => writeRows(database, changes, jobs))
  // They lock their runs before they change them: apart, so that all lock in one order.
  const claims = batchesOf((changes, jobs) => writeRows(database, changes, jobs))
  const beside = batchesOf((changes, jobs) => database.transaction((tx) => writeChanges(tx, changes, jobs)))

  function tell(held: readonly Change[]): void {
    const told = held.filter((change) => change.events.length > 0)
    for (const change of held) tellTimers(change.timers, timed)
    doorbell.ring({
      runs: told.map((change) => change.run.id),
      workspaces: told.map((change) => change.run.workspaceId),
      sources: held.some(({ listens, pushes }) => listens.length + pushes.length > 0),
      // Also of a turn that tells nothing of its run.
      sessions: held.flatMap((change) => change.telling?.sessionId ?? []),
    })
  }

  return {
    submit(change, completeJob) {
      const batches = !isPlain(change) ? beside : change.run.takenBy === null ? rows : claims
      return batches({ change, completeJob })
    },
  }
}
