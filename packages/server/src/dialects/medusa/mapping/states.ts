import type { CompensationState, ListedRun, RunField, RunStatus, RunStep, StepState, Where } from '@sluice/schema'
import type { HandlerState, TransactionState } from '../contract.ts'

/** States of runs and of their steps, as Medusa names them. PURE and total. */

// ── of a run ───────────────────────────────────────────────────────────────────────────────────────────────────────────

const states = {
  queued: 'not_started',
  running: 'invoking',
  waiting: 'invoking',
  held: 'invoking',
  cancelling: 'compensating',
  compensating: 'compensating',
  completed: 'done',
  failed: 'reverted',
  cancelled: 'reverted',
  compensated: 'reverted',
} as const satisfies Record<RunStatus, TransactionState>

/** By what its summary says: so runs are asked for. */
const stateBySummary = ({ status, reason }: Pick<ListedRun, 'status' | 'reason'>): TransactionState =>
  status === 'failed' && reason?.code === 'compensation_failed' ? 'failed' : states[status]

/** While nothing is being undone yet, what is under way finishes first. */
export function stateOf(run: Pick<ListedRun, 'status' | 'reason' | 'steps' | 'pinned'>): TransactionState {
  const state = stateBySummary(run)
  const { steps = [], pinned } = run
  if (run.status === 'compensating' && run.steps && !steps.some(({ compensation }) => isBegun(compensation))) return 'waiting_to_compensate'
  if (state !== 'invoking' || pinned?.definition.settings?.onFailure === 'continue') return state
  const tolerated = new Set(pinned?.definition.links.flatMap(({ source, sourceHandle }) => (sourceHandle === 'failed' ? [source] : [])))
  return pinned && steps.some((step) => step.state === 'failed' && !tolerated.has(step.nodeId)) ? 'waiting_to_compensate' : state
}

const isBegun = (compensation: RunStep['compensation']): boolean => compensation !== null && compensation.state !== 'pending'

/** The time of the whole run was up, and not that of a step. */
export const timedOut = (reason: ListedRun['reason']): boolean => reason?.code === 'timed_out' && reason.step === undefined

export const hasFinished = (state: TransactionState): boolean => state === 'done' || hasFailed(state)
export const hasFailed = (state: TransactionState): boolean => state === 'reverted' || state === 'failed'

type RunWhere = Where<RunField>

/** Of each state the runs that are, or may soon be, in it. */
const withState = {
  not_started: { status: 'queued' },
  invoking: { status: { in: ['running', 'waiting', 'held'] } },
  waiting_to_compensate: { status: 'compensating' },
  compensating: { status: { in: ['compensating', 'cancelling'] } },
  done: { status: 'completed' },
  reverted: { or: [{ status: { in: ['cancelled', 'compensated'] } }, { status: 'failed', reason: { ne: 'compensation_failed' } }] },
  failed: { status: 'failed', reason: 'compensation_failed' },
} as const satisfies Record<TransactionState, RunWhere>

const isState = (text: string): text is TransactionState => Object.hasOwn(withState, text)

/** Any of these; of a state that there is not, there are none. */
export const inStates = (names: readonly string[]): RunWhere => ({ or: [...new Set(names)].filter(isState).map((state) => withState[state]) })

/** The states whose name has this text. */
export const statesLike = (text: string): TransactionState[] =>
  Object.keys(withState).filter((state): state is TransactionState => isState(state) && state.includes(text.toLowerCase()))

// ── of a step ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const handled = (state: HandlerState['state'], status: HandlerState['status']): HandlerState => ({ state, status })

const invoked = {
  pending: handled('not_started', 'idle'),
  running: handled('invoking', 'waiting_response'),
  waiting: handled('invoking', 'waiting_response'),
  retrying: handled('invoking', 'temp_failure'),
  completed: handled('done', 'ok'),
  failed: handled('failed', 'permanent_failure'),
  skipped: handled('skipped', 'ok'),
  cancelled: handled('dormant', 'idle'),
} as const satisfies Record<StepState, HandlerState>

/** Begun, and ended by what became of its run. */
export const isCutOff = ({ state, attempts = 0 }: { state: StepState; attempts?: number }): boolean => state === 'cancelled' && attempts > 0

/** Of what a step has come to. Of one that the time of its run cut off it is as if its own had been up. */
export function invokeOf({ state, skipReason, timedOutAt }: Pick<RunStep, 'state' | 'skipReason'> & { timedOutAt: unknown }): HandlerState {
  if (timedOutAt !== null && (state === 'failed' || state === 'cancelled')) return handled('timeout', 'permanent_failure')
  if (state === 'skipped' && skipReason === 'upstream_failed') return handled('skipped_failure', 'idle')
  return invoked[state]
}

const undone = {
  pending: handled('not_started', 'idle'),
  running: handled('compensating', 'waiting_response'),
  waiting: handled('compensating', 'waiting_response'),
  retrying: handled('compensating', 'temp_failure'),
  completed: handled('reverted', 'ok'),
  failed: handled('failed', 'permanent_failure'),
} as const satisfies Record<CompensationState, HandlerState>

/** Where nothing undoes it: dormant, or, with a run that was undone, reverted with it. */
export const compensateOf = (state: CompensationState | null, isReverted: boolean): HandlerState =>
  state !== null ? undone[state] : isReverted ? handled('reverted', 'ok') : handled('dormant', 'idle')

/** What a report is refused for: the status of the side that it is on. */
export function statusOfRefused({ state, compensation }: { state: unknown; compensation: unknown }): HandlerState['status'] {
  if (typeof compensation === 'string' && Object.hasOwn(undone, compensation)) return undone[compensation as CompensationState].status
  return typeof state === 'string' && Object.hasOwn(invoked, state) ? invoked[state as StepState].status : 'idle'
}
