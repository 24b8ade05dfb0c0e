import { createHash } from 'node:crypto'
import type { Json, JsonObject } from '@sluice/schema'
import type { Tx } from '../database.ts'

/** Where a record of a declared collection stands. `collection` is the id of it. */
export interface RecordPlace {
  workspaceId: string
  collection: string
  id: string
}

export interface StoredRecord {
  id: string
  data: JsonObject
  seq: number
  created: Date
  updated: Date
}

/** What its collection has only one of, and what it refers to. */
export interface RecordTies {
  keys: readonly { field: string; value: Json }[]
  links: readonly { field: string; target: string }[]
}

/** A record that refers to another. */
export interface Referring {
  collection: string
  id: string
  field: string
}

interface Row extends Record<string, unknown> {
  id: string
  data: JsonObject
  seq: number
  created_at: Date
  updated_at: Date
}

const storedOf = (row: Row): StoredRecord => ({ id: row.id, data: row.data, seq: row.seq, created: row.created_at, updated: row.updated_at })
const placeOf = ({ workspaceId, collection, id }: RecordPlace): string[] => [workspaceId, collection, id]

/** Under its row lock. */
export async function lockRecord(tx: Tx, place: RecordPlace): Promise<StoredRecord | undefined> {
  const [row] = await tx.query<Row>(
    { name: 'records-lock', text: 'select id, data, seq, created_at, updated_at from records where workspace_id = $1 and collection = $2 and id = $3 for update' },
    placeOf(place),
  )
  return row && storedOf(row)
}

/** Those of them that are there; they stay there until the end of the transaction. */
export async function keepRecords(tx: Tx, workspaceId: string, collection: string, ids: readonly string[]): Promise<Set<string>> {
  const rows = await tx.query<{ id: string }>(
    { name: 'records-keep', text: 'select id from records where workspace_id = $1 and collection = $2 and id = any($3) order by id for key share' },
    [workspaceId, collection, ids],
  )
  return new Set(rows.map(({ id }) => id))
}

/** False where the id is there already. */
export async function insertRecord(tx: Tx, place: RecordPlace, data: JsonObject, at: Date): Promise<boolean> {
  const made = await tx.query(
    {
      name: 'records-insert',
      text: 'insert into records (workspace_id, collection, id, data, seq, created_at, updated_at) values ($1, $2, $3, $4::jsonb, 1, $5, $5) on conflict do nothing returning id',
    },
    [...placeOf(place), JSON.stringify(data), at],
  )
  return made.length > 0
}

/** One that had this id before has left events: they are counted on. Read after the insert, which has waited for who deleted it. */
export async function countOn(tx: Tx, place: RecordPlace, subjectId: string): Promise<number> {
  const [row] = await tx.query<{ seq: number }>(
    {
      name: 'records-count-on',
      text: `
        update records set seq = 1 + coalesce((select max(e.seq) from events e where e.subject_id = $4 and e.subject_kind = 'record'), 0)
        where workspace_id = $1 and collection = $2 and id = $3 returning seq`,
    },
    [...placeOf(place), subjectId],
  )
  return row!.seq
}

/** Sets the fields that are given, and counts an event. */
export async function updateRecord(tx: Tx, place: RecordPlace, data: JsonObject, at: Date): Promise<StoredRecord | undefined> {
  const [row] = await tx.query<Row>(
    {
      name: 'records-update',
      text: `
        update records set data = data || $4::jsonb, seq = seq + 1, updated_at = greatest($5, updated_at + interval '1 millisecond')
        where workspace_id = $1 and collection = $2 and id = $3 returning id, data, seq, created_at, updated_at`,
    },
    [...placeOf(place), JSON.stringify(data), at],
  )
  return row && storedOf(row)
}

/** As it last was. */
export async function deleteRecord(tx: Tx, place: RecordPlace): Promise<StoredRecord | undefined> {
  const [row] = await tx.query<Row>(
    { name: 'records-delete', text: 'delete from records where workspace_id = $1 and collection = $2 and id = $3 returning id, data, seq, created_at, updated_at' },
    placeOf(place),
  )
  return row && storedOf(row)
}

/** Ties a record anew in these fields. Resolves to the fields whose value another record has; of two at once the second waits for the first. */
export async function tieRecord(tx: Tx, place: RecordPlace, fields: readonly string[], { keys, links }: RecordTies): Promise<string[]> {
  await untie(tx, place, fields)
  if (links.length > 0) {
    await tx.query(
      {
        name: 'record-links-insert',
        text: `insert into record_links (workspace_id, collection, id, field, target) select $1, $2, $3, * from unnest($4::text[], $5::text[])`,
      },
      [...placeOf(place), links.map(({ field }) => field), links.map(({ target }) => target)],
    )
  }
  if (keys.length === 0) return []
  const named = keys.toSorted((a, b) => (a.field < b.field ? -1 : 1))
  const kept = await tx.query<{ field: string }>(
    {
      name: 'record-keys-insert',
      text: `
        insert into record_keys (workspace_id, collection, id, field, value)
        select $1, $2, $3, * from unnest($4::text[], $5::text[]) on conflict do nothing returning field`,
    },
    [...placeOf(place), named.map(({ field }) => field), named.map(({ value }) => digestOf(value))],
  )
  const there = new Set(kept.map(({ field }) => field))
  return named.map(({ field }) => field).filter((field) => !there.has(field))
}

async function untie(tx: Tx, place: RecordPlace, fields: readonly string[]): Promise<void> {
  for (const table of ['record_keys', 'record_links']) {
    await tx.query({ name: `${table}-untie`, text: `delete from ${table} where workspace_id = $1 and collection = $2 and id = $3 and field = any($4)` }, [
      ...placeOf(place),
      fields,
    ])
  }
}

const digestOf = (value: Json): string => createHash('sha256').update(JSON.stringify(value)).digest('base64url')

/** What refers to any of these by these fields, in one order for all who ask. */
export async function referringTo(
  tx: Tx,
  workspaceId: string,
  by: readonly { collection: string; field: string }[],
  targets: readonly string[],
  limit: number,
): Promise<(Referring & { target: string })[]> {
  return tx.query<Referring & { target: string } & Record<string, unknown>>(
    {
      name: 'record-links-referring',
      text: `
        select l.collection, l.id, l.field, l.target
        from unnest($2::text[], $3::text[]) as by (collection, field)
        join record_links l on l.workspace_id = $1 and l.collection = by.collection and l.field = by.field and l.target = any($4)
        order by l.collection, l.id, l.field limit $5`,
    },
    [workspaceId, by.map(({ collection }) => collection), by.map(({ field }) => field), targets, limit],
  )
}
