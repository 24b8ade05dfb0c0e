import {
  Fault,
  limits,
  type CreateWorkflow,
  type Definition,
  type DuplicateWorkflow,
  type EditedWorkflow,
  type EditWorkflow,
  type Issue,
  type JsonObject,
  type ResetWorkflow,
  type UpdateWorkflow,
  type Workflow,
} from '@sluice/schema'
import { sqlState } from '../store/database.ts'
import { fingerprintOf } from '../store/fingerprint.ts'
import { newId } from '../store/ids.ts'
import type { Tx } from '../store/index.ts'
import { shareUses } from '../store/rows/files.ts'
import { copyNodeFiles } from '../store/rows/node-files.ts'
import { onceUnder } from '../store/rows/idempotency.ts'
import {
  changeSamples,
  dropNodes,
  handlesLike,
  handleTaken,
  hideWorkflow,
  insertWorkflow,
  lockDraft,
  lockWhole,
  namesLike,
  updateWorkflow,
  type DraftRow,
  type NewWorkflow,
} from '../store/rows/workflows.ts'
import { type ViewedWith, workflowView } from '../store/views/workflows.ts'
import { applyEdits, type SampleChange } from './edit.ts'
import { type Author, locked, missing, refuseWritten, resolve, type WorkflowActor } from './find.ts'
import { bytesOf, extraTooLarge, formIssues } from './form.ts'
import { keepAbsent, mergedExtra, mergedKeys } from './keep.ts'
import { freeHandle, freeName, nameWith, numberable, slug } from './naming.ts'
import { tell } from './tell.ts'

/** What changes a workflow or its draft, in the caller's transaction and under the row lock, with the event that tells of it. */
export interface Changing {
  /** A new workflow with this draft; its id. */
  draw(tx: Tx, actor: WorkflowActor, drawing: Drawing): Promise<string>
  create(tx: Tx, actor: Author, input: CreateWorkflow): Promise<Workflow>
  update(tx: Tx, actor: WorkflowActor, input: UpdateWorkflow): Promise<Workflow>
  reset(tx: Tx, actor: WorkflowActor, input: ResetWorkflow): Promise<Workflow>
  duplicate(tx: Tx, actor: Author, input: DuplicateWorkflow): Promise<Workflow>
  edit(tx: Tx, actor: WorkflowActor, input: EditWorkflow): Promise<EditedWorkflow>
  keepTrial(tx: Tx, actor: WorkflowActor, trial: TriedNode): Promise<void>
  hide(tx: Tx, actor: WorkflowActor, workflow: string): Promise<{ id: string }>
}

/** `handle` is given or refused; `likeHandle` gets a number when it is taken. */
export interface Drawing extends Omit<CreateWorkflow, 'idempotencyKey'> {
  likeHandle?: string
}

/** What a trial asked to keep: the config it tried, and what went in and came out. */
export interface TriedNode {
  workflow: string
  nodeId: string
  config?: JsonObject
  /** What is absent of it stays. */
  sample: SampleChange
}

/** By the name of a dialect: whether its wire can say a definition. */
export type Fits = Readonly<Record<string, (definition: Definition) => boolean>>

const uniqueViolation = '23505'
const empty: Definition = { kind: 'workflow', nodes: [], links: [] }

/** The dialects that cannot say a draft. */
export function unfitOf(fits: Fits): (draft: Definition) => string[] {
  const dialects = Object.entries(fits)
  return (draft) => dialects.filter(([, says]) => !says(draft)).map(([dialect]) => dialect)
}

export function createChanging(fits: Fits): Changing {
  const unfitFor = unfitOf(fits)

  async function draw(tx: Tx, actor: WorkflowActor, input: Drawing): Promise<string> {
    const { description = '', definition: draft = empty, extra = {} } = input
    refuse([...issuesOf(draft, ['definition']), ...issuesOfExtra(extra)])
    const name = input.ifNameTaken === 'suffix' ? freeName(input.name, await namesLike(tx, actor.workspaceId, numberable(input.name))) : input.name
    const id = await insertUnderHandle(tx, actor, input, { name, description, origin: 'drawn', draft, extra, unfit: unfitFor(draft) })
    await tell(tx, actor.workspaceId, { id, seq: 1 }, 'created')
    return id
  }

  const replaceDraft = (tx: Tx, { id, name, handle, description, extra }: DraftRow, draft: Definition | null): Promise<void> =>
    updateWorkflow(tx, { id, name, handle, description, extra, draft, unfit: draft ? unfitFor(draft) : [] })

  return {
    draw,

    create: async (tx, actor, { idempotencyKey, ...input }) => made({ tx, actor, verb: 'create', key: idempotencyKey }, input, () => draw(tx, actor, input)),

    async update(tx, actor, { workflow, revision, ...given }) {
      const row = await locked(tx, actor, workflow, revision)
      const { absent: _how, ...what } = given
      // What says nothing changes nothing, not even when it was changed last.
      if (Object.values(what).every((value) => value === undefined)) return workflowView(tx, row.id)
      const { extra: _extra, ...written } = what
      if (Object.values(written).some((value) => value !== undefined)) refuseWritten(row)
      const { name = row.name, handle = row.handle, description = row.description } = given
      const draft = draftFrom(row, given)
      const extra = extraFrom(row, given)
      refuse([...(draft ? issuesOf(draft, ['definition']) : []), ...issuesOfExtra(extra)])
      if (handle !== row.handle) await refuseTaken(tx, actor, handle, row.id)
      await updateWorkflow(tx, { id: row.id, name, handle, description, extra, draft, unfit: draft ? unfitFor(draft) : [] }).catch((error: unknown) => {
        // Taken after the look.
        if (sqlState(error) === uniqueViolation) throw new Fault('handle_taken', { details: { handle }, cause: error })
        throw error
      })
      if (draft) await dropNodes(tx, row.id, goneFrom(row.draft, draft))
      return changed(tx, actor, row)
    },

    async reset(tx, actor, { workflow, drafts = {}, revision }) {
      const row = await locked(tx, actor, workflow, revision)
      refuseWritten(row)
      const { kind } = row.draft
      refuse(Object.entries(drafts).flatMap(([of, draft]) => (draft ? issuesOf(draft, ['drafts', of]) : [])))
      const draft = { ...empty, ...drafts[kind], kind: drafts[kind]?.kind ?? kind }
      await replaceDraft(tx, row, draft)
      await dropNodes(tx, row.id, goneFrom(row.draft, draft))
      return changed(tx, actor, row)
    },

    duplicate: async (tx, actor, { idempotencyKey, ...input }) =>
      made({ tx, actor, verb: 'duplicate', key: idempotencyKey }, input, async () => {
        const { workflow, suffix = '', handle } = input
        // Under its lock: who deletes it, or a file of one of its nodes, waits, and then finds that the copy uses the files too.
        const source = (await lockDraft(tx, actor.workspaceId, workflow)) ?? missing(workflow)
        const { id, description, draft: definition, extra } = source
        const copy = await draw(tx, actor, { name: nameWith(input.name ?? source.name, suffix), ...(handle && { handle }), description, definition, extra, ifNameTaken: 'suffix' })
        await shareUses(tx, 'workflow', id, copy)
        await copyNodeFiles(tx, id, copy, newId)
        return copy
      }),

    async edit(tx, actor, { workflow, operations, revision, include = [] }) {
      const row = await locked(tx, actor, workflow, revision)
      const { definition, drawn, samples, named, gone } = applyEdits(row.draft, operations, newId)
      // A sample is no part of the draft: who writes nothing else makes no other one of it.
      const draft = operations.every(({ op }) => op === 'setSample') ? null : definition
      if (draft) refuseWritten(row)
      await replaceDraft(tx, row, draft)
      await dropNodes(tx, row.id, [...gone])
      await changeSamples(tx, row.id, samples)
      const view = await changed(tx, actor, row, include.includes('samples') ? { samplesOf: [...named] } : {})
      return { ...view, drawn }
    },

    /** Says nothing when the node is gone. */
    async keepTrial(tx, actor, { workflow, nodeId, config, sample }) {
      const row = await locked(tx, actor, workflow)
      if (config) refuseWritten(row)
      if (!row.draft.nodes.some(({ id }) => id === nodeId)) return
      await changeSamples(tx, row.id, new Map([[nodeId, sample]]))
      if (!config) return
      await replaceDraft(tx, row, applyEdits(row.draft, [{ op: 'setConfig', nodeId, config }], newId).definition)
      await tell(tx, actor.workspaceId, { id: row.id, seq: row.seq + 1 }, 'updated')
    },

    /** Hides the workflow and frees its handle. Its runs are the engine's to end, in the same transaction. */
    async hide(tx, actor, workflow) {
      const { id, seq } = (await lockWhole(tx, actor.workspaceId, workflow)) ?? missing(workflow)
      await hideWorkflow(tx, id)
      await tell(tx, actor.workspaceId, { id, seq: seq + 1 }, 'deleted')
      return { id }
    },
  }
}

/** Makes a workflow, once under an idempotency key. */
export async function made(
  { tx, actor, verb, key }: { tx: Tx; actor: Author; verb: string; key: string | undefined },
  request: object,
  make: () => Promise<string>,
): Promise<Workflow> {
  const asked = key === undefined ? null : { workspaceId: actor.workspaceId, actor: actor.principalId, key: `${verb}:${key}`, fingerprint: fingerprintOf(request) }
  const { id } = await resolve(tx, actor, await onceUnder(tx, asked, make))
  return workflowView(tx, id)
}

async function insertUnderHandle(
  tx: Tx,
  { workspaceId }: WorkflowActor,
  { handle: asked, likeHandle }: Pick<Drawing, 'handle' | 'likeHandle'>,
  row: Omit<NewWorkflow, 'id' | 'workspaceId' | 'handle'>,
): Promise<string> {
  const base = asked ?? likeHandle ?? slug(row.name)
  // Another transaction may take the handle, or the id, between the look and the insert.
  for (let tries = 0; tries < 20; tries++) {
    const id = newId()
    if (asked !== undefined && (await handleTaken(tx, workspaceId, asked, id))) break
    const handle = asked ?? freeHandle(base, await handlesLike(tx, workspaceId, base))
    if (await insertWorkflow(tx, { id, workspaceId, handle, ...row })) return id
  }
  throw new Fault('handle_taken', { details: { handle: base } })
}

type Given = Pick<UpdateWorkflow, 'definition' | 'extra' | 'absent'>

/** Null: it stays as it is. */
function draftFrom({ draft }: DraftRow, { definition, absent }: Given): Definition | null {
  if (!definition) return null
  if (absent === undefined || absent === 'clear') return { ...definition, kind: definition.kind ?? empty.kind }
  return keepAbsent(draft, definition, layings[absent])
}

function extraFrom({ extra }: DraftRow, { extra: given, absent }: Given): JsonObject {
  if (!given) return extra
  return absent === undefined || absent === 'clear' ? given : layings[absent](extra, given)
}

const layings = { keep: mergedKeys, merge: mergedExtra } as const

async function changed(tx: Tx, actor: WorkflowActor, { id, seq }: DraftRow, include: ViewedWith = {}): Promise<Workflow> {
  await tell(tx, actor.workspaceId, { id, seq: seq + 1 }, 'updated')
  return workflowView(tx, id, include)
}

/** The nodes that the draft has no more. */
export function goneFrom(before: Definition, after: Definition): string[] {
  const there = new Set(after.nodes.map(({ id }) => id))
  return before.nodes.flatMap(({ id }) => (there.has(id) ? [] : [id]))
}

async function refuseTaken(tx: Tx, { workspaceId }: WorkflowActor, handle: string, id: string): Promise<void> {
  if (await handleTaken(tx, workspaceId, handle, id)) throw new Fault('handle_taken', { details: { handle } })
}

export const issuesOf = (draft: Pick<Definition, 'nodes' | 'links'>, at: NonNullable<Issue['path']>): Issue[] =>
  formIssues(draft).map((issue) => ({ ...issue, path: [...at, ...(issue.path ?? [])] }))

export const issuesOfExtra = (extra: JsonObject): Issue[] => (bytesOf(extra) > limits.extraBytes ? [{ path: ['extra'], message: extraTooLarge }] : [])

export function refuse(issues: Issue[]): void {
  if (issues.length > 0) throw new Fault('input_invalid', { issues })
}
