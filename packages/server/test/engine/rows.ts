import { graphOf, type Graph, type GraphTypes } from '../../src/workflows/graph.ts'
import type { Definition } from '@sluice/schema'
import { derive } from '../../src/engine/frontier.ts'
import { keptBy } from '../../src/engine/load.ts'
import { nothing, payloadOfText } from '../../src/engine/payload.ts'
import { type PauseRow, type RunHead, type RunState, type StepRow, isTerminal, keyOf, stateOf } from '../../src/engine/state.ts'
import type { Turn } from '../../src/engine/turn.ts'

const types: GraphTypes = {
  get: (type) => ({
    entry: type === 'input',
    ...(type === 'producer' && { behaviour: { is: 'producer' }, reads: true }),
    ...(type === 'drawn' && { behaviour: { is: 'map' }, draws: 'each' }),
    ...(type === 'writer' && { writes: true }),
  }),
}

/** What PostgreSQL keeps of one run, as text: nothing of a state in memory can leak into the next. */
export class Rows {
  readonly graph: Graph
  head: string
  readonly steps = new Map<string, string>()
  readonly pauses = new Map<string, string>()
  readonly timers = new Map<string, number>()
  /** `kind:name` by step. */
  readonly listeners = new Map<string, string>()
  readonly signals: { id: number; name: string; text: string; consumedBy: string | null }[] = []
  readonly events: { type: string; data: Record<string, unknown> }[] = []

  constructor(definition: Definition, given: Partial<RunHead> = {}) {
    this.graph = graphOf(definition, types)
    this.head = headText({ ...queued, ...given })
  }

  run(): RunHead {
    const head = JSON.parse(this.head) as RunHead & { input: string; output: string | null }
    return { ...head, input: payloadOfText(head.input), output: head.output === null ? null : payloadOfText(head.output) }
  }

  step(key: string): StepRow | undefined {
    const text = this.steps.get(key)
    if (text === undefined) return undefined
    const row = JSON.parse(text) as StepRow & { output: string | null }
    return { ...row, output: row.output === null ? null : payloadOfText(row.output), compensateInput: row.compensateInput }
  }

  pause(id: string): PauseRow {
    return JSON.parse(this.pauses.get(id)!) as PauseRow
  }

  openPauses(): PauseRow[] {
    return [...this.pauses.keys()].map((id) => this.pause(id)).filter((pause) => pause.status === 'open')
  }

  load(): RunState {
    const state = stateOf(this.graph, this.run())
    // By key, as rows come from a table: not in the order they came to be.
    for (const key of [...this.steps.keys()].sort((a, b) => a.localeCompare(b))) state.steps.set(key, this.step(key)!)
    for (const pause of this.openPauses()) state.pauses.set(pause.id, pause)
    for (const { id, name, text, consumedBy } of this.signals) if (consumedBy === null) keptBy(state, name).push({ id, name, payload: payloadOfText(text) })
    derive(state)
    return state
  }

  /** Writes a turn, if the run stands where the turn was computed; like the door of the engine, whole or not at all. */
  commit(turn: Turn): boolean {
    const { run } = turn.state
    const stored = this.run()
    if (stored.epoch !== run.epoch || stored.revision !== run.revision) return false
    run.revision++
    run.seq += turn.events.length
    this.head = headText(run)
    for (const step of turn.steps.values()) this.write(step)
    for (const key of turn.folded) this.steps.delete(key)
    for (const [key, listener] of turn.listeners) {
      if (listener) this.listeners.set(key, `${listener.kind}:${listener.name}`)
      else this.listeners.delete(key)
    }
    for (const [id, pause] of turn.pauses) this.pauses.set(id, JSON.stringify(pause))
    for (const [key, timer] of turn.timers) {
      if (timer.dueAt === null) this.timers.delete(key)
      else this.timers.set(key, timer.dueAt)
    }
    for (const { name, payload } of turn.signals.kept) this.signals.push({ id: this.signals.length + 1, name, text: payload.text, consumedBy: null })
    for (const { id, name, by } of turn.signals.consumed)
      (id === null ? this.signals.find((each) => each.name === name && each.consumedBy === null) : this.signals[id - 1])!.consumedBy = by
    for (const { type, data } of turn.events) this.events.push({ type, data: JSON.parse(data) as Record<string, unknown> })
    return true
  }

  write(step: StepRow): void {
    this.steps.set(keyOf(step), JSON.stringify({ ...step, output: step.output?.text ?? null }))
  }

  claim(): RunState {
    const run = this.run()
    this.head = headText({ ...run, epoch: run.epoch + 1 })
    return this.load()
  }

  isTerminal(): boolean {
    return isTerminal(this.run().status)
  }

  image(): string {
    return JSON.stringify([this.head, [...this.steps], [...this.pauses], [...this.timers], this.signals, this.events.length])
  }
}

const headText = (run: RunHead): string => JSON.stringify({ ...run, input: run.input.text, output: run.output?.text ?? null })

const queued: RunHead = {
  id: 'run',
  workspaceId: 'workspace',
  workflowId: 'workflow',
  version: 1,
  trial: null,
  status: 'queued',
  waitingKind: null,
  heldAt: null,
  epoch: 0,
  revision: 0,
  deaths: 0,
  seq: 0,
  progress: 0,
  steps: 0,
  input: nothing,
  keyedInput: false,
  output: null,
  reason: null,
  ending: null,
  transactionId: null,
  lane: null,
  sessionId: null,
  parentRunId: null,
  parentStep: null,
  rootRunId: null,
  traceparent: null,
  depth: 0,
  trigger: 'manual',
  tags: [],
  deadlineAt: null,
  createdAt: 0,
  startedAt: null,
  endedAt: null,
}

export const stepsOf = (rows: Rows): StepRow[] => [...rows.steps.keys()].map((key) => rows.step(key)!)
