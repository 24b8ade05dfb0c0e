import { setTimeout as sleep } from 'node:timers/promises'
import type { Doorbell } from '../events/doorbell.ts'
import { silent, type Speaker, type Voices } from '../events/tokens.ts'
import { type Abilities, StepFailure } from '../nodes/contract.ts'
import type { Database, Tx } from '../store/database.ts'
import { openPausesOf } from '../store/rows/pauses.ts'
import { type RunRow, readRun } from '../store/rows/runs.ts'
import { keptSignalsOf } from '../store/rows/signals.ts'
import { sessionScope } from '../store/rows/sessions.ts'
import { outputsOf, stepsOf } from '../store/rows/steps.ts'
import type { Time } from '../store/time.ts'
import type { Log } from '../telemetry.ts'
import type { Plan, Plans } from '../workflows/plans.ts'
import type { Afterlife } from './afterlife.ts'
import type { Beginning } from './begin.ts'
import { type ChildStart, type Evaluated, type Work, evaluate, failureOf } from './attempt.ts'
import { type Committer, adopt, changeOf, isEmpty } from './commit.ts'
import type { Door } from './door.ts'
import { askKey, undoKey } from './frontier.ts'
import type { AttemptRef, Happening } from './happening.ts'
import type { Surround } from './iterations.ts'
import { stateFrom } from './load.ts'
import { happen, isParked, proceed, rest } from './machine.ts'
import type { Observer } from './observe.ts'
import { contextWith } from './telling.ts'
import { patiently } from './patience.ts'
import { payloadOfText } from './payload.ts'
import type { Job, Queue } from './queue.ts'
import { type RunState, isTerminal, stepKey } from './state.ts'
import { type Task, type Turn, beginTurn, flightId } from './turn.ts'

/** A run that this worker holds the claim of. */
export interface Held {
  runId: string
  job: Job
  happen(...happenings: Happening[]): void
  /** Whether its claim is stored. Until then its row says nothing of it. */
  isClaimed(): boolean
  /** Told how the row stands: to be read anew when it moved, let go when another worker has it. */
  compare(row: { epoch: number; revision: number } | undefined): void
  /** Whether it has come any further since the last death of its worker. */
  hasMoved(): boolean
  /** Begins nothing any more; what is under way is awaited, and recorded. */
  leave(): void
  /** Whether nothing is under way, and nothing left to record: it may be handed over. */
  isAtRest(): boolean
  /** The attempts under way here; null while anything else goes on. */
  underWay(): number | null
  /** Lets go without another write: attempts are told to abort. */
  abandon(): void
}

/** What a worker, and each run it holds, works with. */
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
  abilities(row: RunRow, step: Pick<AttemptRef, 'nodeId' | 'iteration' | 'phase'>): Omit<Abilities, 'log' | 'say'>
  voices: Voices
  observer: Observer
  /** Told how a run stands, once that is durable. */
  note(state: RunState): void
  time: Time
  log: Log
}

export type HolderParts = WorkerParts & {
  /** The work of attempts on this server, by run and step, also of those that were told to stop and do not. */
  atWork: Map<string, Promise<unknown>>
  released(held: Held): void
}

/** A task to begin once its turn is durable, with what is known of it already. */
interface Begin {
  task: Task
  evaluated: Evaluated | null
}

/** A turn, what it begins, and what is to come of the run and its job once it is durable. */
interface Taken {
  turn: Turn
  begins: Begin[]
  /** Whether nothing is under way. */
  parked: boolean
  /** Children that were not told yet to end. */
  untold: string[]
  keepsJob: boolean
}

/** Instant tasks done in one turn before it is committed: a long chain of them is not one giant commit. */
const mostInstant = 200
/** And so long: a first turn may be part of a transaction that holds its run's lock, and is given up after a few seconds. */
const longestInstantMs = 1_000
const mostLogLines = 100
const logLineChars = 2_000
/** An attempt that was told to stop, and does not, keeps its undoing back for so long. */
const longestStraggleMs = 5_000

/**
 * Moves one run: happenings come in, the machine turns, the turn is committed, and what it begins is begun; one turn at a
 * time.
 *
 * H1. No attempt begins before its start is durable.
 * H2. A refused turn is forgotten with its state, and its happenings happen again to what is found.
 * H3. The run is let go in the commit that leaves nothing under way, and nobody to be told.
 */
export class Holder implements Held {
  readonly runId: string
  readonly job: Job
  private readonly parts: HolderParts
  private readonly row: RunRow
  private readonly plan: Plan
  private state: RunState
  private inbox: Happening[] = []
  /** Attempts under way here, by flight and attempt. */
  private readonly inHand = new Map<string, AbortController>()
  private readonly loggedOnce = new Set<string>()
  private readonly items: Surround['items'] = new Map()
  private readonly configs: Surround['configs'] = new Map()
  private carried: Surround['carried'] = new Map()
  private turning: boolean
  private claimed: boolean
  /** What a turn reads with: of a first one the transaction it is part of. */
  private reader: Tx
  /** The row may have moved behind our back. */
  private moved = false
  /** What is in memory is not what is stored. */
  private spoilt = false
  private gone = false
  private leaving = false
  /** Children that were told to end. */
  private readonly told = new Set<string>()
  private readonly offHolder: () => void

  /** Where its claim is about to be stored, it is in its first turn already: nothing that rings meanwhile turns it beside. */
  constructor(parts: HolderParts, row: RunRow, loaded: RunState, plan: Plan, job: Job, claim: 'stored' | 'coming' = 'stored') {
    this.parts = parts
    this.row = row
    this.plan = plan
    this.state = loaded
    this.runId = row.id
    this.job = job
    this.claimed = claim === 'stored'
    this.turning = !this.claimed
    this.reader = parts.database
    this.offHolder = parts.doorbell.on(`holder:${row.id}`, () => {
      this.moved = true
      this.kick()
    })
  }

  happen(...happenings: Happening[]): void {
    if (this.gone) return
    this.inbox.push(...happenings)
    this.kick()
  }

  isClaimed(): boolean {
    return this.claimed
  }

  compare(row: { epoch: number; revision: number } | undefined): void {
    if (this.gone || this.turning) return
    if (!row || row.epoch !== this.state.run.epoch) return this.abandon()
    if (row.revision === this.state.run.revision) return
    this.moved = true
    this.kick()
  }

  hasMoved(): boolean {
    return this.state.run.deaths === 0
  }

  leave(): void {
    this.leaving = true
  }

  isAtRest(): boolean {
    return this.leaving && !this.turning && this.inHand.size === 0 && this.inbox.length === 0
  }

  underWay(): number | null {
    return this.turning || this.moved || this.inbox.length > 0 ? null : this.inHand.size
  }

  abandon(): void {
    if (this.gone) return
    this.gone = true
    this.offHolder()
    for (const abort of this.inHand.values()) abort.abort()
    this.inHand.clear()
    this.parts.released(this)
  }

  private kick(): void {
    if (!this.turning && !this.gone) this.turns(() => this.turnAround())
  }

  private turns(work: () => Promise<void>): void {
    this.turning = true
    work()
      .catch((error: unknown) => {
        // Let go without completing the job: it comes back, and is counted, so that a run that always does this ends.
        if (!this.gone) this.parts.log.error({ err: error, runId: this.runId }, 'a run could not be moved')
        this.abandon()
      })
      .finally(() => {
        this.turning = false
        if (this.moved || this.inbox.length > 0) this.kick()
      })
  }

  private async turnAround(): Promise<void> {
    let again: boolean
    do {
      again = false
      if ((this.moved || this.spoilt) && !(await this.readAnew())) return
      const happenings = this.inbox.splice(0)
      const taken = this.lookedAt(await this.turn(happenings))
      if (isEmpty(taken.turn) && !taken.parked && taken.untold.length === 0) continue
      const result = await this.commit(taken.turn, taken.parked && !taken.keepsJob ? this.job : null)
      if (this.gone) return
      if (result === 'stale') {
        this.inbox.unshift(...happenings)
        this.spoilt = true
        continue
      }
      again = await this.goOn(taken)
    } while (!this.gone && (again || this.moved || this.spoilt || this.inbox.length > 0))
  }

  private lookedAt(turned: { turn: Turn; begins: Begin[] }, isNew = false): Taken {
    const { run } = this.state
    const untold = [...turned.turn.childrenToCancel].filter((child) => !this.told.has(child))
    // The job of a run that ended stays until the parent and the lane know: else a crash here would leave them waiting.
    const keepsJob = untold.length > 0 || (isTerminal(run.status) && this.parts.afterlife.isNeeded(this.state, isNew))
    return { ...turned, parked: isParked(turned.turn) && !this.leaving, untold, keepsJob }
  }

  /** Once a turn is durable. Gives whether it is to be turned again. */
  private async goOn({ turn, begins, parked, untold, keepsJob }: Taken): Promise<boolean> {
    adopt(turn)
    this.parts.observer.committed(turn)
    this.parts.note(this.state)
    this.report(turn)
    this.follow(turn, begins)
    if (!this.isServed()) this.parts.doorbell.ring({ unserved: true })
    for (const child of untold) await this.cancelChild(child)
    if (!parked || this.gone) return false
    if (keepsJob && !isTerminal(this.state.run.status)) return true
    if (keepsJob) {
      await this.parts.afterlife.settle(this.state, this.job, () => !this.gone)
      // Who came meanwhile found it held here, and asks nobody: they wait to be told.
      this.parts.note(this.state)
    }
    this.abandon()
    return false
  }

  /** The first turn of a run whose claim is coming: of one that is not stored yet, to be stored with it; or, in the transaction that claims a run, with the claim. */
  async first(happenings: readonly Happening[], tx?: Tx): Promise<Beginning> {
    this.reader = tx ?? this.parts.database
    const taken = this.lookedAt(await this.turn(happenings), tx === undefined)
    this.reader = this.parts.database
    return {
      turn: taken.turn,
      change: changeOf(taken.turn),
      job: taken.parked && !taken.keepsJob ? null : this.job,
      begun: () => {
        this.claimed = true
        if (!this.gone) this.turns(() => this.goOn(taken).then((again) => (again ? this.turnAround() : undefined)))
      },
      dropped: () => this.abandon(),
    }
  }

  /** One line for a run that has ended. One that failed is worth a look; of the others there may be thousands a second. */
  private report(turn: Turn): void {
    const { id: runId, workflowId, status, reason } = this.state.run
    if (!isTerminal(status) || !turn.events.some(({ type }) => type === `run.${status}`)) return
    this.parts.voices.ended(runId)
    const facts = { runId, workflowId, status, ...(reason && { reason: reason.code, step: reason.step }) }
    if (status === 'failed' || status === 'compensated') this.parts.log.info(facts, 'A run ended')
    else this.parts.log.debug(facts, 'A run ended')
  }

  /** Happenings in, instant tasks done inline, until only what must not begin before the commit is left. */
  private async turn(happenings: readonly Happening[]): Promise<{ turn: Turn; begins: Begin[] }> {
    const turn = beginTurn(this.state, this.parts.time.now(), Math.random, this.parts.time.newId)
    for (const happening of happenings) happen(turn, happening)
    const begins: Begin[] = []
    let instant = 0
    const until = performance.now() + longestInstantMs
    while (this.isServed() && !this.leaving) {
      proceed(turn)
      const tasks = turn.tasks.splice(0)
      if (tasks.length === 0) break
      for (const task of tasks) {
        const evaluated = instant < mostInstant && performance.now() < until ? await evaluate(this.surround(turn), task, new Date(turn.now)) : null
        if (evaluated && 'happened' in evaluated) {
          instant++
          happen(turn, evaluated.happened)
        } else begins.push({ task, evaluated })
      }
    }
    if (this.isServed()) rest(turn)
    return { turn, begins }
  }

  /** Whether this server has the handlers the run's version needs. */
  private isServed(): boolean {
    return this.plan.missing.length === 0
  }

  /** With what the turn at hand has set in the session's context, and not yet written. */
  private surround(turn?: Turn): Surround {
    const { observer } = this.parts
    const { runId, reader } = this
    const { sessionId } = this.state.run
    // A transaction that lost its connection is not to be waited for.
    const patient = <T>(work: () => Promise<T>): Promise<T> => (reader === this.parts.database ? this.patiently(work) : work())
    return {
      state: this.state,
      plan: this.plan,
      items: this.items,
      configs: this.configs,
      carried: this.carried,
      async session() {
        const session = sessionId === null ? null : await patient(() => sessionScope(reader, sessionId, runId))
        return session && turn?.context ? { ...session, context: contextWith(session['context'] ?? null, turn.context) } : session
      },
      traceparent: (ref) => observer.traceparent(this.state.run, ref),
      now: this.parts.time.now,
      async read(steps) {
        const nodes = steps.map((step) => step.nodeId)
        const iterations = steps.map((step) => step.iteration)
        const rows = await patient(() => outputsOf(reader, runId, nodes, iterations))
        return new Map(rows.map((row) => [stepKey(row.node_id, row.iteration), payloadOfText(row.output)]))
      },
    }
  }

  /** Writes a turn, for as long as it takes: while PostgreSQL is away the run waits here, and is not lost. */
  private async commit(turn: Turn, completeJob: Job | null): Promise<'done' | 'stale'> {
    const change = changeOf(turn)
    return this.patiently(() => this.parts.committer.submit(change, completeJob))
  }

  private patiently<T>(work: () => Promise<T>): Promise<T> {
    return patiently(work, () => !this.gone)
  }

  /** What a committed turn brings about outside the run's rows. */
  private follow(turn: Turn, begins: readonly Begin[]): void {
    for (const key of turn.aborts) this.dropFlights((id) => id.startsWith(`${key}#`))
    for (const each of begins) this.begin(each)
  }

  private dropFlights(which: (id: string) => boolean): void {
    for (const [id, abort] of this.inHand) {
      if (!which(id)) continue
      this.inHand.delete(id)
      abort.abort()
    }
  }

  private async cancelChild(child: string): Promise<void> {
    const { door, log } = this.parts
    // What came of it here is undone too, or belongs to a step that has failed.
    const undoes = this.state.run.ending?.undo ?? true
    await this.patiently(() => door.pass(child, null, () => [{ is: 'cancelled', undo: undoes }])).catch((error: unknown) => {
      if (!this.gone) log.warn({ err: error, runId: child }, 'a child run could not be cancelled')
    })
    this.told.add(child)
  }

  private begin({ task, evaluated }: Begin): void {
    const id = idOf(task)
    const abort = new AbortController()
    this.inHand.set(id, abort)
    this.carryOut(task, evaluated, abort.signal)
      .then((happening) => {
        if (this.inHand.delete(id)) this.happen(happening)
      })
      .catch((error: unknown) => {
        if (!this.gone) this.parts.log.error({ err: error, runId: this.runId }, 'an attempt could not be carried out')
        this.abandon()
      })
  }

  private async carryOut(task: Task, known: Evaluated | null, signal: AbortSignal): Promise<Happening> {
    const evaluated = known ?? (await evaluate(this.surround(), task, new Date(this.parts.time.now())))
    if ('happened' in evaluated) return evaluated.happened
    return 'child' in evaluated ? this.startChild(evaluated.child) : this.work(evaluated.work, signal)
  }

  private async startChild(start: ChildStart): Promise<Happening> {
    const { nodeId, iteration } = start.ref
    const failures = this.state.steps.get(stepKey(nodeId, iteration))?.failures ?? 0
    try {
      const runId = await this.patiently(() => this.parts.startChild(this.row, start, failures))
      return { is: 'waits', ...start.ref, waiting: { for: 'child', runId } }
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error
      return failureOf(start.ref, error)
    }
  }

  private async work(work: Work, outer: AbortSignal): Promise<Happening> {
    // What is undone has come to its end: what still goes on of it here would be done after it.
    if (work.ref.phase === 'compensate') await this.stragglers(work.ref, outer)
    const logs: NonNullable<AttemptRef['logs']> = []
    const abort = new AbortController()
    const speaker = this.speakerOf(work)
    const end = (): void => {
      abort.abort()
      void speaker.end()
    }
    outer.addEventListener('abort', end)
    let callOff = (): void => {}
    const began = performance.now()
    const late = new Promise<Happening>((resolve) => {
      callOff = this.parts.time.after(work.timeoutMs, () => {
        abort.abort()
        resolve(failureOf(work.ref, new StepFailure('timed_out', `The attempt took longer than ${work.timeoutMs} ms`)))
      })
    })
    try {
      const running = work.run(abort.signal, this.abilities(work.ref, logs, speaker))
      if (work.ref.phase === 'invoke') this.noteAtWork(work.ref, running)
      const happening = await Promise.race([running, late])
      // Before it is recorded, and so before anybody is told that the step has ended.
      await speaker.end()
      return { ...happening, logs } as Happening
    } finally {
      callOff()
      outer.removeEventListener('abort', end)
      this.parts.observer.worked(work.node.type, performance.now() - began)
    }
  }

  private speakerOf({ ref: { nodeId, iteration, attempt, phase }, node }: Work): Speaker {
    if (phase === 'compensate') return silent
    return this.parts.voices.speaker({ runId: this.runId, sessionId: this.state.run.sessionId, nodeId, step: node.name, iteration, attempt })
  }

  private workKey({ nodeId, iteration }: AttemptRef): string {
    return `${this.runId}\n${stepKey(nodeId, iteration)}`
  }

  /** Beside what an earlier attempt of the step still does. */
  private noteAtWork(ref: AttemptRef, running: Promise<unknown>): void {
    const { atWork } = this.parts
    const key = this.workKey(ref)
    const all = Promise.all([atWork.get(key), running])
    atWork.set(key, all)
    void all.finally(() => atWork.get(key) === all && atWork.delete(key))
  }

  private async stragglers(ref: AttemptRef, signal: AbortSignal): Promise<void> {
    const atWork = this.parts.atWork.get(this.workKey(ref))
    if (!atWork) return
    const patience = new AbortController()
    await Promise.race([atWork, sleep(longestStraggleMs, undefined, { signal: AbortSignal.any([signal, patience.signal]) }).catch(() => {})])
    patience.abort()
  }

  private abilities(ref: AttemptRef, logs: NonNullable<AttemptRef['logs']>, { say }: Speaker): Abilities {
    const { secret, writeFile, tools, documents, callTool } = this.parts.abilities(this.row, ref)
    return {
      secret: (name) => this.patiently(() => secret(name)),
      writeFile: (writing) => this.patiently(() => writeFile(writing)),
      tools: () => this.patiently(tools),
      documents: () => this.patiently(documents),
      callTool: (call, context) => this.patiently(() => callTool(call, context)),
      say,
      log: (level, message, { once = false } = {}) => {
        if (once && this.loggedOnce.has(message)) return
        if (once) this.loggedOnce.add(message)
        if (logs.length < mostLogLines) logs.push({ level, message: message.slice(0, logLineChars) })
      },
    }
  }

  /** Reads the run again; false when it is another worker's now. What is under way here goes on, if it still counts. */
  private async readAnew(): Promise<boolean> {
    this.moved = false
    const { database } = this.parts
    const row = await this.patiently(() => readRun(database, this.runId))
    if (!row || row.epoch !== this.state.run.epoch) {
      this.abandon()
      return false
    }
    if (!this.spoilt && row.revision === this.state.run.revision) return true
    const [steps, pauses, signals] = await this.patiently(() => Promise.all([stepsOf(database, [row.id]), openPausesOf(database, [row.id]), keptSignalsOf(database, [row.id])]))
    this.state = stateFrom(row, this.plan, { steps, pauses, signals })
    this.carried = new Map()
    this.spoilt = false
    const flights = flightsOf(this.state)
    this.dropFlights((id) => !flights.has(id))
    // After the outcomes that wait in the inbox: what is then still under way, and not here, is lost.
    this.inbox.push({ is: 'claimed', mine: new Set(this.inHand.keys()) })
    return true
  }
}

const idOf = (task: Task): string => flightId(task.phase === 'compensate' ? undoKey(task.key) : task.phase === 'ask' ? askKey(task.key) : task.key, task.attempt)

/** The attempts under way as the rows have them. */
function flightsOf(state: RunState): Set<string> {
  const ids = new Set<string>()
  for (const key of state.flight) {
    const [nodeId, iteration, question] = key.split('\n') as [string, string, string?]
    const step = state.steps.get(stepKey(nodeId, iteration))
    ids.add(flightId(key, question === 'ask' || !step ? 0 : question === 'undo' ? step.compensation!.attempts : step.attempts))
  }
  return ids
}
