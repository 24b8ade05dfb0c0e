import { limits, terminalEvents } from '@sluice/schema'
import { rest, proceed } from '../../src/engine/machine.ts'
import { type RunState, type StepRow, deadlineOf, isSettled, isTerminal, keyAt, keyOf, parentIteration, scopeKey } from '../../src/engine/state.ts'
import { isHalted, scopesOf } from '../../src/engine/frontier.ts'
import { type Task, beginTurn } from '../../src/engine/turn.ts'
import { type Rows, stepsOf } from './rows.ts'
import { nodeAt } from '../../src/workflows/graph.ts'
import type { Watch } from './simulation.ts'

/** What must hold after every commit of a run, whatever happened. Each check is named by the promise it keeps. */

type Commit = Parameters<Watch['committed']>[0]
type Check = (commit: Commit) => void

export const watching = (...checks: Check[]): Watch => ({
  committed(commit) {
    for (const check of checks) check(commit)
  },
})

/** A test library's own comparison takes most of the time of a case. */
function same(found: unknown, wanted: unknown): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)]
  if (a !== b) throw new Error(`found  ${a}\nwanted ${b}`)
}

/** The innermost item of a producer that an event is of; of the run itself ''. */
function itemOf({ graph }: Rows, data: Record<string, unknown>): string {
  const { nodeId, iteration } = data as { nodeId: string; iteration: string }
  let at = iteration
  for (let parent = nodeAt(graph, nodeId, iteration)!.parent; parent; parent = parent.parent) {
    if (parent.type === 'producer') return scopeKey(parent, at)
    at = parentIteration(at)
  }
  return ''
}

/** No event contradicts one before it. Reads each event once. */
export function eventsAgree(): Check {
  const steps = new Map<string, string>()
  const undos = new Map<string, string>()
  const blocking = new Set<string>()
  let held = false
  let cancelling = false
  let ended = false
  const undoing = new Map<string, string>()
  let read = 0
  const from = (map: Map<string, string>, key: string, allowed: string[], to: string): void => {
    const at = map.get(key) ?? 'none'
    if (!allowed.includes(at)) throw new Error(`${key.replace('\n', '/')}: ${at} → ${to}`)
    map.set(key, to)
  }
  return ({ rows }) => {
    for (; read < rows.events.length; read++) {
      const { type, data } = rows.events[read]!
      const key = `${String(data['nodeId'])}\n${String(data['iteration'])}`
      if (ended) throw new Error(`${type} after the run's end`)
      switch (type) {
        case 'step.started':
          from(steps, key, ['none', 'started', 'retrying', 'waiting'], 'started')
          if (held) throw new Error('a step started under a hold')
          if (blocking.size > 0) throw new Error('a step started while a pause holds up the run')
          break
        case 'step.waiting':
          from(steps, key, ['started'], 'waiting')
          break
        case 'step.retrying':
          from(steps, key, ['started', 'waiting'], 'retrying')
          break
        case 'step.completed':
        case 'step.failed':
          from(steps, key, cancelling ? ['waiting'] : ['started', 'waiting'], 'settled')
          break
        case 'step.skipped':
          from(steps, key, ['none'], 'settled')
          break
        case 'step.cancelled':
          from(steps, key, ['started', 'waiting', 'retrying'], 'cancelled')
          break
        case 'step.compensating':
          from(undos, key, ['none', 'compensating'], 'compensating')
          if (!['settled', 'cancelled'].includes(steps.get(key)!)) throw new Error('a step that goes on was undone')
          if ((undoing.get(itemOf(rows, data)) ?? key) !== key) throw new Error('two steps were undone at once')
          undoing.set(itemOf(rows, data), key)
          break
        case 'step.compensated':
        case 'step.compensation_failed':
          from(undos, key, ['compensating'], 'done')
          undoing.delete(itemOf(rows, data))
          break
        case 'run.held':
          held = true
          break
        case 'run.released':
          held = false
          break
        case 'run.cancelling':
          held = false
          cancelling = true
          break
        case 'pause.opened': {
          const { id } = data['pause'] as { id: string }
          if (rows.pause(id).blocks === 'run') blocking.add(id)
          break
        }
        case 'pause.decided':
        case 'pause.expired':
        case 'pause.cancelled':
          blocking.delete((data['pause'] as { id: string }).id)
          break
      }
      if ((terminalEvents as readonly string[]).includes(type)) ended = true
    }
    if (isTerminal(rows.run().status) !== ended) throw new Error('the end of the run and its event do not come together')
  }
}

/** A result, once recorded, is never changed; what is undone is undone beside it. */
export function resultsStand(): Check {
  const results = new Map<string, string>()
  return ({ rows, turn }) => {
    for (const key of turn.steps.keys()) {
      const step = rows.step(key)!
      // Of an item that has settled nothing is to be undone: its steps give their places up.
      const { compensation: _, settled: __, output, ...rest } = step
      const image = JSON.stringify([rest, output?.text])
      const known = results.get(key)
      if (known !== undefined) same(image, known)
      if (isSettled(step.state)) results.set(key, image)
    }
  }
}

/** Progress never falls, and is 100 when the run has completed and only then; a terminal run is written no more. */
export function progressRises(): Check {
  let progress = 0
  let ended: string | null = null
  return ({ rows, before }) => {
    const run = rows.run()
    if (run.progress < progress) throw new Error(`progress fell from ${progress} to ${run.progress}`)
    if ((run.progress === 100) !== (run.status === 'completed')) throw new Error(`progress ${run.progress} when ${run.status}`)
    progress = run.progress
    if (ended !== null) same(withoutRevision(before), ended)
    if (isTerminal(run.status)) ended ??= withoutRevision(rows.image())
  }
}

const withoutRevision = (image: string): string => image.replace(/\\"(revision|epoch)\\":\d+/g, '')

/** Timers and pauses stand in the rows for exactly the steps that wait for them. */
export const waitsHaveTheirRows: Check = ({ rows }) => {
  const run = rows.run()
  const timers = new Map<string, number>()
  const pauses = new Map<string, string>()
  const listeners = new Map<string, string>()
  const kept = new Set(rows.signals.filter(({ consumedBy }) => consumedBy === null).map(({ name }) => name))
  for (const step of stepsOf(rows)) {
    const { waitingFor: waiting, compensation: undo } = step
    if (step.state === 'retrying' && step.retryAt !== null) timers.set(`${keyOf(step)}\nretry`, step.retryAt)
    const waits = step.state === 'waiting' ? [waiting!.until, waiting!.remindAt].flatMap((time) => (time === undefined ? [] : [Date.parse(time)])) : []
    if (waits.length > 0) timers.set(`${keyOf(step)}\nwait`, Math.min(...waits))
    if (step.state === 'waiting' && waiting!.kind === 'pause') pauses.set(waiting!.pauseId!, keyOf(step))
    const head = nodeAt(rows.graph, step.nodeId, step.iteration)!.head
    if (step.state === 'waiting' && head && /^(queue|webhook):/.test(waiting!.signal ?? '')) {
      const { awaits } = rows.step(keyAt(head, parentIteration(step.iteration)))!.body!.items!
      if (!kept.has(awaits!)) listeners.set(keyOf(step), waiting!.signal!)
    }
    if (undo?.state === 'retrying' && undo.retryAt !== null) timers.set(`${keyOf(step)}\nundo`, undo.retryAt)
    const timeoutMs = rows.graph.nodes.get(step.nodeId)!.settings.timeoutMs
    if (undo?.state === 'waiting' && timeoutMs) timers.set(`${keyOf(step)}\nundo`, undo.lastAttemptAt! + timeoutMs)
    if (isSettled(step.state) && step.waitingFor !== null) throw new Error('a settled step waits')
    if (!isSettled(step.state) && isTerminal(run.status)) throw new Error('an ended run has an open step')
  }
  const deadline = deadlineOf(run)
  if (deadline !== null) timers.set('\n\ndeadline', deadline)
  same(inOrder(rows.timers), inOrder(timers))
  same(inOrder(rows.listeners), inOrder(listeners))
  same(inOrder(rows.openPauses().map((pause) => [pause.id, keyOf(pause)] as const)), inOrder(pauses))
  if (pauses.size > limits.openPauses) throw new Error('too many open pauses')
}

const inOrder = <T>(entries: Iterable<readonly [string, T]>): (readonly [string, T])[] => [...entries].sort(([a], [b]) => a.localeCompare(b))

/** What a process that reads the rows anew knows is what the holder keeps in memory. */
export const memoryIsDerived: Check = ({ rows, turn, by }) => {
  if (by !== 'holder' || isTerminal(rows.run().status)) return
  const memory = viewOf(turn.state)
  const derived = viewOf(rows.load())
  same(derived, memory)
}

/**
 * What of a state must be equal: what may start, what is under way, what waits; and, as long as the run is not ending, what
 * is open and what is halted. The question for the run's output is asked anew by whoever takes over. Inside a halted
 * iteration only the halt counts.
 */
function viewOf(state: RunState): unknown {
  const sorted = (keys: Iterable<string>): string[] => [...keys].sort((a, b) => a.localeCompare(b))
  const flight = sorted(state.flight).filter((key) => key !== '\n\nask')
  const steps = [...state.steps.values()].filter((step) => !isSettled(step.state))
  const always = {
    flight,
    waits: sorted(state.waits),
    children: sorted(state.children),
    ready: sorted(state.ready),
    deferred: sorted(state.deferred),
    attention: sorted(state.attention),
    settledTop: state.settledTop,
    signals: state.signals.map(({ name }) => name),
    unread: inOrder([...state.unread].flatMap(([key, unread]) => (unread.length > 0 ? [[key, unread.map(({ name }) => name)] as const] : []))),
  }
  if (state.run.ending) return always
  const open = inOrder([...state.open].filter(([scope]) => !isScopeHalted(state, scope)))
  return { ...always, open, halted: sorted(steps.filter((step) => isHalted(state, step.nodeId, step.iteration)).map(keyOf)) }
}

function isScopeHalted(state: RunState, scope: string): boolean {
  if (scope === '') return false
  const [parentId, iteration] = scope.split('\n') as [string, string]
  const parent = state.graph.nodes.get(parentId)!
  return state.halted.has(scopeKey(parent, iteration)) || isHalted(state, parentId, iteration.includes('.') ? iteration.slice(0, iteration.lastIndexOf('.')) : '')
}

/** The status written is the one any other process would come to: nothing flickers. */
export const statusIsSettled: Check = ({ rows }) => {
  const turn = beginTurn(
    rows.load(),
    0,
    () => 0,
    () => 'x',
  )
  const { status, waitingKind } = turn.state.run
  rest(turn)
  same([turn.events, turn.state.run.status, turn.state.run.waitingKind], [[], status, waitingKind])
  const run = rows.run()
  if (run.status !== 'waiting' || run.waitingKind === 'version') return
  if (turn.state.flight.size > 0) throw new Error('waiting, and something is under way')
  if (turn.state.waits.size === 0) throw new Error('waiting for nothing')
  if (run.heldAt !== null) return
  proceed(turn)
  if (turn.tasks.length > 0) throw new Error('waiting, and a step may start')
}

/** What the holder could start, it has started: a wake-up finds nothing to do. */
export const nothingIsLeftOver: Check = ({ rows, by }) => {
  const run = rows.run()
  if (by !== 'holder' || isTerminal(run.status) || run.waitingKind === 'version') return
  const turn = beginTurn(
    rows.load(),
    0,
    () => 0,
    () => 'x',
  )
  proceed(turn)
  same(
    turn.tasks.filter((task: Task) => task.nodeId !== '').map((task) => task.key),
    [],
  )
  same(turn.events, [])
}

/** What counts is the attempt that the rows name: an older one's result is nowhere. */
export const resultsAreOfTheLastAttempt: Check = ({ rows, turn }) => {
  for (const key of turn.steps.keys()) {
    const step = rows.step(key)!
    const output = step.output?.value as { attempt?: number } | undefined
    if (output?.attempt !== undefined && output.attempt !== step.attempts) throw new Error('a result of an older attempt was recorded')
    const undo = step.compensation
    const undone = undo?.output as { undo?: number } | null | undefined
    if (undone?.undo !== undefined && undone.undo !== undo!.attempts) throw new Error('an undoing of an older attempt was recorded')
  }
}

/** As long as the run is not ending, what is open stands in an iteration that is. */
export const openStepsAreInOpenScopes: Check = ({ rows }) => {
  const state = rows.load()
  if (state.run.ending || isTerminal(state.run.status)) return
  for (const step of state.steps.values())
    if (!isSettled(step.state))
      for (const scope of scopesOf(state, step.nodeId, step.iteration)) if (!state.open.has(scope)) throw new Error(`${keyOf(step)} is open in a scope that is not`)
}

const data = (event: Rows['events'][number]): Pick<StepRow, 'nodeId' | 'iteration'> => event.data as unknown as StepRow

/** Steps are undone in the reverse order in which they settled, or were cut off: those of the run; what items undid is theirs. */
export const undoneInReverse = (rows: Rows): void => {
  // An item may have begun to undo a step when the end of its run came, be it one that undoes nothing.
  const ending = rows.events.findIndex(({ type }) => type === 'run.compensating')
  const early = new Set(rows.events.flatMap((event, at) => (event.type === 'step.compensating' && (ending < 0 || at < ending) ? keyOf(data(event)) : [])))
  const ofRun = (step: Pick<StepRow, 'nodeId' | 'iteration'>): boolean => !early.has(keyOf(step)) && (itemOf(rows, { ...step }) === '' || rows.step(keyOf(step))?.settled !== null)
  const declared = stepsOf(rows).filter((step) => rows.graph.nodes.get(step.nodeId)!.settings.compensate && step.settled !== null)
  const order = declared
    .filter(ofRun)
    .sort((a, b) => b.settled! - a.settled!)
    .map(keyOf)
  const begun = [...new Set(rows.events.filter((event) => event.type === 'step.compensating' && ofRun(data(event))).map((event) => keyOf(data(event))))]
  const run = rows.run()
  const undoes = begun.length > 0 || run.status === 'compensated'
  // Undoing that its worker died of too often is left where it is.
  same(begun, undoes && run.reason?.code === 'worker_lost' && run.status === 'failed' ? order.slice(0, begun.length) : undoes ? order : [])
  if (run.status === 'completed') same(begun, [])
  if (run.status === 'compensated')
    same(
      declared.every((step) => step.compensation?.state === 'completed'),
      true,
    )
  if (run.reason?.code === 'compensation_failed')
    same(
      declared.some((step) => step.compensation?.state === 'failed'),
      true,
    )
}

export const everything = (): Watch =>
  watching(
    eventsAgree(),
    resultsStand(),
    progressRises(),
    resultsAreOfTheLastAttempt,
    openStepsAreInOpenScopes,
    waitsHaveTheirRows,
    memoryIsDerived,
    statusIsSettled,
    nothingIsLeftOver,
  )
