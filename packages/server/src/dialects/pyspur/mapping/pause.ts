import type { DecidePause, DecisionAction, ListedRun, Pause } from '@sluice/schema'
import type { PauseAction, PausedWorkflowResponseSchema, PauseHistoryResponseSchema, ResumeRunRequestSchema } from '../contract.ts'
import { wireDefinition } from './definition.ts'
import { dictOf } from './dicts.ts'
import { idOr } from './ids.ts'
import { included, runOf } from './run.ts'
import { zulu, zuluOrNull } from './times.ts'

/** Pauses and their decisions, as PySpur tells them. PURE and total. */

const actions = { approve: 'APPROVE', decline: 'DECLINE', override: 'OVERRIDE' } as const satisfies Record<DecisionAction, PauseAction>
const coreActions = { APPROVE: 'approve', DECLINE: 'decline', OVERRIDE: 'override' } as const satisfies Record<PauseAction, DecisionAction>

/** Names a pause where a run can be named: with several open, the run alone is not enough. */
const historyId = 'PH_'

export const pauseOf = ({ id, runId, nodeId, message, input, openedAt, decision }: Pause): PauseHistoryResponseSchema => ({
  id: `${historyId}${id}`,
  run_id: runId,
  node_id: nodeId,
  pause_message: message,
  pause_time: zulu(openedAt),
  resume_time: zuluOrNull(decision?.at ?? null),
  resume_user_id: decision && (decision.by.label ?? decision.by.id),
  resume_action: decision && actions[decision.action],
  input_data: dictOf(input) ?? {},
  comments: decision?.comments ?? null,
})

/** A run with an open pause: its newest, and the definition that the run goes by. Nothing for one that has none, or none that is known. */
export function pausedOf(run: ListedRun, now: Date): PausedWorkflowResponseSchema[] {
  const pause = run.openPauses?.at(-1)
  if (!pause || !run.pinned) return []
  return [{ run: runOf(run, { now }), current_pause: pauseOf(pause), workflow: wireDefinition(run.pinned.definition) }]
}

/** Throws a Fault `run_missing` or `pause_missing` for what can be no id. */
export function decisionOf(named: string, { action, inputs, user_id, comments }: ResumeRunRequestSchema): DecidePause {
  return {
    ...pauseNamed(named),
    action: coreActions[action],
    inputs,
    ...(user_id !== '' && { label: user_id }),
    ...(comments !== null && { comments }),
    include: ['run', ...included.include],
  }
}

const pauseNamed = (named: string): { id: string } | { runId: string } =>
  named.startsWith(historyId) ? { id: idOr('pause_missing', named.slice(historyId.length)) } : { runId: idOr('run_missing', named) }
