import type { JsonObject } from '@sluice/schema'
import type { PySpur } from './server.ts'

/** Definitions as PySpur's clients write them. */

export interface WireNode {
  id: string
  node_type: string
  config: JsonObject
  title?: string
  parent_id?: string
}

/** With the handle it leaves by, where that counts. */
export type WireLink = [source: string, target: string, route?: string]

export interface Graph {
  nodes: WireNode[]
  links: WireLink[]
  spur_type?: 'workflow' | 'chatbot'
}

export const node = (id: string, node_type: string, config: JsonObject = {}, more: Pick<WireNode, 'title' | 'parent_id'> = {}): WireNode => ({ id, node_type, config, ...more })

export const input = node('in', 'InputNode')
export const output = (output_map: JsonObject = {}): WireNode => node('out', 'OutputNode', { output_map })
export const human = (id: string, config: JsonObject = {}): WireNode => node(id, 'HumanInterventionNode', config)
export const fixed = (id: string, values: JsonObject): WireNode => node(id, 'StaticValueNode', { values })
/** A step that fails at once: nobody is let there. */
export const failing = (id: string): WireNode => node(id, 'http-request', { method: 'GET', url: 'http://10.0.0.1/' })

export const wireOf = ({ nodes, links, spur_type = 'workflow' }: Graph): JsonObject => ({
  nodes: nodes.map(({ id, title = id, parent_id = null, node_type, config }) => ({ id, title, parent_id, node_type, config })),
  links: links.map(([source_id, target_id, source_handle = null]) => ({ source_id, target_id, source_handle })),
  spur_type,
})

/** The id of a new workflow with this definition. */
export async function made(spur: PySpur, graph: Graph, name = 'Flow'): Promise<string> {
  const { status, body } = await spur.call('POST', '/wf/', { name, definition: wireOf(graph) })
  if (status !== 200) throw new Error(`not made: ${status} ${JSON.stringify(body)}`)
  return body.id as string
}

export const given = (value: JsonObject = { text: 'Hello' }): JsonObject => ({ initial_inputs: { in: value } })

/** The token of somebody of another workspace. */
export async function stranger({ server }: PySpur): Promise<string> {
  const { id } = await server.call<{ id: string }>('POST', '/v1/workspaces', { name: 'Elsewhere', handle: 'elsewhere' })
  return (await server.call<{ token: string }>('POST', '/v1/auth/switch', { workspace: id })).token
}

const password = 'another correct horse'

/** Another member of the workspace. */
export async function member({ server }: PySpur, role: string): Promise<{ id: string; email: string; token: string }> {
  const email = `${role}@sluice.example`
  await server.call('POST', '/v1/members', { email, role, password })
  const { token, user } = await server.call<{ token: string; user: { id: string } }>('POST', '/v1/auth/login', { email, password }, { as: '' })
  return { id: user.id, email, token }
}
