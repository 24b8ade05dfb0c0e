import type { Json } from '@sluice/schema'
import type { Plan } from '../workflows/plans.ts'
import type { PauseRecord } from '../store/rows/pauses.ts'
import type { NewRun, RunRow, TrialRow } from '../store/rows/runs.ts'
import type { SignalRecord } from '../store/rows/signals.ts'
import type { StepRecord } from '../store/rows/steps.ts'
import { derive } from './frontier.ts'
import { type Payload, nothing, payloadOfText } from './payload.ts'
import { type Compensation, type KeptSignal, type PauseRow, type RunHead, type RunState, type StepRow, isChannel, readerOf, stateOf, stepKey } from './state.ts'

const ms = (date: Date | null): number | null => (date ? date.getTime() : null)

const trialOf = (trial: TrialRow | null): RunHead['trial'] => {
  if (!trial) return null
  const { definition: _its, ...rest } = trial
  return rest
}

export function headOf(row: RunRow): RunHead {
  return {
    id: row.id,
    workspaceId: row.workspace_id,
    workflowId: row.workflow_id,
    version: row.version,
    trial: trialOf(row.trial),
    status: row.status as RunHead['status'],
    waitingKind: row.waiting_kind as RunHead['waitingKind'],
    heldAt: ms(row.held_at),
    epoch: row.epoch,
    revision: row.revision,
    deaths: row.deaths,
    seq: row.seq,
    progress: row.progress,
    steps: row.steps,
    input: row.input === null ? nothing : payloadOfText(row.input),
    keyedInput: row.keyed_input,
    output: row.output === null ? null : payloadOfText(row.output),
    reason: row.reason as RunHead['reason'],
    ending: row.ending as RunHead['ending'],
    transactionId: row.transaction_id,
    lane: row.lane,
    sessionId: row.session_id,
    parentRunId: row.parent_run_id,
    parentStep: row.parent_step,
    rootRunId: row.root_run_id,
    depth: row.depth,
    trigger: row.trigger,
    tags: row.tags,
    traceparent: row.traceparent,
    deadlineAt: ms(row.deadline_at),
    createdAt: row.created_at.getTime(),
    startedAt: ms(row.started_at),
    endedAt: ms(row.ended_at),
  }
}

/** The head of a run that is about to be stored, as `headOf` gives it once it is: queued, with its first event. */
export function headOfNew(run: NewRun, input: Payload = payloadOfText(run.input)): RunHead {
  return {
    id: run.id,
    workspaceId: run.workspaceId,
    workflowId: run.workflowId,
    version: run.version,
    trial: trialOf(run.trial),
    status: 'queued',
    waitingKind: null,
    heldAt: null,
    epoch: 0,
    revision: 0,
    deaths: 0,
    seq: 1,
    progress: 0,
    steps: 0,
    input,
    keyedInput: run.keyedInput,
    output: null,
    reason: null,
    ending: null,
    transactionId: run.transactionId,
    lane: run.lane,
    sessionId: run.sessionId,
    parentRunId: run.parentRunId,
    parentStep: run.parentStep,
    rootRunId: run.rootRunId,
    depth: run.depth,
    trigger: run.trigger,
    tags: run.tags,
    traceparent: run.traceparent,
    deadlineAt: ms(run.deadlineAt),
    createdAt: run.createdAt.getTime(),
    startedAt: null,
    endedAt: null,
  }
}

function stepFrom(row: StepRecord): StepRow {
  return {
    key: stepKey(row.node_id, row.iteration),
    nodeId: row.node_id,
    iteration: row.iteration,
    state: row.state as StepRow['state'],
    attempts: row.attempts,
    failures: row.failures,
    settled: row.settled,
    output: row.output === null ? null : payloadOfText(row.output, row.output_bytes),
    outputBytes: row.output_bytes,
    route: row.route,
    error: row.error as StepRow['error'],
    waitingFor: row.waiting_for as StepRow['waitingFor'],
    skipReason: row.skip_reason as StepRow['skipReason'],
    compensation: row.compensation as Compensation | null,
    compensateInput: row.compensate_input === null ? undefined : (JSON.parse(row.compensate_input) as Json),
    body: row.body as StepRow['body'],
    reported: row.reported,
    startedAt: ms(row.started_at),
    lastAttemptAt: ms(row.last_attempt_at),
    retryAt: ms(row.retry_at),
    timedOutAt: ms(row.timed_out_at),
    endedAt: ms(row.ended_at),
  }
}

function pauseFrom(row: PauseRecord): PauseRow {
  return {
    id: row.id,
    nodeId: row.node_id,
    iteration: row.iteration,
    step: row.step,
    kind: row.kind as PauseRow['kind'],
    status: row.status as PauseRow['status'],
    message: row.message,
    form: row.form as PauseRow['form'],
    input: row.input as Json,
    assignee: row.assignee,
    blocks: row.blocks as PauseRow['blocks'],
    onExpiry: row.on_expiry as PauseRow['onExpiry'],
    openedAt: row.opened_at.getTime(),
    dueAt: ms(row.due_at),
    decision: row.decision as PauseRow['decision'],
    decisionKey: row.decision_key,
  }
}

/** A queued run without rows of its own but its head: nothing is to be read, and nothing follows from it yet. */
export const freshState = (head: RunHead, plan: Plan): RunState => stateOf(plan.graph, head)

/** Signals sent into the run, or what is written into the channel of a reader. */
export function keptBy(state: RunState, name: string): KeptSignal[] {
  if (!isChannel(name)) return state.signals
  const key = readerOf(name)
  const unread = state.unread.get(key) ?? []
  state.unread.set(key, unread)
  return unread
}

/** A run's rows as the machine moves them. */
export function stateFrom(row: RunRow, plan: Plan, rows: { steps: readonly StepRecord[]; pauses: readonly PauseRecord[]; signals: readonly SignalRecord[] }): RunState {
  const state = stateOf(plan.graph, headOf(row))
  for (const step of rows.steps.map(stepFrom)) state.steps.set(step.key, step)
  for (const pause of rows.pauses) state.pauses.set(pause.id, pauseFrom(pause))
  for (const { id, name, payload } of rows.signals) keptBy(state, name).push({ id, name, payload: payloadOfText(payload) })
  derive(state)
  return state
}
