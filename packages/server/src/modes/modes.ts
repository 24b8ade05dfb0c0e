import { Mode } from '@sluice/schema'
import type { Tx } from '../store/index.ts'
import { modeOf } from '../store/rows/workflows.ts'
import type { WorkflowActor } from '../workflows/find.ts'
import type { Workflows } from '../workflows/workflows.ts'
import { actionplan } from './actionplan.ts'
import { react } from './react.ts'

export const modes: readonly Mode[] = Mode.options

export const isMode = (text: string | null | undefined): text is Mode => Mode.safeParse(text).success

const builtIn = { Actionplan: actionplan, React: react }

/** The workflows behind the modes: in each workspace rows like any other, made when they are first asked for, which its people may read, copy and change. */
export interface Modes {
  /** In the caller's transaction. */
  workflowOf(tx: Tx, actor: WorkflowActor, mode: Mode): Promise<{ id: string }>
  /** The mode that a workflow stands for; null: it is somebody's own. */
  modeOf(tx: Tx, workflowId: string): Promise<Mode | null>
}

export const createModes = ({ workflows }: { workflows: Pick<Workflows, 'bringAlong'> }): Modes => ({
  workflowOf: async (tx, actor, mode) => ({ id: await workflows.bringAlong(tx, actor, { mode, ...builtIn[mode] }) }),
  async modeOf(tx, workflowId) {
    const mode = await modeOf(tx, workflowId)
    return isMode(mode) ? mode : null
  },
})
