import type { Json, Reason, RunEvent, RunStatus, RunStep, RunSummary, Version } from '@sluice/schema'

/**
 * How a run stood when an event had happened, told out of its events alone. PURE.
 *
 * A1. Whoever reads the same events comes to the same account: on every server, at every time, after however many reconnects.
 * A2. What events do not tell is not in it: what was left for an undoing and what that gave, by which way a failed step is left, who reported.
 * A3. It has a step a node: of a node in a body the iteration that moved last. So it is bounded by the run's version.
 */
export interface Account {
  /** What of the run never changes. */
  readonly run: Pick<RunSummary, 'id' | 'workflowId' | 'workflow' | 'version' | 'transactionId' | 'parentRunId' | 'created'>
  readonly pinned: Version
  /** Of the last event that is in it; 0: none is. */
  readonly seq: number
  readonly status: RunStatus
  readonly startedAt: string | null
  readonly endedAt: string | null
  /** When its steps began to be undone. */
  readonly undoneAt: string | null
  readonly reason: Reason | null
  /** What its events told in full; of a larger one the size, as of its steps. */
  readonly output: Json | null
  /** By the id of their node, in the order in which they began. */
  readonly steps: ReadonlyMap<string, RunStep>
}

/** Before the first event of a run. */
export const beginAccount = (run: Account['run'], pinned: Version): Account => ({
  run,
  pinned,
  seq: 0,
  status: 'queued',
  startedAt: null,
  endedAt: null,
  undoneAt: null,
  reason: null,
  output: null,
  steps: new Map(),
})

/** The account with the next event in it. */
export function toldOf(account: Account, event: RunEvent): Account {
  const changed = 'nodeType' in event ? withStep(account, event) : withRun(account, event)
  return { ...changed, seq: event.seq }
}

// ── the run ────────────────────────────────────────────────────────────────────────────────────────────────────────────

const statuses: Readonly<Partial<Record<RunEvent['type'], RunStatus>>> = {
  'run.started': 'running',
  'run.waiting': 'waiting',
  'run.resumed': 'running',
  'run.held': 'held',
  'run.cancelling': 'cancelling',
  'run.compensating': 'compensating',
  'run.completed': 'completed',
  'run.failed': 'failed',
  'run.cancelled': 'cancelled',
  'run.compensated': 'compensated',
}

function withRun(account: Account, event: RunEvent): Account {
  const { type, at } = event
  const status = statuses[type] ?? account.status
  const reason = 'reason' in event && typeof event.reason === 'object' ? event.reason : account.reason
  switch (type) {
    case 'run.started':
      return { ...account, status, startedAt: at }
    case 'run.compensating':
      return { ...account, status, reason, undoneAt: at }
    case 'run.completed':
      return { ...account, status, endedAt: at, output: outputOf(event) }
    case 'run.failed':
    case 'run.cancelled':
    case 'run.compensated':
      return { ...account, status, reason, endedAt: at }
    default:
      return status === account.status ? account : { ...account, status }
  }
}

// ── its steps ──────────────────────────────────────────────────────────────────────────────────────────────────────────

type StepEvent = Extract<RunEvent, { nodeType: string }>

function withStep(account: Account, event: StepEvent): Account {
  const known = account.steps.get(event.nodeId)
  const before = known?.iteration === event.iteration ? known : blank(event)
  const after = moved(before, event)
  if (after === before) return account
  return { ...account, steps: new Map(account.steps).set(event.nodeId, after) }
}

const blank = ({ subject, nodeId, step, iteration }: StepEvent): RunStep => ({
  key: `${subject.id}/${encodeURIComponent(nodeId)}/${iteration === '' ? '-' : iteration}`,
  runId: subject.id,
  nodeId,
  step,
  iteration,
  state: 'pending',
  attempts: 0,
  failures: 0,
  output: null,
  route: null,
  error: null,
  reported: false,
  waitingFor: null,
  skipReason: null,
  compensation: null,
  startedAt: null,
  lastAttemptAt: null,
  retryAt: null,
  timedOutAt: null,
  endedAt: null,
})

function moved(step: RunStep, event: StepEvent): RunStep {
  const { at } = event
  const awake = { ...step, waitingFor: null, retryAt: null }
  switch (event.type) {
    case 'step.started':
      return { ...awake, state: 'running', attempts: event.attempt, startedAt: step.startedAt ?? at, lastAttemptAt: at, timedOutAt: null }
    case 'step.waiting':
      return { ...step, state: 'waiting', waitingFor: { kind: event.kind, step: step.step, iteration: step.iteration } }
    case 'step.retrying':
      return { ...awake, state: 'retrying', failures: step.failures + 1, error: event.error, retryAt: event.retryAt }
    case 'step.completed':
      return { ...awake, state: 'completed', error: null, output: outputOf(event), route: event.route, endedAt: at }
    case 'step.failed':
      return { ...awake, state: 'failed', failures: step.failures + 1, error: event.error, endedAt: at, ...(event.error.code === 'timed_out' && { timedOutAt: at }) }
    case 'step.skipped':
      return { ...awake, state: 'skipped', skipReason: event.reason, endedAt: at }
    case 'step.cancelled':
      return { ...awake, state: 'cancelled', endedAt: at }
    case 'step.compensating':
      return {
        ...step,
        compensation: { state: 'running', attempts: event.attempt, failures: event.attempt - 1, lastAttemptAt: at, error: step.compensation?.error ?? null, output: null },
      }
    case 'step.compensated':
      return { ...step, compensation: step.compensation && { ...step.compensation, state: 'completed', error: null } }
    case 'step.compensation_failed':
      return { ...step, compensation: step.compensation && { ...step.compensation, state: 'failed', failures: step.compensation.failures + 1, error: event.error } }
    default:
      return step
  }
}

const outputOf = ({ output, outputRef }: Extract<RunEvent, { type: 'step.completed' | 'run.completed' }>): Json => (outputRef ? { truncated: outputRef.bytes } : (output ?? null))
