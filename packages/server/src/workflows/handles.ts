import type { Node } from '@sluice/schema'
import type { AnyNode } from '../nodes/contract.ts'
import { configOf } from './config.ts'
import { valuesAt } from './readings.ts'

/** Handles that every node has: the normal way out, and the one of a step that failed for good. */
export const everyHandle = ['default', 'failed'] as const

/** The handles links may leave a node by. */
export function handlesOf(node: Node, { handles }: AnyNode): Set<string> {
  const found = new Set<string>([...everyHandle, ...(handles?.fixed ?? [])])
  if (handles?.fromConfig) for (const { value } of valuesAt(configOf(node), handles.fromConfig)) if (typeof value === 'string') found.add(value)
  return found
}
