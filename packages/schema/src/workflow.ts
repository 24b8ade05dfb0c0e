import { z } from 'zod'
import { Definition } from './definition.ts'
import { Handle, Id, Timestamp } from './ids.ts'
import { Json, JsonObject } from './json.ts'
import { limits } from './limits.ts'
import { RunSummary } from './run.ts'
import { StepError } from './step-error.ts'

/** What the runs of a workflow amount to; derived, never written by a client. */
export const Activity = z.object({
  runs: z.int().meta({ description: `Runs so far, trials not counted; of more than ${limits.countedRuns}, so many` }),
  active: z.int().meta({ description: 'Those of them that have not ended' }),
  current: RunSummary.nullable().meta({
    description: 'The live run that stands for the workflow: the one in its lane `canvas`, else the newest; null when none is live',
  }),
  lastRun: RunSummary.nullable(),
})
export type Activity = z.infer<typeof Activity>

/** What went into a node of a draft and came out of it, when it was tried last or as somebody wrote it. */
export const Sample = z.object({ input: Json.nullable(), output: Json.nullable(), error: StepError.nullable(), updated: Timestamp })
export type Sample = z.infer<typeof Sample>

/** Who made a workflow: people and programs with the API, or the server's start, of one that is written in TypeScript. */
export const WorkflowOrigin = z.enum(['drawn', 'code'])
export type WorkflowOrigin = z.infer<typeof WorkflowOrigin>

/** A named container with a mutable draft. */
export const Workflow = z.object({
  id: Id,
  handle: Handle,
  name: z.string(),
  description: z.string(),
  origin: WorkflowOrigin.meta({ description: '`code`: it is written in TypeScript, and changed there' }),
  draft: Definition,
  revision: z.int().meta({ description: 'Counts the edits of the draft' }),
  version: z.int().nullable().meta({ description: 'The newest published version' }),
  hash: z.string().nullable().meta({ description: 'The hash of the newest published version' }),
  extra: JsonObject,
  activity: Activity,
  created: Timestamp,
  updated: Timestamp,
  samples: z
    .record(z.string(), Sample)
    .optional()
    .meta({
      description: `When \`samples\` are included: by node id. A value of more than ${limits.sampleValueBytes / 1024 / 1024} MiB by its size, as \`{"truncated": bytes}\`, and the largest ones beyond ${limits.samplesBytes / 1024 / 1024} MiB of all`,
    }),
})
export type Workflow = z.infer<typeof Workflow>

/** A workflow in a list: without its draft. */
export const WorkflowSummary = Workflow.omit({ draft: true, samples: true })
export type WorkflowSummary = z.infer<typeof WorkflowSummary>

/** What a workflow is told with when it is asked for. */
export const WorkflowInclude = z.enum(['samples'])
export type WorkflowInclude = z.infer<typeof WorkflowInclude>

/** A workflow whose draft was edited. */
export const EditedWorkflow = Workflow.extend({
  drawn: z
    .array(z.object({ operation: z.int().meta({ description: 'Its place in the list, from 0' }), id: z.string() }))
    .meta({ description: 'The ids that were drawn for nodes and links that came without one' }),
})
export type EditedWorkflow = z.infer<typeof EditedWorkflow>

/** An item of a list of workflows. */
export const ListedWorkflow = WorkflowSummary.extend({ draft: Definition.optional().meta({ description: 'When the list was asked for with `drafts`' }) })
export type ListedWorkflow = z.infer<typeof ListedWorkflow>

export const workflowFields = ['id', 'handle', 'name', 'description', 'origin', 'revision', 'version', 'hash', 'created', 'updated'] as const
export type WorkflowField = (typeof workflowFields)[number]
