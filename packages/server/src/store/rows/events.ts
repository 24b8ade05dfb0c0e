import type { SubjectKind } from '@sluice/schema'
import type { Tx } from '../database.ts'

export interface EventRow {
  workspaceId: string
  subjectKind: SubjectKind
  subjectId: string
  seq: number
  workflowId: string | null
  /** Whom alone, beside admins, it may be told to. */
  owner?: string
  type: string
  /** JSON text of what the type adds to the base. */
  data: string
  at: Date
}

/** Of which workspace's log the events of a run are: a trial's of none, so that who follows that run alone is told of it. */
export const logOf = ({ workspaceId, trial }: { workspaceId: string; trial: object | null }): string => (trial ? '' : workspaceId)

/** Appends `eventValues`, which are the parameters from this one on: goes along in a statement that writes what they tell of. */
export const appending = (first: number): string => `
  insert into events (workspace_id, subject_kind, subject_id, seq, workflow_id, owner, type, data, at)
  select * from unnest(${['text', 'text', 'text', 'int', 'text', 'text', 'text', 'json', 'timestamptz'].map((type, at) => `$${first + at}::${type}[]`).join(', ')})`

export const eventValues = (rows: readonly EventRow[]): unknown[] => [
  rows.map((row) => row.workspaceId),
  rows.map((row) => row.subjectKind),
  rows.map((row) => row.subjectId),
  rows.map((row) => row.seq),
  rows.map((row) => row.workflowId),
  rows.map((row) => row.owner ?? null),
  rows.map((row) => row.type),
  rows.map((row) => row.data),
  rows.map((row) => row.at),
]

const insert = { name: 'events-insert', text: appending(1) }

/** Appends in the caller's transaction: an event exists exactly when the change it tells of does. */
export async function insertEvents(tx: Tx, rows: readonly EventRow[]): Promise<void> {
  if (rows.length > 0) await tx.query(insert, eventValues(rows))
}

const insertAndNotify = { name: 'events-insert-notify', text: `with told as (${appending(1)}) select pg_notify('sluice', $10)` }

/** The same, and wakes the listeners of every process when the transaction commits. */
export async function insertNotified(tx: Tx, row: EventRow, payload: string): Promise<void> {
  await tx.query(insertAndNotify, [...eventValues([row]), payload])
}

export async function hasEvents(tx: Tx, kind: SubjectKind, id: string): Promise<boolean> {
  const rows = await tx.query({ name: 'events-has', text: 'select 1 from events where subject_id = $1 and subject_kind = $2 limit 1' }, [id, kind])
  return rows.length > 0
}

/** On a channel of their own: nobody who is woken by rings is held up by what is said. Each less than 8,000 bytes. */
export async function notifyTokens(tx: Pick<Tx, 'query'>, payloads: readonly string[]): Promise<void> {
  await tx.query({ name: 'notify-tokens', text: `select pg_notify('${tokenChannel}', payload) from unnest($1::text[]) as payload` }, [payloads])
}

export const tokenChannel = 'sluice_tokens'

/** Wakes the listeners of every process when the transaction commits. */
export async function notify(tx: Tx, payload: string): Promise<void> {
  await tx.query({ name: 'notify', text: `select pg_notify('sluice', $1)` }, [payload])
}
