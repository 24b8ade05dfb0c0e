import type { Json, Role } from '@sluice/schema'
import type { Tx } from '../database.ts'

// Asked for at every start or on the way of every request, hence past the ORM, which a server at rest does not load and which
// costs four times as much a row.

/** Whether this was ever started before. */
export const hasUsers = async (tx: Tx): Promise<boolean> => (await tx.query('select 1 from users limit 1')).length > 0

/** How a user stands in a workspace now. */
export interface Standing {
  role: Role
  email: string
  name: string
  tokenEpoch: number
  /** Whether the login that the token descends from has not been ended. */
  familyLives: boolean
}

/** Undefined when the user or the membership is gone. */
export async function standingOf(tx: Tx, of: { userId: string; workspaceId: string; family: string }): Promise<Standing | undefined> {
  const [row] = await tx.query<{ role: Role; email: string; name: string; token_epoch: number; family_lives: boolean }>(
    {
      name: 'identity.standing',
      text: `select m.role, u.email, u.name, u.token_epoch, exists (select 1 from refresh_tokens r where r.family = $3) as family_lives
             from members m join users u on u.id = m.user_id where m.user_id = $1 and m.workspace_id = $2`,
    },
    [of.userId, of.workspaceId, of.family],
  )
  return row && { role: row.role, email: row.email, name: row.name, tokenEpoch: row.token_epoch, familyLives: row.family_lives }
}

/** The id of the member of a workspace whose id or email it is. */
export async function memberNamed(tx: Tx, workspaceId: string, name: { id: string } | { email: string }): Promise<string | undefined> {
  const [by, value] = 'id' in name ? ['id', name.id] : ['email', name.email]
  const [row] = await tx.query<{ id: string }>(
    { name: `identity.member-by-${by}`, text: `select u.id from users u join members m on m.user_id = u.id and m.workspace_id = $1 where u.${by} = $2` },
    [workspaceId, value],
  )
  return row?.id
}

/** A key that has not been revoked, and the user it acts as. */
export interface LiveKey {
  id: string
  workspaceId: string
  userId: string
  scopes: string[] | null
  role: Role
  email: string
  name: string
}

interface LiveKeyRow {
  id: string
  workspace_id: string
  user_id: string
  scopes: string[] | null
  role: Role
  email: string
  name: string
}

const liveKey = (by: string) => `select k.id, k.workspace_id, k.user_id, k.scopes, m.role, u.email, u.name from api_keys k
  join members m on m.workspace_id = k.workspace_id and m.user_id = k.user_id join users u on u.id = k.user_id
  where k.${by} = $1 and k.revoked_at is null`

const asLiveKey = (row: LiveKeyRow | undefined): LiveKey | undefined =>
  row && { id: row.id, workspaceId: row.workspace_id, userId: row.user_id, scopes: row.scopes, role: row.role, email: row.email, name: row.name }

/** Found by its hash through the unique index: no comparison of secrets takes place that could be timed. */
export const liveKeyByHash = async (tx: Tx, hash: Buffer): Promise<LiveKey | undefined> =>
  asLiveKey((await tx.query<LiveKeyRow>({ name: 'identity.key-by-hash', text: liveKey('hash') }, [hash]))[0])

export const liveKeyById = async (tx: Tx, id: string): Promise<LiveKey | undefined> =>
  asLiveKey((await tx.query<LiveKeyRow>({ name: 'identity.key-by-id', text: liveKey('id') }, [id]))[0])

/** Several servers may say it at once: one write a minute is enough for all of them. */
export async function touchKey(tx: Tx, id: string, at: Date): Promise<void> {
  await tx.query(
    { name: 'identity.touch-key', text: `update api_keys set last_used_at = $2 where id = $1 and (last_used_at is null or last_used_at <= $2::timestamptz - interval '1 minute')` },
    [id, at],
  )
}

/** Takes the expired ones out on the way, at most 1,000, so that the table stays as small as half a minute's logins. */
export async function insertTicket(tx: Tx, ticket: { hash: Buffer; principal: Json; expiresAt: Date; now: Date }): Promise<void> {
  await tx.query(
    {
      name: 'identity.insert-ticket',
      text: `with gone as (delete from tickets where hash in (select hash from tickets where expires_at <= $4 limit 1000 for update skip locked))
             insert into tickets (hash, principal, expires_at) values ($1, $2, $3)`,
    },
    [ticket.hash, JSON.stringify(ticket.principal), ticket.expiresAt, ticket.now],
  )
}

/** The delete is what makes it one use: of two at once one gets the row. */
export async function takeTicket(tx: Tx, hash: Buffer, now: Date): Promise<Json | undefined> {
  const [row] = await tx.query<{ principal: Json; alive: boolean }>(
    { name: 'identity.take-ticket', text: 'delete from tickets where hash = $1 returning principal, expires_at > $2 as alive' },
    [hash, now],
  )
  return row?.alive ? row.principal : undefined
}

/** Made by the first start, and never renamed. */
export async function defaultWorkspace(tx: Tx): Promise<string> {
  const [row] = await tx.query<{ id: string }>({ name: 'workspaces-default', text: `select id from workspaces where handle = 'default'` })
  if (!row) throw new Error('There is no workspace of the handle default')
  return row.id
}
