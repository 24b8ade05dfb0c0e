import type { CreateWorkflow, RunStatus, UpdateWorkflow, WorkflowSummary } from '@sluice/schema'
import type { CanvasData, PatchedWorkflowRequest, Workflow, WorkflowRequest, WorkflowStatus } from '../contract.ts'
import { extraOf, keptOfWorkflow } from './kept.ts'
import { offset, zulu, zuluOrNull } from './times.ts'

/** Workflows as the Orchestrator tells them. PURE and total: any workflow of the core is one of its own. */

/** A node that fails ends its own way, and no other. */
const settings = { onFailure: 'continue' } as const

/** What runs amount to is told of the runs: `last_run`, `runs_count` are taken and not kept. */
const keptOf = ({ category, status, next_run, tags, created_by }: PatchedWorkflowRequest) => ({ category, status, next_run, tags, created_by })

export function newWorkflowOf({ name, description, ...body }: WorkflowRequest): CreateWorkflow {
  const kept = Object.fromEntries(Object.entries(keptOf({ ...body, name })).filter(([, value]) => value !== null))
  return { name, description: description ?? '', definition: { kind: 'workflow', nodes: [], links: [], settings: { ...settings } }, ...extraOf(kept) }
}

export function changedWorkflowOf(workflow: string, { name, description, ...body }: PatchedWorkflowRequest): UpdateWorkflow {
  return { workflow, name, description: description === null ? '' : description, ...extraOf(keptOf(body)), absent: 'merge' }
}

const failed: readonly RunStatus[] = ['failed', 'compensated']

function statusOf({ activity: { current, lastRun } }: WorkflowSummary, kept: WorkflowStatus | null): WorkflowStatus {
  if (current) return 'active'
  return lastRun && failed.includes(lastRun.status) ? 'error' : (kept ?? 'inactive')
}

export function workflowOf(workflow: WorkflowSummary): Workflow {
  const { id, name, description, extra, activity, created, updated } = workflow
  const { category, status, next_run, tags, created_by } = keptOfWorkflow(extra)
  return {
    id,
    created_at: zulu(created),
    updated_at: zulu(updated),
    name,
    description: description === '' ? null : description,
    category,
    status: statusOf(workflow, status),
    last_run: zuluOrNull(activity.lastRun?.created ?? null),
    next_run,
    runs_count: activity.runs,
    tags,
    created_by,
    task_id: activity.current?.id ?? null,
  }
}

export function canvasWorkflowOf(workflow: WorkflowSummary): CanvasData['workflow'] {
  const { id, name, description, status, runs_count } = workflowOf(workflow)
  const { lastRun } = workflow.activity
  return { id, name, description, status, runs_count, last_run: lastRun && offset(lastRun.created) }
}
