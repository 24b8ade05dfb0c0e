import { Fault, type Line, type LineKind } from '@sluice/schema'
import type { Tx } from '../store/database.ts'
import { newId } from '../store/ids.ts'
import { type EventRow, hasEvents, insertEvents } from '../store/rows/events.ts'
import { deleteSession, insertSession, type LineWrite, saveSessions, type SessionRow } from '../store/rows/sessions.ts'
import { lineTold, recordFrom } from '../store/views/sessions.ts'

/** What a line says, by its kind. */
export type Said<K extends LineKind = LineKind> = { [Kind in K]: { kind: Kind } & Omit<Extract<Line, { kind: Kind }>, 'kind' | 'id' | 'sessionId' | 'number' | 'at' | 'runId'> }[K]

/** What of a session may change. JSON as text. */
export type SessionFields = Pick<
  SessionRow,
  | 'workflow_id'
  | 'title'
  | 'description'
  | 'tags'
  | 'metadata'
  | 'mode'
  | 'tools'
  | 'subject'
  | 'status'
  | 'current_step_id'
  | 'steps'
  | 'progress'
  | 'context'
  | 'stopped_at'
  | 'prompt_tokens'
  | 'completion_tokens'
>

/**
 * A session that is locked, and what becomes of it in this transaction: fields, lines, and the events that tell of both.
 *
 * S1. Lines are numbered 1, 2, 3 … and timed, strictly later each, under the session's row lock: no cursor is overtaken.
 * S2. What a client can see change has its event in the same transaction, and `seq` has no gap.
 */
export interface OpenSession {
  /** As it stands with what was said so far. */
  readonly row: Readonly<SessionRow>
  set(fields: Partial<SessionFields>): void
  /** It counts as changed now, whatever was set. */
  touch(): void
  /** The new line's id may be given. */
  say(said: Said, from: { runId: string | null; id?: string }): Line
  /** That a line is gone. */
  forget(id: string): void
}

interface Opened extends OpenSession {
  was: SessionRow
  lines: LineWrite[]
  events: EventRow[]
  isDirty(): boolean
}

const hidden: ReadonlySet<string> = new Set(['prompt_tokens', 'completion_tokens'])

function open(was: SessionRow, now: Date): Opened {
  const row: SessionRow = { ...was }
  const lines: LineWrite[] = []
  const events: EventRow[] = []
  let dirty = false
  const tell = (type: string, data: object): void => {
    events.push(eventOf(row, ++row.seq, type, data, now))
  }
  return {
    was,
    row,
    lines,
    events,
    isDirty: () => dirty,
    set(fields) {
      for (const [name, value] of Object.entries(fields)) if (!hidden.has(name) && !isSame(value, row[name as keyof SessionFields])) dirty = true
      Object.assign(row, fields)
    },
    touch() {
      dirty = true
    },
    say({ kind, ...data }, { runId, id = newId() }) {
      row.lines++
      row.line_at = Math.max(now.getTime() * 1000, row.line_at + 1)
      const at = instantOf(row.line_at)
      const line = { kind, id, sessionId: row.id, number: row.lines, at, runId, ...data } as Line
      lines.push({ sessionId: row.id, number: row.lines, id, at, kind, runId, data: JSON.stringify(data) })
      tell('line.added', { line: lineTold(line) })
      return line
    },
    forget(id) {
      tell('line.deleted', { id })
    },
  }
}

const isSame = (a: unknown, b: unknown): boolean => a === b || (typeof a === 'object' && typeof b === 'object' && JSON.stringify(a) === JSON.stringify(b))

const instantOf = (microseconds: number): string => `${new Date(Math.floor(microseconds / 1000)).toISOString().slice(0, -1)}${String(microseconds % 1000).padStart(3, '0')}Z`

const eventOf = (row: SessionRow, seq: number, type: string, data: object, at: Date): EventRow => ({
  workspaceId: row.workspace_id,
  subjectKind: 'session',
  subjectId: row.id,
  seq,
  // Not among the events of the workflow's runs.
  workflowId: null,
  owner: row.user_id,
  type,
  data: JSON.stringify(data),
  at,
})

/** Changes sessions whose rows the transaction has locked. The caller rings after its commit. */
export async function changeSessions<T>(tx: Tx, rows: readonly SessionRow[], change: (sessions: ReadonlyMap<string, OpenSession>) => T): Promise<T> {
  const now = new Date()
  const opened = new Map(rows.map((row) => [row.id, open(row, now)]))
  const result = change(opened)
  const touched = [...opened.values()].filter(
    (each) => each.isDirty() || each.events.length > 0 || each.row.prompt_tokens !== each.was.prompt_tokens || each.row.completion_tokens !== each.was.completion_tokens,
  )
  if (touched.length === 0) return result
  const kept: SessionRow[] = []
  for (const each of touched) {
    const row: SessionRow = { ...each.row }
    if (each.isDirty()) {
      // Later than before, so that who names this one as the newest they saw means no other.
      row.updated_at = new Date(Math.max(now.getTime(), row.updated_at.getTime() + 1))
      row.seq++
      each.events.push(eventOf(row, row.seq, 'updated', { record: recordFrom(row) }, now))
    }
    kept.push(row)
  }
  await saveSessions(
    tx,
    kept.map((row, index) => changed(touched[index]!.was, row)),
    touched.flatMap((each) => each.lines),
    touched.flatMap((each) => each.events),
  )
  return result
}

/** The same of one session. */
export const changeSession = <T>(tx: Tx, row: SessionRow, change: (session: OpenSession) => T): Promise<T> => changeSessions(tx, [row], (sessions) => change(sessions.get(row.id)!))

function changed(was: SessionRow, row: SessionRow): Parameters<typeof saveSessions>[1][number] {
  const sent = (name: 'metadata' | 'tools' | 'subject' | 'steps' | 'context'): string | null => (row[name] === was[name] ? null : row[name])
  return { ...row, metadata: sent('metadata'), tools: sent('tools'), subject: sent('subject'), steps: sent('steps'), context: sent('context') }
}

/**
 * Inserts a session and tells of it. Gives it as it is stored; null when its id is there already. Throws a Fault `id_taken` for the
 * id of one whose deletion is still told: its history has ended, and another's is not its continuation. An id that was drawn for it
 * has no history.
 */
export async function addSession(tx: Tx, row: SessionRow, isDrawn = false): Promise<SessionRow | null> {
  const first: SessionRow = { ...row, seq: 1 }
  if (!(await insertSession(tx, first))) return null
  // Asked when the row is in: who waited for the deletion sees what it left.
  if (!isDrawn && (await hasEvents(tx, 'session', row.id))) throw new Fault('id_taken', { message: 'The id is that of a session that was deleted; a day after that it is free' })
  await insertEvents(tx, [eventOf(first, 1, 'created', { record: recordFrom(first) }, first.created_at)])
  return first
}

/** Takes a session with its lines and its history: what stays, for as long as events do, is that it was deleted, with its last record. */
export async function removeSession(tx: Tx, row: SessionRow): Promise<void> {
  await deleteSession(tx, row.id)
  await insertEvents(tx, [eventOf(row, row.seq + 1, 'deleted', { record: recordFrom(row) }, new Date())])
}
