import { Fault, type Definition, type EditOperation, type Link, type Node } from '@sluice/schema'
import { formIssues } from './form.ts'

/** Edits of a draft: all of a list apply, or none does. PURE. */

type Draft = { nodes: Node[]; links: Link[] }
type Edit<Op extends EditOperation['op']> = (draft: Draft, operation: Extract<EditOperation, { op: Op }>, refuse: Refuse) => void
type Refuse = (code: 'node_missing' | 'input_invalid', path: string[], message: string) => never

/** Throws `node_missing` or `input_invalid`, naming the operation by its place in the list. */
export function applyEdits(definition: Definition, operations: readonly EditOperation[]): Definition {
  const draft: Draft = { nodes: [...definition.nodes], links: [...definition.links] }
  for (const [at, operation] of operations.entries()) {
    const refuse: Refuse = (code, path, message) => {
      throw new Fault(code, { message, issues: [{ path: ['operations', at, ...path], message }] })
    }
    apply(draft, operation, refuse)
  }
  const edited = { ...definition, ...draft }
  const issues = formIssues(edited)
  if (issues.length > 0) throw new Fault('input_invalid', { issues: issues.map((issue) => ({ ...issue, path: ['operations', operations.length - 1, ...(issue.path ?? [])] })) })
  return edited
}

function apply(draft: Draft, operation: EditOperation, refuse: Refuse): void {
  switch (operation.op) {
    case 'addNode':
      return addNode(draft, operation, refuse)
    case 'moveNode':
      return replace(draft, operation.nodeId, { position: operation.position }, refuse)
    case 'setConfig':
      return setConfig(draft, operation, refuse)
    case 'removeNode':
      return removeNode(draft, operation, refuse)
    case 'connect':
      return connect(draft, operation, refuse)
    case 'disconnect':
      draft.links = draft.links.filter((link) => !sameLink(link, operation.link))
  }
}

const addNode: Edit<'addNode'> = (draft, { node }, refuse) => {
  if (draft.nodes.some(({ id }) => id === node.id)) refuse('input_invalid', ['node', 'id'], `There is another node with the id ${node.id}`)
  if (node.parentId && !draft.nodes.some(({ id }) => id === node.parentId)) refuse('input_invalid', ['node', 'parentId'], `There is no node ${node.parentId}`)
  draft.nodes.push(node)
}

const setConfig: Edit<'setConfig'> = (draft, { nodeId, config, title, settings, extra }, refuse) => {
  const given = Object.entries({ config, title, settings, extra }).filter(([, value]) => value !== undefined)
  replace(draft, nodeId, Object.fromEntries(given), refuse)
}

/** A node goes with its links, and with what stands in its body. */
const removeNode: Edit<'removeNode'> = (draft, { nodeId }, refuse) => {
  if (!draft.nodes.some(({ id }) => id === nodeId)) refuse('node_missing', ['nodeId'], `There is no node ${nodeId}`)
  const gone = new Set([nodeId])
  let before = 0
  while (before < gone.size) {
    before = gone.size
    for (const node of draft.nodes) if (node.parentId && gone.has(node.parentId)) gone.add(node.id)
  }
  draft.nodes = draft.nodes.filter(({ id }) => !gone.has(id))
  draft.links = draft.links.filter(({ source, target }) => !gone.has(source) && !gone.has(target))
}

const connect: Edit<'connect'> = (draft, { link }, refuse) => {
  for (const end of ['source', 'target'] as const) if (!draft.nodes.some(({ id }) => id === link[end])) refuse('node_missing', ['link', end], `There is no node ${link[end]}`)
  if (!draft.links.some((each) => sameLink(each, link))) draft.links.push(link)
}

function replace(draft: Draft, nodeId: string, change: Partial<Node>, refuse: Refuse): void {
  const at = draft.nodes.findIndex(({ id }) => id === nodeId)
  if (at < 0) refuse('node_missing', ['nodeId'], `There is no node ${nodeId}`)
  draft.nodes[at] = { ...draft.nodes[at]!, ...change }
}

export const sameLink = (a: Link, b: Link): boolean =>
  a.source === b.source && a.target === b.target && (a.sourceHandle ?? 'default') === (b.sourceHandle ?? 'default') && (a.targetHandle ?? null) === (b.targetHandle ?? null)
