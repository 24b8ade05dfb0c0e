import type { WorkflowSummary } from '@sluice/schema'
import { appendRecord } from '../events/append.ts'
import type { Tx } from '../store/index.ts'
import { workflowSummary } from '../store/views/workflows.ts'

/** Tells of a change in the transaction that made it: the record is the workflow without its draft, `seq` counts its events. */
export async function tell(tx: Tx, workspaceId: string, { id, seq }: { id: string; seq: number }, type: 'created' | 'updated' | 'deleted'): Promise<WorkflowSummary> {
  const record = await workflowSummary(tx, id)
  await appendRecord(tx, { workspaceId, kind: 'workflow', id, seq, workflowId: id, type, record })
  return record
}
