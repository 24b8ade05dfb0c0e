import type { Definition, Json, JsonObject } from '@sluice/schema'
import { ExpressionError, Recent } from '../expressions/index.ts'
import { StepFailure, type AnyAlias, type AnyNode, type Behaviour, type Carriage, type Catalogue, type Scope } from '../nodes/contract.ts'
import { configFor, configOf, decode, type Manner, mannerOf, ownReadings, type Meant } from './config.ts'
import { allUpstreamOf, givingOf, graphOf, standingOf, type Giving, type Graph, type GraphNode } from './graph.ts'
import { dotted, readerOf, readingsOf, type Path, type Reader } from './readings.ts'

/** What is made of a version once and used by every run of it: graph, and configs compiled to what must still be read. */

export interface PreparedConfig {
  declaration: AnyNode
  /** What its expressions read of their scope: the rest of it need not be there. */
  reads: ConfigReads
  /** The decoded config. Throws a StepFailure `expression_failed` or `config_invalid`, which no retry mends. */
  render(scope: Partial<Scope>): unknown
  /** Of a loop, what is known of it before it is asked. Throws as `render` does. */
  loop(): PreparedLoop
}

export interface PreparedLoop extends Carriage {
  /** What `last` is before the first iteration, in the scope around the loop. */
  start: {
    reads: ConfigReads
    /** Whether there is anything to read: else it is the same whenever it is asked. */
    dynamic: boolean
    read(scope: Partial<Scope>): Json
  }
}

export interface ConfigReads {
  /** Top-level variables. */
  names: ReadonlySet<string>
  /** Of what stands under `nodes`, and in `data`: nodes upstream of this one, in its scope and in those around it, the outermost first. */
  upstream(): readonly GraphNode[]
}

export interface PreparedNode extends PreparedConfig {
  /** Of an alias. */
  manner: Manner
  compensate: PreparedConfig | null
}

export interface Prepared {
  /** Throws a StepFailure `type_missing` when this server does not have the type, which `missingIn` says beforehand. */
  node(id: string): PreparedNode
  /** What gives what the run gives, or an iteration of a body. */
  giving(parent: GraphNode | null): Giving
}

/** Nodes are prepared when they are first asked for. */
export function prepare(graph: Graph, catalogue: Catalogue): Prepared {
  const nodes = new Map<string, PreparedNode>()
  const givings = new Map<GraphNode | null, Giving>()
  const isOutput = (type: string): boolean => catalogue.get(type)?.returns === true
  const make = (id: string): PreparedNode => {
    const node = graph.nodes.get(id)
    if (!node) throw new StepFailure('node_missing', `There is no node ${id}`, { retry: false })
    const { compensate } = node.settings
    return {
      ...prepareConfig(node, node.type, configOf(node.definition), catalogue),
      manner: mannerOf(catalogue.get(node.type)!, configOf(node.definition)),
      compensate: compensate ? prepareConfig(node, compensate.type, configOf(compensate), catalogue) : null,
    }
  }
  return {
    node(id) {
      const kept = nodes.get(id) ?? make(id)
      nodes.set(id, kept)
      return kept
    },
    giving(parent) {
      const kept = givings.get(parent) ?? givingOf(parent?.body ?? graph.top, isOutput)
      givings.set(parent, kept)
      return kept
    },
  }
}

/** Graph and configs by the hash of their version, for the versions used last. */
export function createPreparedCache(catalogue: Catalogue, versions = 500): (hash: string, definition: Definition) => { graph: Graph; prepared: Prepared } {
  const recent = new Recent<{ graph: Graph; prepared: Prepared }>(versions)
  return (hash, definition) =>
    recent.of(hash, () => {
      const graph = graphOf(definition, catalogue)
      return { graph, prepared: prepare(graph, catalogue) }
    })
}

function prepareConfig(node: GraphNode, type: string, config: JsonObject, catalogue: Catalogue): PreparedConfig {
  const declaration = catalogue.get(type)
  if (!declaration) throw new StepFailure('type_missing', `This server has no node type ${type}`, { retry: false })
  if (declaration.alias?.settles) return prepareSettling(node, declaration, declaration.alias.settles, config)
  const found: Found = { names: new Set(), steps: new Set(), whole: false }
  const meant = configFor(declaration, config, standingOf(node))
  // A draft may be tried unchecked: what means nothing fails the step that needs it.
  if (!meant.ok) return { declaration, reads: readsOf(node, found), render: () => refuse(meant.issues), loop: () => refuse(meant.issues) }
  const places: Places = { readingOf: readingsOf(meant.readings), told: meant.told }
  const { rest, loop } = apart(node, declaration, meant.config, places)
  const plan = planOf(rest, [], places, found)
  const reads = readsOf(node, found)
  if (plan.is === 'made') return { declaration, reads, render: (scope) => decoded(declaration, plan.make(scope), meant.told), loop }
  // Nothing to read: decoded once, the failure to decode too.
  let kept: { config: unknown } | undefined
  return { declaration, reads, render: () => (kept ??= { config: decoded(declaration, plan.value, meant.told) }).config, loop }
}

/** What is read around a loop, apart from what is read each time it is asked. */
function apart(node: GraphNode, { type, behaviour }: AnyNode, config: JsonObject, places: Places): { rest: JsonObject; loop(): PreparedLoop } {
  if (behaviour.is !== 'loop') {
    const loop = (): never => {
      throw new Error(`A ${type} is no loop`)
    }
    return { rest: config, loop }
  }
  const { [behaviour.startIn]: start = null, ...rest } = config
  const prepared = prepareLoop(node, start, config, behaviour, places)
  return { rest, loop: () => prepared }
}

function prepareLoop(node: GraphNode, start: Json, config: JsonObject, { startIn, carries }: Extract<Behaviour<unknown>, { is: 'loop' }>, places: Places): PreparedLoop {
  const found: Found = { names: new Set(), steps: new Set(), whole: false }
  const plan = planOf(start, [startIn], places, found)
  return { ...carries(config), start: { reads: readsOf(node, found), dynamic: plan.is === 'made', read: (scope) => (plan.is === 'made' ? plan.make(scope) : plan.value) } }
}

/** The stored config is read, and what it has become then means something. */
function prepareSettling(node: GraphNode, declaration: AnyNode, { opens, refusal }: NonNullable<AnyAlias['settles']>, config: JsonObject): PreparedConfig {
  const found: Found = { names: new Set(), steps: new Set(), whole: false }
  const plan = planOf(opens(config), [], { readingOf: readingsOf(ownReadings(declaration)), told: (path) => path }, found)
  const settled = (own: Json): unknown => {
    // What is read of an object is one.
    const meant = configFor(declaration, own as JsonObject, standingOf(node))
    return meant.ok ? decoded(declaration, meant.config, meant.told, refusal) : refuse(meant.issues, refusal)
  }
  const loop = (): never => {
    throw new Error(`A ${node.type} is no loop`)
  }
  let kept: { config: unknown } | undefined
  const render = plan.is === 'made' ? (scope: object) => settled(plan.make(scope)) : () => (kept ??= { config: settled(plan.value) }).config
  return { declaration, reads: readsOf(node, found), render, loop }
}

/** What the strings of a config read, all together. */
interface Found {
  names: Set<string>
  steps: Set<string>
  whole: boolean
}

function readsOf(node: GraphNode, { names, steps, whole }: Found): ConfigReads {
  // A list of all is not kept: those of a chain of 1,000 nodes would have 500,000 entries.
  if (whole || names.has('data')) return { names, upstream: () => allUpstreamOf(node) }
  let named: readonly GraphNode[] | undefined
  return { names, upstream: () => (named ??= allUpstreamOf(node).filter(({ name }) => steps.has(name))) }
}

/** How the places of a config are read, and where they are told of. */
interface Places {
  readingOf: ReturnType<typeof readingsOf>
  told: Extract<Meant, { ok: true }>['told']
}

/** Either the value itself, however large, or how to make it. */
type Plan = { is: 'static'; value: Json } | { is: 'made'; make(scope: object): Json }

function planOf(value: Json, path: Path, places: Places, found: Found): Plan {
  if (typeof value === 'string') return planOfText(value, path, places, found)
  if (typeof value !== 'object' || value === null) return { is: 'static', value }
  // Assigning __proto__ would give the copy a prototype out of data.
  const entries: [string | number, Json][] = Array.isArray(value) ? [...value.entries()] : Object.entries(value).filter(([key]) => key !== '__proto__')
  const parts = entries.map(([key, each]) => [key, planOf(each, [...path, key], places, found)] as const)
  const made = parts.flatMap(([key, part]) => (part.is === 'made' ? [[key, part.make] as const] : []))
  if (made.length === 0) return { is: 'static', value }
  // A copy of the static parts, with the made ones put over it.
  return {
    is: 'made',
    make(scope) {
      const copy: Json = Array.isArray(value) ? [...value] : { ...value }
      for (const [key, make] of made) (copy as Record<string | number, Json>)[key] = make(scope)
      return copy
    },
  }
}

function planOfText(source: string, path: Path, { readingOf, told }: Places, found: Found): Plan {
  const failed = (error: unknown): never => {
    if (!(error instanceof ExpressionError)) throw error
    const message = error.repeats ? error.message : `${dotted(told(path)) || 'config'}: ${error.message}`
    throw new StepFailure('expression_failed', message, { retry: false, cause: error })
  }
  let reader: Reader
  try {
    reader = readerOf(source, readingOf(path))
  } catch (error) {
    // A draft may be tried unchecked: what does not compile fails the step that needs it.
    return { is: 'made', make: () => failed(error) }
  }
  for (const name of reader.variables) found.names.add(name)
  for (const step of reader.steps) found.steps.add(step)
  found.whole ||= reader.whole
  if (!reader.dynamic) return { is: 'static', value: source }
  return {
    is: 'made',
    make(scope) {
      try {
        return reader.read(scope)
      } catch (error) {
        return failed(error)
      }
    },
  }
}

function decoded(declaration: AnyNode, config: unknown, told: Places['told'], refusal?: string): unknown {
  const result = decode(declaration, config)
  if (result.ok) return result.config
  return refuse(
    result.issues.map(({ path, message }) => ({ path: told(path), message })),
    refusal,
  )
}

/** With a refusal in its words, which name the fields as they are called where it is from. */
function refuse(found: { path: Path; message: string }[], refusal?: string): never {
  const issues = found.map(({ path, message }) => ({ field: dotted('config', path), message }))
  const said = found.map(({ path, message }, at) => [refusal === undefined ? issues[at]!.field : dotted(path), message].filter((part) => part !== '').join(': ')).join('; ')
  throw new StepFailure('config_invalid', refusal === undefined ? said : `${refusal}: ${said}`, { details: issues.slice(0, 20), retry: false })
}
