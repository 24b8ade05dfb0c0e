import type { ListedRun, RunNode, RunStep, Version } from '@sluice/schema'
import type { AdminWorkflowExecutionExecution, ExecutionStep, HandlerState, StepDefinition, TransactionState } from '../contract.ts'
import { compensateOf, hasFailed, hasFinished, invokeOf, isCutOff, stateOf, timedOut } from './states.ts'
import { milliseconds } from './times.ts'
import type { Tree, TreeStep } from './tree.ts'

/**
 * A run as Medusa's engine keeps it: what was declared, and how far each step has come. PURE and total: of what the run has not
 * come to, the version tells; of a run without a version, as nobody lists it, there are no steps.
 */
export function executionOf(run: ListedRun, tree: Tree): AdminWorkflowExecutionExecution {
  const { pinned, startedAt, endedAt, reason } = run
  const state = stateOf(run)
  const timedOutAt = timedOut(reason) ? endedAt : null
  const has = new Map(stepsIn(run).map((step) => [step.nodeId, step]))
  const steps = tree.steps.map((step) => stepOf(step, has.get(step.nodeId), { state, timedOutAt, endedAt }))
  return {
    modelId: run.workflow,
    options: optionsOf(run.workflow, pinned),
    transactionId: transactionOf(run),
    runId: run.id,
    metadata: { eventGroupId: run.id, ...parentOf(run) },
    ...flagsOf(steps, state),
    timedOutAt: timedOutAt === null ? null : milliseconds(timedOutAt),
    ...(startedAt !== null && { startedAt: milliseconds(startedAt) }),
    ...(reason?.code === 'cancelled' && endedAt !== null && { cancelledAt: milliseconds(endedAt) }),
    state,
    definition: tree.definition,
    steps: Object.fromEntries([['_root', { id: '_root', next: [...tree.next] }], ...steps.map((step): [string, ExecutionStep] => [step.id, step])]),
    _v: 0,
  }
}

/** A run that was started without one goes by its own id. */
export const transactionOf = ({ id, transactionId }: Pick<ListedRun, 'id' | 'transactionId'>): string => transactionId ?? id

/** Of a run that is part of another: that one. */
export const parentOf = ({ parentRunId }: Pick<ListedRun, 'parentRunId'>): { parentStepIdempotencyKey?: string } =>
  parentRunId === null ? {} : { parentStepIdempotencyKey: parentRunId }

function optionsOf(name: string, pinned: Version | null | undefined): AdminWorkflowExecutionExecution['options'] {
  const { retainForSeconds, idempotent, timeoutMs } = pinned?.definition.settings ?? {}
  return {
    name,
    ...(retainForSeconds !== undefined && { retentionTime: retainForSeconds }),
    store: true,
    ...(idempotent && { idempotent }),
    ...(timeoutMs !== undefined && { timeout: timeoutMs / 1000 }),
  }
}

// ── steps ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A step, by what is told of it wherever it stands. */
type Known = Pick<RunStep, 'nodeId' | 'state' | 'skipReason' | 'startedAt' | 'compensation'> & Partial<RunStep>

/** Those outside of bodies; of a node that has its steps behind a producer, what its run sums them up to. */
function stepsIn({ steps = [], nodes = [] }: ListedRun): Known[] {
  const own = new Set(steps.map(({ nodeId }) => nodeId))
  return [...steps, ...nodes.flatMap((node) => (own.has(node.nodeId) || node.state === null ? [] : [summed(node, node.state)]))]
}

const summed = ({ nodeId, skipReason, startedAt, counts }: RunNode, state: RunStep['state']): Known => ({
  nodeId,
  state,
  skipReason,
  startedAt,
  compensation: null,
  attempts: Object.values(counts).reduce((sum, count) => sum + count, 0),
})

/** The run that a step is told of. */
export interface Within {
  state: TransactionState
  /** When the time of the run was up. */
  timedOutAt: string | null
  endedAt: string | null
}

const untouched = {
  stepFailed: false,
  invoke: { state: 'not_started', status: 'idle' },
  compensate: { state: 'dormant', status: 'idle' },
} as const satisfies Partial<ExecutionStep>
const unattempted = { attempts: 0, failures: 0, lastAttempt: null }

/** Undefined: the run has not come to it. */
export function stepOf({ id, depth, definition, next }: TreeStep, step: Known | undefined, within: Within): ExecutionStep {
  const declared = { id, uuid: definition.uuid, depth, definition, saveResponse: true }
  if (!step) return { ...untouched, ...declared, ...unattempted, next: [...next], _v: 0 }
  const { timedOutAt = null } = step
  const invoke = invokeOf({ ...step, timedOutAt: timedOutAt ?? (isCutOff(step) ? within.timedOutAt : null) })
  const isReverted = hasFailed(within.state) && isFlagged(invoke)
  const compensate = compensateOf(step.compensation?.state ?? null, isReverted)
  return {
    stepFailed: step.compensation !== null || isReverted,
    ...declared,
    invoke,
    compensate,
    ...attemptsOf(step, isReverted ? within.endedAt : null),
    next: [...next],
    _v: 0,
    ...(step.startedAt !== null && { startedAt: milliseconds(step.startedAt) }),
    ...retryOf(step, definition),
    ...(timedOutAt !== null && { timedOutAt: milliseconds(timedOutAt) }),
  }
}

/** What an engine of Medusa's would take back. */
const isFlagged = ({ state, status }: HandlerState): boolean => state === 'done' || status === 'permanent_failure'

/** They begin anew with the undoing; to pass by what nothing undoes counts as one. */
function attemptsOf(
  { compensation, attempts = 0, failures = 0, lastAttemptAt = null }: Known,
  passedAt: string | null,
): Pick<ExecutionStep, 'attempts' | 'failures' | 'lastAttempt'> {
  const counted = compensation ?? (passedAt === null ? { attempts, failures, lastAttemptAt } : { attempts: 1, failures: 0, lastAttemptAt: passedAt })
  return { attempts: counted.attempts, failures: counted.failures, lastAttempt: counted.lastAttemptAt === null ? null : milliseconds(counted.lastAttemptAt) }
}

type Retry = Pick<ExecutionStep, 'hasScheduledRetry' | 'retryRescheduledAt' | 'temporaryFailedAt'>

/** Since its last attempt it waits for the time of the next, or until somebody asks for it; of one that was tried again it stands there that it did. */
function retryOf(step: Known, { retryInterval, retryIntervalAwaiting }: StepDefinition): Retry {
  const { state, compensation, lastAttemptAt = null, retryAt = null } = step
  const at = lastAttemptAt === null ? null : milliseconds(lastAttemptAt)
  const scheduled: Retry = retryInterval === undefined && retryIntervalAwaiting === undefined ? {} : { hasScheduledRetry: true }
  if (state === 'retrying' && compensation === null) return retryAt === null ? { temporaryFailedAt: at } : { ...scheduled, retryRescheduledAt: at, temporaryFailedAt: null }
  const again: Retry = wasRetried(step) || (compensation !== null && wasRetried(compensation)) ? { ...scheduled, retryRescheduledAt: null, temporaryFailedAt: null } : {}
  return retryIntervalAwaiting === undefined || at === null ? again : { ...again, ...scheduled, retryRescheduledAt: at }
}

const wasRetried = ({ attempts = 0, failures = 0 }: { attempts?: number; failures?: number }): boolean => failures > 0 && attempts > 1

// ── the whole ──────────────────────────────────────────────────────────────────────────────────────────────────────────

type Flags = Pick<AdminWorkflowExecutionExecution, 'hasAsyncSteps' | 'hasFailedSteps' | 'hasSkippedOnFailureSteps' | 'hasSkippedSteps' | 'hasWaitingSteps' | 'hasRevertedSteps'>

/** What has failed and what was passed over counts once it is over. */
function flagsOf(steps: readonly ExecutionStep[], state: TransactionState): Flags {
  const isOver = hasFinished(state)
  const now = steps.map(({ stepFailed, invoke, compensate, definition }) => ({ ...(stepFailed ? compensate : invoke), definition }))
  const some = (fits: (step: (typeof now)[number]) => boolean): boolean => now.some(fits)
  return {
    hasAsyncSteps: some(({ definition }) => definition.async === true),
    hasFailedSteps: isOver && some((step) => (step.state === 'failed' || step.state === 'timeout') && isTolerated(step)),
    hasSkippedOnFailureSteps: isOver && some((step) => step.state === 'skipped_failure'),
    hasSkippedSteps: isOver && some((step) => step.state === 'skipped'),
    hasWaitingSteps: some(({ status }) => status === 'waiting_response'),
    hasRevertedSteps: some((step) => step.state === 'reverted'),
  }
}

const isTolerated = ({ definition }: Pick<ExecutionStep, 'definition'>): boolean => (definition.continueOnPermanentFailure ?? definition.skipOnPermanentFailure) !== undefined
