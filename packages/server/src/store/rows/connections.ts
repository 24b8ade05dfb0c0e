import type { Tx } from '../database.ts'

/** A connection that is held by some server, and what is subscribed over it. */
export interface ConnectionRow {
  id: string
  revision: number
  /** Who has subscribed. Null: nobody yet. */
  principal: object | null
  topics: string[]
  /** Of each topic, in their order: what its subscription saw of all transactions, or `kept`. */
  since: string[]
  [more: string]: unknown
}

export async function insertConnections(tx: Tx, rows: readonly { id: string; address: string }[]): Promise<void> {
  const text = 'insert into connections (id, address) select * from unnest($1::text[], $2::text[])'
  await tx.query({ name: 'connections-insert', text }, [rows.map(({ id }) => id), rows.map(({ address }) => address)])
}

export interface Subscribed {
  id: string
  address: string
  workspaceId: string
  principalId: string
  userId: string
  /** JSON text. */
  principal: string
  topics: readonly string[]
  /** Of each topic, in their order: what how far it was told is kept under, or null. */
  keys: readonly (Buffer | null)[]
}

/**
 * Takes the topics in place of those that were; of one that stays, what its subscription saw stays too. A topic that is kept for the
 * first time begins here, and is known to have been subscribed once this is committed. False: there is no such connection, it was
 * made from another address, or it is somebody else's.
 */
export async function subscribeConnection(tx: Tx, { id, address, workspaceId, principalId, userId, principal, topics, keys }: Subscribed): Promise<boolean> {
  const rows = await tx.query(
    {
      name: 'connections-subscribe',
      text: `
        with found as (
          select id from connections where id = $1 and address = $2 and (principal_id is null or (workspace_id = $3 and principal_id = $4)) for update
        ), begun as (
          insert into tellings (workspace_id, user_id, topic, xid, position)
          select distinct on (key) $3, $5, key, (pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1)::text::xid8, ${Number.MAX_SAFE_INTEGER}
          from found, unnest($8::bytea[]) as key where key is not null
          on conflict do nothing returning topic
        )
        update connections set workspace_id = $3, principal_id = $4, principal = $6, topics = $7, revision = revision + 1,
          since = coalesce((
            select array_agg(
              coalesce(known.since, case when asked.key is null or exists (select from begun where begun.topic = asked.key) then pg_current_snapshot()::text else 'kept' end)
              order by asked.place
            )
            from unnest($7::text[], $8::bytea[]) with ordinality as asked (topic, key, place)
            left join unnest(connections.topics, connections.since) as known (topic, since) on known.topic = asked.topic
          ), '{}')
        from found where connections.id = found.id returning 1`,
    },
    [id, address, workspaceId, principalId, userId, principal, topics, keys],
  )
  return rows.length > 0
}

/** From where it was opened, as far as this workspace may know of it: whoever has subscribed over it decides whose it is. */
export async function addressOfConnection(tx: Tx, { id, workspaceId }: { id: string; workspaceId: string }): Promise<string | undefined> {
  const text = 'select address from connections where id = $1 and (workspace_id is null or workspace_id = $2)'
  const [row] = await tx.query<{ address: string }>({ name: 'connections-address', text }, [id, workspaceId])
  return row?.address
}

export const readConnections = (tx: Tx, ids: readonly string[]): Promise<ConnectionRow[]> =>
  tx.query({ name: 'connections-read', text: 'select id, revision, principal, topics, since from connections where id = any($1)' }, [ids])

/** Which of them have been subscribed over since, by what is known of their revisions, and which are gone. */
export async function changedConnections(tx: Tx, known: readonly { id: string; revision: number }[]): Promise<string[]> {
  const rows = await tx.query<{ id: string }>(
    {
      name: 'connections-changed',
      text: `
        select known.id from unnest($1::text[], $2::int[]) as known (id, revision)
        where not exists (select from connections where connections.id = known.id and connections.revision = known.revision)`,
    },
    [known.map(({ id }) => id), known.map(({ revision }) => revision)],
  )
  return rows.map(({ id }) => id)
}

export async function touchConnections(tx: Tx, ids: readonly string[]): Promise<void> {
  await tx.query({ name: 'connections-touch', text: 'update connections set seen_at = now() where id = any($1)' }, [ids])
}

export async function deleteConnections(tx: Tx, ids: readonly string[]): Promise<void> {
  await tx.query({ name: 'connections-delete', text: 'delete from connections where id = any($1)' }, [ids])
}

/** Of whom, of what. */
export interface TellingKey {
  workspaceId: string
  userId: string
  topic: Buffer
}

/** How far something was told. `at` counts the keys from 1. */
export interface ToldRow {
  at: number
  xid: string
  position: number
}

export const tellingsOf = (tx: Tx, keys: readonly TellingKey[]): Promise<ToldRow[]> =>
  tx.query<ToldRow & Record<string, unknown>>(
    {
      name: 'tellings-of',
      text: `
        select asked.at::int as at, xid::text as xid, position
        from unnest($1::text[], $2::text[], $3::bytea[]) with ordinality as asked (workspace_id, user_id, topic, at)
        join tellings using (workspace_id, user_id, topic)`,
    },
    [keys.map(({ workspaceId }) => workspaceId), keys.map(({ userId }) => userId), keys.map(({ topic }) => topic)],
  )

/** Never back: another server may have told more. In one order, so that two that write the same do not wait for each other in turn. */
export async function saveTellings(tx: Tx, rows: readonly (TellingKey & { xid: string; position: number })[]): Promise<void> {
  await tx.query(
    {
      name: 'tellings-save',
      text: `
        with told as (
          select * from unnest($1::text[], $2::text[], $3::bytea[], $4::text[], $5::bigint[]) as told (workspace_id, user_id, topic, xid, position)
        ), held as (
          select tellings.* from tellings join told using (workspace_id, user_id, topic) order by workspace_id, user_id, topic for update of tellings
        )
        update tellings set xid = told.xid::xid8, position = told.position, updated_at = now()
        from told join held using (workspace_id, user_id, topic)
        where tellings.workspace_id = told.workspace_id and tellings.user_id = told.user_id and tellings.topic = told.topic
          and (tellings.xid, tellings.position) < (told.xid::xid8, told.position)`,
    },
    [rows.map((row) => row.workspaceId), rows.map((row) => row.userId), rows.map((row) => row.topic), rows.map((row) => row.xid), rows.map((row) => row.position)],
  )
}
