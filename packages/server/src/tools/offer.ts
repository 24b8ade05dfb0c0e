import { ClientTool, type Json, type JsonObject, SessionTool, type StoredFile } from '@sluice/schema'
import { z } from 'zod'
import { tableQuerySchema } from '../documents/documents.ts'
import type { AnyNode, Catalogue, DocumentSummary, NodeTool, OfferedTool } from '../nodes/contract.ts'
import { describe } from '../nodes/describe.ts'
import type { WorkflowTool } from '../store/rows/tools.ts'
import { schemaOfInput, inputNodesOf } from '../workflows/input-nodes.ts'

/** Which functions a model is offered, out of what there is. PURE. */

/** Models choose badly among more, and their servers refuse more than 128. */
export const mostTools = 100
const longestDescription = 1_000
const longestName = 64
/** Of all JSON Schemas together, in characters: a step gives at most 2 MiB. */
const longestParameters = 512 * 1024

const anyObject: JsonObject = { type: 'object', properties: {}, additionalProperties: true }

const fileTools = ['read_file', 'query_table'] as const
export type FileTool = (typeof fileTools)[number]
export const isFileTool = (name: string): name is FileTool => fileTools.some((each) => each === name)

const here = (name: string, description: string, parameters: JsonObject, approval = false): OfferedTool => ({
  name: nameOf(name),
  description: cut(description),
  parameters,
  kind: 'here',
  workflow: null,
  approval,
})

/** As models may call it: letters, digits, `_` and `-`. */
const nameOf = (text: string): string => text.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, longestName)

const cut = (text: string): string => (text.length <= longestDescription ? text : `${text.slice(0, longestDescription - 1).toWellFormed()}…`)

/** What reads the files of a conversation; nothing where it has none. */
export function toolsOfFiles(files: readonly Pick<StoredFile, 'name'>[], documents: readonly DocumentSummary[]): OfferedTool[] {
  if (files.length === 0) return []
  const told = documents.map(({ name, type, rows, columns = [] }) =>
    type === 'table' ? `${name} (${rows} rows: ${columns.map((column) => `${column.name} ${column.type}`).join(', ')})` : `${name} (${type})`,
  )
  const said = told.join('; ')
  const tables = documents.filter(({ type }) => type === 'table')
  return [
    here('read_file', `Reads a part of the text of a file of this conversation: ${said}`, {
      type: 'object',
      properties: {
        file: { type: 'string', description: 'The name or the id of the file' },
        from: { type: 'integer', minimum: 0, description: 'The first character; 0 unless given' },
        characters: { type: 'integer', minimum: 1, maximum: 20_000, description: 'How many; 8,000 unless given' },
      },
      required: ['file'],
      additionalProperties: false,
    }),
    ...(tables.length === 0 ? [] : [here('query_table', `Filters, groups, adds up, sorts and joins the tables of this conversation: ${said}`, tableQuerySchema)]),
  ]
}

/** A node type that models may call. */
export type ToolNode = AnyNode & { tool: NodeTool }

/** Those of the library and of a program, by the names of their functions. Names of the functions that read files are taken. */
export function toolNodes(catalogue: Catalogue): Map<string, ToolNode> {
  const all = catalogue.list().filter((node): node is ToolNode => node.tool !== undefined)
  const byName = all.map((node) => [nameOf(node.type.replaceAll('-', '_')), node] as const)
  // Of two under one name the first is it.
  return new Map(byName.filter(([name]) => !isFileTool(name)).reverse())
}

export const toolsOfLibrary = (nodes: ReadonlyMap<string, ToolNode>): OfferedTool[] =>
  [...nodes].reverse().map(([name, node]) => here(name, node.tool.description ?? node.description, parametersOfNode(node), node.tool.approval))

function parametersOfNode(node: ToolNode): JsonObject {
  const { without = [], needs = [] } = node.tool
  const { properties = {}, required = [], ...schema } = plain(describe(node).config) as JsonObject & { properties?: JsonObject; required?: string[] }
  const kept = Object.entries(properties).filter(([key]) => !without.includes(key))
  return { ...schema, type: 'object', properties: Object.fromEntries(kept), required: [...new Set([...required, ...needs])] }
}

/** How texts of a config are read is nothing to a model: what it gives is taken as it is. */
function plain(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(plain)
  return Object.fromEntries(Object.entries(value).flatMap(([key, inner]) => (key === 'x-reading' ? [] : [[key, plain(inner)] as const])))
}

/** Workflows of the workspace whose input is an object: what they do is theirs to say, and a person is asked before. */
export function toolsOfWorkflows(workflows: readonly WorkflowTool[], catalogue: Catalogue): OfferedTool[] {
  const names = namesOf(workflows)
  return workflows.flatMap(({ id, name, description, definition }) => {
    const parameters = parametersOf(definition, catalogue)
    if (!parameters) return []
    const said = description.trim() === '' ? `Runs the workflow ${name}` : `${name}: ${description}`
    return [{ name: names.get(id)!, description: cut(said), parameters, kind: 'workflow', workflow: id, approval: true }]
  })
}

/**
 * The name of each workflow's function, by its id. Of several handles that are spelled alike as names, the one that is spelled so itself
 * has it, or the oldest: no new workflow takes the name that a session has allowed.
 */
function namesOf(workflows: readonly WorkflowTool[]): Map<string, string> {
  const isExact = ({ handle }: WorkflowTool): boolean => nameOf(`workflow_${handle}`) === `workflow_${handle}`
  const oldestFirst = workflows.toSorted((one, other) => Number(isExact(other)) - Number(isExact(one)) || (one.id < other.id ? -1 : 1))
  const names = new Map<string, string>()
  const taken = new Set<string>()
  for (const { id, handle } of oldestFirst) {
    const name = nameOf(`workflow_${handle}`)
    const own = taken.has(name) ? `${name.slice(0, longestName - 13)}_${nameOf(id).slice(-12)}` : name
    taken.add(own)
    names.set(id, own)
  }
  return names
}

/** The schema of its one input node, or any object; null where it is of something else. */
function parametersOf(definition: WorkflowTool['definition'], catalogue: Catalogue): JsonObject | null {
  const [input, another] = inputNodesOf(definition, catalogue)
  const schema = input && !another ? schemaOfInput(input, catalogue) : null
  if (!schema) return anyObject
  const { type = 'object' } = schema
  return type === 'object' || (Array.isArray(type) && type.includes('object')) ? { ...schema, type: 'object' } : null
}

const ClientTools = z.array(ClientTool).catch([])
const Allowed = z.array(SessionTool).nullable().catch([])

/** Functions that whoever sent the newest message does. */
export const toolsOfClient = (client: Json): OfferedTool[] =>
  ClientTools.parse(client).map(({ name, description = '', parameters = anyObject }) => ({
    name,
    description: cut(description),
    parameters,
    kind: 'client',
    workflow: null,
    approval: false,
  }))

/** Of all there are those that a session allows, under names that no two have. What was said to be a list and is none allows nothing. */
export function allowedOf(allowed: Json, free: readonly OfferedTool[], asked: readonly OfferedTool[]): OfferedTool[] {
  const list = Allowed.parse(allowed)
  const rest = list === null ? asked : asked.flatMap((tool) => named(list, tool))
  const taken = new Set<string>()
  const unique = [...free, ...rest].filter(({ name }) => !taken.has(name) && taken.add(name))
  return bounded(unique.slice(0, mostTools))
}

/** Those whose JSON Schema goes beyond what there is room for take any object. */
function bounded(tools: readonly OfferedTool[]): OfferedTool[] {
  let left = longestParameters
  return tools.map((tool) => {
    const length = JSON.stringify(tool.parameters).length
    if (length > left) return { ...tool, parameters: anyObject }
    left -= length
    return tool
  })
}

function named(list: readonly SessionTool[], tool: OfferedTool): OfferedTool[] {
  const entry = list.find(({ name }) => name === tool.name) ?? list.find(({ name }) => name === '*')
  return entry ? [{ ...tool, approval: entry.approval ?? tool.approval }] : []
}
