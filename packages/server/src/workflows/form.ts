import { limits, type Definition, type Issue } from '@sluice/schema'

/** The form of a draft, beyond what its schema says: what must hold for any edit to be able to speak about it. */
export function formIssues(definition: Partial<Definition> & Pick<Definition, 'nodes' | 'links'>): Issue[] {
  const issues: Issue[] = []
  const ids = new Set<string>()
  for (const [at, node] of definition.nodes.entries()) {
    if (ids.has(node.id)) issues.push({ path: ['nodes', at, 'id'], nodeId: node.id, message: `There is another node with the id ${node.id}` })
    ids.add(node.id)
    if (node.extra && bytesOf(node.extra) > limits.extraBytes) issues.push({ path: ['nodes', at, 'extra'], nodeId: node.id, message: extraTooLarge })
  }
  const linkIds = new Set<string>()
  for (const [at, { id }] of definition.links.entries()) {
    if (id !== undefined && linkIds.has(id)) issues.push({ path: ['links', at, 'id'], message: `There is another link with the id ${id}` })
    if (id !== undefined) linkIds.add(id)
  }
  for (const [at, link] of definition.links.entries())
    for (const end of ['source', 'target'] as const) if (!ids.has(link[end])) issues.push({ path: ['links', at, end], message: `There is no node ${link[end]}` })
  if (definition.nodes.length > limits.nodes) issues.push({ path: ['nodes'], message: `${limits.nodes} nodes are allowed` })
  if (definition.links.length > limits.links) issues.push({ path: ['links'], message: `${limits.links} links are allowed` })
  const bytes = bytesOf(definition)
  if (bytes > limits.definitionBytes) issues.push({ path: [], message: `It has ${bytes} bytes as JSON; ${limits.definitionBytes} are allowed` })
  return issues
}

export const extraTooLarge = `At most ${limits.extraBytes / 1024} KiB are kept here`

export const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value) ?? '')
