import type { Json, JsonObject, Node } from '@sluice/schema'
import { WorkflowStatus } from '../contract.ts'
import { dictOr, own } from './dicts.ts'
import { instantOf, zuluOrNull } from './times.ts'

/**
 * What the Orchestrator says of workflows and nodes and the core has no words for. It stands in `extra.orchestrator`, where whoever
 * writes natively may have put anything: what is not of its form is not there. PURE and total.
 */

export interface KeptOfWorkflow {
  category: string | null
  status: WorkflowStatus | null
  next_run: string | null
  tags: Json
  created_by: string | null
}

const keptIn = (extra: JsonObject | undefined): JsonObject => dictOr(own(extra ?? {}, 'orchestrator'))

const text = (value: Json | undefined): string | null => (typeof value === 'string' ? value : null)

export function keptOfWorkflow(extra: JsonObject): KeptOfWorkflow {
  const kept = keptIn(extra)
  return {
    category: text(own(kept, 'category')),
    status: WorkflowStatus.safeParse(own(kept, 'status')).data ?? null,
    next_run: zuluOrNull(instantOf(text(own(kept, 'next_run')) ?? '')),
    tags: own(kept, 'tags') ?? [],
    created_by: text(own(kept, 'created_by')),
  }
}

/** The `config` of a node on the wire, which is not its form. */
export const configKept = ({ extra }: Node): Json => own(keptIn(extra), 'config') ?? {}

/** Null takes a key out, and so what is null is absent. */
export const extraOf = (kept: { [key: string]: Json | undefined }): { extra?: JsonObject } => {
  const told = Object.entries(kept).flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const]))
  return told.length === 0 ? {} : { extra: { orchestrator: Object.fromEntries(told) } }
}
