import { Fault } from '@sluice/schema'
import type { Tx } from '../store/index.ts'
import { findWorkflow, lockDraft, type DraftRow, type WorkflowRow } from '../store/rows/workflows.ts'

/** On whose behalf. Whether they may is decided before. */
export interface WorkflowActor {
  workspaceId: string
  userId: string
}

/** Who makes something, once under an idempotency key of theirs. */
export interface Author extends WorkflowActor {
  principalId: string
}

/** By id or handle; an id wins. A deleted workflow and one of another workspace are missing ones. */
export async function resolve(tx: Tx, actor: WorkflowActor, ref: string): Promise<WorkflowRow> {
  return (await findWorkflow(tx, actor.workspaceId, ref)) ?? missing(ref)
}

/** The same under its row lock, with its draft, at the revision the caller saw. */
export async function locked(tx: Tx, actor: WorkflowActor, ref: string, revision?: number): Promise<DraftRow> {
  const row = (await lockDraft(tx, actor.workspaceId, ref)) ?? missing(ref)
  if (revision !== undefined && revision !== row.revision) throw new Fault('revision_stale', { details: { revision: row.revision } })
  return row
}

/** What is written in code says so itself at every start: who would change it elsewhere is told so. Its `extra` and its samples are not in the code. */
export function refuseWritten({ id, origin }: WorkflowRow): void {
  if (origin === 'code') throw new Fault('workflow_in_code', { details: { workflow: id } })
}

export function missing(workflow: string): never {
  throw new Fault('workflow_missing', { details: { workflow } })
}
