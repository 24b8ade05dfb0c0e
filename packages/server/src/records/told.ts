import type { Event, Json, JsonObject, Line, Pause, Session, WorkflowSummary } from '@sluice/schema'
import type { Place } from '../events/place.ts'
import type { Entry } from '../events/sieve.ts'

/** What an event says of a record. */
export interface Said {
  place: Place
  /** The name of the collection. */
  collection: string
  id: string
  action: 'create' | 'update' | 'delete'
  /** As it then was, or of a deleted one last was; null: the event does not carry it. */
  values: JsonObject | null
}

/** Null: it is about no record. */
export function saidOf({ event, place }: Entry): Said | null {
  const said = sayingOf(event)
  return said && { place, ...said }
}

/** The record in the data of an event `created` or `updated`, as JSON text. Null: of this kind events do not carry it. */
export function saidIn(subject: Event['subject'], data: string): JsonObject | null {
  const { record } = JSON.parse(data) as { record?: Json }
  if (record === undefined) return null
  return sayingOf({ subject, type: 'updated', record } as Event)?.values ?? null
}

function sayingOf(event: Event): Omit<Said, 'place'> | null {
  switch (event.subject.kind) {
    case 'session':
      return ofSession(event)
    case 'run':
      return ofRun(event)
    case 'workflow':
      return { collection: 'workflows', id: event.subject.id, action: actionOf(event), values: recordIn<WorkflowSummary>(event, workflowValues) }
    case 'user':
      return { collection: 'users', id: event.subject.id, action: actionOf(event), values: recordIn<JsonObject>(event, (values) => values) }
    case 'record':
      return ofRecord(event)
  }
}

const actions = { created: 'create', updated: 'update', deleted: 'delete' } as const
const actionOf = ({ type }: Event): Said['action'] => (type in actions ? actions[type as keyof typeof actions] : 'update')

/** What an event says of its subject by its type. */
const recordIn = <T>(event: Event, valuesOf: (record: T) => JsonObject): JsonObject | null => ('record' in event ? valuesOf(event.record as T) : null)

function ofSession(event: Event): Omit<Said, 'place'> | null {
  const { id } = event.subject
  if (event.type === 'line.added') return event.line?.kind === 'message' ? { collection: 'messages', id: event.line.id, action: 'create', values: messageValues(event.line) } : null
  // What it said is gone with it.
  if (event.type === 'line.deleted') return { collection: 'messages', id: event.id, action: 'delete', values: { ...noMessage, session: id } }
  return { collection: 'workflow_sessions', id, action: actionOf(event), values: recordIn<Session>(event, sessionValues) }
}

function ofRun(event: Event): Omit<Said, 'place'> | null {
  if ('pause' in event) return { collection: 'pauses', id: event.pause.id, action: event.type === 'pause.opened' ? 'create' : 'update', values: pauseValues(event.pause) }
  if (event.type === 'run.queued') return { collection: 'runs', id: event.subject.id, action: 'create', values: null }
  return event.type.startsWith('run.') ? { collection: 'runs', id: event.subject.id, action: 'update', values: null } : null
}

/** An id is one of its collection alone: the subject is named by both, and more. */
function ofRecord(event: Event): Omit<Said, 'place'> | null {
  const [collection, id] = event.subject.id.split('/')
  if (collection === undefined || id === undefined) return null
  return { collection, id, action: actionOf(event), values: recordIn<JsonObject>(event, (values) => values) }
}

function sessionValues({ title, status, currentStepId, steps, context, user, workflowId, created, updated }: Session): JsonObject {
  return { title, status: status === 'stopped' ? 'idle' : status, currentStepId: currentStepId ?? '', steps, context, user, workflow: workflowId ?? '', created, updated }
}

function workflowValues({ name, handle, description, version, created, updated }: WorkflowSummary): JsonObject {
  return { name, handle, description, version: version ?? 0, created, updated }
}

function pauseValues({ runId, workflowId, step, kind, status, message, form, assignee, decision, dueAt, openedAt }: Pause): JsonObject {
  return { run: runId, workflow: workflowId, step, kind, status, message, form, assignee: assignee ?? '', decision, dueAt, created: openedAt, updated: decision?.at ?? openedAt }
}

const noMessage: JsonObject = { session: '', run: '', number: 0, role: '', text: '', metadata: null, files: [], created: null }

function messageValues({ sessionId, runId, number, role, text, metadata, files, at, truncated }: Extract<Line, { kind: 'message' }>): JsonObject {
  return { session: sessionId, run: runId ?? '', number, role, text: truncated === undefined ? text : { truncated }, metadata, files, created: `${at.slice(0, 23)}Z` }
}
