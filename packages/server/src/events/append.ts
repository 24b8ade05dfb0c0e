import type { Json, SubjectKind } from '@sluice/schema'
import type { Tx } from '../store/database.ts'
import { insertNotified } from '../store/rows/events.ts'

export interface RecordChange {
  workspaceId: string
  kind: Exclude<SubjectKind, 'run'>
  id: string
  /** The subject's own counter, raised under its row lock. */
  seq: number
  workflowId: string | null
  /** Whom alone, beside admins, it may be told to; of everybody's concern where there is none. */
  owner?: string
  type: 'created' | 'updated' | 'deleted'
  /** The record as it now is; of a deleted one, as it last was. */
  record: Json
}

/** Tells of a change of a record, in the transaction that makes it. Records change seldom: they may notify one by one. */
export async function appendRecord(tx: Tx, change: RecordChange): Promise<void> {
  const { workspaceId, kind, id, seq, workflowId, owner, type, record } = change
  const data = JSON.stringify({ record })
  const row = { workspaceId, subjectKind: kind, subjectId: id, seq, workflowId, ...(owner !== undefined && { owner }), type, data, at: new Date() }
  await insertNotified(tx, row, JSON.stringify({ workspaces: [workspaceId] }))
}
