import type {
  CreateWorkflow,
  DuplicateWorkflow,
  EditedWorkflow,
  EditWorkflow,
  ExportWorkflow,
  GetWorkflow,
  ImportWorkflow,
  ListedWorkflow,
  ListOutputs,
  ListVersions,
  ListWorkflows,
  OneNode,
  OneVersion,
  OneWorkflow,
  PublishWorkflow,
  ResetWorkflow,
  Trial,
  TryNode,
  UpdateWorkflow,
  Version,
  WatchWorkflow,
  Workflow,
  WorkflowFile,
  WorkflowNode,
  WorkflowOutput,
} from '@sluice/schema'
import type { Calls } from '../calls.ts'
import { keyed } from '../idempotency.ts'
import type { Input } from '../input.ts'
import type { Listing } from '../listing.ts'
import type { CallOptions } from '../options.ts'
import type { FeedItem } from './events.ts'

/**
 * Named graphs with a draft that is edited and versions that are run. `workflow` is an id or a handle everywhere. One whose
 * `origin` is `code` is written in TypeScript: to change its draft, its name or its handle here is refused with `ConflictError`
 * (`workflow_in_code`). A duplicate of it is drawn.
 */
export interface Workflows {
  /**
   * Newest first unless there is an `order`; `name` picks those of exactly this name. Without their drafts unless `drafts` asks
   * for them; then of drafts that are more than one answer holds (16 MiB): `LimitExceededError` (`limit_exceeded`), ask for a smaller `limit`.
   */
  list(filter?: Input<typeof ListWorkflows>, options?: CallOptions): Listing<ListedWorkflow>
  /** With its draft, and with `include: ['samples']` with what was last tried on its nodes. Throws `NotFoundError` (`workflow_missing`). */
  get(which: Input<typeof GetWorkflow>, options?: CallOptions): Promise<Workflow>
  /**
   * The handle is made from the name unless given. Throws `ConflictError` (`handle_taken`, `idempotency_conflict`). Without an
   * idempotency key one is made, and kept over the repeats of this call: a lost answer makes nothing twice.
   */
  create(workflow: Input<typeof CreateWorkflow>, options?: CallOptions): Promise<Workflow>
  /**
   * What is absent stays as it is; within `definition` and `extra`, with `absent: 'keep'` alone: there it is kept of nodes by their
   * id, of settings and `extra` key by key, and null clears a key of `extra`; with `'merge'` the objects in `extra` go key by key, too. With a `revision` that is not the draft's:
   * `ConflictError` (`revision_stale`).
   */
  update(change: Input<typeof UpdateWorkflow>, options?: CallOptions): Promise<Workflow>
  /** Begins the draft anew, as `drafts` has it for the kind it is of, else empty. With a `revision` that is not the draft's: `ConflictError` (`revision_stale`). */
  reset(which: Input<typeof ResetWorkflow>, options?: CallOptions): Promise<Workflow>
  /** Cancels its runs. */
  delete(which: Input<typeof OneWorkflow>, options?: CallOptions): Promise<void>
  /** A new workflow with the draft of this one, named like it unless given, with the `suffix` behind, and with a number where that is taken. Made once, as `create`. */
  duplicate(which: Input<typeof DuplicateWorkflow>, options?: CallOptions): Promise<Workflow>
  /** The draft and the newest version, or as many as `versions` says, as a file; the same workflow gives the same file. Throws `LimitExceededError` (`limit_exceeded`) beyond 16 MiB. */
  export(which: Input<typeof ExportWorkflow>, options?: CallOptions): Promise<WorkflowFile>
  /**
   * A new workflow with the draft and the versions of a file, which keep their numbers and hashes. Its handle gets a number where it is taken. Made once,
   * as `create`. Throws `InvalidError` (`input_invalid`, or `definition_invalid` for a version that this server could not run), whose issues name their places.
   */
  import(file: Input<typeof ImportWorkflow>, options?: CallOptions): Promise<Workflow>
  /** Makes the draft a version, or names the one it already is. Throws `InvalidError` (`definition_invalid`), whose issues name their nodes. */
  publish(which: Input<typeof PublishWorkflow>, options?: CallOptions): Promise<Version>
  /** Newest first. */
  versions(of: Input<typeof ListVersions>, options?: CallOptions): Listing<Version>
  /** Throws `NotFoundError` (`version_missing`). */
  version(which: Input<typeof OneVersion>, options?: CallOptions): Promise<Version>
  /** What is known to be put out by the nodes that give the result, or with `of: 'leaves'` by every node that no link leaves. */
  outputs(of: Input<typeof ListOutputs>, options?: CallOptions): Promise<WorkflowOutput[]>
  /**
   * Edits the draft, all or nothing, merged with what others edit meanwhile. A node or a link that is added without an id gets one,
   * which `drawn` tells by the place of its operation; a link without one is named by `linkIdOf(link)`. Throws `NotFoundError`
   * (`node_missing`, `link_missing`), `ConflictError` (`link_exists`, `revision_stale`), `InvalidError`.
   */
  edit(change: Input<typeof EditWorkflow>, options?: CallOptions): Promise<EditedWorkflow>
  /** A node of the draft with what was last tried on it. */
  node(which: Input<typeof OneNode>, options?: CallOptions): Promise<WorkflowNode>
  /**
   * Runs one node of the draft, and answers when that has ended: a failure is its outcome. A producer gives one item, and with a
   * `session` the next one each time. Throws `InvalidError` (`definition_invalid`, `trial_refused`), `NotFoundError`
   * (`workflow_missing`, `node_missing`), `ConflictError` (`lane_busy`) when another trial of the session is under way for as long.
   */
  try(trial: Input<typeof TryNode>, options?: CallOptions): Promise<Trial>
  /** The events of its runs, all or those of `where`, as they happen, without end; after a cursor, or else after a snapshot. Leave the loop, or abort the signal. */
  watch(what: Input<typeof WatchWorkflow>, options?: CallOptions): AsyncGenerator<FeedItem, void, undefined>
}

/** A trial may take so long unless it says otherwise. */
export const trialMs = 300_000

export const workflowsOf = ({ list, read, write, repeat, remove, follow }: Calls): Workflows => ({
  list: (filter, options) => list('workflows.list', filter, options),
  get: (which, options) => read('workflows.get', which, options),
  create: (workflow, options) => repeat('workflows.create', keyed(workflow), options),
  update: (change, options) => (change.revision === undefined ? repeat<Workflow>('workflows.update', change, options) : write<Workflow>('workflows.update', change, options)),
  reset: (which, options) => (which.revision === undefined ? repeat<Workflow>('workflows.reset', which, options) : write<Workflow>('workflows.reset', which, options)),
  delete: (which, options) => remove('workflows.delete', which, options),
  duplicate: (which, options) => repeat('workflows.duplicate', keyed(which), options),
  export: (which, options) => read('workflows.export', which, options),
  import: (file, options) => repeat('workflows.import', keyed(file), options),
  publish: (which, options) => repeat('workflows.publish', which, options),
  versions: (of, options) => list('workflows.versions', of, options),
  version: (which, options) => read('workflows.version', which, options),
  outputs: (of, options) => read('workflows.outputs', of, options),
  edit: (change, options) => write('workflows.edit', change, options),
  node: (which, options) => read('workflows.node', which, options),
  try: (trial, options) => write('workflows.try', trial, { ...options, waitMs: trial.timeoutMs ?? trialMs }),
  watch: ({ after, lastEventId = after, ...what }, options) => follow('workflows.watch', what, { ...options, after: lastEventId }),
})
