import type { Definition, Json, Node } from '@sluice/schema'
import { expect } from 'vitest'
import type { Happening, Production, Waiting } from '../../src/engine/happening.ts'
import { happen, proceed, rest } from '../../src/engine/machine.ts'
import { payloadOf } from '../../src/engine/payload.ts'
import { type RunState, type StepRow, stepKey } from '../../src/engine/state.ts'
import { type Task, type Turn, beginTurn, root } from '../../src/engine/turn.ts'
import { everything } from './audit.ts'
import { Rows, stepsOf } from './rows.ts'

/** A run played by hand: each call is one turn, committed and audited. */
export class Play {
  readonly rows: Rows
  now = 1_000
  /** Of the holder's last turns, until it has an outcome. */
  readonly tasks: Task[] = []
  turn!: Turn
  private state: RunState
  private ids = 0
  private readonly watch = everything()

  constructor(definition: Definition, options: { start?: boolean; given?: ConstructorParameters<typeof Rows>[1]; steps?: StepRow[] } = {}) {
    this.rows = new Rows(definition, options.given)
    for (const step of options.steps ?? []) this.rows.write(step)
    this.state = this.rows.load()
    if (options.start ?? true) this.holder({ is: 'started' })
  }

  get run() {
    return this.rows.run()
  }

  step(id: string, iteration = ''): StepRow | undefined {
    return this.rows.step(stepKey(id, iteration))
  }

  states(): Record<string, string> {
    return Object.fromEntries(stepsOf(this.rows).map((step) => [step.iteration === '' ? step.nodeId : `${step.nodeId}@${step.iteration}`, step.state]))
  }

  events(type?: string): string[] {
    return this.rows.events
      .filter((event) => !type || event.type.startsWith(type))
      .map(({ type: name, data }) => {
        const { nodeId, iteration } = data as { nodeId?: string; iteration?: string }
        return nodeId === undefined ? name : `${name} ${nodeId}${iteration === '' ? '' : `@${iteration}`}`
      })
  }

  /** A turn of the holder of the claim. */
  holder(...happenings: Happening[]): this {
    if (this.state.run.revision !== this.run.revision || this.state.run.epoch !== this.run.epoch) this.state = this.rows.load()
    return this.take(this.state, 'holder', happenings)
  }

  /** A turn of another process. */
  outside(...happenings: Happening[]): this {
    return this.take(this.rows.load(), 'outside', happenings)
  }

  /** The holder dies; another takes the run over. */
  crash(...happenings: Happening[]): this {
    this.state = this.rows.claim()
    this.tasks.splice(0)
    return this.holder({ is: 'claimed' }, ...happenings)
  }

  private take(state: RunState, by: 'holder' | 'outside', happenings: Happening[]): this {
    const turn = beginTurn(
      state,
      this.now,
      () => 0.5,
      () => `p${++this.ids}`,
    )
    for (const happening of happenings) happen(turn, happening)
    if (by === 'holder') proceed(turn)
    rest(turn)
    const before = this.rows.image()
    expect(this.rows.commit(turn)).toBe(true)
    this.turn = turn
    this.tasks.push(...turn.tasks)
    this.watch.committed({ rows: this.rows, turn, by, before, tasks: turn.tasks })
    return this
  }

  /** The task of a step, as the last to be given out. */
  task(id: string, iteration = ''): Task {
    const task = this.tasks.findLast((each) => each.nodeId === id && each.iteration === iteration)
    if (!task) throw new Error(`no task of ${id}@${iteration}; there are ${this.tasks.map((each) => `${each.phase} ${each.nodeId}@${each.iteration}`).join(', ')}`)
    return task
  }

  private ref(id: string, iteration: string) {
    const { phase, attempt } = this.task(id, iteration)
    if (phase === 'ask') throw new Error(`${id} is asked, not tried`)
    return { nodeId: id, iteration, phase, attempt }
  }

  complete(id: string, output: Json = { from: id }, route = ['default'], iteration = ''): this {
    return this.holder({ is: 'completed', ...this.ref(id, iteration), output: payloadOf(output), route })
  }

  fail(id: string, options: { code?: string; retry?: boolean; iteration?: string; timedOut?: boolean } = {}): this {
    const { code = 'broken', retry = true, iteration = '', timedOut = false } = options
    return this.holder({ is: 'failed', ...this.ref(id, iteration), error: { code, message: 'It broke' }, retry, timedOut })
  }

  wait(id: string, waiting: Waiting, iteration = ''): this {
    return this.holder({ is: 'waits', ...this.ref(id, iteration), waiting })
  }

  pause(id: string, request: Partial<Extract<Waiting, { for: 'pause' }>['pause']> = {}, iteration = ''): this {
    const pause = { kind: 'approval' as const, message: 'May it?', form: null, assignee: null, expiresInMs: null, onExpiry: null, blocks: 'dependants' as const, ...request }
    return this.wait(id, { for: 'pause', pause, input: { asked: id } }, iteration)
  }

  decide(action: 'approve' | 'decline' | 'override', inputs: { [key: string]: Json } | null = null, pauseId = this.rows.openPauses()[0]!.id): this {
    return this.outside({ is: 'decided', pauseId, action, by: { id: 'user', label: null }, inputs, comments: null, key: null }).holder()
  }

  fan(id: string, total: number | null, options: { concurrency?: number; collect?: boolean; iteration?: string } = {}): this {
    const { concurrency = 1, collect = false, iteration = '' } = options
    return this.holder({ is: 'fanned', ...this.ref(id, iteration), total, concurrency, collect })
  }

  answer(id: string, more: boolean, output: Json = { count: 0 }, iteration = ''): this {
    if (this.task(id, iteration).phase !== 'ask') throw new Error(`${id} is not asked`)
    return this.holder({ is: 'asked', nodeId: id, iteration, more, output: payloadOf(output) })
  }

  /** A producer begins, and is asked for its first item. */
  begin(id: string, iteration = ''): this {
    return this.holder({ is: 'fanned', ...this.ref(id, iteration), total: null, concurrency: 1, collect: true, from: null })
  }

  private produce(id: string, iteration: string, production: Production, took = false): this {
    if (this.task(id, iteration).phase !== 'ask') throw new Error(`${id} is not asked`)
    return this.holder({ is: 'produced', nodeId: id, iteration, took, ...production })
  }

  give(id: string, item: Json, state: Json = null, { took = false, iteration = '' } = {}): this {
    return this.produce(id, iteration, { item: payloadOf(item), route: ['default'], state }, took)
  }

  end(id: string, iteration = ''): this {
    return this.produce(id, iteration, { ended: payloadOf({ ended: id }) })
  }

  await(id: string, awaits: string, listens: Extract<Production, { awaits: string }>['listens'] = null, iteration = ''): this {
    return this.produce(id, iteration, { awaits, listens, state: null })
  }

  gather(output: Json = {}): this {
    if (!this.tasks.some((task) => task.key === root)) throw new Error('the run is not asked for its output')
    return this.holder({ is: 'gathered', output: payloadOf(output) })
  }

  /** Lets time pass, and fires what is due then. */
  pass(ms: number): this {
    this.now += ms
    for (const [key, at] of [...this.rows.timers].sort((a, b) => a[1] - b[1])) {
      if (at > this.now) continue
      const [nodeId, iteration, timer] = key.split('\n') as [string, string, 'wait']
      this.outside({ is: 'due', nodeId, iteration, timer })
    }
    return this.holder()
  }

  cancel(undo = false): this {
    return this.outside({ is: 'cancelled', undo }).holder()
  }
}

type Sketch = Partial<Omit<Node, 'id'>>

/** `graph({ a: {}, b: { type: 'map' } }, 'a -> b', 'a:failed -> c')` */
export function graph(nodes: { [id: string]: Sketch }, ...links: (string | NonNullable<Definition['settings']>)[]): Definition {
  const definition: Definition = { kind: 'workflow', nodes: Object.entries(nodes).map(([id, node]) => ({ id, type: 'work', ...node })), links: [] }
  for (const link of links) {
    if (typeof link !== 'string') {
      definition.settings = link
      continue
    }
    const [from, target] = link.split(' -> ') as [string, string]
    const [source, sourceHandle] = from.split(':') as [string, string | undefined]
    definition.links.push({ source, target, ...(sourceHandle && { sourceHandle }) })
  }
  return definition
}

export const undoable = { settings: { compensate: { type: 'work' } } }
