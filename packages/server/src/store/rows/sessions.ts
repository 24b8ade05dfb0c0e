import { type JsonObject, type LineKind, limits, type MessageRole, type SessionStatus } from '@sluice/schema'
import type { Tx } from '../database.ts'
import { appending, type EventRow, eventValues } from './events.ts'

/** A session as stored. JSON stays text: most who touch a session only hand it on. */
export interface SessionRow {
  id: string
  workspace_id: string
  user_id: string
  workflow_id: string | null
  external_id: string | null
  title: string
  description: string | null
  tags: string[]
  metadata: string
  mode: string | null
  tools: string
  subject: string
  status: SessionStatus
  current_step_id: string | null
  steps: string
  progress: number
  context: string
  stopped_at: Date | null
  seq: number
  /** The number and the time (microseconds since 1970) of its last line. */
  lines: number
  line_at: number
  /** Of the round under way. */
  prompt_tokens: number
  completion_tokens: number
  created_at: Date
  updated_at: Date
}

export const sessionColumns = `
  id, workspace_id, user_id, workflow_id, external_id, title, description, tags, metadata::text as metadata, mode, tools::text as tools, subject::text as subject, status, current_step_id,
  steps::text as steps, progress, context::text as context, stopped_at, seq, lines, line_at, prompt_tokens, completion_tokens, created_at, updated_at`

type Stored = SessionRow & Record<string, unknown>

export async function readSession(tx: Tx, workspaceId: string, id: string): Promise<SessionRow | undefined> {
  const [row] = await tx.query<Stored>({ name: 'sessions-read', text: `select ${sessionColumns} from sessions where id = $1 and workspace_id = $2` }, [id, workspaceId])
  return row
}

/** The owner's session of an external id. */
export async function sessionOfExternal(tx: Tx, workspaceId: string, userId: string, externalId: string): Promise<SessionRow | undefined> {
  const [row] = await tx.query<Stored>(
    { name: 'sessions-external', text: `select ${sessionColumns} from sessions where user_id = $1 and workspace_id = $2 and external_id = $3` },
    [userId, workspaceId, externalId],
  )
  return row
}

const newestLooked = 100

/** The id of the newest session of its owner, workflow, subject and metadata, where nothing was said or done in it. Who look for one wait for each other, until their transactions end. */
export async function emptySession(tx: Tx, like: Omit<SessionRow, 'workflow_id'>, workflowId: string | null): Promise<string | undefined> {
  const { workspace_id: workspaceId, user_id: userId, subject, metadata } = like
  await tx.query({ name: 'sessions-empty-lock', text: 'select pg_advisory_xact_lock(hashtextextended($1, 7462))' }, [`${workspaceId}/${userId}/${workflowId}`])
  // By an index: `is not distinct from` has none, and all sessions there are would be gone through.
  const [bound, of] = workflowId === null ? ['workflow_id is null', []] : ['workflow_id = $5', [workflowId]]
  const [row] = await tx.query<{ id: string }>(
    {
      name: workflowId === null ? 'sessions-empty-unbound' : 'sessions-empty',
      text: `
        select id from (
          select id, lines from (
            select id, lines, subject, metadata from sessions
            where user_id = $1 and workspace_id = $2 and ${bound} and external_id is null order by id desc limit ${newestLooked}
          ) as newest
          where subject::text = $3 and metadata::text = $4 order by id desc limit 1
        ) as alike
        where lines = 0 and not exists (select from runs where session_id = alike.id)`,
    },
    [userId, workspaceId, subject, metadata, ...of],
  )
  return row?.id
}

/** Under their row locks, taken in one order by all: whoever waits for one holds none that comes after it. */
export const lockSessions = (tx: Tx, ids: readonly string[]): Promise<SessionRow[]> =>
  tx.query<Stored>({ name: 'sessions-lock', text: `select ${sessionColumns} from sessions where id = any($1) order by id for no key update` }, [ids])

export async function lockSession(tx: Tx, id: string): Promise<SessionRow | undefined> {
  const [row] = await lockSessions(tx, [id])
  return row
}

/** All that are bound to a workflow, under their locks. */
export const lockSessionsOf = (tx: Tx, workflowId: string): Promise<SessionRow[]> =>
  tx.query<Stored>({ name: 'sessions-lock-of', text: `select ${sessionColumns} from sessions where workflow_id = $1 order by id for no key update` }, [workflowId])

/** False when the id is there already, or the owner has another of this external id. */
export async function insertSession(tx: Tx, row: SessionRow): Promise<boolean> {
  const made = await tx.query(
    {
      name: 'sessions-insert',
      text: `
        insert into sessions (id, workspace_id, user_id, workflow_id, external_id, title, description, tags, metadata, mode, subject, status, current_step_id, steps, progress,
          context, stopped_at, seq, lines, line_at, created_at, updated_at, tools)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9::json, $10, $11::json, $12, $13, $14::json, $15, $16::json, $17, $18, $19, $20, $21, $22, $23::json)
        on conflict do nothing returning id`,
    },
    [
      row.id,
      row.workspace_id,
      row.user_id,
      row.workflow_id,
      row.external_id,
      row.title,
      row.description,
      row.tags,
      row.metadata,
      row.mode,
      row.subject,
      row.status,
      row.current_step_id,
      row.steps,
      row.progress,
      row.context,
      row.stopped_at,
      row.seq,
      row.lines,
      row.line_at,
      row.created_at,
      row.updated_at,
      row.tools,
    ],
  )
  return made.length > 0
}

/** A session as it becomes; JSON that stays as it is stored is null here, and is not sent. */
export type SessionWrite = Omit<SessionRow, 'external_id' | 'metadata' | 'tools' | 'subject' | 'steps' | 'context'> & {
  [K in 'metadata' | 'tools' | 'subject' | 'steps' | 'context']: string | null
}

export interface LineWrite {
  sessionId: string
  number: number
  id: string
  /** With microseconds. */
  at: string
  kind: LineKind
  runId: string | null
  /** JSON text of what the kind adds. */
  data: string
}

const save = {
  name: 'sessions-save',
  text: `
    with added as (
      insert into lines (session_id, number, id, at, kind, run_id, data)
      select * from unnest($21::text[], $22::int[], $23::text[], $24::timestamptz[], $25::text[], $26::text[], $27::json[])
    ), told as (${appending(29)})
    update sessions set
      workflow_id = w.workflow_id, title = w.title, description = w.description, tags = array(select json_array_elements_text(w.tags)),
      metadata = coalesce(w.metadata, sessions.metadata), mode = w.mode, subject = coalesce(w.subject, sessions.subject), status = w.status,
      current_step_id = w.current_step_id, steps = coalesce(w.steps, sessions.steps), progress = w.progress, context = coalesce(w.context, sessions.context),
      stopped_at = w.stopped_at, seq = w.seq, lines = w.lines, line_at = w.line_at, prompt_tokens = w.prompt_tokens, completion_tokens = w.completion_tokens,
      updated_at = w.updated_at, tools = coalesce(w.tools, sessions.tools)
    from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::json[], $6::json[], $7::text[], $8::json[], $9::text[], $10::text[], $11::json[], $12::real[],
      $13::json[], $14::timestamptz[], $15::int[], $16::int[], $17::bigint[], $18::int[], $19::int[], $20::timestamptz[], $28::json[])
      as w (id, workflow_id, title, description, tags, metadata, mode, subject, status, current_step_id, steps, progress, context, stopped_at, seq, lines, line_at,
        prompt_tokens, completion_tokens, updated_at, tools)
    where sessions.id = w.id`,
}

/** Writes sessions that are locked, their new lines, and what is told of them. */
export async function saveSessions(tx: Tx, rows: readonly SessionWrite[], lines: readonly LineWrite[], events: readonly EventRow[]): Promise<void> {
  await tx.query(save, [
    rows.map((row) => row.id),
    rows.map((row) => row.workflow_id),
    rows.map((row) => row.title),
    rows.map((row) => row.description),
    rows.map((row) => JSON.stringify(row.tags)),
    rows.map((row) => row.metadata),
    rows.map((row) => row.mode),
    rows.map((row) => row.subject),
    rows.map((row) => row.status),
    rows.map((row) => row.current_step_id),
    rows.map((row) => row.steps),
    rows.map((row) => row.progress),
    rows.map((row) => row.context),
    rows.map((row) => row.stopped_at),
    rows.map((row) => row.seq),
    rows.map((row) => row.lines),
    rows.map((row) => row.line_at),
    rows.map((row) => row.prompt_tokens),
    rows.map((row) => row.completion_tokens),
    rows.map((row) => row.updated_at),
    lines.map((line) => line.sessionId),
    lines.map((line) => line.number),
    lines.map((line) => line.id),
    lines.map((line) => line.at),
    lines.map((line) => line.kind),
    lines.map((line) => line.runId),
    lines.map((line) => line.data),
    rows.map((row) => row.tools),
    ...eventValues(events),
  ])
}

/** Takes the session and its lines, and all that its events told of it. */
export async function deleteSession(tx: Tx, id: string): Promise<void> {
  await tx.query({ name: 'sessions-delete', text: 'delete from sessions where id = $1' }, [id])
  await tx.query({ name: 'sessions-events-delete', text: `delete from events where subject_kind = 'session' and subject_id = $1` }, [id])
}

export interface GoneLine {
  number: number
  id: string
  /** Of a document. */
  file: string | null
}

/** Takes a message and its documents, oldest first; nothing where there is no such message. */
export async function deleteMessage(tx: Tx, sessionId: string, id: string): Promise<GoneLine[]> {
  const gone = await tx.query<GoneLine & Record<string, unknown>>(
    {
      name: 'lines-delete',
      text: `
        delete from lines where session_id = $1
          and (kind = 'message' and id = $2
            or kind = 'document' and data->>'messageId' = $2 and exists (select from lines m where m.session_id = $1 and m.id = $2 and m.kind = 'message'))
        returning number, id, case when kind = 'document' then data->>'fileId' end as file`,
    },
    [sessionId, id],
  )
  return gone.sort((a, b) => a.number - b.number)
}

/** JSON of a message without a file, and without what its metadata says of it by its id. */
const withoutFile = (data: string, at: '' | 'line,'): string => `
  (case when jsonb_typeof(${data}#>'{${at}metadata,files}') = 'object' then ${data} #- array_append('{${at}metadata,files}'::text[], $3::text) else ${data} end)`

/** Takes the document of a file from its message, which loses its name too, and so do the events that told of it. */
export async function deleteDocument(tx: Tx, sessionId: string, messageId: string, fileId: string): Promise<GoneLine[]> {
  const gone = await tx.query<GoneLine & Record<string, unknown>>(
    {
      name: 'documents-delete',
      text: `
        with named as (
          update lines set data = jsonb_set(${withoutFile('data::jsonb', '')}, '{files}', (data::jsonb->'files') - $3::text)::json where session_id = $1 and id = $2 and kind = 'message'
        ), told as (
          update events set data = jsonb_set(${withoutFile('data::jsonb', 'line,')}, '{line,files}', (data::jsonb->'line'->'files') - $3::text)::json
          where subject_kind = 'session' and subject_id = $1 and type = 'line.added' and data->'line'->>'kind' = 'message'
            and data->'line'->>'id' = $2
        )
        delete from lines where session_id = $1 and kind = 'document' and data->>'messageId' = $2 and data->>'fileId' = $3::text
        returning number, id, $3::text as file`,
    },
    [sessionId, messageId, fileId],
  )
  return gone.sort((a, b) => a.number - b.number)
}

/** Of these files those that no document of the session is of any more. */
export async function unreferenced(tx: Tx, sessionId: string, files: readonly string[]): Promise<string[]> {
  const rows = await tx.query<{ file: string }>(
    {
      name: 'documents-unreferenced',
      text: `
        select file from unnest($2::text[]) as gone (file)
        where not exists (select from lines where session_id = $1 and kind = 'document' and data->>'fileId' = gone.file)`,
    },
    [sessionId, files],
  )
  return rows.map((row) => row.file)
}

/** The events that told of lines keep their place and lose what they told. */
export const redactLines = (tx: Tx, sessionId: string, ids: readonly string[]): Promise<unknown> =>
  tx.query(
    {
      name: 'lines-redact',
      text: `
        update events set data = json_build_object('line', null, 'redacted', data->'line'->>'id')
        where subject_kind = 'session' and subject_id = $1 and type = 'line.added' and data->'line'->>'id' = any($2)`,
    },
    [sessionId, ids],
  )

/** Whether somebody is a member, and stays one until the transaction ends; and whether they are a user at all, as the anonymous principal is not. */
export async function ownerFacts(tx: Tx, workspaceId: string, userId: string): Promise<{ member: boolean; user: boolean }> {
  const [row] = await tx.query<{ member: boolean; user: boolean }>(
    {
      name: 'sessions-owner',
      text: `
        select exists (select from members where workspace_id = $1 and user_id = $2 for key share) as member, exists (select from users where id = $2) as user`,
    },
    [workspaceId, userId],
  )
  return row!
}

/** The newest messages of a session, oldest first: what does not fit any more is left out, and all before it. */
export const sessionHistory = (tx: Tx, id: string, bytes: number): Promise<{ role: MessageRole; content: string }[]> =>
  tx.query(
    {
      name: 'sessions-history',
      text: `
        select data->>'role' as role, data->>'text' as content from (
          select number, data, sum(octet_length((data->'text')::text)) over (order by number desc) as so_far from (
            select number, data from lines where session_id = $1 and kind = 'message' order by number desc limit ${limits.historyMessages}
          ) as newest
        ) as measured where so_far <= $2 order by number`,
    },
    [id, bytes],
  )

const scopeMessages = 50
/** With them it is full: the newest is there however long it is. */
const scopeMessageChars = 64_000

/** What the expressions of a round see of its session: its newest messages too, up to the round's own. */
export async function sessionScope(tx: Tx, id: string, runId: string): Promise<JsonObject | null> {
  const [row] = await tx.query<{ session: JsonObject }>(
    {
      name: 'sessions-scope',
      text: `
        select json_build_object('id', id, 'title', title, 'mode', mode, 'metadata', metadata, 'context', context, 'user', user_id, 'messages', coalesce((
          select json_agg(json_build_object('role', data->'role', 'text', data->'text') order by number) from (
            select number, data, sum(length(data->>'text')) over (order by number desc) as so_far from (
              select number, data from lines where session_id = $1 and kind = 'message' and (run_id is null or run_id <= $2) order by number desc limit ${scopeMessages}
            ) as newest
          ) as measured where so_far - length(data->>'text') < ${scopeMessageChars}
        ), '[]')) as session
        from sessions where id = $1`,
    },
    [id, runId],
  )
  return row?.session ?? null
}
