import type { AuditRecord } from '@sluice/schema'
import type { Tx } from '../database.ts'

/** One deed, on its way into the table. */
export interface NewAudit extends Omit<AuditRecord, 'at'> {
  at: string
  /** Null: that of the user whom it is about. */
  workspaceId: string | null
  /** Of that user, where nobody was let in who could be named. */
  email: string | null
}

/**
 * All of them in one statement: 500 cost a fsync, as one does. What concerns no workspace is left out: nobody could read
 * it. What was written before, by a try whose answer was lost, stays as it is.
 */
export async function insertAudit(tx: Tx, deeds: readonly NewAudit[]): Promise<void> {
  const statement = {
    name: 'audit-insert',
    text: `
      insert into audit (id, workspace_id, at, action, principal_id, user_id, credential, resource, outcome, code, details, request_id, ip)
      select deed.id, coalesce(deed."workspaceId", about.workspace_id), deed.at, deed.action, deed."principalId", deed."userId", deed.credential,
        coalesce(deed.resource, about.id), deed.outcome, deed.code, deed.details, deed."requestId", deed.ip
      from json_to_recordset($1) as deed (id text, "workspaceId" text, at timestamptz, action text, "principalId" text, "userId" text, credential text,
        resource text, outcome text, code text, details json, "requestId" text, ip text, email text)
      left join lateral (
        select users.id, coalesce(default_workspace_id, (select workspace_id from members where user_id = users.id order by created_at, workspace_id limit 1)) as workspace_id
        from users where deed."workspaceId" is null and (users.email = deed.email or users.id = deed.resource) limit 1
      ) about on true
      where coalesce(deed."workspaceId", about.workspace_id) is not null
      on conflict (id) do nothing`,
  }
  await tx.query(statement, [JSON.stringify(deeds)])
}

export interface AuditFilter {
  workspaceId: string
  /** Of a user or a key. */
  principal: string | null
  /** A procedure, or a noun with all of its procedures. */
  action: string | null
  /** An instant, and the least id of that instant: ids are what the index is in. */
  since: { at: Date; id: string } | null
}

const matching = `
  from audit
  where workspace_id = $1 and ($2::text is null or principal_id = $2 or user_id = $2) and ($3::text is null or action = $3 or starts_with(action, $3 || '.'))
    and ($4::text is null or id >= $4) and ($5::timestamptz is null or at >= $5)`

const values = ({ workspaceId, principal, action, since }: AuditFilter) => [workspaceId, principal, action, since?.id ?? null, since?.at ?? null]

/** Newest first; `before` is the last id of the page before. */
export async function listAudit(tx: Tx, filter: AuditFilter, limit: number, before: string | null): Promise<AuditRecord[]> {
  const statement = {
    name: 'audit-list',
    text: `
      select id, at, action, principal_id as "principalId", user_id as "userId", credential, resource, outcome, code, details, request_id as "requestId", ip
      ${matching} and ($6::text is null or id < $6)
      order by id desc limit $7`,
  }
  const rows = await tx.query<Omit<AuditRecord, 'at'> & { at: Date }>(statement, [...values(filter), before, limit])
  return rows.map((row) => ({ ...row, at: row.at.toISOString() }))
}

export async function countAudit(tx: Tx, filter: AuditFilter): Promise<number> {
  const [row] = await tx.query<{ count: number }>({ name: 'audit-count', text: `select count(*)::int as count ${matching}` }, values(filter))
  return row!.count
}
