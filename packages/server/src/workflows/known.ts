import type { Definition } from '@sluice/schema'
import { Recent } from '../expressions/index.ts'
import type { WorkflowActor } from './find.ts'
import type { Plan } from './plans.ts'
import type { Startable } from './publish.ts'

/** A workflow as the last start of it found it. */
export interface Known {
  workflowId: string
  /** Of its draft: while the draft stands at it, so does the version. */
  revision: number
  version: number
  hash: string
  definition: Definition
  plan: Plan
}

/** What the next start of a workflow need not ask for again, by who asks and the name they use; whether it still stands is asked when it is used. */
export interface KnownWorkflows {
  get(actor: WorkflowActor, ref: string): Known | undefined
  keep(actor: WorkflowActor, ref: string, found: Startable, plan: Plan): void
  forget(actor: WorkflowActor, ref: string): void
}

/** Characters of definitions: workflows are small, and an answer to a stranger who makes many large ones is bounded. */
const mostKept = 32_000_000

export function createKnownWorkflows(): KnownWorkflows {
  const recent = new Recent<Known>(mostKept)
  const keyOf = ({ workspaceId }: WorkflowActor, ref: string): string => `${workspaceId}\n${ref}`
  return {
    get: (actor, ref) => recent.get(keyOf(actor, ref)),
    keep(actor, ref, { workflow, version, hash, definition }, plan) {
      const key = keyOf(actor, ref)
      recent.forget(key)
      recent.of(key, () => ({ workflowId: workflow.id, revision: workflow.revision, version, hash, definition, plan }), JSON.stringify(definition).length)
    },
    forget: (actor, ref) => recent.forget(keyOf(actor, ref)),
  }
}
