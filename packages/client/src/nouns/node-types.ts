import type { ForgetTrials, ForgottenTrials, ListNodeTypes, ListOptions, NodeType, NodeTypeOption, OneNodeType, Trial, TryNodeType } from '@sluice/schema'
import type { Calls } from '../calls.ts'
import type { Input } from '../input.ts'
import type { Listing } from '../listing.ts'
import type { CallOptions } from '../options.ts'
import { trialMs } from './workflows.ts'

/** What nodes there are, and what their configs take. */
export interface NodeTypes {
  /** All of them, with the JSON Schemas of their configs; or the names that a `dialect` has for them, with the configs that it writes. */
  list(filter?: Input<typeof ListNodeTypes>, options?: CallOptions): Listing<NodeType>
  /** With the JSON Schema of its config; with a `dialect` only if it is a name of that. Throws `NotFoundError` (`node_type_missing`). */
  get(which: Input<typeof OneNodeType>, options?: CallOptions): Promise<NodeType>
  /**
   * What a field of its config can be, each `value` with a `text` for people, given what others are (`values`); nothing for one that can be anything.
   * Throws `NotFoundError` (`node_type_missing`), `InvalidError` (`input_invalid`) for a field that its config does not have.
   */
  options(of: Input<typeof ListOptions>, options?: CallOptions): Promise<NodeTypeOption[]>
  /**
   * Runs a node of this type, in no workflow, and answers when that has ended: a failure is its outcome. A producer gives one item, and
   * with a `session` the next one each time. Throws `NotFoundError` (`node_type_missing`), `InvalidError` (`definition_invalid`, whose
   * issues name the fields of the config), `ConflictError` (`lane_busy`) when another trial of the session is under way for as long.
   */
  try(trial: Input<typeof TryNodeType>, options?: CallOptions): Promise<Trial>
  /** Producers of this type begin anew in the trials of the session, in workflows too. */
  forget(which: Input<typeof ForgetTrials>, options?: CallOptions): Promise<ForgottenTrials>
}

export const nodeTypesOf = ({ list, read, write, repeat }: Calls): NodeTypes => ({
  list: (filter, options) => list('nodeTypes.list', filter, options),
  get: (which, options) => read('nodeTypes.get', which, options),
  options: (of, options) => read('nodeTypes.options', of, options),
  try: (trial, options) => write('nodeTypes.try', trial, { ...options, waitMs: trial.timeoutMs ?? trialMs }),
  forget: (which, options) => repeat('nodeTypes.forget', which, options),
})
