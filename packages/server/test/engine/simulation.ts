import type { Definition, Json } from '@sluice/schema'
import type { Happening, Waiting } from '../../src/engine/happening.ts'
import { happen, isParked, proceed, rest } from '../../src/engine/machine.ts'
import { payloadOf } from '../../src/engine/payload.ts'
import { type Body, type RunState, type StepRow, channelName, isChannel, keyOf, sourceName, takesReport } from '../../src/engine/state.ts'
import { askKey, undoKey } from '../../src/engine/frontier.ts'
import { type Task, type TimerKind, type Turn, beginTurn, flightId, root } from '../../src/engine/turn.ts'
import { Rows, stepsOf } from './rows.ts'
import type { Tape } from './tape.ts'

/**
 * A run in the world: rows, a holder that comes and goes, other processes that let things happen to the run from outside,
 * and a schedule drawn from a tape. What the tape leaves open is the way to the end: finish what is under way, answer what
 * is waited for, let the time pass.
 */

export interface Faults {
  /** Crashes between any two commits, results of dead workers, results told twice. */
  crashes: boolean
  /** Cancel, hold, release, retry now, poisoned, unserved. */
  control: boolean
  /** Attempts that fail. */
  failures: boolean
}

export const all: Faults = { crashes: true, control: true, failures: true }

export interface Watch {
  /** After each commit; `turn` is what it wrote. */
  committed(commit: { rows: Rows; turn: Turn; by: 'holder' | 'outside'; before: string; tasks: readonly Task[] }): void
}

interface Holder {
  state: RunState
  underWay: Map<string, Task>
  inbox: Happening[]
  moved: boolean
}

type Move = () => void

const patience = 1_500

export class Simulation {
  readonly rows: Rows
  readonly tape: Tape
  now = 1_000_000
  /** Children that steps started; `known` once the step waits for it: the others are found by their parent when the run has ended. */
  readonly children = new Map<string, { nodeId: string; iteration: string; failures: number; known: boolean; state: 'running' | 'cancelling' | 'ended' }>()
  private readonly faults: Faults
  private readonly watch: Watch
  private holder: Holder | null = null
  private awake = true
  private readonly told: Happening[] = []
  private readonly ghosts: Happening[] = []
  private ids = 0
  /** How many tasks are done at once, inside the turn: none, most, half, few. */
  private readonly haste: number

  constructor(definition: Definition, tape: Tape, faults: Faults, watch: Watch) {
    this.rows = new Rows(definition)
    this.tape = tape
    this.faults = faults
    this.watch = watch
    this.haste = tape.pick(4)
  }

  /** Until the run has ended and nothing of it moves any more. Throws when it is stuck. */
  toTheEnd(): void {
    for (let round = 0; !this.rows.isTerminal(); round++) {
      if (round > patience) throw new Error(`not done after ${patience} moves: ${this.rows.head}`)
      this.move()
    }
  }

  /** Everything that was ever said of the run, and all that can be, said again. */
  sayAllAgain(): void {
    const ref = { nodeId: '0', iteration: '' }
    const control: Happening[] = [
      { is: 'started' },
      { is: 'claimed' },
      { is: 'cancelled', undo: true },
      { is: 'held' },
      { is: 'released' },
      { is: 'poisoned' },
      { is: 'unserved' },
      { is: 'retryNow', ...ref },
    ]
    for (const happening of [...this.told, ...this.ghosts, ...control, { is: 'signalled' as const, name: 'a', payload: payloadOf(1) }]) this.outside(happening)
  }

  private move(): void {
    const plain = this.plainMove()
    const chance = this.tape.pick(16)
    const other = chance < 9 ? undefined : this.tape.of([...this.moves(), () => {}])
    if (other) return other()
    if (!plain) throw new Error(`stuck: ${this.rows.head}\n${[...this.rows.steps.values()].join('\n')}`)
    plain()
  }

  /** What brings the run on. */
  private plainMove(): Move | undefined {
    const { holder } = this
    if (holder && (holder.inbox.length > 0 || holder.moved)) return () => this.turnHolder(holder)
    if (holder && holder.underWay.size > 0) return () => this.finish(holder)
    if (holder) throw new Error('a holder with nothing to do has not let go')
    const run = this.rows.run()
    if (this.awake) return () => this.claim()
    if (run.heldAt !== null) return () => this.outside({ is: 'released' })
    // A server that has the handlers comes up.
    if (run.waitingKind === 'version') return () => this.claim()
    return this.answers()[0] ?? this.nextTimer()
  }

  private moves(): Move[] {
    const { holder } = this
    const moves: Move[] = [...this.answers(), ...this.lateTimers()]
    if (holder) for (const task of holder.underWay.values()) moves.push(() => this.finish(holder, task))
    else if (this.awake) moves.push(() => this.claim())
    if (this.faults.control) moves.push(...this.control())
    if (this.faults.crashes)
      moves.push(
        () => this.crash(),
        () => this.duplicate(),
        () => this.duplicate(),
      )
    moves.push(() => {
      this.now += this.tape.pick(900)
    })
    return moves
  }

  // ── the holder ───────────────────────────────────────────────────────────────────────────────────────────────────────

  private claim(): void {
    const state = this.rows.claim()
    this.awake = false
    const first: Happening[] = state.run.status === 'queued' ? [{ is: 'started' }] : [{ is: 'claimed' }]
    if (this.faults.control && this.tape.once(12)) {
      this.holder = { state, underWay: new Map(), inbox: [{ is: 'unserved' }], moved: false }
      return this.turnHolder(this.holder)
    }
    if (this.faults.control && this.tape.once(40)) first.push({ is: 'poisoned' })
    this.holder = { state, underWay: new Map(), inbox: first, moved: false }
    this.turnHolder(this.holder)
  }

  private crash(): void {
    const { holder } = this
    if (!holder) return
    for (const task of holder.underWay.values()) if (task.phase !== 'ask') this.ghosts.push(this.outcomeOf(holder.state, task))
    this.holder = null
    this.awake = true
  }

  private turnHolder(holder: Holder): void {
    if (holder.moved && !this.readAnew(holder)) return
    const happenings = holder.inbox.splice(0)
    const turn = this.begin(holder.state)
    for (const happening of happenings) happen(turn, happening)
    const instants: Happening[] = []
    const later = holder.state.run.waitingKind === 'version' ? [] : this.proceedWithInstants(turn, instants)
    rest(turn)
    // A crash before the commit: nothing of the turn was.
    if (this.faults.crashes && this.tape.once(25)) return this.crash()
    const parked = isParked(turn)
    if (!this.commit(turn, 'holder', later)) {
      holder.inbox.unshift(...happenings)
      holder.moved = true
      return
    }
    for (const task of later) holder.underWay.set(idOf(task), task)
    for (const key of turn.aborts) for (const [id, task] of holder.underWay) if (task.key === key) holder.underWay.delete(id)
    this.remember([...happenings, ...instants])
    if (!parked) return
    if (holder.underWay.size > 0 && !this.rows.isTerminal()) for (const task of holder.underWay.values()) this.ghosts.push(this.outcomeOf(holder.state, task))
    this.holder = null
  }

  /** Tasks that are instant happen in the same turn, as many as the tape says. */
  private proceedWithInstants(turn: Turn, instants: Happening[]): Task[] {
    const later: Task[] = []
    for (;;) {
      proceed(turn)
      const tasks = turn.tasks.splice(0)
      if (tasks.length === 0) return later
      for (const task of tasks) {
        // A child is started once the start of its step is durable.
        if (this.isInstant() && turn.state.graph.nodes.get(task.nodeId)?.type !== 'child') {
          const outcome = this.outcomeOf(turn.state, task)
          happen(turn, outcome)
          instants.push(outcome)
        } else later.push(task)
      }
    }
  }

  private isInstant(): boolean {
    return this.haste > 0 && this.tape.pick(4) >= this.haste
  }

  private readAnew(holder: Holder): boolean {
    if (this.rows.run().epoch !== holder.state.run.epoch) {
      this.holder = null
      return false
    }
    holder.moved = false
    holder.state = this.rows.load()
    // Attempts that the run knows of no more are told to abort.
    for (const [id, task] of holder.underWay) if (task.phase === 'invoke' && !holder.state.flight.has(task.key)) holder.underWay.delete(id)
    if (this.tape.once(2)) holder.inbox.push({ is: 'claimed', mine: new Set([...holder.underWay.keys(), ...holder.inbox.flatMap(flightOfOutcome)]) })
    return true
  }

  private finish(holder: Holder, chosen?: Task): void {
    const task = chosen ?? [...holder.underWay.values()][0]!
    holder.underWay.delete(idOf(task))
    holder.inbox.push(this.outcomeOf(holder.state, task))
  }

  private remember(happenings: readonly Happening[]): void {
    this.told.push(...happenings.filter((each) => ['completed', 'failed', 'waits', 'fanned', 'gathered', 'decided', 'reported', 'childEnded', 'due'].includes(each.is)))
  }

  private begin(state: RunState): Turn {
    return beginTurn(
      state,
      this.now,
      () => this.tape.pick(100) / 100,
      () => `id${++this.ids}`,
    )
  }

  private commit(turn: Turn, by: 'holder' | 'outside', tasks: readonly Task[]): boolean {
    const before = this.rows.image()
    if (!this.rows.commit(turn)) return false
    for (const id of turn.childrenToCancel) {
      const child = this.children.get(id)
      if (child?.state === 'running') child.state = 'cancelling'
    }
    for (const step of turn.steps.values()) if (step.waitingFor?.runId) this.children.get(step.waitingFor.runId)!.known = true
    this.watch.committed({ rows: this.rows, turn, by, before, tasks })
    return true
  }

  // ── the outside ──────────────────────────────────────────────────────────────────────────────────────────────────────

  private outside(...happenings: Happening[]): void {
    const turn = this.begin(this.rows.load())
    for (const happening of happenings) happen(turn, happening)
    rest(turn)
    this.commit(turn, 'outside', [])
    this.remember(happenings)
    if (this.holder) this.holder.moved = true
    else this.awake = true
  }

  /** A result that comes a second time, or from a worker that is dead. */
  private duplicate(): void {
    const late = this.tape.of([...this.ghosts, ...this.told])
    if (!late) return
    if (this.holder) this.holder.inbox.push(late)
    else this.outside(late)
  }

  private control(): Move[] {
    const retrying = stepsOf(this.rows).filter((step) => step.state === 'retrying' || step.compensation?.state === 'retrying')
    return [
      () => this.outside({ is: 'held' }),
      () => this.outside({ is: 'released' }),
      () => this.outside({ is: 'signalled', name: this.tape.of(['a', 'b', 'c']), payload: payloadOf('early') }),
      ...retrying.map((step) => () => this.outside({ is: 'retryNow', nodeId: step.nodeId, iteration: step.iteration })),
      ...(this.tape.once(6) ? [() => this.outside({ is: 'cancelled', undo: this.tape.once(2) })] : []),
    ]
  }

  /** Everything that somebody might answer now. */
  private answers(): Move[] {
    const moves: Move[] = []
    for (const step of stepsOf(this.rows)) {
      const { nodeId, iteration, waitingFor: waiting } = step
      const isRetrying = (step.state === 'retrying' && step.retryAt === null) || (step.compensation?.state === 'retrying' && step.compensation.retryAt === null)
      if (isRetrying) moves.push(() => this.outside({ is: 'retryNow', nodeId, iteration }))
      if (step.compensation?.state === 'waiting') moves.push(() => this.outside(this.report(nodeId, iteration, 'compensate')))
      // One that is called again meanwhile takes its report all the same.
      if (step.state === 'running' && takesReport(step)) moves.push(() => this.outside(this.report(nodeId, iteration, 'invoke')))
      if (step.state !== 'waiting' || !waiting) continue
      if (waiting.kind === 'pause') moves.push(() => this.outside(this.decision(waiting.pauseId!)))
      if (waiting.kind === 'report') moves.push(() => this.outside(this.report(nodeId, iteration, 'invoke')))
      if (waiting.kind === 'signal' && this.rows.listeners.has(keyOf(step))) moves.push(() => this.outside({ is: 'delivered', nodeId, iteration, payload: payloadOf('delivered') }))
      else if (waiting.kind === 'signal') moves.push(() => this.outside({ is: 'signalled', name: waiting.signal!, payload: payloadOf({ signal: waiting.signal! }) }))
    }
    for (const [id, child] of this.children) if (child.state !== 'ended') moves.push(() => this.endChild(id))
    return moves
  }

  private decision(pauseId: string): Happening {
    const action = this.tape.of(['approve', 'approve', 'override', 'decline'] as const)
    return { is: 'decided', pauseId, action, by: { id: 'user', label: null }, inputs: { by: 'user' }, comments: null, key: null }
  }

  private report(nodeId: string, iteration: string, phase: 'invoke' | 'compensate'): Happening {
    const fails = this.faults.failures && this.tape.once(4)
    const outcome = fails ? { failed: { code: 'reported', message: 'It failed out there' } } : { completed: payloadOf({ reported: true }), compensateInput: undefined }
    return { is: 'reported', nodeId, iteration, phase, outcome, fingerprint: 'f' }
  }

  private endChild(runId: string): void {
    const child = this.children.get(runId)!
    const ended = child.state === 'cancelling' && !this.tape.once(3) ? { failed: { code: 'child_cancelled', message: 'The child was cancelled' } } : this.childOutcome()
    child.state = 'ended'
    const { nodeId, iteration, failures } = child
    this.outside({ is: 'childEnded', nodeId, iteration, runId, failures, outcome: ended })
  }

  private childOutcome(): Extract<Happening, { is: 'childEnded' }>['outcome'] {
    return this.faults.failures && this.tape.once(4) ? { failed: { code: 'child_failed', message: 'The child failed' } } : { completed: payloadOf({ child: true }) }
  }

  // ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  private nextTimer(): Move | undefined {
    const [key, at] = [...this.rows.timers].sort((a, b) => a[1] - b[1])[0] ?? []
    if (key === undefined) return undefined
    return () => {
      this.now = Math.max(this.now, at!)
      this.outside(dueOf(key))
    }
  }

  /** Timers that are due now, in any order; and, rarely, one that is not, or is no more. */
  private lateTimers(): Move[] {
    const due = [...this.rows.timers]
      .filter(([, at]) => at <= this.now)
      .map(
        ([key]) =>
          () =>
            this.outside(dueOf(key)),
      )
    const early = [...this.rows.timers]
      .filter(([, at]) => at > this.now + 1_000)
      .map(
        ([key]) =>
          () =>
            this.outside(dueOf(key)),
      )
    return [...due, ...early]
  }

  // ── what nodes do ────────────────────────────────────────────────────────────────────────────────────────────────────

  private outcomeOf(state: RunState, task: Task): Happening {
    const { nodeId, iteration, attempt } = task
    if (task.phase === 'ask') return this.answerOf(state, task)
    const ref = { nodeId, iteration, phase: task.phase, attempt } as const
    if (this.faults.failures && this.tape.once(5)) {
      const timedOut = this.tape.once(3)
      return { is: 'failed', ...ref, error: { code: timedOut ? 'timed_out' : 'broken', message: 'It broke' }, retry: !this.tape.once(3), timedOut }
    }
    if (task.phase === 'compensate')
      return this.tape.once(4) ? { is: 'waits', ...ref, waiting: { for: 'report' } } : { is: 'completed', ...ref, output: payloadOf({ undo: attempt }), route: ['default'] }
    const node = state.graph.nodes.get(nodeId)!
    const config = node.definition.config as { [key: string]: Json }
    if (node.type === 'map' || (node.type === 'drawn' && node.depth === depthOf(iteration)))
      return { is: 'fanned', ...ref, total: config['total'] as number, concurrency: config['concurrency'] as number, collect: config['collect'] as boolean }
    if (node.type === 'producer' && node.depth === depthOf(iteration)) return { is: 'fanned', ...ref, total: null, concurrency: 1, collect: true, from: 0 }
    if (node.type === 'loop') return { is: 'fanned', ...ref, total: null, concurrency: 1, collect: false }
    const waiting = this.waitingOf(node.type, config, state.steps.get(task.key)!)
    if (waiting) return { is: 'waits', ...ref, waiting }
    return { is: 'completed', ...ref, output: payloadOf({ from: nodeId, attempt }), route: node.type === 'router' ? this.routesOf() : ['default'] }
  }

  private routesOf(): string[] {
    return this.tape.of([['default'], ['a'], ['b'], ['a', 'b'], ['default', 'a']])
  }

  private waitingOf(type: string, config: { [key: string]: Json }, step: StepRow): Waiting | null {
    switch (type) {
      case 'pause': {
        const onExpiry = config['onExpiry'] ? { action: config['onExpiry'] as 'approve' } : null
        const blocks = config['blocks'] as 'run' | 'dependants'
        return {
          for: 'pause',
          input: { asked: true },
          pause: { kind: 'approval', message: 'May it?', form: null, assignee: null, expiresInMs: config['expiresInMs'] as number | null, onExpiry, blocks },
        }
      }
      case 'signal':
        return { for: 'signal', name: config['name'] as string, timeoutMs: null }
      case 'report':
        return this.tape.once(3) ? { for: 'report', remind: { everyMs: 300, times: 2 } } : { for: 'report' }
      case 'timer':
        return { for: 'timer', at: this.now + this.tape.of([700, 0, 40]) }
      case 'child': {
        const { nodeId, iteration, failures } = step
        const runId = `child of ${nodeId}@${iteration}#${failures}`
        if (!this.children.has(runId)) this.children.set(runId, { nodeId, iteration, failures, known: false, state: 'running' })
        return { for: 'child', runId }
      }
      default:
        return null
    }
  }

  private producedBy(state: RunState, { nodeId, iteration, key }: Task, { next, live, items }: Body): Happening {
    const ref = { is: 'produced' as const, nodeId, iteration }
    const node = state.graph.nodes.get(nodeId)!
    const came = items!.awaits === null ? undefined : isChannel(items!.awaits) ? state.unread.get(key)?.[0] : state.signals.find(({ name }) => name === items!.awaits)
    const kept = { state: (items!.state as number) + 1 }
    const item = { item: payloadOf({ item: next }), route: ['default'], ...kept }
    if (came)
      return this.tape.once(6)
        ? { ...ref, took: true, awaits: items!.awaits!, listens: items!.awaits!.startsWith('queue:') ? { kind: 'queue', name: 'q', after: null } : null, ...kept }
        : { ...ref, took: true, ...item }
    const given = next - live
    const isOver = given >= (node.definition.config!['max'] as number)
    if (node.fedBy.length > 0 && items!.awaits === null) return { ...ref, took: false, awaits: channelName(key, ''), listens: null, ...kept }
    if (isOver || items!.awaits !== null) return { ...ref, took: false, ended: payloadOf({ items: given }) }
    const source = this.tape.pick(4)
    if (source > 1) return { ...ref, took: false, ...item }
    return source === 1
      ? { ...ref, took: false, awaits: this.tape.of(['a', 'b']), listens: null, ...kept }
      : { ...ref, took: false, awaits: sourceName('queue', 'q', key), listens: { kind: 'queue', name: 'q', after: null }, ...kept }
  }

  private answerOf(state: RunState, task: Task): Happening {
    const ref = { nodeId: task.nodeId, iteration: task.iteration }
    if (this.faults.failures && this.tape.once(12)) return { is: 'unanswerable', ...ref, error: { code: 'limit_exceeded', message: 'Too large' } }
    if (task.key === root) return { is: 'gathered', output: payloadOf({}) }
    const body = state.steps.get(task.key)!.body!
    if (body.items) return this.producedBy(state, task, body)
    const max = state.graph.nodes.get(task.nodeId)!.definition.config!['max'] as number
    return { is: 'asked', ...ref, more: body.total === null && body.next < max, output: payloadOf({ results: body.done }) }
  }
}

const depthOf = (iteration: string): number => (iteration === '' ? 0 : iteration.split('.').length)

const flightKeyOf = (task: Task): string => (task.phase === 'compensate' ? undoKey(task.key) : task.phase === 'ask' ? askKey(task.key) : task.key)
const idOf = (task: Task): string => flightId(flightKeyOf(task), task.attempt)

/** The flight that a result in the inbox is of: it is in hand, though its task is done. */
function flightOfOutcome(happening: Happening): string[] {
  if (happening.is === 'asked' || happening.is === 'produced' || happening.is === 'unanswerable') return [flightId(askKey(keyOf(happening)), 0)]
  if (!('phase' in happening) || happening.is === 'reported') return []
  const key = keyOf(happening)
  return [flightId(happening.phase === 'compensate' ? undoKey(key) : key, happening.attempt)]
}

function dueOf(key: string): Happening {
  const [nodeId, iteration, timer] = key.split('\n') as [string, string, TimerKind]
  return { is: 'due', nodeId, iteration, timer }
}
