import type { Json, JsonObject, Mode, Session, SessionStatus, UpdateSession } from '@sluice/schema'
import type { ChatStatus, ChatWorkflow, ChatWorkflowStatus, ChatWorkflowUpdate } from '../contract.ts'
import { logs, messages, workflows } from './ids.ts'
import { secondsOf, secondsOrNull } from './times.ts'

/** Conversations as the playground tells them. PURE and total: any session there is has a form here, whoever made it. */

/** Of those whose mode nobody has said, as the document has it. */
export const usualMode: Mode = 'Actionplan'

const statuses: Readonly<Record<SessionStatus, ChatStatus>> = {
  idle: 'stopped',
  running: 'running',
  waiting: 'running',
  completed: 'completed',
  failed: 'error',
  stopped: 'stopped',
}

/** What can be said of it without its lines. */
export function statusOf(session: Session): ChatWorkflowStatus {
  const { id, user, status, mode, title, description, tags, progress, created, updated, stoppedAt } = session
  return {
    id: workflows.of(id),
    userId: user,
    status: statuses[status],
    mode: mode ?? usualMode,
    name: title === '' ? null : title,
    description,
    tags,
    currentStep: statuses[status] === 'running' ? currentStepOf(session) : null,
    progress,
    createdAt: secondsOf(created),
    updatedAt: secondsOf(updated),
    stoppedAt: secondsOrNull(stoppedAt),
  }
}

export const workflowOf = (session: Session): ChatWorkflow => ({
  ...statusOf(session),
  metadata: session.metadata,
  messageIds: session.lineIds?.messages.map(messages.of) ?? [],
  logIds: session.lineIds?.logs.map(logs.of) ?? [],
})

/** By its name, where the steps have one for it. */
function currentStepOf({ currentStepId, steps }: Session): string | null {
  const step = Array.isArray(steps) ? steps.find((each) => isObject(each) && each['id'] === currentStepId) : undefined
  const name = isObject(step) ? step['name'] : undefined
  return typeof name === 'string' && name !== '' ? name : currentStepId
}

const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

// ── what is changed ────────────────────────────────────────────────────────────────────────────────────────────────────

/** They are what they are, whatever is sent. */
const readOnly: ReadonlySet<string> = new Set([
  'id',
  'userId',
  'status',
  'mode',
  'messageIds',
  'messageId',
  'logIds',
  'currentStep',
  'progress',
  'createdAt',
  'updatedAt',
  'stoppedAt',
  '_createdAt',
  'timestamp',
])

export function updateOf({ name, description, tags, metadata, ...others }: ChatWorkflowUpdate): Omit<UpdateSession, 'id'> {
  const kept = Object.fromEntries(Object.entries(others).filter(([key]) => !readOnly.has(key)))
  return {
    ...(name !== undefined && { title: name ?? '' }),
    ...(description !== undefined && { description }),
    ...(tags !== undefined && { tags }),
    ...(metadata !== undefined && { metadata }),
    ...(Object.keys(kept).length > 0 && { metadataKeys: kept }),
  }
}
