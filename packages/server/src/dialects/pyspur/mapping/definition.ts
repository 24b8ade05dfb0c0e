import type { Definition, DefinitionKind, Json, JsonObject, Link, Node, Version, Workflow } from '@sluice/schema'
import { WorkflowDefinitionSchema, type WorkflowLinkSchema, type WorkflowNodeSchema, type WorkflowResponseSchema, type WorkflowVersionResponseSchema } from '../contract.ts'
import { naive } from './times.ts'

/**
 * Definitions as PySpur spells them. PURE. What comes over the wire is kept as it came but for its defaults, which are filled in;
 * what the core has beyond the wire (settings, `extra` of others) is not said, and so kept by an update that keeps what is absent.
 */

/** A node with an untaken route before it is skipped, and what does not depend on a failed node goes on. */
const settings = { join: 'all', onFailure: 'continue' } as const

// ── from the wire ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** Of a workflow that is made. */
export const definitionOf = (wire: WorkflowDefinitionSchema): Definition => ({ ...draftOf(wire, subworkflowOf), settings: { ...settings } })

/** To be laid over the draft that is there: a subworkflow that is not said is taken out of what is kept. */
export const changedDefinitionOf = (wire: WorkflowDefinitionSchema): Definition => draftOf(wire, (node) => subworkflowOf(node) ?? { pyspur: null })

function draftOf({ spur_type, nodes, links, test_inputs }: WorkflowDefinitionSchema, extraOf: (node: WorkflowNodeSchema) => JsonObject | null): Definition {
  return { kind: spur_type, nodes: nodes.map((node) => nodeOf(node, extraOf(node))), links: links.map(linkOf), testInputs: test_inputs }
}

function nodeOf({ id, title, parent_id, node_type, config, coordinates, dimensions }: WorkflowNodeSchema, extra: JsonObject | null): Node {
  return { id, type: node_type, title: titleOr(title, id), config, parentId: said(parent_id), position: coordinates, size: dimensions, ...(extra && { extra }) }
}

const linkOf = ({ source_id, target_id, source_handle, target_handle }: WorkflowLinkSchema): Link => ({
  source: source_id,
  target: target_id,
  sourceHandle: said(source_handle),
  targetHandle: said(target_handle),
})

const titleOr = (title: string, id: string): string => (title.trim() === '' ? id : title)

/** An empty text is nothing. */
const said = (text: string | null): string | null => (text === '' ? null : text)

/** Kept for PySpur alone, and filled in as a definition at the top is. */
const subworkflowOf = ({ subworkflow }: WorkflowNodeSchema): JsonObject | null => subworkflow && { pyspur: { subworkflow: wireDefinition(definitionOf(subworkflow)) } }

// ── to the wire ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Total. Test inputs that are no objects cannot be said, and are left out. */
export const wireDefinition = ({ kind, nodes, links, testInputs = [] }: Definition): WorkflowDefinitionSchema => ({
  nodes: nodes.map(wireNode),
  links: links.map(wireLink),
  test_inputs: testInputs.filter(isObject),
  spur_type: kind,
})

const wireNode = ({ id, type, title = '', config = {}, parentId = null, position = null, size = null, extra }: Node): WorkflowNodeSchema => ({
  id,
  title: titleOr(title, id),
  parent_id: parentId,
  node_type: type,
  config,
  coordinates: position,
  dimensions: size,
  subworkflow: wireSubworkflow(extra),
})

const wireLink = ({ source, target, sourceHandle = null, targetHandle = null }: Link): WorkflowLinkSchema => ({
  source_id: source,
  target_id: target,
  source_handle: sourceHandle,
  target_handle: targetHandle,
})

/** Whoever writes natively may have put anything there. */
function wireSubworkflow(extra: JsonObject = {}): WorkflowDefinitionSchema | null {
  const { pyspur } = extra
  return isObject(pyspur) ? (WorkflowDefinitionSchema.safeParse(pyspur['subworkflow']).data ?? null) : null
}

const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Whether PySpur's API can show the draft, and take it back: it is by its rules, and nothing is lost on the way. */
export const sayable = (definition: Definition): boolean => saysTestInputs(definition) && WorkflowDefinitionSchema.safeParse(wireDefinition(definition)).success

/** Whether a client that sends back what it was shown would lose none of the test inputs. */
export const saysTestInputs = ({ testInputs = [] }: Definition): boolean => testInputs.every(isObject)

export const workflowOf = ({ id, name, description, draft, created, updated }: Workflow): WorkflowResponseSchema => ({
  id,
  name,
  description,
  definition: wireDefinition(draft),
  created_at: naive(created),
  updated_at: naive(updated),
})

export const versionOf = ({ number, name, description, definition, hash, created }: Version): WorkflowVersionResponseSchema => ({
  version: number,
  name,
  description,
  definition: wireDefinition(definition),
  definition_hash: hash,
  created_at: naive(created),
  // A version never changes.
  updated_at: naive(created),
})

// ── what a draft begins with ───────────────────────────────────────────────────────────────────────────────────────────

const schemaText = (schema: JsonObject): string => JSON.stringify(schema)
const text = { type: 'string' }

function endNode(id: string, type: string, x: number, outputs: JsonObject, schema: string): Node {
  const config = { output_schema: outputs, output_json_schema: schema, has_fixed_output: false }
  return { id, type, title: id, config, parentId: null, position: { x, y: 100 }, size: null }
}

/** As PySpur spells it, blanks included: clients and hashes know it. */
const inputSchema = '{"type": "object", "properties": {"input_1": {"type": "string"} } }'

function inputNode(outputs: JsonObject, schema: string): Node {
  const node = endNode('input_node', 'InputNode', 100, outputs, schema)
  return { ...node, config: { ...node.config, enforce_schema: false } }
}

const begun = (kind: DefinitionKind, nodes: Node[]): Definition => ({ kind, nodes, links: [], settings: { ...settings }, testInputs: [] })

const plain = (kind: DefinitionKind): Definition => begun(kind, [inputNode({ input_1: 'string' }, inputSchema)])

const chatbot = (): Definition =>
  begun('chatbot', [
    inputNode(
      { user_message: 'string', session_id: 'string', message_history: 'List[Dict[str, str]]' },
      schemaText({
        type: 'object',
        properties: {
          user_message: text,
          session_id: text,
          message_history: { type: 'array', items: { type: 'object', properties: { role: text, content: text } } },
        },
        required: ['user_message', 'session_id'],
      }),
    ),
    endNode(
      'output_node',
      'OutputNode',
      300,
      { assistant_message: 'string' },
      schemaText({ type: 'object', properties: { assistant_message: text }, required: ['assistant_message'] }),
    ),
  ])

/** What a draft of this kind begins with: a chatbot with the fields of a chat, anything else with an input node. */
export const firstDraft = (kind: DefinitionKind): Definition => (kind === 'chatbot' ? chatbot() : plain(kind))

export const firstDrafts = (): Record<DefinitionKind, Definition> => ({ workflow: firstDraft('workflow'), chatbot: firstDraft('chatbot'), agent: firstDraft('agent') })
