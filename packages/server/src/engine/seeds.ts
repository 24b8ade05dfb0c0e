import type { Json } from '@sluice/schema'
import { payloadOf } from './payload.ts'

/** A result that a run brings along: of a step that it does not run. */
export interface Seed {
  nodeId: string
  state: string
  output: string | null
  bytes: number
  route: string[]
  skipReason: string | null
}

export function seedOf(nodeId: string, output: Json, route: string[]): Seed {
  const payload = payloadOf(output)
  return { nodeId, state: 'completed', output: payload.text, bytes: payload.bytes, route, skipReason: null }
}
