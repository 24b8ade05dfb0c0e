import { limits } from '@sluice/schema'
import { withdraw } from './bodies.ts'
import { conclude, stop, terminate } from './ending.ts'
import { follow, isHalted, openScope } from './frontier.ts'
import { closeHalted, failStep } from './settling.ts'
import { type StepRow, deadlineOf, isSettled, stepKey } from './state.ts'
import { type Turn, emit, flightId, moveRun, moveStep, nodeOf, noteOutcome, setTimer, touch } from './turn.ts'
import { endUndoing, retryUndoing } from './undoing.ts'

/** What happens to a run as a whole: its start, a claim, and what operators do. */

export function start(turn: Turn): void {
  const { state, now } = turn
  const { run, graph } = state
  if (run.status !== 'queued' || run.heldAt !== null) return
  moveRun(turn, 'running')
  run.startedAt = now
  run.waitingKind = null
  run.deadlineAt ??= graph.timeoutMs === null ? null : now + graph.timeoutMs
  emit(turn, 'run.started', { nodes: turn.state.graph.nodes.size })
  armDeadline(turn)
  openScope(turn, null, '')
  // A fork or a trial brings results along: they count as settled from the start, and are nobody's to undo.
  // They are gathered first: what follows from one of them may settle others, which then are followed already.
  const brought = graph.top.flatMap((node) => {
    const step = state.steps.get(node.key)
    return step && isSettled(step.state) ? [step] : []
  })
  for (const given of brought) {
    state.ready.delete(given.key)
    if (nodeOf(turn, given).reachable) follow(turn, given)
    given.settled = null
    touch(turn, given)
  }
}

function armDeadline(turn: Turn): void {
  const at = deadlineOf(turn.state.run)
  if (at !== null) setTimer(turn, { nodeId: '', iteration: '' }, 'deadline', at)
}

/**
 * A worker with the handlers for it has taken the run over, or read it anew. What is under way but not with it (`mine`) is
 * lost: it is made again, but where everything comes to an end.
 */
export function recover(turn: Turn, mine: ReadonlySet<string>): void {
  const { state } = turn
  if (state.run.waitingKind === 'version') state.run.waitingKind = null
  for (const key of [...state.flight]) {
    const [nodeId, iteration, question] = key.split('\n') as [string, string, string?]
    const step = state.steps.get(stepKey(nodeId, iteration))
    if (!state.flight.has(key) || mine.has(flightId(key, attemptOf(step, question)))) continue
    if (!step) state.flight.delete(key)
    else if (question === 'undo') {
      noteOutcome(turn, step, 'compensate', 'lost')
      retryUndoing(turn, step)
      closeHalted(turn, step)
    } else if (question === 'ask') withdraw(turn, step)
    else if (isHalted(state, nodeId, iteration)) failStep(turn, step, { code: 'worker_lost', message: 'The worker of this step was lost' }, false)
    else {
      noteOutcome(turn, step, 'invoke', 'lost')
      moveStep(turn, step, 'pending')
    }
  }
}

function attemptOf(step: StepRow | undefined, question: string | undefined): number {
  if (!step || question === 'ask') return 0
  return question === 'undo' ? step.compensation!.attempts : step.attempts
}

export function cancel(turn: Turn, undo: boolean): void {
  const { run } = turn.state
  if (run.status === 'cancelling' || run.status === 'compensating') return
  run.heldAt = null
  const reason = { code: 'cancelled' as const, message: 'The run was cancelled' }
  if (run.status === 'queued') {
    emit(turn, 'run.cancelling')
    return terminate(turn, 'cancelled', reason)
  }
  moveRun(turn, 'cancelling')
  run.waitingKind = null
  emit(turn, 'run.cancelling')
  stop(turn, { to: 'cancelled', reason, undo }, { fence: true })
  // With nothing to undo and no child to wait for this is the end, whoever holds the claim.
  conclude(turn, { begin: false })
}

export function hold(turn: Turn): void {
  const { run } = turn.state
  if (run.heldAt !== null || !['queued', 'running', 'waiting'].includes(run.status)) return
  // The run's time-out does not count a hold: the timer is set again on release.
  if (deadlineOf(turn.state.run) !== null) setTimer(turn, { nodeId: '', iteration: '' }, 'deadline', null)
  run.heldAt = turn.now
  emit(turn, 'run.held')
}

export function release(turn: Turn): void {
  const { run } = turn.state
  if (run.heldAt === null) return
  if (run.deadlineAt !== null) run.deadlineAt += turn.now - run.heldAt
  run.heldAt = null
  armDeadline(turn)
  emit(turn, 'run.released')
}

/** Claimed where handlers for its version are missing: it waits for a claim by a server that has them. */
export function unserved(turn: Turn): void {
  const { run } = turn.state
  if (run.waitingKind === 'version') return
  recover(turn, new Set())
  run.waitingKind = 'version'
  if (run.status === 'running') moveRun(turn, 'waiting')
  if (run.status === 'waiting') emit(turn, 'run.waiting', { kind: 'version' })
}

/** Five deaths without progress: the run ends; and if its undoing dies so, the rest is left as it is. */
export function poisoned(turn: Turn): void {
  const { state } = turn
  const { run } = state
  const error = { code: 'worker_lost' as const, message: `The run ended its worker ${limits.workerDeaths} times without progress` }
  if (run.status === 'compensating') {
    for (const step of state.steps.values())
      if (step.compensation && step.compensation.attempts > 0 && !['completed', 'failed'].includes(step.compensation.state)) endUndoing(turn, step, { error })
    return terminate(turn, 'failed', error)
  }
  if (run.status === 'queued') return terminate(turn, 'failed', error)
  run.deaths = 0
  // A cancel stands: nothing of the run is left that could end a worker but its undoing.
  if (run.status !== 'cancelling') stop(turn, { to: 'failed', reason: error, undo: true }, { fence: true })
}
