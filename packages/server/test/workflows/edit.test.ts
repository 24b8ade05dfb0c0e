import { Fault, linkIdOf, type EditOperation } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { applyEdits } from '../../src/workflows/edit.ts'
import { definition, merge } from './toys.ts'

const start = definition(
  [merge('a'), merge('m'), merge('inside', { parentId: 'm' }), merge('deeper', { parentId: 'inside' }), merge('z', { title: 'Z', config: { keep: 1 }, settings: { join: 'all' } })],
  [
    ['a', 'm'],
    ['m', 'z'],
    ['inside', 'deeper'],
    ['a', 'z', 'failed'],
  ],
)
const drawing = () => {
  let count = 0
  return () => `drawn${++count}`
}
const edit = (...operations: EditOperation[]) => applyEdits(start, operations, drawing())
const apply = (...operations: EditOperation[]) => edit(...operations).definition
const refused = (...operations: EditOperation[]) => {
  try {
    apply(...operations)
  } catch (error) {
    if (error instanceof Fault) return { code: error.code, path: error.issues[0]!.path }
  }
  throw new Error('not refused')
}

describe('edits of a draft', () => {
  test('a node that goes takes its links and its body along', () => {
    const edited = apply({ op: 'removeNode', nodeId: 'm' })
    expect(edited.nodes.map(({ id }) => id)).toEqual(['a', 'z'])
    expect(edited.links).toEqual([{ source: 'a', target: 'z', sourceHandle: 'failed' }])
  })

  test('setConfig replaces what is given and keeps the rest', () => {
    const z = apply({ op: 'setConfig', nodeId: 'z', config: { now: 2 } }).nodes.at(-1)
    expect(z).toEqual({ id: 'z', type: 'merge', title: 'Z', config: { now: 2 }, settings: { join: 'all' } })
  })

  test('a draft stays within its bytes, however many edits it comes by', () => {
    const large = (nodeId: string): EditOperation => ({ op: 'setConfig', nodeId, config: { text: 'x'.repeat(900_000) } })
    expect(apply(large('a'), large('m')).nodes).toHaveLength(5)
    expect(refused(large('a'), large('m'), large('z'))).toEqual({ code: 'input_invalid', path: ['operations', 2] })
  })

  test('a link is there once, however often it is drawn, and goes however it is spelled', () => {
    const link = { source: 'a', target: 'm' }
    expect(apply({ op: 'connect', link: { ...link, sourceHandle: 'default', targetHandle: null } }).links).toEqual(start.links)
    expect(apply({ op: 'disconnect', link: { ...link, sourceHandle: 'default' } }).links).toHaveLength(3)
    expect(apply({ op: 'disconnect', link: { ...link, sourceHandle: 'other' } }).links).toHaveLength(4)
  })

  test('a node may come with its sample, under the id that is drawn for it', () => {
    const { samples } = edit({ op: 'addNode', node: { type: 'merge' }, sample: { input: { a: 1 } } }, { op: 'addNode', node: { type: 'merge' } })
    expect([...samples]).toEqual([['drawn1', { input: { a: 1 } }]])
  })

  test('ids are drawn for what came without one, and told by the place of the operation', () => {
    const { definition: edited, drawn } = edit(
      { op: 'moveNode', nodeId: 'a', position: { x: 1 } },
      { op: 'addNode', node: { type: 'merge' } },
      { op: 'addNode', node: merge('own') },
      { op: 'connect', link: { source: 'own', target: 'a' } },
      { op: 'connect', link: { id: 'mine', source: 'own', target: 'm' } },
    )
    expect(drawn).toEqual([
      { operation: 1, id: 'drawn1' },
      { operation: 3, id: 'drawn2' },
    ])
    expect(edited.nodes.map(({ id }) => id).slice(-2)).toEqual(['drawn1', 'own'])
    expect(edited.links.slice(-2).map(({ id }) => id)).toEqual(['drawn2', 'mine'])
    expect(edited.nodes[0]!.position).toEqual({ x: 1, y: 0 })
  })

  test('a link without an id is named by what it says, an id of its own wins', () => {
    const [first, second] = start.links
    expect(linkIdOf({ ...first!, sourceHandle: 'default', targetHandle: null })).toBe(linkIdOf(first!))
    expect(new Set(start.links.map(linkIdOf)).size).toBe(start.links.length)
    expect(linkIdOf(first!)).toMatch(/^[a-z0-9]{28}$/)
    expect(apply({ op: 'disconnect', linkId: linkIdOf(first!) }).links).toEqual(start.links.slice(1))
    // Two links of one name could not be told apart.
    expect(refused({ op: 'connect', link: { id: linkIdOf(second!), source: 'z', target: 'deeper' } })).toEqual({ code: 'input_invalid', path: ['operations', 0, 'link', 'id'] })
    // As another face may write it.
    const links = [...start.links, { id: linkIdOf(second!), source: 'z', target: 'deeper' }]
    expect(applyEdits({ ...start, links }, [{ op: 'changeLink', linkId: linkIdOf(second!), sourceHandle: 'own' }], drawing()).definition.links.at(-1)).toMatchObject({
      source: 'z',
      sourceHandle: 'own',
    })
  })

  test('a link that is changed keeps its name, and is none that is there', () => {
    const linkId = linkIdOf(start.links[0]!)
    const edited = apply({ op: 'changeLink', linkId, target: 'z', sourceHandle: 'yes' }, { op: 'changeLink', linkId, sourceHandle: null })
    expect(edited.links[0]).toEqual({ id: linkId, source: 'a', target: 'z', sourceHandle: null })
    expect(refused({ op: 'changeLink', linkId, target: 'z', sourceHandle: 'failed' })).toEqual({ code: 'link_exists', path: ['operations', 0] })
    expect(refused({ op: 'changeLink', linkId, target: 'a' })).toEqual({ code: 'input_invalid', path: ['operations', 0, 'target'] })
    expect(refused({ op: 'changeLink', linkId: 'x', target: 'z' })).toEqual({ code: 'link_missing', path: ['operations', 0, 'linkId'] })
    // It changes nothing: it is not in its own way.
    expect(apply({ op: 'changeLink', linkId }).links[0]).toEqual({ id: linkId, source: 'a', target: 'm' })
  })

  test('what a list says later may use what it said before', () => {
    const edited = apply(
      { op: 'addNode', node: merge('new') },
      { op: 'connect', link: { source: 'new', target: 'a' } },
      { op: 'moveNode', nodeId: 'new', position: { x: 1, y: 2 } },
    )
    expect(edited.nodes.at(-1)).toEqual({ ...merge('new'), position: { x: 1, y: 2 } })
  })

  test('what cannot be done is refused as a whole, naming the operation', () => {
    const fine: EditOperation = { op: 'moveNode', nodeId: 'a', position: { x: 0, y: 0 } }
    expect(refused(fine, { op: 'removeNode', nodeId: 'x' })).toEqual({ code: 'node_missing', path: ['operations', 1, 'nodeId'] })
    expect(refused({ op: 'setConfig', nodeId: 'x' })).toEqual({ code: 'node_missing', path: ['operations', 0, 'nodeId'] })
    expect(refused({ op: 'connect', link: { source: 'a', target: 'x' } })).toEqual({ code: 'node_missing', path: ['operations', 0, 'link', 'target'] })
    expect(refused({ op: 'addNode', node: merge('a') })).toEqual({ code: 'input_invalid', path: ['operations', 0, 'node', 'id'] })
    expect(refused({ op: 'connect', link: { source: 'a', target: 'a' } })).toEqual({ code: 'input_invalid', path: ['operations', 0, 'link', 'target'] })
    expect(refused({ op: 'connect', link: { source: 'a', target: 'm' }, ifSame: 'refuse' })).toEqual({ code: 'link_exists', path: ['operations', 0, 'link'] })
    expect(refused({ op: 'setSample', nodeId: 'x', output: 1 })).toEqual({ code: 'node_missing', path: ['operations', 0, 'nodeId'] })
    expect(refused({ op: 'disconnect', linkId: 'x' })).toEqual({ code: 'link_missing', path: ['operations', 0, 'linkId'] })
    expect(refused({ op: 'addNode', node: merge('x', { parentId: 'y' }) })).toEqual({ code: 'input_invalid', path: ['operations', 0, 'node', 'parentId'] })
    expect(refused({ op: 'addNode', node: merge('x', { extra: { x: 'x'.repeat(17_000) } }) }).code).toBe('input_invalid')
  })
})
