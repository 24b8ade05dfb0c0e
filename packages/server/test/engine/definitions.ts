import type { Definition, Link, Node } from '@sluice/schema'
import type { Tape } from './tape.ts'

/** Definitions from a tape: graphs without cycles, bodies nested up to two deep, every kind of wait, every outcome handle. */

export interface Shape {
  /** Nodes of the top at most; bodies have up to three. */
  nodes: number
  bodies: 'none' | 'some' | 'mostly'
  /** Kinds of node beside `work` and `router`. */
  waits: boolean
  /** Producers, writers into the channels of some of them, and maps that draw their body. */
  draws?: boolean
}

export const richest: Shape = { nodes: 7, bodies: 'some', waits: true }
export const nested: Shape = { nodes: 3, bodies: 'mostly', waits: true }
export const drawn: Shape = { nodes: 8, bodies: 'some', waits: true, draws: true }
export const flat: Shape = { nodes: 9, bodies: 'none', waits: false }

export function definitionFrom(tape: Tape, shape: Shape = richest): Definition {
  const nodes: Node[] = []
  const links: Link[] = []
  scope(tape, shape, nodes, links, null, shape.nodes, 0)
  const settings = {
    ...(tape.once(2) && { onFailure: 'continue' as const }),
    ...(tape.once(3) && { join: 'all' as const }),
    ...(tape.once(8) && { timeoutMs: 5_000 }),
  }
  return { kind: 'workflow', nodes, links, settings }
}

function scope(tape: Tape, shape: Shape, nodes: Node[], links: Link[], parentId: string | null, most: number, depth: number): void {
  const count = tape.pick(most + 1)
  const members: Node[] = []
  for (let index = 0; index < count; index++) {
    const node = nodeFrom(tape, shape, `${parentId ? `${parentId}.` : ''}${index}`, parentId, depth)
    members.push(node)
    nodes.push(node)
    if (node.type === 'map' || node.type === 'loop') scope(tape, shape, nodes, links, node.id, 3, depth + 1)
  }
  for (const [at, target] of members.entries()) for (const source of members.slice(0, at)) if (tape.once(3)) links.push(...linksFrom(tape, source, target))
}

function nodeFrom(tape: Tape, shape: Shape, id: string, parentId: string | null, depth: number): Node {
  const type = typeFrom(tape, shape, depth)
  const settings = {
    ...(tape.once(3) && { retry: { maxAttempts: 1 + tape.pick(3), backoffMs: tape.of([100, 0, 2_000]), factor: 2, jitter: 0.5, ...(tape.once(4) && { manual: true }) } }),
    ...(tape.once(3) && { compensate: { type: 'work' } }),
    ...(tape.once(4) && { timeoutMs: 1_000 }),
    ...(tape.once(6) && { join: tape.of(['any', 'all'] as const) }),
  }
  return { id, type, parentId, settings, config: configFrom(tape, type) }
}

function typeFrom(tape: Tape, { bodies, waits, draws }: Shape, depth: number): string {
  const types = ['work', 'work', 'router']
  if (draws) types.push('producer', 'producer', 'writer', 'drawn')
  if (waits) types.push('pause', 'signal', 'report', 'timer', 'child')
  if (bodies === 'mostly' && depth < 2) return tape.of(['map', 'map', 'loop', ...types])
  if (bodies !== 'none' && depth < 2) types.push('map', 'loop', 'map', 'loop')
  if (depth === 0 && tape.once(12)) return 'input'
  return tape.of(types)
}

function configFrom(tape: Tape, type: string): NonNullable<Node['config']> {
  if (type === 'producer') return { max: tape.pick(4) }
  if (type === 'map' || type === 'drawn') return { total: tape.pick(5), concurrency: 1 + tape.pick(3), collect: tape.once(2) }
  if (type === 'loop') return { max: tape.pick(4) }
  if (type === 'signal') return { name: tape.of(['a', 'b']) }
  if (type !== 'pause') return {}
  return { blocks: tape.once(5) ? 'run' : 'dependants', expiresInMs: tape.of([null, 500]), onExpiry: tape.of([null, 'approve', 'decline', 'override']) }
}

/** The handles a node of a type may leave by, `default` first. */
export function handlesOf(type: string): string[] {
  if (type === 'router') return ['default', 'a', 'b', 'failed']
  if (type === 'pause') return ['default', 'declined', 'expired', 'failed']
  if (type === 'signal' || type === 'report' || type === 'child') return ['default', 'expired', 'failed']
  if (type === 'producer') return ['default', 'default', 'done', 'failed']
  if (type === 'drawn') return ['each', 'each', 'default', 'failed']
  return ['default', 'default', 'failed']
}

function linksFrom(tape: Tape, source: Node, target: Node): Link[] {
  const handles = handlesOf(source.type)
  const link = (handle: string): Link => ({ source: source.id, target: target.id, ...(handle !== 'default' && { sourceHandle: handle }) })
  const first = tape.of(handles)
  return tape.once(6) ? [link(first), link(tape.of(handles))] : [link(first)]
}
