import { Fault, type Definition, type FiledVersion, type Issue, type PublishWorkflow } from '@sluice/schema'
import { Recent } from '../expressions/index.ts'
import type { Catalogue } from '../nodes/contract.ts'
import type { Tx } from '../store/index.ts'
import {
  findDraft,
  insertVersion,
  lockDraft,
  pinWorkflow,
  markPublished,
  readVersion,
  versionByHash,
  type DraftRow,
  type VersionRow,
  type WorkflowRow,
} from '../store/rows/workflows.ts'
import { hashOf } from './canonical.ts'
import { locked, missing, type WorkflowActor } from './find.ts'
import { tell } from './tell.ts'
import { validate } from './validate.ts'

/** What a run is pinned to. */
export interface Startable {
  workflow: WorkflowRow
  version: number
  hash: string
  definition: Definition
}

export interface Publishing {
  publish(tx: Tx, actor: WorkflowActor, input: PublishWorkflow & { expectHash?: string }): Promise<VersionRow>
  /** The versions that a workflow, new in this transaction, had elsewhere: the oldest first, with numbers and hashes of their own. */
  restore(tx: Tx, actor: WorkflowActor, id: string, versions: readonly FiledVersion[]): Promise<void>
  forStart(tx: Tx, actor: WorkflowActor, ref: string, version?: number, expectHash?: string): Promise<Startable>
}

export function createPublishing(catalogue: Catalogue): Publishing {
  // A start reads no draft as long as the draft is the one it knows: hashes of drafts by id and revision, definitions by
  // hash. Only what is committed is remembered.
  const draftHashes = new Recent<string>(10_000)
  const definitions = new Recent<Definition>(500)

  const issuesOf = (definition: Definition): Issue[] =>
    validate(definition, catalogue).map(({ nodeId, field, message }) => ({ ...(nodeId !== null && { nodeId }), ...(field !== null && { field }), message }))

  async function publishDraft(tx: Tx, actor: WorkflowActor, row: DraftRow, expectHash: string | undefined): Promise<VersionRow> {
    const hash = hashOf(row.draft)
    expect(hash, expectHash)
    const existing = await versionByHash(tx, row.id, hash)
    if (existing) return existing
    refuse(issuesOf(row.draft))
    const number = (row.version ?? 0) + 1
    const version = await insertVersion(tx, { workflow_id: row.id, number, hash, name: row.name, description: row.description, definition: row.draft })
    await markPublished(tx, row.id, number, hash)
    await tell(tx, actor.workspaceId, { id: row.id, seq: row.seq + 1 }, 'updated')
    return version
  }

  /** The hash of the draft, without reading the draft if it is known. */
  async function draftHash(tx: Tx, actor: WorkflowActor, row: WorkflowRow): Promise<string> {
    const key = `${row.id}/${row.revision}`
    const known = row.fresh ? undefined : draftHashes.get(key)
    if (known) return known
    const read = (await findDraft(tx, actor.workspaceId, row.id)) ?? missing(row.id)
    const hash = hashOf(read.draft)
    return read.fresh ? hash : draftHashes.of(`${read.id}/${read.revision}`, () => hash)
  }

  async function definitionOf(tx: Tx, workflowId: string, number: number, hash: string): Promise<Definition> {
    const kept = definitions.get(hash)
    if (kept) return kept
    const version = await readVersion(tx, workflowId, number)
    if (!version) throw new Fault('version_missing', { details: { workflow: workflowId, version: number } })
    return definitions.of(hash, () => version.definition)
  }

  return {
    async publish(tx, actor, { workflow, revision, expectHash }) {
      return publishDraft(tx, actor, await locked(tx, actor, workflow, revision), expectHash)
    },
    async restore(tx, { workspaceId }, id, versions) {
      refuse(versions.flatMap(({ definition }, at) => issuesOf(definition).map((issue) => ({ ...issue, path: ['versions', at, 'definition'] }))))
      for (const version of versions) await insertVersion(tx, { workflow_id: id, ...version })
      const newest = versions.at(-1)
      if (!newest) return
      await markPublished(tx, id, newest.number, newest.hash)
      await tell(tx, workspaceId, { id, seq: 2 }, 'updated')
    },
    async forStart(tx, actor, ref, number, expectHash) {
      const row = (await pinWorkflow(tx, actor.workspaceId, ref)) ?? missing(ref)
      if (number !== undefined) {
        const version = await readVersion(tx, row.id, number)
        if (!version) throw new Fault('version_missing', { details: { workflow: row.id, version: number } })
        expect(version.hash, expectHash)
        return startable(row, version)
      }
      const hash = await draftHash(tx, actor, row)
      if (row.version !== null && row.hash === hash) {
        expect(hash, expectHash)
        return { workflow: row, version: row.version, hash, definition: await definitionOf(tx, row.id, row.version, hash) }
      }
      // Of two starts that find a new draft at once, the second waits here and finds it published.
      const draft = (await lockDraft(tx, actor.workspaceId, row.id)) ?? missing(ref)
      return startable(draft, await publishDraft(tx, actor, draft, expectHash))
    },
  }
}

function refuse(issues: Issue[]): void {
  if (issues.length > 0) throw new Fault('definition_invalid', { issues })
}

const startable = (workflow: WorkflowRow, { number, hash, definition }: VersionRow): Startable => ({ workflow, version: number, hash, definition })

function expect(hash: string, expected: string | undefined): void {
  if (expected !== undefined && expected !== hash) throw new Fault('hash_mismatch', { details: { hash } })
}
