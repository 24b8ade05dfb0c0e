import { isSameLink, type Definition, type GivenDefinition, type Json, type JsonObject, type Link, type Node } from '@sluice/schema'

/** A definition laid over the one that is there: what it says wins, and what it does not say is kept. PURE. */

/** How an `extra` is laid over the one that is there. */
export type Laying = (before: JsonObject, given: JsonObject) => JsonObject

/**
 * Nodes and links are those of the definition that is given. A node of an id that is there keeps what is not said of it, and the
 * same link its id. Settings go key by key, `extra` as it is laid; everything else is one value.
 */
export function keepAbsent(before: Definition, given: GivenDefinition, lay: Laying = mergedKeys): Definition {
  const known = new Map(before.nodes.map((node) => [node.id, node]))
  const { kind = before.kind, nodes, links, testInputs = before.testInputs } = given
  const settings = laidOver(before.settings, given.settings)
  return {
    kind,
    nodes: nodes.map((node) => keepOfNode(known.get(node.id), node, lay)),
    links: keptLinks(before.links, links),
    ...(settings && { settings }),
    ...(testInputs && { testInputs }),
  }
}

/** An id is kept by one link: of two that are the same, the second has none. */
function keptLinks(before: readonly Link[], given: readonly Link[]): Link[] {
  const named = before.filter(({ id }) => id !== undefined)
  if (named.length === 0) return [...given]
  const taken = new Set(given.flatMap(({ id }) => (id === undefined ? [] : [id])))
  return given.map((link) => {
    const id = link.id ?? named.find((each) => isSameLink(each, link) && !taken.has(each.id!))?.id
    if (id === undefined) return link
    taken.add(id)
    return { ...link, id }
  })
}

function keepOfNode(before: Node | undefined, given: Node, lay: Laying): Node {
  const { extra: changes, ...rest } = said(given)
  const settings = laidOver(before?.settings, given.settings)
  const extra = extraOf(before?.extra, changes, lay)
  return { ...before, ...rest, ...(settings && { settings }), ...(extra && { extra }) }
}

/** Where there was none, what only takes keys out of it makes none. */
function extraOf(before: JsonObject | undefined, changes: JsonObject | undefined, lay: Laying): JsonObject | undefined {
  if (!changes) return before
  const extra = lay(before ?? {}, changes)
  return before === undefined && Object.keys(changes).length > 0 && Object.keys(extra).length === 0 ? undefined : extra
}

/** Key by key. Null takes one out. */
export function mergedKeys(before: JsonObject, given: JsonObject): JsonObject {
  const cleared = (key: string): boolean => Object.hasOwn(given, key) && given[key] === null
  return Object.fromEntries(Object.entries({ ...before, ...given }).filter(([key]) => !cleared(key)))
}

/** What dialects keep, each under its own key: of one that keeps an object key by key, too. Null takes a key out. */
export function mergedExtra(before: JsonObject, given: JsonObject): JsonObject {
  const within = Object.entries(given).map(([key, value]) => {
    const kept = Object.hasOwn(before, key) ? before[key] : undefined
    return [key, isObject(value) ? mergedKeys(isObject(kept) ? kept : {}, value) : value] as const
  })
  return mergedKeys(before, Object.fromEntries(within))
}

const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

const laidOver = <T extends object>(before: T | undefined, given: T | undefined): T | undefined => (before && given ? { ...before, ...said(given) } : (given ?? before))

/** Without keys that are there and undefined: a caller in JavaScript says nothing with them. */
const said = <T extends object>(value: T): T => Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as T
