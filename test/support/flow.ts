import type { Definition, DefinitionSettings, JsonObject, Link, Node, NodeSettings } from '@sluice/schema'

/** A node of a flow: its type, or its type with the rest. `in` names the map or loop whose body it stands in. */
export type FlowNode = string | { type: string; config?: JsonObject; settings?: NodeSettings; title?: string; in?: string }

/**
 * A definition in few words. Links are written `a > b`, chains `a > b > c`, a route `choice.yes > b`:
 * `flow({ a: 'input', b: { type: 'log', config: { message: 'x' } } }, ['a > b'])`.
 */
export function flow(nodes: Record<string, FlowNode>, links: readonly string[] = [], settings?: DefinitionSettings): Definition {
  return { kind: 'workflow', nodes: Object.entries(nodes).map(([id, node]) => nodeOf(id, node)), links: links.flatMap(linksOf), ...(settings && { settings }) }
}

function nodeOf(id: string, given: FlowNode): Node {
  const { in: parentId, ...node } = typeof given === 'string' ? { type: given } : given
  return { id, ...node, ...(parentId !== undefined && { parentId }) }
}

function linksOf(chain: string): Link[] {
  const stops = chain.split('>').map((stop) => stop.trim())
  return stops.slice(1).map((stop, at) => {
    const [source = '', sourceHandle] = stops[at]!.split('.')
    return { source, ...(sourceHandle !== undefined && { sourceHandle }), target: stop.split('.')[0]! }
  })
}

// ── nodes that tests need often ────────────────────────────────────────────────────────────────────────────────────────

type Of<T> = { settings?: NodeSettings; in?: string; title?: string } & T
const made = (type: string, config: JsonObject, { settings, in: parent, title }: Of<object> = {}): FlowNode => ({
  type,
  config,
  ...(settings && { settings }),
  ...(parent !== undefined && { in: parent }),
  ...(title !== undefined && { title }),
})

export const values = (object: JsonObject, more?: Of<object>): FlowNode => made('static-value', { values: object }, more)
export const template = (text: string, more?: Of<object>): FlowNode => made('template', { text }, more)
export const approval = (more: Of<{ config?: JsonObject }> = {}): FlowNode => made('human', { kind: 'approval', message: 'May we?', ...more.config }, more)
export const external = (more?: Of<object>): FlowNode => made('external', {}, more)
export const signal = (name: string, more: Of<{ timeoutMs?: number }> = {}): FlowNode =>
  made('signal', { name, ...(more.timeoutMs !== undefined && { timeoutMs: more.timeoutMs }) }, more)
export const delay = (ms: number, more?: Of<object>): FlowNode => made('delay', { ms }, more)
export const subworkflow = (workflow: string, more: Of<{ config?: JsonObject }> = {}): FlowNode => made('subworkflow', { workflow, ...more.config }, more)
export const post = (url: string, more: Of<{ body?: JsonObject }> = {}): FlowNode => made('http-request', { method: 'POST', url, ...(more.body && { body: more.body }) }, more)
export const router = (routes: Record<string, string>, mode: 'first' | 'all' = 'first', more?: Of<object>): FlowNode =>
  made('router', { mode, routes: Object.entries(routes).map(([name, when]) => ({ name, when })) }, more)
export const map = (items: string, more: Of<{ concurrency?: number; onItemFailure?: 'fail' | 'collect' }> = {}): FlowNode =>
  made('map', { items, ...(more.concurrency !== undefined && { concurrency: more.concurrency }), ...(more.onItemFailure && { onItemFailure: more.onItemFailure }) }, more)
export const loop = (config: JsonObject, more?: Of<object>): FlowNode => made('loop', config, more)
