import type { AnyNode } from '../nodes/contract.ts'
import { configFor, configOf } from './config.ts'
import { drawnBy, type GraphNode, isProducer, standingOf } from './graph.ts'
import { valuesAt } from './readings.ts'

/** Handles that every node has: the normal way out, and the one of a step that failed for good. */
export const everyHandle = ['default', 'failed'] as const

/** The handles links may leave a node by; null when they may name any, or nobody can tell. */
export function handlesOf(node: GraphNode, declaration: AnyNode): Set<string> | null {
  const { alias, handles } = declaration
  if (alias?.leaves === 'default' || alias?.refused !== undefined) return null
  const found = new Set<string>([...everyHandle, ...(handles?.fixed ?? [])])
  const drawn = drawnBy(declaration)
  if (drawn !== null) found.add(drawn)
  if (isProducer(declaration)) found.add('done')
  if (!handles?.fromConfig) return found
  const meant = configFor(declaration, configOf(node.definition), standingOf(node))
  if (!meant.ok) return null
  for (const { value } of valuesAt(meant.config, handles.fromConfig)) if (typeof value === 'string') found.add(value)
  return found
}
