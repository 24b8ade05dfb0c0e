import type { Collection, Json, JsonObject, RecordField } from '@sluice/schema'
import type { Bind } from '../conditions/sql.ts'
import { shownStatus } from '../views/run-summary.ts'
import { type Kind, kindOf } from './query.ts'

/** Where the records of a collection stand. `t` is the name that its rows go by. */
export interface Table {
  /** What stands for its rows in a statement, each with `workspace_id` and `id`. */
  rows(bind: Bind): string
  fields: ReadonlyMap<string, Column>
  /** What of a row may be large, as columns. */
  large: readonly string[]
}

export interface Column {
  kind: Kind
  /** Not null but for dates, and JSON. */
  sql(t: string, bind: Bind): string
  /** As it is stored, which an index may serve: null where it is empty. */
  stored?: (t: string) => string
  /** For an index: that it is this text. */
  is?: (t: string, text: string, bind: Bind) => string
  /** In the same order, by an index. */
  order?: (t: string) => string
}

type Sql = string | (Omit<Column, 'kind' | 'sql'> & { sql: (t: string, bind: Bind) => string })

const of =
  (sql: string): ((t: string) => string) =>
  (t) =>
    sql.replaceAll('t.', `${t}.`)
const text = (column: string): Sql => `coalesce(t.${column}, '')`
const optional = (column: string): Sql => ({ sql: of(`coalesce(t.${column}, '')`), stored: of(`t.${column}`) })
/** Ids are made in the order of time. */
const madeWithId = (column: string): Sql => ({ sql: of(`t.${column}`), order: of('t.id') })

const credentials: { [field: string]: Sql } = {
  email: 't.email',
  emailVisibility: 'false',
  verified: 'true',
  tokenKey: `''`,
  password: `''`,
  created: 't.created_at',
  updated: 't.updated_at',
}

/** Whatever a session was stopped at goes on: PocketBase's word for it is `idle`. */
const sessionStatus: Sql = {
  sql: of(`case when t.status = 'stopped' then 'idle' else t.status end`),
  is: (t, value, bind) => (value === 'idle' ? `${t}.status = any('{idle,stopped}')` : value === 'stopped' ? 'false' : `${t}.status = ${bind(value)}::text`),
}

const core: { [collection: string]: { rows: string; large?: readonly string[]; fields: { [field: string]: Sql } } } = {
  workflow_sessions: {
    rows: 'sessions',
    large: ['steps', 'context'],
    fields: {
      title: 't.title',
      status: sessionStatus,
      currentStepId: text('current_step_id'),
      steps: 't.steps',
      context: 't.context',
      user: 't.user_id',
      workflow: optional('workflow_id'),
      created: 't.created_at',
      updated: 't.updated_at',
    },
  },
  users: { rows: '(select u.*, m.workspace_id from users u join members m on m.user_id = u.id)', fields: { ...credentials, name: 't.name', avatar: `''` } },
  _superusers: { rows: `(select u.*, m.workspace_id from users u join members m on m.user_id = u.id and m.role in ('admin', 'owner'))`, fields: credentials },
  workflows: {
    rows: '(select * from workflows where deleted_at is null)',
    fields: {
      name: 't.name',
      handle: 't.handle',
      description: 't.description',
      version: 'coalesce(t.version, 0)::float8',
      created: madeWithId('created_at'),
      updated: 't.updated_at',
    },
  },
  runs: {
    rows: `(select *, ${shownStatus} as shown_status from runs where trial is null)`,
    large: ['input', 'output', 'reason'],
    fields: {
      workflow: 't.workflow_id',
      version: 't.version::float8',
      status: 't.shown_status',
      waitingKind: text('waiting_kind'),
      session: optional('session_id'),
      parent: optional('parent_run_id'),
      transactionId: optional('transaction_id'),
      trigger: 't.trigger',
      tags: 'to_json(t.tags)',
      input: 't.input',
      output: 't.output',
      reason: 't.reason',
      startedAt: 't.started_at',
      endedAt: 't.ended_at',
      created: madeWithId('created_at'),
      updated: 't.updated_at',
    },
  },
  pauses: {
    rows: 'pauses',
    large: ['message', 'form', 'decision'],
    fields: {
      run: 't.run_id',
      workflow: 't.workflow_id',
      step: 't.step',
      kind: 't.kind',
      status: 't.status',
      message: 't.message',
      form: 't.form',
      assignee: text('assignee'),
      decision: 't.decision',
      dueAt: 't.due_at',
      created: madeWithId('opened_at'),
      updated: `coalesce((t.decision ->> 'at')::timestamptz, t.opened_at)`,
    },
  },
  messages: {
    rows: `(select l.*, s.workspace_id from lines l join sessions s on s.id = l.session_id where l.kind = 'message')`,
    large: ['data'],
    fields: {
      session: 't.session_id',
      run: text('run_id'),
      number: 't.number::float8',
      role: `coalesce(t.data ->> 'role', '')`,
      text: `coalesce(t.data ->> 'text', '')`,
      metadata: `t.data -> 'metadata'`,
      files: `t.data -> 'files'`,
      created: `date_trunc('milliseconds', t.at)`,
    },
  },
}

const known = new WeakMap<Collection, Table>()

export function tableOf(collection: Collection): Table {
  let table = known.get(collection)
  if (!table) known.set(collection, (table = collection.system ? coreTable(collection) : declaredTable(collection)))
  return table
}

const idColumn: Column = { kind: 'text', sql: (t) => `${t}.id`, order: (t) => `${t}.id` }

const tableWith = (collection: Collection, rows: Table['rows'], large: readonly string[], columnOf: (field: RecordField) => Column): Table => ({
  rows,
  large,
  fields: new Map(collection.fields.map((field) => [field.name, field.name === 'id' ? idColumn : columnOf(field)])),
})

function coreTable(collection: Collection): Table {
  const { rows, large = [], fields } = core[collection.name]!
  return tableWith(
    collection,
    () => rows,
    large,
    (field) => {
      const sql = fields[field.name]!
      return { kind: kindOf(field), ...(typeof sql === 'string' ? { sql: of(sql) } : sql) }
    },
  )
}

// ── declared collections ───────────────────────────────────────────────────────────────────────────────────────────────

const declaredTable = (collection: Collection): Table =>
  tableWith(
    collection,
    (bind) => `(select * from records where collection = ${bind(collection.id)}::text)`,
    ['data'],
    (field) => ({ kind: kindOf(field), sql: declaredSql(field) }),
  )

/** What stands for those of these records that have gone, in this transaction or since, as they last were: their deletions are kept as long as any event. */
export function goneRows({ id, fields }: Collection, { ids, workspace, since }: { ids: string; workspace: string; since: string }, bind: Bind): string {
  const collection = `${bind(id)}::text`
  const dates = fields
    .filter(({ type }) => type === 'autodate')
    .map(({ name, onUpdate }) => `, '${onUpdate ? 'updated_at' : 'created_at'}', e.data -> 'record' -> ${bind(name)}::text`)
  return `(
    select gone.* from (
      select distinct on (e.subject_id) split_part(e.subject_id, '/', 2) as id, e.data from events e
      where e.subject_id in (select ${collection} || '/' || target || '/' || ${workspace} from unnest(${ids}) target)
        and e.subject_kind = 'record' and e.type = 'deleted' and e.workspace_id = ${workspace} and e.xid >= ${since}
      order by e.subject_id, e.seq desc
    ) e
    cross join lateral jsonb_populate_record(null::records,
      jsonb_build_object('workspace_id', ${workspace}, 'collection', ${collection}, 'id', e.id, 'data', e.data -> 'record'${dates.join('')})) gone
    where not exists (select from records r where r.workspace_id = ${workspace} and r.collection = ${collection} and r.id = e.id)
  )`
}

/** The file may have changed since a record was written: what is not of the type of its field is as good as unset. */
function declaredSql(field: RecordField): Column['sql'] {
  const { name, type, onUpdate } = field
  if (type === 'autodate') return (t) => (onUpdate ? `${t}.updated_at` : `${t}.created_at`)
  const value = (t: string, bind: Bind): string => `(${t}.data -> ${bind(name)}::text)`
  switch (kindOf(field)) {
    case 'number':
      return (t, bind) => `case when jsonb_typeof(${value(t, bind)}) = 'number' then ${value(t, bind)}::float8 else 0 end`
    case 'bool':
      return (t, bind) => `coalesce(${value(t, bind)} = 'true', false)`
    case 'date':
      return (t, bind) =>
        `case when ${value(t, bind)} #>> '{}' ~ '^(?!0000)\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d[.]\\d{3}Z$' then (${value(t, bind)} #>> '{}')::timestamptz end`
    case 'json':
      return value
    case 'several':
      return (t, bind) => `case when jsonb_typeof(${value(t, bind)}) = 'array' then ${value(t, bind)} else '[]' end`
    default:
      return (t, bind) => `case when jsonb_typeof(${value(t, bind)}) = 'string' then ${value(t, bind)} #>> '{}' else '' end`
  }
}

// ── what a row says ────────────────────────────────────────────────────────────────────────────────────────────────────

/** What to select; in the parts each value is as JSON has it. */
export function selection({ fields }: Collection, table: Table, t: string, bind: Bind): { id: string; parts: string } {
  const pairs = fields.filter(({ name }) => name !== 'id').map(({ name }) => `${bind(name)}::text, ${asJson(table.fields.get(name)!, t, bind)}`)
  // A function takes a hundred arguments.
  const parts = Array.from({ length: Math.ceil(pairs.length / 40) }, (_, at) => `json_build_object(${pairs.slice(at * 40, at * 40 + 40).join()})`)
  return { id: `${t}.id`, parts: `json_build_array(${parts.join()})` }
}

/** In bytes, at least nearly. What is stored as it is need not be read for it. */
export const weightSql = ({ large }: Table, t: string): string =>
  large
    .map((column) => `${t}.${column}`)
    .map((column) => `coalesce(case when pg_column_compression(${column}) is null then pg_column_size(${column}) else octet_length(${column}::text) end, 0)`)
    .join(' + ')

export const valuesOf = ({ parts }: { parts: readonly JsonObject[] }): JsonObject => Object.assign({}, ...parts) as JsonObject

function asJson({ kind, sql }: Column, t: string, bind: Bind): string {
  const value = sql(t, bind)
  return kind === 'date' ? `to_char((${value}) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')` : value
}

/** Text that is not empty, as an index has it. */
export const indexedSql = ({ stored, sql }: Column, t: string, bind: Bind): string => (stored ? stored(t) : sql(t, bind))

/** A value that has not been told, by the kind of its field. */
export function unset(field: RecordField): Json {
  const kind = kindOf(field)
  if (kind === 'several') return []
  if (kind === 'number') return 0
  if (kind === 'bool') return false
  return kind === 'text' ? '' : null
}
