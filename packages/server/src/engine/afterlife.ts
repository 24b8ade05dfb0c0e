import type { StepError } from '@sluice/schema'
import type { Doorbell } from '../events/doorbell.ts'
import type { Database } from '../store/database.ts'
import { lanePeers, liveDescendants, lockLane } from '../store/rows/runs.ts'
import type { Door } from './door.ts'
import type { Happening } from './happening.ts'
import { patiently } from './patience.ts'
import { nothing } from './payload.ts'
import type { Job, Queue } from './queue.ts'
import type { RunHead, RunState } from './state.ts'

/** What follows from the end of a run for others: its parent, its children, and who comes next in its lane. */
export interface Afterlife {
  /** Of a new run, which is yet to be stored: in its lane nobody can wait for it yet. */
  isNeeded(state: RunState, isNew: boolean): boolean
  /** Repeatable: the job is completed last, so that after a crash all of it is done again. Gives up an outage when `goOn` says so. */
  settle(state: RunState, job: Job, goOn: () => boolean): Promise<void>
}

export function createAfterlife(parts: { database: Database; queue: Queue; doorbell: Doorbell; door: Door; startsChildren(type: string): boolean }): Afterlife {
  const { database, queue, doorbell, door } = parts
  const hasChildren = (state: RunState): boolean => [...state.graph.nodes.values()].some((node) => parts.startsChildren(node.type))

  async function wakeNext(run: RunHead): Promise<void> {
    await database.transaction(async (tx) => {
      await lockLane(tx, run.workspaceId, run.lane!)
      const peers = await lanePeers(tx, run.workspaceId, run.lane!)
      const next = peers.some((peer) => peer.holds) ? undefined : peers.find((peer) => !peer.held)
      if (next) await queue.insert(tx, [next.id])
    })
    doorbell.ring({ jobs: true })
  }

  async function settleOnce(state: RunState, job: Job): Promise<void> {
    const { run } = state
    if (hasChildren(state)) for (const child of await liveDescendants(database, run.id)) await door.pass(child.id, null, () => [{ is: 'cancelled', undo: false }])
    if (run.parentRunId) await door.pass(run.parentRunId, null, () => [childEnded(run)])
    if (run.lane) await wakeNext(run)
    await queue.complete(database, [job])
  }

  return {
    isNeeded: (state, isNew) => state.run.parentRunId !== null || (state.run.lane !== null && !isNew) || hasChildren(state),
    settle: (state, job, goOn) => patiently(() => settleOnce(state, job), goOn),
  }
}

function childEnded(run: RunHead): Happening {
  const [nodeId, iteration, generation] = run.parentStep!.split('\n') as [string, string, string]
  const failures = Number(generation)
  if (run.status === 'completed') return { is: 'childEnded', nodeId, iteration, runId: run.id, failures, outcome: { completed: run.output ?? nothing } }
  const error: StepError = {
    code: run.status === 'cancelled' ? 'child_cancelled' : 'child_failed',
    message: run.reason?.message ?? `The child run ended ${run.status}`,
    details: { runId: run.id, reason: run.reason?.code ?? null },
  }
  return { is: 'childEnded', nodeId, iteration, runId: run.id, failures, outcome: { failed: error } }
}
