import type { AuditField, AuditRecord, ListAudit, Page, Where } from '@sluice/schema'
import type { StoredList } from '../conditions/fields.ts'
import { listPage } from '../conditions/list.ts'
import { literal } from '../conditions/pattern.ts'
import type { Tx } from '../database.ts'
import { firstIdOf } from '../ids.ts'

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

const columns = `id, at, action, principal_id, user_id, credential, resource, outcome, code, details, request_id, ip`

interface AuditRow extends Pick<AuditRecord, 'id' | 'action' | 'credential' | 'resource' | 'outcome' | 'code' | 'details' | 'ip'> {
  at: Date
  principal_id: string | null
  user_id: string | null
  request_id: string
}

const recordFrom = ({ at, principal_id: principalId, user_id: userId, request_id: requestId, ...row }: AuditRow): AuditRecord => ({
  id: row.id,
  at: at.toISOString(),
  action: row.action,
  principalId,
  userId,
  credential: row.credential,
  resource: row.resource,
  outcome: row.outcome,
  code: row.code,
  details: row.details,
  requestId,
  ip: row.ip,
})

const auditList: StoredList<AuditRecord, AuditField> = {
  id: 'id',
  fields: {
    id: { type: 'id', sql: 'id', of: (record) => record.id },
    at: { type: 'time', sql: 'at', of: (record) => record.at },
    action: { type: 'text', sql: 'action', of: (record) => record.action },
    principalId: { type: 'text', nullable: true, sql: 'principal_id', of: (record) => record.principalId },
    userId: { type: 'text', nullable: true, sql: 'user_id', of: (record) => record.userId },
    credential: { type: 'text', nullable: true, sql: 'credential', of: (record) => record.credential },
    resource: { type: 'text', nullable: true, sql: 'resource', of: (record) => record.resource },
    outcome: { type: 'text', sql: 'outcome', of: (record) => record.outcome },
    code: { type: 'text', nullable: true, sql: 'code', of: (record) => record.code },
    requestId: { type: 'text', sql: 'request_id', of: (record) => record.requestId },
    ip: { type: 'text', sql: 'ip', of: (record) => record.ip },
  },
}

/** Newest first unless asked otherwise. */
export function listAudit(tx: Tx, workspaceId: string, { principal, action, since, ...asked }: ListAudit): Promise<Page<AuditRecord>> {
  const both: Where<AuditField>[] = [
    ...(principal === undefined ? [] : [{ or: [{ principalId: principal }, { userId: principal }] }]),
    ...(action === undefined ? [] : [{ or: [{ action }, { action: { like: `${literal(action)}.%` } }] }]),
    // Ids are what the index is in: the least one of that instant.
    ...(since === undefined ? [] : [{ at: { gte: since }, id: { gte: firstIdOf(Date.parse(since)).padEnd(15, '0') } }]),
  ]
  return listPage(tx, auditList, { ...asked, also: { and: both } }, { select: columns, from: 'audit', scope: 'workspace_id = $1', values: [workspaceId], item: recordFrom })
}
