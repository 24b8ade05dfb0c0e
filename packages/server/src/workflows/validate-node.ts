import type { Definition, DefinitionIssue, JsonObject } from '@sluice/schema'
import { ExpressionError } from '../expressions/index.ts'
import type { AnyNode, Catalogue } from '../nodes/contract.ts'
import { configFor, configOf, decode, ownReadings } from './config.ts'
import { type GraphNode, standingOf } from './graph.ts'
import { schemaIssues } from './json-schema.ts'
import { listed, predecessors, scopeNames, upstreamNames } from './names.ts'
import { dotted, readerOf, readingsOf, stringsIn, valuesAt, type Path, type Reader } from './readings.ts'

/** What is wrong with one node: its type, its config, what its expressions name, how it is undone. */
export function nodeIssues(node: GraphNode, definition: Definition, catalogue: Catalogue): DefinitionIssue[] {
  const declaration = catalogue.get(node.type)
  const about = (field: string, message: string): DefinitionIssue => ({ nodeId: node.id, field, message })
  const compensate = compensateIssues(node, catalogue)
  if (!declaration) return [about('type', `There is no node type ${node.type}`), ...compensate]
  if (declaration.alias?.refused !== undefined) return [about('type', declaration.alias.refused), ...compensate]
  const kinds = declaration.notIn?.includes(definition.kind) ? [about('type', `A ${node.type} cannot stand in a definition of kind ${definition.kind}`)] : []
  const known = { bare: predecessors(node), steps: upstreamNames(node) }
  const settings = bodySettings(declaration).filter((name) => node.settings[name] !== undefined)
  for (const name of settings) kinds.push(about(`settings.${name}`, `A ${node.type} has none: set it on the nodes of its body`))
  return [...kinds, ...configIssues(node, declaration, configOf(node.definition), 'config', known), ...compensate]
}

/** Settings that say nothing of a body as a whole: its iterations are not gone through again, and take as long as they take. */
const bodySettings = ({ behaviour }: AnyNode): readonly ('retry' | 'timeoutMs')[] => (behaviour.is === 'map' || behaviour.is === 'loop' ? ['retry', 'timeoutMs'] : [])

const undoing = new Set(['pure', 'work', 'wait'])

function compensateIssues(node: GraphNode, catalogue: Catalogue): DefinitionIssue[] {
  const { compensate } = node.settings
  if (!compensate) return []
  const about = (message: string): DefinitionIssue[] => [{ nodeId: node.id, field: 'settings.compensate.type', message }]
  const declaration = catalogue.get(compensate.type)
  if (!declaration) return about(`There is no node type ${compensate.type}`)
  if (declaration.alias?.refused !== undefined) return about(declaration.alias.refused)
  if (!undoing.has(declaration.behaviour.is)) return about(`A ${compensate.type} cannot undo a step`)
  // When a step is undone, it and everything before it has an output.
  const own = [node.name]
  const known = { bare: new Set([...predecessors(node), ...own]), steps: new Set([...upstreamNames(node), ...own]) }
  return [...configIssues(node, declaration, configOf(compensate), 'settings.compensate.config', known)]
}

interface Known {
  /** Step names beside the names of the scope. */
  bare: ReadonlySet<string>
  /** Step names under `nodes`. */
  steps: ReadonlySet<string>
}

function* configIssues(node: GraphNode, declaration: AnyNode, stored: JsonObject, root: string, known: Known): Generator<DefinitionIssue> {
  const issue = (path: Path, message: string): DefinitionIssue => ({ nodeId: node.id, field: dotted(root, path), message })
  const meant = configFor(declaration, stored, standingOf(node))
  if (!meant.ok) {
    for (const { path, message } of meant.issues) yield issue(path, message)
    return
  }
  const { config } = meant
  const about = (path: Path, message: string): DefinitionIssue => issue(meant.told(path), message)
  const { settles } = declaration.alias ?? {}
  if (settles) {
    const readers = readersIn(settles.opens(stored), readingsOf(ownReadings(declaration)))
    for (const { path, message } of textIssues(readers, known)) yield issue(path, message)
    // What it means is known when it has been read.
    if (readers.some(({ reader }) => typeof reader === 'string' || reader.dynamic)) return
  }
  const decoded = decode(declaration, config)
  if (!decoded.ok) for (const { path, message } of decoded.issues) yield about(path, message)
  if (!settles) for (const { path, message } of textIssues(readersIn(config, readingsOf(meant.readings)), known)) yield about(path, message)
  for (const { path, message } of declaration.check?.(config) ?? []) yield about(path, message)
  for (const field of declaration.schemaFields ?? [])
    for (const { path, value } of valuesAt(config, field)) for (const issue of schemaIssues(value)) yield about([...path, ...issue.path], issue.message)
}

/** What stands at a place: how it is read, or why it cannot be. */
interface Read {
  path: Path
  reader: Reader | string
}

const readersIn = (config: JsonObject, readingOf: ReturnType<typeof readingsOf>): Read[] =>
  [...stringsIn(config)].map(({ path, text }) => ({ path, reader: compiled(text, readingOf(path)) }))

function* textIssues(readers: readonly Read[], known: Known): Generator<{ path: Path; message: string }> {
  for (const { path, reader } of readers) {
    if (typeof reader === 'string') yield { path, message: reader }
    else for (const message of readerIssues(reader, known)) yield { path, message }
  }
}

function compiled(...given: Parameters<typeof readerOf>): Reader | string {
  try {
    return readerOf(...given)
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    return error.offset === undefined ? error.message : `${error.message} (at character ${error.offset + 1})`
  }
}

function* readerIssues({ complaint, names, missing }: Reader, known: Known): Generator<string> {
  if (complaint) yield complaint
  for (const name of names)
    if (!scopeNames.has(name) && !known.bare.has(name)) yield `${name} is not known here; there are ${listed(scopeNames)}, and of steps before this one: ${listed(known.bare)}`
  for (const each of missing(known.steps)) yield `${each} names no step before this one; there are: ${listed(known.steps)}`
}
