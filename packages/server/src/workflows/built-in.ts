import type { Definition } from '@sluice/schema'
import type { Tx } from '../store/index.ts'
import { newId } from '../store/ids.ts'
import { dropNodes, findMode, handlesLike, insertWorkflow, lockDraft, lockModes, markMode, updateWorkflow } from '../store/rows/workflows.ts'
import { hashOf } from './canonical.ts'
import { type Fits, goneFrom, unfitOf } from './change.ts'
import type { WorkflowActor } from './find.ts'
import { freeHandle } from './naming.ts'
import { tell } from './tell.ts'

/** A workflow that the server brings along for a mode of conversations. */
export interface BuiltIn {
  mode: string
  /** Counts up with every change of it. */
  edition: number
  description: string
  definition: Definition
}

/**
 * The id of the workflow that stands for a mode in the workspace. One that is missing, or was deleted, is made; one of an older
 * edition that nobody has edited becomes this edition, and one that was edited stays as it is.
 */
export async function bringAlong(tx: Tx, fits: Fits, actor: WorkflowActor, built: BuiltIn): Promise<string> {
  const known = await findMode(tx, actor.workspaceId, built.mode)
  if (known && known.edition >= built.edition) return known.id
  await lockModes(tx, actor.workspaceId)
  const found = await findMode(tx, actor.workspaceId, built.mode)
  if (!found) return make(tx, fits, actor, built)
  if (found.edition < built.edition) await renew(tx, fits, actor, { ...built, id: found.id, was: found.hash })
  return found.id
}

async function make(tx: Tx, fits: Fits, actor: WorkflowActor, { mode, edition, description, definition: draft }: BuiltIn): Promise<string> {
  const { workspaceId } = actor
  const row = { workspaceId, name: mode, description, origin: 'drawn' as const, draft, extra: {}, unfit: unfitOf(fits)(draft) }
  for (;;) {
    const id = newId()
    if (!(await insertWorkflow(tx, { id, handle: freeHandle(mode, await handlesLike(tx, workspaceId, mode)), ...row }))) continue
    await markMode(tx, id, mode, { edition, hash: hashOf(draft) })
    await tell(tx, workspaceId, { id, seq: 1 }, 'created')
    return id
  }
}

async function renew(tx: Tx, fits: Fits, actor: WorkflowActor, { id, was, mode, edition, description, definition: draft }: BuiltIn & { id: string; was: string }): Promise<void> {
  const row = await lockDraft(tx, actor.workspaceId, id)
  const hash = hashOf(draft)
  if (row && hashOf(row.draft) === was && was !== hash) {
    await updateWorkflow(tx, { id, name: row.name, handle: row.handle, description, extra: row.extra, draft, unfit: unfitOf(fits)(draft) })
    await dropNodes(tx, id, goneFrom(row.draft, draft))
    await tell(tx, actor.workspaceId, { id, seq: row.seq + 1 }, 'updated')
  }
  // Looked at once, whether it was renewed or is somebody's own by now.
  await markMode(tx, id, mode, { edition, hash: row && hashOf(row.draft) === was ? hash : was })
}
