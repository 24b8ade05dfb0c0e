import type { Definition, Link, Node } from '@sluice/schema'
import { Schema } from 'effect'
import { defineNode, type AnyNode, type Catalogue } from '../../src/nodes/contract.ts'

/** Node types for the tests of this room: one of each behaviour, as small as can be. */

const text = Schema.String
const nothing = Schema.Struct({})
const about = { description: '', category: 'flow' } as const
const gives = { is: 'pure', run: () => ({ output: null }) } as const

export const nodeTypes: AnyNode[] = [
  defineNode({
    ...about,
    type: 'input',
    title: 'Input',
    config: Schema.Struct({ schema: Schema.optionalKey(Schema.Record(text, Schema.Unknown)) }),
    readings: { 'schema.**': 'raw' },
    schemaFields: ['schema'],
    entry: true,
    behaviour: gives,
  }),
  defineNode({
    ...about,
    type: 'output',
    title: 'Output',
    config: Schema.Struct({ map: Schema.optionalKey(Schema.Record(text, Schema.Unknown)) }),
    readings: { 'map.*': 'value' },
    returns: true,
    behaviour: gives,
  }),
  defineNode({
    ...about,
    type: 'template',
    title: 'Template',
    config: Schema.Struct({ text, size: Schema.optionalKey(Schema.Union([Schema.Int, text])) }),
    readings: { size: 'value' },
    behaviour: gives,
  }),
  defineNode({
    ...about,
    type: 'router',
    title: 'Router',
    config: Schema.Struct({ routes: Schema.Array(Schema.Struct({ name: text, when: Schema.Union([Schema.Boolean, text]) })) }),
    readings: { 'routes.*.when': 'condition', 'routes.*.name': 'raw' },
    handles: { fromConfig: 'routes.*.name' },
    check: (config) => (Array.isArray(config['routes']) && config['routes'].length === 0 ? [{ path: ['routes'], message: 'A router needs a route' }] : []),
    behaviour: gives,
  }),
  defineNode({
    ...about,
    type: 'work',
    title: 'Work',
    config: Schema.Struct({ url: text, count: Schema.optionalKey(Schema.Int), note: Schema.optionalKey(text) }),
    readings: { note: 'raw' },
    behaviour: { is: 'work', run: async () => ({ output: null }) },
  }),
  defineNode({
    ...about,
    type: 'human',
    title: 'Human',
    config: Schema.Struct({ message: text }),
    handles: { fixed: ['declined', 'expired'] },
    notIn: ['chatbot'],
    behaviour: { is: 'wait', wait: () => ({ for: 'report' }) },
  }),
  defineNode({
    ...about,
    type: 'map',
    title: 'Map',
    config: Schema.Struct({ items: Schema.Union([Schema.Array(Schema.Unknown), text]) }),
    readings: { items: 'value' },
    behaviour: { is: 'map', plan: () => ({ items: [], concurrency: 1, onItemFailure: 'fail' }) },
  }),
  defineNode({
    ...about,
    type: 'loop',
    title: 'Loop',
    config: Schema.Struct({ while: Schema.Union([Schema.Boolean, text]) }),
    readings: { while: 'condition' },
    behaviour: { is: 'loop', again: () => false, max: () => 1, startIn: 'start', carries: () => ({ lay: null, historyAs: null }), gives: (_, { last }) => last },
  }),
  defineNode({ ...about, type: 'value', title: 'Value', config: Schema.Struct({ value: Schema.Unknown }), readings: { value: 'expression' }, behaviour: gives }),
  defineNode({ ...about, type: 'merge', title: 'Merge', config: nothing, behaviour: gives }),
]

export const catalogue: Catalogue = { get: (type) => nodeTypes.find((each) => each.type === type), list: () => nodeTypes }

export const definition = (nodes: Node[], links: (Link | [string, string, string?])[] = [], more: Partial<Definition> = {}): Definition => ({
  kind: 'workflow',
  nodes,
  links: links.map((link) => (Array.isArray(link) ? { source: link[0], target: link[1], ...(link[2] && { sourceHandle: link[2] }) } : link)),
  ...more,
})

export const merge = (id: string, more: Partial<Node> = {}): Node => ({ id, type: 'merge', ...more })
