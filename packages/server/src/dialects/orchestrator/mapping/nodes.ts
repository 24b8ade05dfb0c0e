import type { EditOperation, Node as CoreNode, Workflow } from '@sluice/schema'
import type { AddNodeRequest, CanvasData, CanvasNode, Node, NodeRequest, PatchedNodeRequest, PlacedNode, RawConfig } from '../contract.ts'
import { initialValues } from '../forms.ts'
import { identifierOf, typeFor } from '../nodes.ts'
import { branchOf, connectionOf, edgeOf } from './connections.ts'
import { said } from './dicts.ts'
import { configKept, extraOf } from './kept.ts'
import { type Place, placesOf } from './layout.ts'
import { canvasTypeOf } from './node-types.ts'
import { madeAt, zulu } from './times.ts'
import { canvasWorkflowOf, workflowOf } from './workflow.ts'

/** Nodes as the Orchestrator tells them, with what was last tried on them. PURE and total: whoever made a definition, it is shown. */

type Drawn = Pick<Workflow, 'draft' | 'samples' | 'created' | 'updated'>

// ── to the wire ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** All of a draft, in its order. */
export function nodesOf(workflow: Drawn): PlacedNode[] {
  const places = placesOf(workflow.draft)
  return workflow.draft.nodes.map((node) => nodeOf(node, places.get(node.id)!, workflow))
}

/** Undefined: there is none. */
export const nodeNamed = (workflow: Drawn, id: string): PlacedNode | undefined => nodesOf(workflow).find((node) => node.id === id)

function nodeOf(node: CoreNode, place: Place, { samples = {}, created, updated }: Drawn): PlacedNode {
  const { id, type, config = {} } = node
  const sample = Object.hasOwn(samples, id) ? samples[id]! : null
  const made = madeAt(id, { from: created, to: updated })
  return {
    id,
    created_at: zulu(made),
    // An id may be drawn a little after the time that its edit is said to be of.
    updated_at: zulu(made > updated ? made : updated),
    node_type: identifierOf(type),
    x: place.x,
    y: place.y,
    form_values: config,
    config: configKept(node),
    input_data: sample?.input ?? {},
    output_data: sample?.output ?? {},
    position: { x: place.x, y: place.y },
  }
}

/** The same without its position as an object, as what tells of nodes alone has it. */
export const plainNode = ({ position: _alsoXAndY, ...node }: PlacedNode): Node => node

export function canvasOf(workflow: Workflow): CanvasData {
  const { links } = workflow.draft
  const leaving = Map.groupBy(links, ({ source }) => source)
  const canvasNodeOf = (node: PlacedNode): CanvasNode => ({ ...node, node_type: canvasTypeOf(node.node_type, (leaving.get(node.id) ?? []).map(branchOf)) })
  return {
    id: workflow.id,
    nodes: nodesOf(workflow).map(canvasNodeOf),
    edges: links.map((link) => edgeOf(link, workflow)),
    workflow: canvasWorkflowOf(workflow),
  }
}

export const rawConfigOf = (workflow: Workflow): RawConfig => ({
  ...workflowOf(workflow),
  nodes: nodesOf(workflow).map(plainNode),
  connections: workflow.draft.links.map(connectionOf),
})

// ── from the wire ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** Of one that the canvas adds. Without values it begins as its form does. */
export const addedNode = ({ nodeTemplate, position, form_values }: AddNodeRequest): EditOperation => ({
  op: 'addNode',
  node: { type: typeFor(nodeTemplate), config: form_values ?? initialValues(nodeTemplate), position },
})

export const newNode = ({ node_type, x = 0, y = 0, form_values, config, input_data, output_data }: NodeRequest): EditOperation => ({
  op: 'addNode',
  node: { type: typeFor(node_type), config: form_values ?? initialValues(node_type), position: { x, y }, ...extraOf({ config }) },
  ...sampleOf(input_data, output_data),
})

const sampleOf = (input: PatchedNodeRequest['input_data'], output: PatchedNodeRequest['output_data']) =>
  input === undefined && output === undefined ? {} : { sample: said({ input, output }) }

/** What is said of it is replaced, value by value. */
export function changedNode(nodeId: string, { node_type, x, y, form_values, config, input_data, output_data }: PatchedNodeRequest): EditOperation[] {
  const position = x === undefined && y === undefined ? {} : { position: said({ x, y }) }
  const sample = input_data === undefined && output_data === undefined ? [] : [{ op: 'setSample' as const, nodeId, ...said({ input: input_data, output: output_data }) }]
  return [
    {
      op: 'setConfig',
      nodeId,
      ...said({ type: node_type === undefined ? undefined : typeFor(node_type), config: form_values }),
      ...position,
      ...extraOf({ config }),
      merge: ['extra'],
    },
    ...sample,
  ]
}
