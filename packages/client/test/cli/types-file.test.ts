import type { Definition, JsonObject, Node } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { keyOf, quoted, typeNameOf } from '../../src/cli/pull/names.ts'
import { toldBy } from '../../src/cli/pull/told-by-graph.ts'
import { type Pulled, typesFile } from '../../src/cli/pull/types-file.ts'

const order: JsonObject = { type: 'object', title: 'An order', required: ['customer'], properties: { customer: { type: 'string', description: 'Who pays' }, 'odd-key': {} } }

function defined(nodes: Record<string, Omit<Node, 'id'>>, links: string[], settings: Definition['settings'] = {}): Definition {
  return {
    kind: 'workflow',
    nodes: Object.entries(nodes).map(([id, node]) => ({ id, ...node })),
    links: links.map((link) => {
      const [from = '', target = ''] = link.split(' > ')
      const [source = '', sourceHandle] = from.split('.')
      return { source, target, ...(sourceHandle && { sourceHandle }) }
    }),
    settings,
  }
}
const pulled = (handle: string, definition: Definition, number = 1): Pulled => ({ handle, version: { number, hash: `hash of ${handle}`, definition } })
const input = (schema?: JsonObject): Omit<Node, 'id'> => ({ type: 'input', ...(schema && { config: { schema } }) })

const invoice = defined(
  {
    in: input(order),
    'ask me': { type: 'human', config: { form: { type: 'object', required: ['limit'], properties: { limit: { type: 'number' } } } } },
    out: { type: 'output', config: { map: { total: '{{ 1 }}', note: 'paid', at: [1], more: { n: 3, none: null } } } },
  },
  ['in > ask me', 'ask me > out'],
)

test('a file of types: sorted, with version and hash, and nothing of the server or the time', async () => {
  const { declarations } = await typesFile([pulled('invoice', invoice, 3), pulled('2nd-thing', defined({ in: input() }, []))])
  expect(declarations).toBe(`// Written by \`sluice pull\`: what the published workflows take, give and ask. Changes are lost with the next pull.
import type { Json } from '@sluice/client'

declare module '@sluice/client' {
  interface WorkflowTypes {
    /** Version 1. */
    '2nd-thing': {
      hash: 'hash of 2nd-thing'
      input?: Json | object
      output: N2NdThingOutput
      pauses: {}
    }
    /** Version 3. */
    invoice: {
      hash: 'hash of invoice'
      input: InvoiceInput
      output: InvoiceOutput
      pauses: {
        'ask me': InvoiceAskMeInputs
      }
    }
  }
}

/** For \`createClient({ versions })\`: a start of another version throws \`VersionSkewError\`. */
export declare const versions: {
  readonly '2nd-thing': 'hash of 2nd-thing'
  readonly invoice: 'hash of invoice'
}

export interface N2NdThingOutput {
  in: Json
}

/**
 * An order
 */
export interface InvoiceInput {
  /**
   * Who pays
   */
  customer: string
  'odd-key'?: unknown
}

export interface InvoiceOutput {
  total: Json
  note: string
  at: Json[]
  more: {
    n: number
    none: null
  }
}

export interface InvoiceAskMeInputs {
  limit: number
}
`)
})

test('the same versions give the same file, in whatever order they come', async () => {
  const all = [pulled('b', invoice), pulled('a', invoice), pulled('a-b', invoice), pulled('a.b', invoice)]
  const { declarations } = await typesFile(all)
  expect((await typesFile(all.toReversed())).declarations).toBe(declarations)
  // Two handles that come to one name.
  expect(declarations).toContain('output: ABOutput\n')
  expect(declarations).toContain('output: ABOutput2\n')
})

test('names of types do not meet, though one begins where another ends', async () => {
  const named = (key: string): JsonObject => ({
    type: 'object',
    properties: { a: { $ref: `#/$defs/${key}` } },
    $defs: { [key]: { type: 'object', properties: { [key]: { type: 'string' } } } },
  })
  const { declarations } = await typesFile([
    pulled('x', defined({ in: input(named('output')) }, [])),
    pulled('x-input', defined({ in: input(), out: { type: 'output', config: { schema: order } } }, ['in > out'])),
  ])
  const names = [...declarations.matchAll(/^export (?:interface|type) (\w+)/gm)].map(([, name]) => name)
  expect(new Set(names).size).toBe(names.length)
  expect(declarations).toContain('customer: string')
  expect(declarations).toContain('output?: string')
})

test('schemas that lead elsewhere have no type, and say so; nothing is fetched or read', async () => {
  const refs = ['https://example.com/a.json', 'file:///etc/passwd', '../package.json', '#/nowhere', '#']
  const { declarations, warnings } = await typesFile(refs.map((ref, at) => pulled(`w${at}`, defined({ in: input({ properties: { a: { $ref: ref } } }) }, []))))
  expect(warnings.map((warning) => warning.slice(0, 12))).toEqual(['w0', 'w1', 'w2', 'w3'].flatMap((name) => [`${name}: the inpu`, `${name}: the outp`]))
  expect(warnings[0]).toBe('w0: the input has no type of its own: it refers to "https://example.com/a.json", and only references within a schema are followed')
  // A schema may refer to itself, and still does as a part of another one.
  expect(declarations).toContain('export interface W4Input {\n  a?: W4Input\n}')
  expect(declarations).toMatch(/export interface W4Output \{\n {2}in: (W4OutputIn)\n\}\n+export interface W4OutputIn \{\n {2}a\?: W4OutputIn\n\}/)
})

test('what the compiler of schemas takes for code is not handed to it', async () => {
  const hostile: JsonObject = {
    type: 'object',
    tsType: 'process.exit()',
    tsEnumNames: ['x'],
    extends: { title: 'Evil' },
    $id: 'Evil',
    properties: { a: { tsType: 'Evil', type: 'string' }, b: { type: 'string', enum: ['p'], tsEnumNames: ['Evil = 1'] } },
  }
  const { declarations } = await typesFile([pulled('w', defined({ in: input(hostile) }, []))])
  expect(declarations).toContain("export interface WInput {\n  a?: string\n  b?: 'p'\n}\n")
  expect(declarations).not.toMatch(/Evil|exit/)
})

describe('what a graph tells of its output', () => {
  const of = (nodes: Record<string, Omit<Node, 'id'>>, links: string[], settings?: Definition['settings']): JsonObject => toldBy(defined(nodes, links, settings)).output
  const out: Omit<Node, 'id'> = { type: 'output', config: { schema: order } }
  const maybe = { anyOf: [order, { type: 'null' }] }

  test('is the schema of its output node', () => expect(of({ in: input(), out }, ['in > out'])).toEqual(order))
  test('is that or null, where a route may lead past it', () => expect(of({ in: input(), r: { type: 'router' }, out }, ['in > r', 'r.yes > out'])).toEqual(maybe))
  test('is that or null, where a person may decline', () =>
    expect(of({ in: input(), ask: { type: 'human' }, no: { type: 'log' }, out }, ['in > ask', 'ask > out', 'ask.declined > no'])).toEqual(maybe))
  test('is that or null, where the run goes on after a failure', () =>
    expect(of({ in: input(), c: { type: 'code' }, out }, ['in > c', 'c > out'], { onFailure: 'continue' })).toEqual(maybe))
  test('is that alone, where one way is sure', () => expect(of({ in: input(), r: { type: 'router' }, out }, ['in > r', 'r.yes > out', 'in > out'])).toEqual(order))
  test('is that or null, where all ways are asked for and one is not sure', () =>
    expect(of({ in: input(), r: { type: 'router' }, out: { ...out, settings: { join: 'all' } } }, ['in > r', 'r.yes > out', 'in > out'])).toEqual(maybe))
  test('is the input, where that is passed on', () => expect(of({ in: input(order), out: { type: 'output' } }, ['in > out'])).toEqual(order))
  test('of a loop is its last output and the count, unless that is to be given alone', () => {
    expect(of({ l: { type: 'loop' } }, [])).toMatchObject({ properties: { l: { required: ['last', 'count'] } } })
    expect(of({ l: { type: 'loop', config: { gives: 'summary' } } }, [])).toMatchObject({ properties: { l: { required: ['last', 'count'] } } })
    expect(of({ l: { type: 'loop', config: { gives: 'last' } } }, [])).toMatchObject({ properties: { l: {} } })
    expect(JSON.stringify(of({ l: { type: 'loop', config: { gives: 'last' } } }, []))).not.toContain('count')
  })
  test('is by step, where there are several outputs, or none', () => {
    expect(of({ in: input(), a: { ...out, title: 'First' }, b: { type: 'output' } }, ['in > a', 'in > b'])).toMatchObject({
      properties: { First: order, b: {} },
      required: ['First', 'b'],
    })
    expect(of({ in: input(), t: { type: 'template' }, c: { type: 'code' } }, ['in > t', 'in > c'])).toMatchObject({
      properties: { t: { properties: { text: { type: 'string' } } }, c: {} },
      required: ['t', 'c'],
    })
  })
  test('is nothing of what no input leads to, or of what is in a body', () =>
    expect(of({ in: input(), lost: out, each: { type: 'map' }, inner: { ...out, parentId: 'each' } }, ['in > each'])).toMatchObject({
      properties: { each: { properties: { results: { type: 'array' } } } },
    }))
  test('ends where a graph goes in circles', () => expect(of({ in: input(), a: { type: 'log' }, b: { type: 'log' }, out }, ['a > b', 'b > a', 'in > a', 'b > out'])).toEqual(order))
})

test('the input is needed of one input node, and may be given by node to several', () => {
  const one = toldBy(defined({ a: input(order) }, []))
  const two = toldBy(defined({ a: input(order), b: input({ type: 'object' }) }, []))
  expect([one.input, one.inputNeeded]).toEqual([order, true])
  expect([two.input, two.inputNeeded]).toEqual([{ allOf: [order, { type: 'object' }] }, false])
})

test('of a graph in the words of a dialect nothing is said that its configs, which are not read, might belie', async () => {
  const names = new Map([
    ['InputNode', 'input'],
    ['OutputNode', 'output'],
    ['HumanInterventionNode', 'human'],
  ])
  const nodes: Record<string, Omit<Node, 'id'>> = {
    in: { type: 'InputNode' },
    ask: { type: 'HumanInterventionNode', config: { form: order } },
    own: { type: 'human', config: { form: order } },
    out: { type: 'OutputNode', config: { schema: order } },
  }
  const links = ['in > ask', 'ask > own', 'own > out']
  const pauses = [
    ['ask', {}],
    ['own', order],
  ]
  expect(toldBy(defined(nodes, links), names)).toEqual({ input: {}, inputNeeded: true, output: {}, pauses })
  // By the shape of the graph alone it would be an object by step name.
  expect(toldBy(defined(nodes, links)).output).not.toEqual({})
  const { declarations } = await typesFile([pulled('spur', defined(nodes, links))], names)
  expect(declarations).toContain('input?: Json | object')
  expect(declarations).toContain('output: Json')
})

test('names and keys are safe', () => {
  expect(['invoice', 'größe-prüfen', '3d.print_v2x', '日本', '', 'class'].map(typeNameOf)).toEqual(['Invoice', 'GroEPrufen', 'N3DPrintV2X', 'N', 'N', 'Class'])
  expect([keyOf('a_1$'), keyOf('1a'), keyOf("it's"), keyOf('a\\"b'), quoted('a\u2028b\n')]).toEqual(['a_1$', "'1a'", "'it\\'s'", "'a\\\\\"b'", "'a\\u2028b\\n'"])
})

test('a handle that means something to every object is a key like any other', async () => {
  const handles = ['__proto__', 'constructor', 'toString']
  const { values } = await typesFile(handles.map((handle) => pulled(handle, defined({ in: input() }, []))))
  const { versions } = (await import(`data:text/javascript,${encodeURIComponent(values)}`)) as { versions: object }
  expect(Object.entries(versions).toSorted()).toEqual(handles.map((handle) => [handle, `hash of ${handle}`]).toSorted())
})
