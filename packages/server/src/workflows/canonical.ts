import { createHash } from 'node:crypto'
import type { Definition, Link, Node } from '@sluice/schema'
import { defaultRetry } from './graph.ts'

/**
 * The one text of a definition: keys in order, defaults filled in, so that absent and default are equal. All of it is
 * covered, places on the canvas and test inputs too. Order of nodes and links counts: it breaks ties when a run goes on.
 * So does that of keys in a config: routes may stand there by name, and the first that matches is taken.
 */
export const canonical = (definition: Definition): string => text(filled(definition))

/** SHA-256 of the canonical text, hex. */
export const hashOf = (definition: Definition): string => createHash('sha256').update(canonical(definition)).digest('hex')

function filled({ kind, nodes, links, settings, testInputs }: Definition): unknown {
  return {
    kind: kind ?? 'workflow',
    nodes: nodes.map(ofNode),
    links: links.map(ofLink),
    settings: { join: 'any', onFailure: 'stop', idempotent: false, ...defined(settings) },
    testInputs: testInputs ?? [],
  }
}

function ofNode(node: Node): unknown {
  const { compensate, retry, ...settings } = node.settings ?? {}
  return {
    ...node,
    config: node.config ?? {},
    settings: { ...settings, retry: { ...defaultRetry, ...defined(retry) }, ...(compensate && { compensate: { ...compensate, config: compensate.config ?? {} } }) },
    position: node.position ?? null,
    size: node.size ?? null,
    parentId: node.parentId ?? null,
    extra: node.extra ?? {},
  }
}

const ofLink = (link: Link): Link => ({
  ...(link.id !== undefined && { id: link.id }),
  source: link.source,
  target: link.target,
  sourceHandle: link.sourceHandle ?? 'default',
  targetHandle: link.targetHandle ?? null,
})

/** Without keys that are there and undefined: they would hide the default under them. */
const defined = (object: object = {}): object => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))

function text(value: unknown, asWritten = false): string {
  if (Array.isArray(value)) return `[${value.map((each) => text(each, asWritten)).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const entries = Object.entries(value).filter(([, each]) => each !== undefined)
  if (!asWritten) entries.sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, each]) => `${JSON.stringify(key)}:${text(each, asWritten || key === 'config')}`).join(',')}}`
}
