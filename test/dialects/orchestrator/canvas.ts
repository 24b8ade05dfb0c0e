import type { JsonObject } from '@sluice/schema'
import { type Client, ok } from './server.ts'

/** What is to be drawn: nodes by names of the test's own, and connections as `a > b` or `a.yes > b`. */
export interface Drawing {
  nodes: Record<string, [nodeTemplate: string, form_values?: JsonObject]>
  connections?: readonly string[]
}

export interface Canvas {
  id: string
  /** `/workflow/ID`. */
  at: string
  /** Ids by the test's names. */
  ids: Record<string, string>
  /** The test's name of a node. */
  nameOf(id: string): string
}

/** Draws it as an editor does: one call a node, one a connection. */
export async function draw(client: Client, { nodes, connections = [] }: Drawing, name = 'Canvas'): Promise<Canvas> {
  const { id } = await ok(client.call('POST', '/workflow/', { name }), 201)
  const at = `/workflow/${id}`
  const ids: Record<string, string> = {}
  for (const [each, [nodeTemplate, form_values]] of Object.entries(nodes))
    ids[each] = (await ok(client.call('POST', `${at}/nodes/add/`, { nodeTemplate, position: { x: 0, y: 0 }, form_values }), 201)).id
  for (const connection of connections) {
    const [from = '', to = ''] = connection.split(' > ')
    const [source = '', sourceHandle = 'default'] = from.split('.')
    await ok(client.call('POST', `${at}/connections/add/`, { source: ids[source], target: ids[to], sourceHandle }), 201)
  }
  const names = new Map(Object.entries(ids).map(([each, nodeId]) => [nodeId, each]))
  return { id, at, ids, nameOf: (nodeId) => names.get(nodeId) ?? nodeId }
}
