import { type Definition, type Json, type JsonObject, type Link, type Node, stepNames } from '@sluice/schema'
import { isObject } from './typed-schema.ts'

/** What a version says of its values, as JSON Schemas. An empty schema says nothing. */
export interface Told {
  input: JsonObject
  /** With several input nodes values may be given to each of them instead. */
  inputNeeded: boolean
  output: JsonObject
  /** By the id of the node that asks. */
  pauses: [node: string, form: JsonObject][]
}

const anything: JsonObject = {}

/** What the names that dialects have for node types stand for: `RouterNode` for `router`. */
export type DialectNames = ReadonlyMap<string, string>

/** Where the schema of a node says nothing, the graph may: what it says is true of every run. */
export function toldBy(definition: Definition, names: DialectNames = new Map()): Told {
  if (definition.nodes.some(({ type }) => names.has(type))) return toldInDialect(definition, names)
  const graph = readGraph(definition)
  const inputs = graph.top.filter(({ type }) => type === 'input')
  const schemas = inputs.map((node) => declared(node)).filter((schema) => Object.keys(schema).length > 0)
  return {
    input: schemas.length > 1 ? { allOf: schemas.map((schema, at) => moved(schema, ['allOf', String(at)])) } : (schemas[0] ?? anything),
    inputNeeded: inputs.length === 1,
    output: outputOf(graph, definition),
    pauses: definition.nodes.filter(({ type }) => type === 'human').map((node): [string, JsonObject] => [node.id, objectAt(node, 'form') ?? anything]),
  }
}

/** What a config says in the words of a dialect is not read here: of its values nothing is said that may be wrong. */
function toldInDialect({ nodes }: Definition, names: DialectNames): Told {
  const typed = (wanted: string): Node[] => nodes.filter(({ type }) => (names.get(type) ?? type) === wanted)
  return {
    input: anything,
    inputNeeded: typed('input').filter(({ parentId }) => !parentId).length === 1,
    output: anything,
    pauses: typed('human').map((node): [string, JsonObject] => [node.id, names.has(node.type) ? anything : (objectAt(node, 'form') ?? anything)]),
  }
}

interface Graph {
  /** Of the run itself, not of a body. */
  top: Node[]
  into: Map<string, { link: Link; from: Node }[]>
  outOf: Map<string, Link[]>
  goesOnAfterFailure: boolean
}

function readGraph({ nodes, links, settings }: Definition): Graph {
  const top = new Map(nodes.filter(({ parentId }) => !parentId).map((node) => [node.id, node]))
  const graph: Graph = { top: [], into: new Map(), outOf: new Map(), goesOnAfterFailure: settings?.onFailure === 'continue' }
  for (const link of links) {
    const from = top.get(link.source)
    if (!from || !top.has(link.target)) continue
    graph.into.set(link.target, [...(graph.into.get(link.target) ?? []), { link, from }])
    graph.outOf.set(link.source, [...(graph.outOf.get(link.source) ?? []), link])
  }
  // What no input leads to is not part of the run; without an input, whatever nothing leads to is a beginning.
  const inputs = [...top.values()].filter(({ type }) => type === 'input')
  const reached = new Set((inputs.length > 0 ? inputs : [...top.values()].filter(({ id }) => !graph.into.has(id))).map(({ id }) => id))
  for (const id of reached) for (const { target } of graph.outOf.get(id) ?? []) reached.add(target)
  graph.top = [...top.values()].filter(({ id }) => reached.has(id))
  return graph
}

/** That of the one output node, else an object by step name; of the leaves when there is no output node. */
function outputOf(graph: Graph, definition: Definition): JsonObject {
  const outputs = graph.top.filter(({ type }) => type === 'output')
  if (outputs.length === 1) {
    const [only] = outputs as [Node]
    const given = givenBy(only, graph)
    return Object.keys(given).length === 0 || surely(only, graph) ? given : { anyOf: [moved(given, ['anyOf', '0']), { type: 'null' }] }
  }
  const giving = outputs.length > 1 ? outputs : graph.top.filter(({ id }) => !graph.outOf.has(id))
  if (giving.length === 0) return anything
  const names = stepNames(definition)
  const sure = giving.filter((node) => surely(node, graph))
  return {
    type: 'object',
    properties: Object.fromEntries(giving.map((node) => [names.get(node.id)!, moved(givenBy(node, graph), ['properties', names.get(node.id)!])])),
    required: sure.map(({ id }) => names.get(id)!),
    additionalProperties: false,
  }
}

/** A schema that becomes part of another one: its references, which begin at its root, lead through the place it has there. */
function moved(schema: JsonObject, place: readonly string[]): JsonObject {
  const pointer = `#/${place.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`
  const follow = (value: Json): Json => {
    if (Array.isArray(value)) return value.map(follow)
    if (!isObject(value)) return value
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [key, key === '$ref' && typeof each === 'string' ? each.replace(/^#(?=\/|$)/, () => pointer) : follow(each)]),
    )
  }
  return follow(schema) as JsonObject
}

/** Whether every run that completes has completed this node: no route, refusal or failure leads past it. */
function surely(node: Node, graph: Graph, above: readonly string[] = []): boolean {
  if (above.includes(node.id) || (graph.goesOnAfterFailure && node.type !== 'input')) return false
  const into = graph.into.get(node.id) ?? []
  if (into.length === 0) return true
  const sure = ({ link, from }: { link: Link; from: Node }): boolean => isOnlyWay(link, from, graph) && surely(from, graph, [...above, node.id])
  return node.settings?.join === 'all' ? into.every(sure) : into.some(sure)
}

function isOnlyWay({ sourceHandle }: Link, { id, type }: Node, graph: Graph): boolean {
  const isDefault = (handle: string | null | undefined): boolean => (handle ?? 'default') === 'default'
  return type !== 'router' && isDefault(sourceHandle) && graph.outOf.get(id)!.every((link) => isDefault(link.sourceHandle))
}

function givenBy(node: Node, graph: Graph): JsonObject {
  const own = declared(node)
  if (Object.keys(own).length > 0) return own
  switch (node.type) {
    case 'output':
      return literal(objectAt(node, 'map')) ?? passedOn(node, graph)
    case 'static-value':
      return literal(objectAt(node, 'values')) ?? anything
    case 'template':
      return closed({ text: { type: 'string' } })
    case 'http-request':
      return closed({ status: { type: 'integer' }, headers: { type: 'object', additionalProperties: { type: 'string' } }, body: anything, durationMs: { type: 'number' } })
    case 'map':
      return closed({ results: { type: 'array' } })
    case 'loop':
      return node.config?.['gives'] === 'last' || node.config?.['gives'] === 'iteration' ? anything : closed({ last: anything, count: { type: 'integer' } })
    default:
      return anything
  }
}

/** With one way in, what comes in is what goes out. */
function passedOn(node: Node, graph: Graph): JsonObject {
  const into = graph.into.get(node.id) ?? []
  return into.length === 1 ? givenBy(into[0]!.from, graph) : anything
}

const declared = (node: Node): JsonObject => (node.type === 'input' || node.type === 'output' ? (objectAt(node, 'schema') ?? anything) : anything)

function objectAt({ config }: Node, key: string): JsonObject | null {
  const value = config && Object.hasOwn(config, key) ? config[key] : undefined
  return isObject(value) ? value : null
}

const closed = (properties: JsonObject): JsonObject => ({ type: 'object', properties, required: Object.keys(properties), additionalProperties: false })

/** What is written is what comes out, but for texts that are templates: those may give anything. */
function literal(values: JsonObject | null): JsonObject | null {
  return values && closed(Object.fromEntries(Object.entries(values).map(([key, value]) => [key, schemaOfValue(value)])))
}

function schemaOfValue(value: Json): JsonObject {
  if (value === null) return { type: 'null' }
  if (Array.isArray(value)) return { type: 'array' }
  if (typeof value === 'object') return literal(value)!
  if (typeof value !== 'string') return { type: typeof value }
  return value.includes('{{') || value.includes('{%') ? anything : { type: 'string' }
}
