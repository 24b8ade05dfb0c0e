import type { Face } from './face.ts'
import { medusa } from './faces/medusa.ts'
import { native } from './faces/native.ts'
import { openai } from './faces/openai.ts'
import { orchestrator } from './faces/orchestrator.ts'
import { playground } from './faces/playground.ts'
import { pocketbase } from './faces/pocketbase.ts'
import { pyspur } from './faces/pyspur.ts'
import { sdk } from './faces/sdk.ts'

/** All faces of the server. */
export const faces: readonly Face[] = [sdk, native, pocketbase, pyspur, orchestrator, medusa, playground, openai]
