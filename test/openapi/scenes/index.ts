import type { WrittenWorkflow } from '../../../packages/server/src/code/written.ts'
import type { Scene } from '../executing.ts'
import { medusa, order } from './medusa.ts'
import { openai } from './openai.ts'
import { orchestrator } from './orchestrator.ts'
import { playground } from './playground.ts'
import { pocketbase } from './pocketbase.ts'
import { pyspur } from './pyspur.ts'

export const scenes: readonly Scene[] = [pyspur, orchestrator, medusa, pocketbase, playground, openai]
/** What the server of all scenes is started with. */
export const settings: Record<string, string> = {}
export const workflows: readonly WrittenWorkflow[] = [order]
