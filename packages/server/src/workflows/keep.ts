import type { Definition, GivenDefinition, JsonObject, Node } from '@sluice/schema'

/** A definition laid over the one that is there: what it says wins, and what it does not say is kept. PURE. */

/**
 * Nodes and links are those of the definition that is given. A node of an id that is there keeps what is not said of it. Settings
 * and `extra` go key by key; everything else is one value.
 */
export function keepAbsent(before: Definition, given: GivenDefinition): Definition {
  const known = new Map(before.nodes.map((node) => [node.id, node]))
  const { kind = before.kind, nodes, links, testInputs = before.testInputs } = given
  const settings = laidOver(before.settings, given.settings)
  return { kind, nodes: nodes.map((node) => keepOfNode(known.get(node.id), node)), links, ...(settings && { settings }), ...(testInputs && { testInputs }) }
}

function keepOfNode(before: Node | undefined, given: Node): Node {
  const { extra: changes, ...rest } = said(given)
  const settings = laidOver(before?.settings, given.settings)
  const extra = extraOf(before?.extra, changes)
  return { ...before, ...rest, ...(settings && { settings }), ...(extra && { extra }) }
}

/** Where there was none, what only takes keys out of it makes none. */
function extraOf(before: JsonObject | undefined, changes: JsonObject | undefined): JsonObject | undefined {
  if (!changes) return before
  const extra = keepExtra(before ?? {}, changes)
  return before === undefined && Object.keys(changes).length > 0 && Object.keys(extra).length === 0 ? undefined : extra
}

/** Null takes a key out. */
export function keepExtra(before: JsonObject, given: JsonObject): JsonObject {
  const cleared = (key: string): boolean => Object.hasOwn(given, key) && given[key] === null
  return Object.fromEntries(Object.entries({ ...before, ...given }).filter(([key]) => !cleared(key)))
}

const laidOver = <T extends object>(before: T | undefined, given: T | undefined): T | undefined => (before && given ? { ...before, ...said(given) } : (given ?? before))

/** Without keys that are there and undefined: a caller in JavaScript says nothing with them. */
const said = <T extends object>(value: T): T => Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as T
