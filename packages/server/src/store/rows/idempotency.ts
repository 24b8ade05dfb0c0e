import { Fault } from '@sluice/schema'
import type { Tx } from '../database.ts'

/** What was answered to the request of a key; null while its transaction is open elsewhere is never seen: the insert waits. */
export interface KeptReply {
  fingerprint: string
  reply: unknown
}

/** Takes a key for a request. Undefined: it is new; else what it was used for. */
export async function takeKey(tx: Tx, key: { workspaceId: string; actor: string; key: string; fingerprint: string; reply: string }): Promise<KeptReply | undefined> {
  const inserted = await tx.query(
    {
      name: 'idempotency-take',
      text: `
        insert into idempotency (workspace_id, actor, key, fingerprint, reply) values ($1, $2, $3, $4, $5::json)
        on conflict (workspace_id, actor, key) do nothing returning key`,
    },
    [key.workspaceId, key.actor, key.key, key.fingerprint, key.reply],
  )
  return inserted.length > 0 ? undefined : readKey(tx, key)
}

/** What a key was used for. Undefined: for nothing, as far as is known here. */
export async function readKey(tx: Tx, key: { workspaceId: string; actor: string; key: string }): Promise<KeptReply | undefined> {
  const [kept] = await tx.query<KeptReply & Record<string, unknown>>(
    { name: 'idempotency-read', text: 'select fingerprint, reply from idempotency where workspace_id = $1 and actor = $2 and key = $3' },
    [key.workspaceId, key.actor, key.key],
  )
  return kept
}

/** Another reply for a key taken in this transaction: the request turned out to be answered by something that was there. */
export const redirectKey = (tx: Tx, key: { workspaceId: string; actor: string; key: string; reply: string }): Promise<unknown> =>
  tx.query({ name: 'idempotency-redirect', text: 'update idempotency set reply = $4::json where workspace_id = $1 and actor = $2 and key = $3' }, [
    key.workspaceId,
    key.actor,
    key.key,
    key.reply,
  ])

/**
 * Makes what is asked for, unless the same request under this key has: the id of either. Another request under the key is
 * `idempotency_conflict`. Without a key it is made.
 */
export async function onceUnder(tx: Tx, asked: { workspaceId: string; actor: string; key: string; fingerprint: string } | null, make: () => Promise<string>): Promise<string> {
  if (!asked) return make()
  const kept = await takeKey(tx, { ...asked, reply: 'null' })
  if (kept && kept.fingerprint !== asked.fingerprint) throw new Fault('idempotency_conflict')
  if (kept) return (kept.reply as { id: string }).id
  const id = await make()
  await redirectKey(tx, { ...asked, reply: JSON.stringify({ id }) })
  return id
}
