import { Fault, isSameLink, linkIdOf, type Definition, type EditOperation, type EditedWorkflow, type FaultCode, type Link, type Node, type Sample } from '@sluice/schema'
import { mergedExtra, mergedKeys } from './keep.ts'
import { formIssues } from './form.ts'

/** Edits of a draft: all of a list apply, or none does. PURE. */

export interface Edited {
  definition: Definition
  /** What `draw` gave, by the place of the operation. */
  drawn: EditedWorkflow['drawn']
  /** What is written of samples, by node; what is absent of one stays. */
  samples: ReadonlyMap<string, SampleChange>
  /** The nodes that the operations name and that are there now. */
  named: ReadonlySet<string>
  /** Those that were taken out, be it that one of the same id came after. */
  gone: ReadonlySet<string>
}

export type SampleChange = Partial<Pick<Sample, 'input' | 'output' | 'error'>>

interface Draft {
  nodes: Node[]
  links: Link[]
  samples: Map<string, SampleChange>
  named: Set<string>
  gone: Set<string>
  /** An id, for what came without one. */
  draw(): string
}

type Edit<Op extends EditOperation['op']> = (draft: Draft, operation: Extract<EditOperation, { op: Op }>, refuse: Refuse) => void
type Refuse = (code: Extract<FaultCode, 'node_missing' | 'link_missing' | 'link_exists' | 'input_invalid'>, path: string[], message: string) => never

/** Throws `node_missing`, `link_missing`, `link_exists` or `input_invalid`, naming the operation by its place in the list. */
export function applyEdits(definition: Definition, operations: readonly EditOperation[], draw: () => string): Edited {
  const drawn: EditedWorkflow['drawn'] = []
  const draft: Draft = { nodes: [...definition.nodes], links: [...definition.links], samples: new Map(), named: new Set(), gone: new Set(), draw }
  for (const [at, operation] of operations.entries()) {
    const refuse: Refuse = (code, path, message) => {
      throw new Fault(code, { message, issues: [{ path: ['operations', at, ...path], message }] })
    }
    draft.draw = () => {
      const id = draw()
      drawn.push({ operation: at, id })
      return id
    }
    apply(draft, operation, refuse)
  }
  const { nodes, links, samples, named, gone } = draft
  const edited = { ...definition, nodes, links }
  const issues = formIssues(edited)
  if (issues.length > 0) throw new Fault('input_invalid', { issues: issues.map((issue) => ({ ...issue, path: ['operations', operations.length - 1, ...(issue.path ?? [])] })) })
  return { definition: edited, drawn, samples, named, gone }
}

function apply(draft: Draft, operation: EditOperation, refuse: Refuse): void {
  switch (operation.op) {
    case 'addNode':
      return addNode(draft, operation, refuse)
    case 'moveNode':
      return replace(draft, operation.nodeId, ({ position }) => ({ position: { ...(position ?? origin), ...said(operation.position) } }), refuse)
    case 'setConfig':
      return setConfig(draft, operation, refuse)
    case 'removeNode':
      return removeNode(draft, operation, refuse)
    case 'connect':
      return connect(draft, operation, refuse)
    case 'changeLink':
      return changeLink(draft, operation, refuse)
    case 'disconnect':
      return disconnect(draft, operation, refuse)
    case 'setSample':
      return setSample(draft, operation, refuse)
  }
}

const origin = { x: 0, y: 0 }

// ── nodes ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

const addNode: Edit<'addNode'> = (draft, { node: { id: given, ...node }, sample }, refuse) => {
  if (given !== undefined && hasNode(draft, given)) refuse('input_invalid', ['node', 'id'], `There is another node with the id ${given}`)
  if (node.parentId && !hasNode(draft, node.parentId)) refuse('input_invalid', ['node', 'parentId'], `There is no node ${node.parentId}`)
  const id = given ?? draft.draw()
  draft.nodes.push({ id, ...node })
  if (sample) draft.samples.set(id, said(sample))
  draft.named.add(id)
}

const setConfig: Edit<'setConfig'> = (draft, { op: _op, nodeId, merge = [], config, extra, position, ...rest }, refuse) => {
  const changeOf = (node: Node): Partial<Node> => ({
    ...said(rest),
    ...(config && { config: merge.includes('config') ? mergedKeys(node.config ?? {}, config) : config }),
    ...(extra && { extra: merge.includes('extra') ? mergedExtra(node.extra ?? {}, extra) : extra }),
    ...(position && { position: { ...(node.position ?? origin), ...said(position) } }),
  })
  replace(draft, nodeId, changeOf, refuse)
}

/** A node goes with its links, its sample, and with what stands in its body. */
const removeNode: Edit<'removeNode'> = (draft, { nodeId }, refuse) => {
  if (!hasNode(draft, nodeId)) refuse('node_missing', ['nodeId'], `There is no node ${nodeId}`)
  const gone = new Set([nodeId])
  let before = 0
  while (before < gone.size) {
    before = gone.size
    for (const node of draft.nodes) if (node.parentId && gone.has(node.parentId)) gone.add(node.id)
  }
  draft.nodes = draft.nodes.filter(({ id }) => !gone.has(id))
  draft.links = draft.links.filter(({ source, target }) => !gone.has(source) && !gone.has(target))
  for (const id of gone) {
    draft.gone.add(id)
    draft.named.delete(id)
    draft.samples.delete(id)
  }
}

const setSample: Edit<'setSample'> = (draft, { op: _op, nodeId, ...sample }, refuse) => {
  if (!hasNode(draft, nodeId)) refuse('node_missing', ['nodeId'], `There is no node ${nodeId}`)
  draft.samples.set(nodeId, { ...draft.samples.get(nodeId), ...said(sample) })
  draft.named.add(nodeId)
}

function replace(draft: Draft, nodeId: string, changeOf: (node: Node) => Partial<Node>, refuse: Refuse): void {
  const at = draft.nodes.findIndex(({ id }) => id === nodeId)
  const node = draft.nodes[at]
  if (!node) return refuse('node_missing', ['nodeId'], `There is no node ${nodeId}`)
  draft.nodes[at] = { ...node, ...changeOf(node) }
  draft.named.add(nodeId)
}

const hasNode = (draft: Draft, nodeId: string): boolean => draft.nodes.some(({ id }) => id === nodeId)

/** Without keys that are there and undefined: a caller in JavaScript says nothing with them. */
const said = <T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as { [K in keyof T]: Exclude<T[K], undefined> }

// ── links ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

const connect: Edit<'connect'> = (draft, { link: given, ifSame = 'keep' }, refuse) => {
  refuseEnds(draft, given, ['link'], refuse)
  const same = draft.links.find((each) => isSameLink(each, given))
  if (same && ifSame === 'refuse') refuse('link_exists', ['link'], `The link ${linkIdOf(same)} is the same`)
  if (same) return
  const { id, ...link } = given
  if (id !== undefined && find(draft, id)) refuse('input_invalid', ['link', 'id'], `There is another link with the id ${id}`)
  draft.links.push({ id: id ?? draft.draw(), ...link })
}

/** It goes on under the id that it was found by, also where that was made of what it said. */
const changeLink: Edit<'changeLink'> = (draft, { op: _op, linkId, ...given }, refuse) => {
  const link = find(draft, linkId) ?? refuse('link_missing', ['linkId'], `There is no link ${linkId}`)
  const changed: Link = { ...link, ...said(given), id: linkId }
  refuseEnds(draft, changed, [], refuse)
  const same = draft.links.find((each) => each !== link && isSameLink(each, changed))
  if (same) refuse('link_exists', [], `The link ${linkIdOf(same)} is the same`)
  draft.links[draft.links.indexOf(link)] = changed
}

const disconnect: Edit<'disconnect'> = (draft, { linkId, link: given }, refuse) => {
  if (given) draft.links = draft.links.filter((each) => !isSameLink(each, given))
  if (linkId === undefined) return
  const link = find(draft, linkId) ?? refuse('link_missing', ['linkId'], `There is no link ${linkId}`)
  // Those that are the same, and have no id either, have this one too.
  draft.links = draft.links.filter((each) => each !== link && linkIdOf(each) !== linkId)
}

/** One that has the id wins over one that it could be made of. */
const find = (draft: Draft, linkId: string): Link | undefined => draft.links.find(({ id }) => id === linkId) ?? draft.links.find((each) => linkIdOf(each) === linkId)

function refuseEnds(draft: Draft, link: Link, path: string[], refuse: Refuse): void {
  for (const end of ['source', 'target'] as const) if (!hasNode(draft, link[end])) refuse('node_missing', [...path, end], `There is no node ${link[end]}`)
  if (link.source === link.target) refuse('input_invalid', [...path, 'target'], 'A link leads to another node than it comes from')
}
