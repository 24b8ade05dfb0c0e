import {
  Fault,
  type CreateWorkflow,
  type DuplicateWorkflow,
  type EditedWorkflow,
  type EditWorkflow,
  type ExportWorkflow,
  type GetWorkflow,
  type ImportWorkflow,
  type ListedWorkflow,
  type ListOutputs,
  type ListVersions,
  type ListWorkflows,
  type OneNode,
  type OneVersion,
  type Page,
  type PublishWorkflow,
  type ResetWorkflow,
  type StepError,
  type UpdateWorkflow,
  type Version,
  type Workflow,
  type WorkflowFile,
  type WorkflowNode,
  type WorkflowOutput,
  limits,
} from '@sluice/schema'
import type { Catalogue } from '../nodes/contract.ts'
import { decodeCursor, pageFrom } from '../store/cursor.ts'
import type { Database, Tx } from '../store/index.ts'
import { countVersions, findDraft, listVersions, readSample, readVersion, type DraftRow, type WorkflowRow } from '../store/rows/workflows.ts'
import { tooLarge } from '../store/views/listed.ts'
import { versionView, workflowList, workflowView } from '../store/views/workflows.ts'
import { bringAlong, type BuiltIn } from './built-in.ts'
import { createCarrying } from './carry.ts'
import { createChanging, type Fits, type TriedNode } from './change.ts'
import { type Author, missing, resolve, type WorkflowActor } from './find.ts'
import { outputsOf } from './outputs.ts'
import { createPublishing, type Startable } from './publish.ts'
import { publishWritten, type PublishedWritten, type WrittenDefinition } from './written.ts'

export type { WorkflowActor } from './find.ts'
export type { Fits } from './change.ts'
export type { Startable } from './publish.ts'

/**
 * Workflows, their drafts and versions. Every function answers when its effect is committed, and throws a Fault for what
 * the caller can act on; those that take a transaction first write there, and commit with it.
 */
export interface Workflows {
  list(actor: WorkflowActor, input: ListWorkflows): Promise<Page<ListedWorkflow>>
  get(actor: WorkflowActor, input: GetWorkflow): Promise<Workflow>
  create(actor: Author, input: CreateWorkflow): Promise<Workflow>
  update(actor: WorkflowActor, input: UpdateWorkflow): Promise<Workflow>
  reset(actor: WorkflowActor, input: ResetWorkflow): Promise<Workflow>
  duplicate(actor: Author, input: DuplicateWorkflow): Promise<Workflow>
  edit(actor: WorkflowActor, input: EditWorkflow): Promise<EditedWorkflow>
  /** The draft and the newest versions, as a file. */
  export(actor: WorkflowActor, input: ExportWorkflow): Promise<WorkflowFile>
  /** A new workflow with the draft and the versions of a file. */
  import(actor: Author, input: ImportWorkflow): Promise<Workflow>
  /** The version of the draft as it is: an earlier one when the draft has its hash. `expectHash` is the hash the caller means to publish. */
  publish(actor: WorkflowActor, input: PublishWorkflow & { expectHash?: string }): Promise<Version>
  /** What servers load from modules, at their start. */
  publishWritten(tx: Tx, actor: WorkflowActor, written: readonly WrittenDefinition[]): Promise<PublishedWritten[]>
  /** The id of the workflow that stands for a mode in the workspace; made, or brought up to date, where it has to be. */
  bringAlong(tx: Tx, actor: WorkflowActor, built: BuiltIn): Promise<string>
  versions(actor: WorkflowActor, input: ListVersions): Promise<Page<Version>>
  version(actor: WorkflowActor, input: OneVersion): Promise<Version>
  outputs(actor: WorkflowActor, input: ListOutputs): Promise<WorkflowOutput[]>
  node(actor: WorkflowActor, input: OneNode): Promise<WorkflowNode>
  resolve(tx: Tx, actor: WorkflowActor, ref: string): Promise<WorkflowRow>
  /** The version to pin a run to: the one asked for, else the draft's, published when its hash is new. */
  publishForStart(tx: Tx, actor: WorkflowActor, ref: string, version?: number, expectHash?: string): Promise<Startable>
  keepTrial(tx: Tx, actor: WorkflowActor, trial: TriedNode): Promise<void>
  hide(tx: Tx, actor: WorkflowActor, ref: string): Promise<{ id: string }>
}

export interface WorkflowsParts {
  database: Database
  catalogue: Catalogue
  /** What the dialects that cannot say every draft can say. */
  fits?: Fits
}

export function createWorkflows({ database, catalogue, fits = {} }: WorkflowsParts): Workflows {
  const change = createChanging(fits)
  const publishing = createPublishing(catalogue)
  const carry = createCarrying(change, publishing)
  const inTransaction =
    <A, I, O>(work: (tx: Tx, actor: A, input: I) => Promise<O>) =>
    (actor: A, input: I): Promise<O> =>
      database.transaction((tx) => work(tx, actor, input))
  const draftOf = async (actor: WorkflowActor, ref: string): Promise<DraftRow> => (await findDraft(database, actor.workspaceId, ref)) ?? missing(ref)

  return {
    async list({ workspaceId }, input) {
      const { sayableIn } = input
      if (sayableIn !== undefined && !Object.hasOwn(fits, sayableIn)) throw unknownDialect(Object.keys(fits))
      return workflowList(database, workspaceId, input)
    },
    get: inTransaction(async (tx, actor, { workflow, include = [] }: GetWorkflow) =>
      workflowView(tx, (await resolve(tx, actor, workflow)).id, include.includes('samples') ? { samplesOf: 'all' } : {}),
    ),
    create: inTransaction(change.create),
    update: inTransaction(change.update),
    reset: inTransaction(change.reset),
    duplicate: inTransaction(change.duplicate),
    edit: inTransaction(change.edit),
    export: inTransaction(carry.export),
    import: inTransaction(carry.import),
    publish: inTransaction(async (tx, actor, input: PublishWorkflow & { expectHash?: string }) => versionView(await publishing.publish(tx, actor, input))),
    publishWritten: (tx, actor, written) => publishWritten(tx, { publishing, fits }, actor, written),
    bringAlong: (tx, actor, built) => bringAlong(tx, fits, actor, built),
    async versions(actor, { workflow, cursor, offset = 0, limit, count }) {
      if (cursor !== undefined && offset > 0) throw new Fault('input_invalid', { issues: [{ path: ['offset'], message: 'a cursor and an offset exclude each other' }] })
      const { id } = await resolve(database, actor, workflow)
      const below = cursor === undefined ? null : Number(decodeCursor(cursor, /^\d{1,9}$/))
      const listed = await listVersions(database, id, { below, offset, limit: limit + 1, most: limits.answerBytes })
      const found = listed.map(({ definition, bytes, ...row }) => (definition ? { ...row, definition } : refuseSize(bytes)))
      return { ...pageFrom(found, limit, ({ number }) => number, versionView), ...(count && { total: await countVersions(database, id) }) }
    },
    async version(actor, { workflow, version }) {
      const { id } = await resolve(database, actor, workflow)
      const row = await readVersion(database, id, version)
      if (!row) throw new Fault('version_missing', { details: { workflow: id, version } })
      return versionView(row)
    },
    outputs: async (actor, { workflow, of }) => outputsOf((await draftOf(actor, workflow)).draft, catalogue, of),
    async node(actor, { workflow, nodeId }) {
      const { id, draft } = await draftOf(actor, workflow)
      const node = draft.nodes.find((each) => each.id === nodeId)
      if (!node) throw new Fault('node_missing', { details: { workflow: id, nodeId } })
      const sample = await readSample(database, id, nodeId)
      return { node, sample: sample ? { input: sample.input, output: sample.output, error: sample.error as StepError | null, updated: sample.updated_at.toISOString() } : null }
    },
    resolve,
    publishForStart: publishing.forStart,
    keepTrial: change.keepTrial,
    hide: change.hide,
  }
}

const unknownDialect = (known: readonly string[]): Fault =>
  new Fault('input_invalid', {
    issues: [{ path: ['sayableIn'], message: `expected ${known.length > 0 ? known.join(' or ') : 'nothing: every dialect here can say every draft'}` }],
  })

const refuseSize = (bytes: number): never => {
  throw tooLarge(bytes)
}
