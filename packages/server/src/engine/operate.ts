import { Fault } from '@sluice/schema'
import type { Database } from '../store/database.ts'
import { liveDescendants } from '../store/rows/runs.ts'
import type { Door } from './door.ts'
import type { Actor } from './engine.ts'
import { type CoreStatus, type RunState, type StepRow, isTerminal } from './state.ts'

/** What an operator asks of a run. What then becomes of it, the machine says (`control.ts`). */
export interface Operations {
  cancel(actor: Actor, id: string, undo: boolean): Promise<void>
  stop(actor: Actor, id: string, undo: boolean): Promise<void>
  hold(actor: Actor, id: string): Promise<void>
  release(actor: Actor, id: string): Promise<void>
  /** What waits to be asked for its next attempt makes it. */
  retryAsked(actor: Actor, id: string): Promise<void>
  retryStep(actor: Actor, input: { id: string; step: string; iteration?: string }): Promise<void>
}

export function createOperations(parts: { database: Database; door: Door }): Operations {
  const { database, door } = parts

  /** A hold covers all descendants, and so does its release. */
  async function cover(id: string, is: 'held' | 'released'): Promise<void> {
    for (const child of await liveDescendants(database, id)) await door.pass(child.id, null, () => [{ is }])
  }

  return {
    async cancel(actor, id, undo) {
      await door.pass(id, actor.workspaceId, ({ run }) => {
        if (run.status === 'compensating') throw new Fault('run_compensating')
        return isEnding(run.status) ? [] : [{ is: 'cancelled', undo }]
      })
    },
    async stop(actor, id, undo) {
      await door.pass(id, actor.workspaceId, ({ run }) => (isEnding(run.status) ? [] : [{ is: 'cancelled', undo }]))
    },
    async hold(actor, id) {
      await door.pass(id, actor.workspaceId, ({ run }) => {
        if (isTerminal(run.status)) throw new Fault('run_ended')
        if (run.status === 'cancelling' || run.status === 'compensating') throw new Fault('run_not_holdable')
        return run.heldAt === null ? [{ is: 'held' }] : []
      })
      await cover(id, 'held')
    },
    async release(actor, id) {
      await door.pass(id, actor.workspaceId, ({ run }) => {
        if (isTerminal(run.status)) throw new Fault('run_ended')
        if (run.heldAt === null) throw new Fault('run_not_held')
        return [{ is: 'released' }]
      })
      await cover(id, 'released')
    },
    async retryAsked(actor, id) {
      await door.pass(id, actor.workspaceId, ({ run, steps }) => {
        const asking = isTerminal(run.status) ? [] : [...steps.values()].filter(waitsToBeAsked)
        return asking.map(({ nodeId, iteration }) => ({ is: 'retryNow', nodeId, iteration }))
      })
    },
    async retryStep(actor, input) {
      await door.pass(input.id, actor.workspaceId, (state) => {
        if (isTerminal(state.run.status)) throw new Fault('run_ended')
        const named = stepsNamed(state, input.step).filter((step) => input.iteration === undefined || step.iteration === input.iteration)
        if (named.length === 0) throw new Fault('step_missing')
        const retrying = named.filter((step) => step.state === 'retrying' || step.compensation?.state === 'retrying')
        if (retrying.length === 0) throw new Fault('step_not_retrying')
        if (retrying.length > 1) throw ambiguous(retrying)
        return [{ is: 'retryNow', nodeId: retrying[0]!.nodeId, iteration: retrying[0]!.iteration }]
      })
    },
  }
}

const waitsToBeAsked = ({ state, retryAt, compensation }: StepRow): boolean =>
  (state === 'retrying' && retryAt === null) || (compensation?.state === 'retrying' && compensation.retryAt === null)

/** Whether it has ended, or its end is decided. */
const isEnding = (status: CoreStatus): boolean => isTerminal(status) || status === 'cancelling' || status === 'compensating'

/** The steps of a node that is named by its id or by its step name. */
export function stepsNamed(state: RunState, name: string): StepRow[] {
  const ids = new Set([...state.graph.nodes.values()].filter((node) => node.id === name || node.name === name).map((node) => node.id))
  if (ids.size === 0) throw new Fault('step_missing', { message: `There is no step ${name}`, details: { step: name, steps: [...state.graph.nodes.keys()].slice(0, 100) } })
  return [...state.steps.values()].filter((step) => ids.has(step.nodeId))
}

export const ambiguous = (steps: readonly StepRow[]): Fault => new Fault('step_ambiguous', { details: { iterations: steps.map((step) => step.iteration).slice(0, 100) } })
