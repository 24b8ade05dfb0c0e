import type { Json } from '@sluice/schema'
import type { Plan } from '../workflows/plans.ts'
import type { PauseRecord } from '../store/rows/pauses.ts'
import type { RunRow } from '../store/rows/runs.ts'
import type { SignalRecord } from '../store/rows/signals.ts'
import type { StepRecord } from '../store/rows/steps.ts'
import { derive } from './frontier.ts'
import { nothing, payloadOfText } from './payload.ts'
import { type Compensation, type PauseRow, type RunHead, type RunState, type StepRow, keyOf } from './state.ts'

const ms = (date: Date | null): number | null => (date ? date.getTime() : null)

export function headOf(row: RunRow): RunHead {
  return {
    id: row.id,
    workspaceId: row.workspace_id,
    workflowId: row.workflow_id,
    version: row.version,
    trial: row.trial !== null,
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

function stepFrom(row: StepRecord): StepRow {
  return {
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
    compensateInput: (row.compensate_input ?? undefined) as Json | undefined,
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

/** A run's rows as the machine moves them. */
export function stateFrom(row: RunRow, plan: Plan, rows: { steps: readonly StepRecord[]; pauses: readonly PauseRecord[]; signals: readonly SignalRecord[] }): RunState {
  const steps = rows.steps.map(stepFrom)
  const state: RunState = {
    graph: plan.graph,
    run: headOf(row),
    steps: new Map(steps.map((step) => [keyOf(step), step])),
    pauses: new Map(rows.pauses.map((pause) => [pause.id, pauseFrom(pause)])),
    signals: rows.signals.map((signal) => ({ id: signal.id, name: signal.name, payload: payloadOfText(signal.payload) })),
    ready: new Set(),
    deferred: new Set(),
    flight: new Set(),
    waits: new Set(),
    open: new Map(),
    halted: new Set(),
    attention: new Set(),
    undoing: null,
    settledTop: 0,
    settles: 0,
  }
  derive(state)
  return state
}
