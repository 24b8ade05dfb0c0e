import { type Definition, type Json, type JsonObject, type Sample, stepNames } from '@sluice/schema'
import { isDict } from './dicts.ts'
import { depthsOf } from './layout.ts'

/**
 * What a node would be handed, of what the nodes before it gave when they were tried last. As in a run: in the order of the
 * graph, the first of a key by its name, another value under the same key as `key_2`, `key_3` … PURE.
 */
export function inputOf(definition: Definition, samples: Readonly<Record<string, Sample>>, nodeId: string): JsonObject {
  const names = stepNames(definition)
  const merged = new Map<string, Json>()
  for (const id of upstreamOf(definition, nodeId)) {
    const output = Object.hasOwn(samples, id) ? samples[id]!.output : null
    if (output === null) continue
    for (const [key, value] of Object.entries(isDict(output) ? output : { [names.get(id) ?? id]: output })) shelve(merged, key, value)
  }
  return Object.fromEntries(merged)
}

/** All nodes that lead to it, the first ones first. */
function upstreamOf(definition: Definition, nodeId: string): string[] {
  const sources = Map.groupBy(definition.links, ({ target }) => target)
  const found = new Set<string>()
  const waiting = [nodeId]
  for (let next = 0; next < waiting.length; next++)
    for (const { source } of sources.get(waiting[next]!) ?? []) {
      if (found.has(source)) continue
      found.add(source)
      waiting.push(source)
    }
  const depths = depthsOf(definition)
  const depthOf = (id: string): number => depths.get(id) ?? 0
  return definition.nodes.flatMap(({ id }) => (found.has(id) && id !== nodeId ? [id] : [])).toSorted((one, other) => depthOf(one) - depthOf(other))
}

function shelve(merged: Map<string, Json>, key: string, value: Json): void {
  const text = JSON.stringify(value)
  let name = key
  for (let number = 2; merged.has(name); name = `${key}_${number++}`) if (JSON.stringify(merged.get(name)) === text) return
  merged.set(name, value)
}
