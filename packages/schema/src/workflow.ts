import { z } from 'zod'
import { Definition } from './definition.ts'
import { Handle, Id, Timestamp } from './ids.ts'
import { JsonObject } from './json.ts'
import { limits } from './limits.ts'
import { RunSummary } from './run.ts'

/** What the runs of a workflow amount to; derived, never written by a client. */
export const Activity = z.object({
  runs: z.int().meta({ description: `Runs so far, trials not counted; of more than ${limits.countedRuns}, so many` }),
  active: z.int().meta({ description: 'Those of them that have not ended' }),
  lastRun: RunSummary.nullable(),
})
export type Activity = z.infer<typeof Activity>

/** A named container with a mutable draft. */
export const Workflow = z.object({
  id: Id,
  handle: Handle,
  name: z.string(),
  description: z.string(),
  draft: Definition,
  revision: z.int().meta({ description: 'Counts the edits of the draft' }),
  version: z.int().nullable().meta({ description: 'The newest published version' }),
  hash: z.string().nullable().meta({ description: 'The hash of the newest published version' }),
  extra: JsonObject,
  activity: Activity,
  created: Timestamp,
  updated: Timestamp,
})
export type Workflow = z.infer<typeof Workflow>

/** A workflow in a list: without its draft. */
export const WorkflowSummary = Workflow.omit({ draft: true })
export type WorkflowSummary = z.infer<typeof WorkflowSummary>

/** An item of a list of workflows. */
export const ListedWorkflow = WorkflowSummary.extend({ draft: Definition.optional().meta({ description: 'When the list was asked for with `drafts`' }) })
export type ListedWorkflow = z.infer<typeof ListedWorkflow>

export const workflowFields = ['id', 'handle', 'name', 'description', 'revision', 'version', 'hash', 'created', 'updated'] as const
export type WorkflowField = (typeof workflowFields)[number]
