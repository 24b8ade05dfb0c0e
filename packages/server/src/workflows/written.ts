import { CreateWorkflow, type Definition, Fault, type Issue } from '@sluice/schema'
import { newId } from '../store/ids.ts'
import type { Tx } from '../store/index.ts'
import { StartRefused } from '../store/refused.ts'
import { dropNodes, insertWorkflow, lockDraftOf, lockWritten, updateWorkflow, type DraftRow } from '../store/rows/workflows.ts'
import { hashOf } from './canonical.ts'
import { type Fits, goneFrom, unfitOf } from './change.ts'
import type { WorkflowActor } from './find.ts'
import { formIssues } from './form.ts'
import type { Publishing } from './publish.ts'
import { tell } from './tell.ts'

/** A workflow as its module says it. */
export interface WrittenDefinition {
  handle: string
  name: string
  description: string
  definition: Definition
  /** The module, for who starts the server. */
  file: string
}

/** What became of one. */
export interface PublishedWritten {
  handle: string
  id: string
  version: number
  was: 'created' | 'changed' | 'unchanged'
}

/**
 * Brings what is written in code into the workspace, all or nothing: workflows are made, or their drafts reset, and published
 * where their definition is new. Servers that start at once do so one after another; what is as it was is not written. What was
 * published and is written no more stays. Throws StartRefused for a definition that is not valid, and for a handle that a
 * workflow has which was drawn.
 */
export async function publishWritten(
  tx: Tx,
  parts: { publishing: Publishing; fits: Fits },
  actor: WorkflowActor,
  written: readonly WrittenDefinition[],
): Promise<PublishedWritten[]> {
  await lockWritten(tx)
  const published: PublishedWritten[] = []
  for (const each of written) published.push(await publishOne(tx, parts, actor, each))
  return published
}

async function publishOne(tx: Tx, { publishing, fits }: { publishing: Publishing; fits: Fits }, actor: WorkflowActor, written: WrittenDefinition): Promise<PublishedWritten> {
  const { file } = written
  const { name, handle, description = '', definition: draft } = said(written)
  const unfit = unfitOf(fits)(draft)
  const row = await lockDraftOf(tx, actor.workspaceId, handle)
  if (row?.origin === 'drawn')
    throw new StartRefused(`${file}: there is a workflow of the handle ${handle} that was drawn. Give one of the two another name, or delete the one that was drawn.`)
  const change = row && (await reset(tx, actor, row, { name, description, draft, unfit }))
  const id = row?.id ?? (await insert(tx, actor, { handle, name, description, draft, unfit }))
  if (id === null) return publishOne(tx, { publishing, fits }, actor, written)
  const { number, fresh } = await publishing.publish(tx, actor, { workflow: id }).catch((error: unknown) => refuseWritten(file, handle, error))
  return { handle, id, version: number, was: row ? (change || fresh ? 'changed' : 'unchanged') : 'created' }
}

interface Said {
  name: string
  description: string
  draft: Definition
  unfit: readonly string[]
}

/** Null: somebody has taken the handle, or the id, since it was looked for. */
async function insert(tx: Tx, { workspaceId }: WorkflowActor, said: Said & { handle: string }): Promise<string | null> {
  const id = newId()
  if (!(await insertWorkflow(tx, { id, workspaceId, origin: 'code', extra: {}, ...said }))) return null
  await tell(tx, workspaceId, { id, seq: 1 }, 'created')
  return id
}

/** Whether it was something else before. */
async function reset(tx: Tx, { workspaceId }: WorkflowActor, row: DraftRow, { name, description, draft, unfit }: Said): Promise<boolean> {
  const redrawn = hashOf(row.draft) !== hashOf(draft)
  if (!redrawn && row.name === name && row.description === description) return false
  const { id, handle, extra } = row
  await updateWorkflow(tx, { id, name, handle, description, extra, draft: redrawn ? draft : null, unfit })
  await dropNodes(tx, id, goneFrom(row.draft, draft))
  await tell(tx, workspaceId, { id, seq: row.seq + 1 }, 'updated')
  return true
}

/** As it would have come from a caller, and gone through JSON. */
function said({ handle, name, description, definition, file }: WrittenDefinition): CreateWorkflow & { handle: string; definition: Definition } {
  const read = CreateWorkflow.safeParse(JSON.parse(JSON.stringify({ handle, name, description, definition })))
  if (!read.success)
    throw new StartRefused(`${file}: the workflow ${handle} is not valid: ${read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')}`)
  const issues = formIssues(definition)
  if (issues.length > 0) throw invalid(file, handle, issues)
  return { ...read.data, handle, definition: read.data.definition ?? definition }
}

/** What a caller could act on is for who wrote it to act on. */
export function refuseWritten(file: string, handle: string, error: unknown): never {
  if (!(error instanceof Fault)) throw error
  throw error.issues.length > 0 ? invalid(file, handle, error.issues) : new StartRefused(`${file}: the workflow ${handle} cannot be published: ${error.message}`, { cause: error })
}

const invalid = (file: string, handle: string, issues: readonly Issue[]): StartRefused =>
  new StartRefused(`${file}: the workflow ${handle} is not valid: ${issues.map(told).join('; ')}`)

const told = ({ nodeId, field, path, message }: Issue): string => [nodeId !== undefined && `step ${nodeId}`, field ?? path?.join('.'), message].filter((part) => part).join(', ')
