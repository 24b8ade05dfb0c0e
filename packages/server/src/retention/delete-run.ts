import { Fault } from '@sluice/schema'
import type { Database } from '../store/database.ts'
import { deleteLeftEvents, deleteRuns, lockRunToDelete } from '../store/rows/retention.ts'

export interface RunDeletion {
  /**
   * An ended run goes at once, with all that descends from it, their steps, pauses, signals and events. Streams of the
   * workspace are not told: what is in the log of a run is over with its end. Throws `run_missing`; `run_live` while it or a
   * descendant has not ended; `run_is_child`, because a parent's history names its children.
   */
  deleteRun(actor: { workspaceId: string }, input: { id: string }): Promise<void>
}

const batch = 1_000

export function createRunDeletion({ database }: { database: Database }): RunDeletion {
  /** `whole` is false when a part of a large tree has gone, and the run itself is still there. */
  async function deleteSome(workspaceId: string, id: string): Promise<{ all: string[]; whole: boolean }> {
    return database.transaction(async (tx) => {
      const run = await lockRunToDelete(tx, id)
      if (run?.workspace_id !== workspaceId) throw new Fault('run_missing')
      if (run.parent_run_id !== null) throw new Fault('run_is_child', { message: 'The run goes with the run that started it', details: { parentRunId: run.parent_run_id } })
      if (!run.ended) throw new Fault('run_live', { message: 'The run has not ended; cancel it first' })
      const { gone, needed, all } = await deleteRuns(tx, [id], batch)
      if (needed.length > 0) throw new Fault('run_live', { message: 'A run that it started has not ended' })
      return { all, whole: gone.length > 0 }
    })
  }

  return {
    async deleteRun({ workspaceId }, { id }) {
      for (let whole = false; !whole;) {
        const piece = await deleteSome(workspaceId, id)
        // Of these alone: what others left is the sweeper's. What is left of them, should this server stop here, is swept, too.
        while ((await database.transaction((tx) => deleteLeftEvents(tx, piece.all, batch))) === batch);
        whole = piece.whole
      }
    },
  }
}
