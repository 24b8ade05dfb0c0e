import {
  Fault,
  type Json,
  type JsonObject,
  type Line,
  type LineIds,
  type LineKind,
  limits,
  type ListLines,
  type ListSessionEvents,
  type ListSessions,
  type MessageLine,
  type Page,
  type Session,
  type SessionEvent,
  type SessionField,
  type SessionTool,
  type SessionView,
  type Where,
} from '@sluice/schema'
import { decodeCursor, encodeCursor, pageFrom } from '../cursor.ts'
import type { Tx } from '../database.ts'
import { readSession, sessionColumns, type SessionRow } from '../rows/sessions.ts'
import { instantOf } from '../conditions/check.ts'
import type { StoredList } from '../conditions/fields.ts'
import { listPage } from '../conditions/list.ts'
import { resolveWorkflow } from './runs.ts'

/** Who looks. Admins see all sessions of the workspace, others their own; of the rest nobody learns that they exist. */
export interface Viewer {
  workspaceId: string
  userId: string
  seesAll: boolean
}

export const maySee = ({ userId, seesAll }: Viewer, owner: string): boolean => seesAll || owner === userId

export const sessionFrom = (row: SessionRow): Session => ({
  id: row.id,
  title: row.title,
  description: row.description,
  tags: row.tags,
  metadata: JSON.parse(row.metadata) as JsonObject,
  mode: row.mode,
  tools: JSON.parse(row.tools) as SessionTool[] | null,
  user: row.user_id,
  subject: JSON.parse(row.subject) as Json,
  workflowId: row.workflow_id,
  status: row.status,
  currentStepId: row.current_step_id,
  steps: JSON.parse(row.steps) as Json,
  progress: row.progress,
  context: JSON.parse(row.context) as Json,
  stoppedAt: row.stopped_at?.toISOString() ?? null,
  externalId: row.external_id,
  created: row.created_at.toISOString(),
  updated: row.updated_at.toISOString(),
})

/** The record as an event tells of it: large values by their size alone, so that its frame stays within its limit. */
export function recordFrom(row: SessionRow): Session {
  const session: Session = sessionFrom(row)
  const cut = (text: string): JsonObject | undefined => (Buffer.byteLength(text) > limits.listValueBytes ? { truncated: Buffer.byteLength(text) } : undefined)
  const large = { metadata: cut(row.metadata), subject: cut(row.subject), steps: cut(row.steps), context: cut(row.context) }
  return { ...session, ...Object.fromEntries(Object.entries(large).filter(([, value]) => value !== undefined)) }
}

/** Throws a Fault `session_missing`, for what the viewer may not see too. */
export async function seenSession(tx: Tx, viewer: Viewer, id: string): Promise<SessionRow> {
  const row = await readSession(tx, viewer.workspaceId, id)
  if (!row || !maySee(viewer, row.user_id)) throw new Fault('session_missing')
  return row
}

export async function getSession(tx: Tx, viewer: Viewer, id: string, view: SessionView = {}): Promise<Session> {
  const [session] = await withLines(tx, [sessionFrom(await seenSession(tx, viewer, id))], view)
  return session!
}

/** Sessions with what they are to be answered with. */
async function withLines(tx: Tx, sessions: readonly Session[], { lineIds = false, messages }: SessionView): Promise<Session[]> {
  const ids = sessions.map(({ id }) => id)
  const lineIdsBy = lineIds ? await lineIdsOf(tx, ids) : null
  const messagesBy = messages === undefined ? null : await messagesOf(tx, ids, messages)
  return sessions.map((session) => ({
    ...session,
    ...(lineIdsBy && { lineIds: lineIdsBy.get(session.id)! }),
    ...(messagesBy && { messages: messagesBy.get(session.id) ?? [] }),
  }))
}

/** Of one session and kind; and of all sessions in an answer, which share them evenly. */
const mostIds = 1_000
const mostIdsTold = 200_000

async function lineIdsOf(tx: Tx, ids: readonly string[]): Promise<Map<string, LineIds>> {
  const newest = (kind: LineKind) => `(select id, kind, number from lines where session_id = sessions.id and kind = '${kind}' order by number desc limit $2)`
  const rows = await tx.query<{ session_id: string; id: string; kind: LineKind }>(
    {
      name: 'view-line-ids',
      text: `
        select sessions.id as session_id, newest.id, newest.kind from sessions
        cross join lateral (${newest('message')} union all ${newest('log')}) as newest
        where sessions.id = any($1) order by newest.number`,
    },
    [ids, Math.min(mostIds, Math.floor(mostIdsTold / (2 * Math.max(1, ids.length))))],
  )
  const bySession = Map.groupBy(rows, (row) => row.session_id)
  const of = (id: string, kind: LineKind) => (bySession.get(id) ?? []).filter((row) => row.kind === kind).map((row) => row.id)
  return new Map(ids.map((id) => [id, { messages: of(id, 'message'), logs: of(id, 'log') }]))
}

const sessionList: StoredList<Session, SessionField> = {
  id: 'id',
  fields: {
    id: { type: 'id', sql: 'sessions.id', of: (session) => session.id },
    title: { type: 'text', sql: 'title', of: (session) => session.title },
    description: { type: 'text', nullable: true, sql: 'description', of: (session) => session.description },
    tags: { type: 'texts', sql: 'tags', of: (session) => session.tags },
    metadata: { type: 'json', sql: 'metadata', of: (session) => session.metadata },
    mode: { type: 'text', nullable: true, sql: 'mode', of: (session) => session.mode },
    user: { type: 'text', sql: 'user_id', of: (session) => session.user },
    subject: { type: 'json', sql: 'subject', of: (session) => session.subject },
    workflowId: { type: 'id', nullable: true, sql: 'workflow_id', of: (session) => session.workflowId },
    status: { type: 'text', sql: 'status', of: (session) => session.status },
    currentStepId: { type: 'text', nullable: true, sql: 'current_step_id', of: (session) => session.currentStepId },
    steps: { type: 'json', sql: 'steps', of: (session) => session.steps },
    // A `real` by its own words, as the session shows it: as a double it would be another number.
    progress: { type: 'number', sql: 'progress::text::float8', of: (session) => session.progress },
    context: { type: 'json', sql: 'context', of: (session) => session.context },
    stoppedAt: { type: 'time', nullable: true, sql: 'stopped_at', of: (session) => session.stoppedAt },
    externalId: { type: 'text', nullable: true, sql: 'external_id', of: (session) => session.externalId },
    created: { type: 'time', sql: 'created_at', of: (session) => session.created },
    updated: { type: 'time', sql: 'updated_at', of: (session) => session.updated },
  },
}

/** Newest first unless asked otherwise. Throws a Fault `workflow_missing` for an unknown workflow. */
export async function listSessions(tx: Tx, viewer: Viewer, asked: ListSessions): Promise<Page<Session>> {
  const { status, workflow, tag, user, lineIds, messages } = asked
  const also: Where<SessionField> = {
    status,
    user: user === 'me' ? viewer.userId : user,
    tags: tag === undefined ? undefined : { has: tag },
    ...(workflow !== undefined && { workflowId: await resolveWorkflow(tx, viewer.workspaceId, workflow) }),
  }
  const page = await listPage(
    tx,
    sessionList,
    { ...asked, also },
    {
      select: sessionColumns,
      from: 'sessions',
      scope: 'workspace_id = $1 and ($2 or user_id = $3)',
      values: [viewer.workspaceId, viewer.seesAll, viewer.userId],
      item: recordFrom,
    },
  )
  return { ...page, items: await withLines(tx, page.items, { lineIds, messages }) }
}

// ── lines ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface LineRow {
  session_id: string
  number: number
  id: string
  at: string
  kind: LineKind
  run_id: string | null
  data: object
  [more: string]: unknown
}

const microseconds = `to_char(at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at`
/** What an answer holds of lines, the last one whole: a page of large ones has fewer of them. */
const pageBytes = limits.answerBytes / 2

const lineColumns = `session_id, number, id, ${microseconds}, kind, run_id, data`

const lineFrom = (row: LineRow): Line => ({ kind: row.kind, id: row.id, sessionId: row.session_id, number: row.number, at: row.at, runId: row.run_id, ...row.data }) as Line

/** Oldest first. They are numbered under the session's lock: what is read has no gap that fills later. */
export async function listLines(tx: Tx, viewer: Viewer, { id, kind, after = 0, afterId, since, cursor, limit, count }: ListLines): Promise<Page<Line>> {
  await seenSession(tx, viewer, id)
  const known = afterId === undefined ? 0 : await numberOf(tx, id, afterId)
  const first = Math.max(after, known)
  const from = Math.max(first, cursor === undefined ? 0 : Number(decodeCursor(cursor, /^\d{1,9}$/)))
  const matches = `session_id = $1 and ($2::text is null or kind = $2) and number > $3 and ($4::timestamptz is null or at > $4)`
  const values = (from: number) => [id, kind ?? null, from, since === undefined ? null : instant(since)]
  const rows = await tx.query<LineRow & { found: number }>(
    {
      name: 'view-lines',
      text: `
        select ${lineColumns}, found from (
          select *, count(*) over ()::int as found, sum(octet_length(data::text)) over (order by number) - octet_length(data::text) as before
          from (select * from lines where ${matches} order by number limit $5) as newer
        ) as measured where before < ${pageBytes} order by number limit $5 - 1`,
    },
    [...values(from), limit + 1],
  )
  const last = rows.at(-1)
  const page: Page<Line> = { items: rows.map(lineFrom), nextCursor: last && last.found > rows.length ? encodeCursor(last.number) : null }
  if (!count) return page
  const [counted] = await tx.query<{ total: number }>({ name: 'view-lines-count', text: `select count(*)::int as total from lines where ${matches}` }, values(first))
  return { ...page, total: counted!.total }
}

async function numberOf(tx: Tx, sessionId: string, id: string): Promise<number> {
  const [row] = await tx.query<{ number: number }>({ name: 'view-line-number', text: 'select number from lines where session_id = $1 and id = $2' }, [sessionId, id])
  return row?.number ?? 0
}

const instantForm = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z$/

/** PostgreSQL reads more than we mean to take, and not every day that JavaScript does. */
function instant(text: string): string {
  if (!instantForm.test(text) || instantOf(text) === undefined)
    throw new Fault('input_invalid', { issues: [{ path: ['since'], message: 'expected a time as 2026-01-31T12:00:00.000001Z' }] })
  return text
}

/**
 * The newest messages of sessions, oldest first. What an answer holds is the newest of each, then the next of each, and so on:
 * one session with much in it takes no room from the others.
 */
async function messagesOf(tx: Tx, ids: readonly string[], most: number): Promise<Map<string, MessageLine[]>> {
  const rows = await tx.query<LineRow>(
    {
      name: 'view-messages',
      text: `
        select ${lineColumns} from (
          select *, sum(octet_length(data::text)) over (order by place, session_id) as so_far from (
            select newest.* from unnest($1::text[]) as asked (id)
            cross join lateral (
              select *, row_number() over (order by number desc) as place from lines where session_id = asked.id and kind = 'message' order by number desc limit $2
            ) as newest
            order by place limit ${limits.answerMessages}
          ) as placed
        ) as measured where so_far <= ${pageBytes} order by session_id, number`,
    },
    [ids, most],
  )
  return Map.groupBy(
    rows.map((row) => lineFrom(row) as MessageLine),
    ({ sessionId }) => sessionId,
  )
}

/** Throws a Fault `line_missing`. */
export async function getLine(tx: Tx, sessionId: string, id: string): Promise<Line> {
  const [row] = await tx.query<LineRow>({ name: 'view-line', text: `select ${lineColumns} from lines where session_id = $1 and id = $2` }, [sessionId, id])
  if (!row) throw new Fault('line_missing')
  return lineFrom(row)
}

/** Text of a message that an event carries; the whole is in the line. */
const longestTold = 16_000

/** The line as an event tells of it. */
export function lineTold(line: Line): Line {
  if (line.kind !== 'message') return line
  const { text, metadata } = line
  const bytes = Buffer.byteLength(JSON.stringify(metadata))
  return {
    ...line,
    ...(bytes > limits.listValueBytes && { metadata: { truncated: bytes } }),
    ...(text.length > longestTold && { text: text.slice(0, longestTold).toWellFormed(), truncated: Buffer.byteLength(text) }),
  }
}

/** The newest lines, oldest first. */
export async function newestLines(tx: Tx, sessionId: string, limit: number): Promise<Line[]> {
  const rows = await tx.query<LineRow>({ name: 'view-lines-newest', text: `select ${lineColumns} from lines where session_id = $1 order by number desc limit $2` }, [
    sessionId,
    limit,
  ])
  return rows.reverse().map(lineFrom)
}

// ── events ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface EventRow {
  seq: number
  type: string
  data: object
  at: Date
  [more: string]: unknown
}

/** The events of a session after a page, or else after a `seq`, oldest first; those of the last 24 hours. */
export async function listSessionEvents(tx: Tx, viewer: Viewer, { id, cursor, after = 0, limit }: ListSessionEvents): Promise<Page<SessionEvent>> {
  const from = cursor === undefined ? after : Number(decodeCursor(cursor, /^\d{1,9}$/))
  await seenSession(tx, viewer, id)
  const rows = await tx.query<EventRow>(
    {
      name: 'view-session-events',
      text: `select seq, type, data, at from events where subject_id = $1 and subject_kind = 'session' and seq > $2 order by seq limit $3`,
    },
    [id, from, limit + 1],
  )
  return pageFrom(
    rows,
    limit,
    (row) => row.seq,
    (row) => ({ subject: { kind: 'session', id }, seq: row.seq, cursor: String(row.seq), at: row.at.toISOString(), type: row.type, ...row.data }) as SessionEvent,
  )
}
