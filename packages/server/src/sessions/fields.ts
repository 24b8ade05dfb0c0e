import { type CreateSession, Fault, type Issue, type Json, limits, type SessionStatus, type SessionView, type UpdateSession } from '@sluice/schema'
import { endOf } from '../engine/index.ts'
import type { SessionFields } from '../events/sessions.ts'
import type { SessionRow } from '../store/rows/sessions.ts'

/** What clients write of a session. */
export type Written = Omit<UpdateSession, 'id' | 'ifUpdated' | 'metadataKeys' | keyof SessionView>

const mostBytes = { metadata: limits.metadataBytes, tools: limits.metadataBytes, subject: limits.metadataBytes, steps: limits.contextBytes, context: limits.contextBytes } as const

/** As rows keep it; what is absent is not there. Throws a Fault `input_invalid` for what is too large. */
export function fieldsOf(written: Written): Partial<SessionFields> {
  const issues: Issue[] = []
  const text = (name: keyof typeof mostBytes, value: Json): string => {
    const json = JSON.stringify(value)
    const bytes = Buffer.byteLength(json)
    if (bytes > mostBytes[name]) issues.push({ path: [name], message: `has ${bytes} bytes; ${mostBytes[name]} are allowed` })
    return json
  }
  const { title, description, tags, metadata, mode, tools, subject, status, currentStepId, steps, progress, context } = written
  const fields: Partial<SessionFields> = {
    ...(title !== undefined && { title }),
    ...(description !== undefined && { description }),
    ...(tags !== undefined && { tags: [...new Set(tags)] }),
    ...(metadata !== undefined && { metadata: text('metadata', metadata) }),
    ...(mode !== undefined && { mode }),
    ...(tools !== undefined && { tools: text('tools', tools) }),
    ...(subject !== undefined && { subject: text('subject', subject) }),
    ...(status !== undefined && { status }),
    ...(currentStepId !== undefined && { current_step_id: currentStepId }),
    ...(steps !== undefined && { steps: text('steps', steps) }),
    ...(progress !== undefined && { progress }),
    ...(context !== undefined && { context: text('context', context) }),
  }
  if (issues.length > 0) throw new Fault('input_invalid', { issues })
  return fields
}

/** Of a bound session the engine's: dropped, whoever sends them. */
export function withoutDerived({ status: _status, current_step_id: _current, steps: _steps, progress: _progress, ...fields }: Partial<SessionFields>): Partial<SessionFields> {
  return fields
}

/** Of an unbound session the status is its client's. */
export const withStop = (fields: Partial<SessionFields>, was: { status: SessionStatus | null; line_at: number }): Partial<SessionFields> =>
  fields.status === undefined || fields.status === was.status ? fields : { ...fields, stopped_at: fields.status === 'stopped' ? endOf(was) : null }

export const statusRefused = (status: string): Fault =>
  new Fault('input_invalid', { issues: [{ path: ['status'], message: `A bound session takes running and idle: ${status} is for its rounds to say` }] })

/** A session as it begins. */
export function newSession(id: string, workspaceId: string, userId: string, input: Written & Pick<CreateSession, 'externalId'>, bound: boolean): Omit<SessionRow, 'workflow_id'> {
  const now = new Date()
  const fields = fieldsOf(input)
  return {
    id,
    workspace_id: workspaceId,
    user_id: userId,
    external_id: input.externalId ?? null,
    title: '',
    description: null,
    tags: [],
    metadata: '{}',
    mode: null,
    tools: 'null',
    subject: 'null',
    status: 'idle',
    current_step_id: null,
    steps: '[]',
    progress: 0,
    context: 'null',
    stopped_at: null,
    seq: 0,
    lines: 0,
    line_at: 0,
    prompt_tokens: 0,
    completion_tokens: 0,
    created_at: now,
    updated_at: now,
    ...(bound ? withoutDerived(fields) : withStop(fields, { status: null, line_at: 0 })),
  }
}
