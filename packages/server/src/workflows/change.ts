import { Fault, limits, type CreateWorkflow, type Definition, type DuplicateWorkflow, type EditWorkflow, type JsonObject, type UpdateWorkflow, type Workflow } from '@sluice/schema'
import { sqlState } from '../store/database.ts'
import { fingerprintOf } from '../store/fingerprint.ts'
import { newId } from '../store/ids.ts'
import type { Tx } from '../store/index.ts'
import { onceUnder } from '../store/rows/idempotency.ts'
import { findDraft, handlesLike, handleTaken, hideWorkflow, insertWorkflow, lockWhole, namesLike, saveSample, updateWorkflow, type DraftRow } from '../store/rows/workflows.ts'
import { workflowView } from '../store/views/workflows.ts'
import { applyEdits } from './edit.ts'
import { type Author, locked, missing, resolve, type WorkflowActor } from './find.ts'
import { bytesOf, extraTooLarge, formIssues } from './form.ts'
import { freeHandle, freeName, slug } from './naming.ts'
import { tell } from './tell.ts'

/** What changes a workflow or its draft, in the caller's transaction and under the row lock, with the event that tells of it. */

const uniqueViolation = '23505'
const empty: Definition = { kind: 'workflow', nodes: [], links: [] }

export async function create(tx: Tx, actor: Author, { idempotencyKey, ...input }: CreateWorkflow): Promise<Workflow> {
  return made({ tx, actor, verb: 'create', key: idempotencyKey }, input, () => draw(tx, actor, input))
}

async function made({ tx, actor, verb, key }: { tx: Tx; actor: Author; verb: string; key: string | undefined }, request: object, make: () => Promise<string>): Promise<Workflow> {
  const asked = key === undefined ? null : { workspaceId: actor.workspaceId, actor: actor.principalId, key: `${verb}:${key}`, fingerprint: fingerprintOf(request) }
  const { id } = await resolve(tx, actor, await onceUnder(tx, asked, make))
  return workflowView(tx, id)
}

async function draw(tx: Tx, actor: WorkflowActor, input: Omit<CreateWorkflow, 'idempotencyKey'>): Promise<string> {
  const { description = '', definition: draft = empty, extra = {} } = input
  refuseForm(draft, extra)
  const name = input.ifNameTaken === 'suffix' ? freeName(input.name, await namesLike(tx, actor.workspaceId, input.name.slice(0, 190))) : input.name
  const id = await insertUnderHandle(tx, actor, input.handle, { name, description, draft, extra })
  await tell(tx, actor.workspaceId, { id, seq: 1 }, 'created')
  return id
}

/** A handle asked for is given or refused; one made of the name gets a number when it is taken. */
async function insertUnderHandle(
  tx: Tx,
  { workspaceId }: WorkflowActor,
  asked: string | undefined,
  row: { name: string; description: string; draft: Definition; extra: JsonObject },
): Promise<string> {
  const base = asked ?? slug(row.name)
  // Another transaction may take the handle, or the id, between the look and the insert.
  for (let tries = 0; tries < 20; tries++) {
    const id = newId()
    if (asked !== undefined && (await handleTaken(tx, workspaceId, asked, id))) break
    const handle = asked ?? freeHandle(base, await handlesLike(tx, workspaceId, base))
    if (await insertWorkflow(tx, { id, workspaceId, handle, ...row })) return id
  }
  throw new Fault('handle_taken', { details: { handle: base } })
}

export async function update(tx: Tx, actor: WorkflowActor, { workflow, revision, definition, ...given }: UpdateWorkflow): Promise<Workflow> {
  const row = await locked(tx, actor, workflow, revision)
  const { name = row.name, handle = row.handle, description = row.description, extra = row.extra } = given
  refuseForm(definition ?? null, extra)
  if (handle !== row.handle) await refuseTaken(tx, actor, handle, row.id)
  await updateWorkflow(tx, { id: row.id, name, handle, description, extra, draft: definition ?? null }).catch((error: unknown) => {
    // Taken after the look.
    if (sqlState(error) === uniqueViolation) throw new Fault('handle_taken', { details: { handle }, cause: error })
    throw error
  })
  return changed(tx, actor, row)
}

export async function duplicate(tx: Tx, actor: Author, { idempotencyKey, ...input }: DuplicateWorkflow): Promise<Workflow> {
  return made({ tx, actor, verb: 'duplicate', key: idempotencyKey }, input, async () => {
    const { workflow, name, handle } = input
    const source = (await findDraft(tx, actor.workspaceId, workflow)) ?? missing(workflow)
    const { description, draft: definition, extra } = source
    return draw(tx, actor, { name: name ?? source.name, ...(handle && { handle }), description, definition, extra, ifNameTaken: 'suffix' })
  })
}

export async function edit(tx: Tx, actor: WorkflowActor, { workflow, operations, revision }: EditWorkflow): Promise<Workflow> {
  const row = await locked(tx, actor, workflow, revision)
  await replaceDraft(tx, row, applyEdits(row.draft, operations))
  return changed(tx, actor, row)
}

/** What a trial asked to keep: the config it tried, and what went in and came out. Says nothing when the node is gone. */
export async function keepTrial(
  tx: Tx,
  actor: WorkflowActor,
  { workflow, nodeId, config, sample }: { workflow: string; nodeId: string; config?: JsonObject; sample: Parameters<typeof saveSample>[3] },
): Promise<void> {
  const row = await locked(tx, actor, workflow)
  if (!row.draft.nodes.some(({ id }) => id === nodeId)) return
  await saveSample(tx, row.id, nodeId, sample)
  if (!config) return
  await replaceDraft(tx, row, applyEdits(row.draft, [{ op: 'setConfig', nodeId, config }]))
  await tell(tx, actor.workspaceId, { id: row.id, seq: row.seq + 1 }, 'updated')
}

/** Hides the workflow and frees its handle. Its runs are the engine's to end, in the same transaction. */
export async function hide(tx: Tx, actor: WorkflowActor, workflow: string): Promise<{ id: string }> {
  const { id, seq } = (await lockWhole(tx, actor.workspaceId, workflow)) ?? missing(workflow)
  await hideWorkflow(tx, id)
  await tell(tx, actor.workspaceId, { id, seq: seq + 1 }, 'deleted')
  return { id }
}

const replaceDraft = (tx: Tx, { id, name, handle, description, extra }: DraftRow, draft: Definition): Promise<void> =>
  updateWorkflow(tx, { id, name, handle, description, extra, draft })

async function changed(tx: Tx, actor: WorkflowActor, { id, seq }: DraftRow): Promise<Workflow> {
  await tell(tx, actor.workspaceId, { id, seq: seq + 1 }, 'updated')
  return workflowView(tx, id)
}

async function refuseTaken(tx: Tx, { workspaceId }: WorkflowActor, handle: string, id: string): Promise<void> {
  if (await handleTaken(tx, workspaceId, handle, id)) throw new Fault('handle_taken', { details: { handle } })
}

function refuseForm(draft: Definition | null, extra: JsonObject): void {
  const issues = (draft ? formIssues(draft) : []).map((issue) => ({ ...issue, path: ['definition', ...(issue.path ?? [])] }))
  if (bytesOf(extra) > limits.extraBytes) issues.push({ path: ['extra'], message: extraTooLarge })
  if (issues.length > 0) throw new Fault('input_invalid', { issues })
}
