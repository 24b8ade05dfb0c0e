import { createHash } from 'node:crypto'
import { Definition, type Json, type Node } from '@sluice/schema'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { WorkflowDefinitionSchema } from '../../../src/dialects/pyspur/contract.ts'
import { changedDefinitionOf, definitionOf, firstDraft, saysTestInputs, sayable, wireDefinition } from '../../../src/dialects/pyspur/mapping/definition.ts'
import { formIssues } from '../../../src/workflows/form.ts'
import { keepAbsent } from '../../../src/workflows/keep.ts'
import { aDefinition } from '../../workflows/definitions.ts'
import { aWireDefinition, filled } from './wire.ts'

const overJson = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T

test('a definition comes back unchanged but for its defaults, is one that the core takes, and can be said', () => {
  fc.assert(
    fc.property(aWireDefinition, (sent) => {
      const stored = overJson(definitionOf(WorkflowDefinitionSchema.parse(overJson(sent))))
      expect(Definition.parse(stored)).toEqual(stored)
      expect(formIssues(stored)).toEqual([])
      expect(wireDefinition(stored)).toEqual(filled(sent))
      expect(sayable(stored)).toBe(true)
    }),
    { numRuns: 1_000 },
  )
})

test('sent back as it was shown it changes nothing of what is stored', () => {
  fc.assert(
    fc.property(aWireDefinition, (sent) => {
      const stored = overJson(definitionOf(WorkflowDefinitionSchema.parse(overJson(sent))))
      const again = WorkflowDefinitionSchema.parse(overJson(wireDefinition(stored)))
      expect(keepAbsent(stored, changedDefinitionOf(again))).toEqual(stored)
    }),
    { numRuns: 500 },
  )
})

/** What a client of PySpur reads into what a native one left out. */
const withDefaults = (definition: Definition): Definition => ({
  ...definition,
  nodes: definition.nodes.map((node) => ({
    ...node,
    title: (node.title ?? '').trim() === '' ? node.id : node.title!,
    config: node.config ?? {},
    parentId: node.parentId ?? null,
    position: node.position ?? null,
    size: node.size ?? null,
  })),
  links: definition.links.map((link) => ({ ...link, sourceHandle: link.sourceHandle ?? null, targetHandle: link.targetHandle ?? null })),
  testInputs: definition.testInputs ?? [],
})

test('a definition that was made natively loses nothing when a client of PySpur sends it back: no setting, no extra', () => {
  let rounds = 0
  fc.assert(
    fc.property(aDefinition, (native) => {
      const stored = overJson(native)
      fc.pre(sayable(stored))
      rounds++
      const again = WorkflowDefinitionSchema.parse(overJson(wireDefinition(stored)))
      expect(overJson(keepAbsent(stored, changedDefinitionOf(again)))).toEqual(withDefaults(stored))
    }),
    { numRuns: 500 },
  )
  expect(rounds).toBeGreaterThan(100)
})

test('whatever is stored can be shown in the shape of the document', () => {
  fc.assert(
    fc.property(aDefinition, (native) => {
      const { nodes, links, test_inputs } = wireDefinition(overJson(native))
      // Without its rules: a chatbot that is none yet is shown all the same.
      expect(WorkflowDefinitionSchema.safeParse({ nodes, links, test_inputs }).success).toBe(true)
    }),
  )
})

const node = (id: string, type: string, more: Partial<Node> = {}): Node => ({ id, type, ...more })
const definition = (nodes: Node[], more: Partial<Definition> = {}): Definition => ({ kind: 'workflow', nodes, links: [], ...more })

test('a draft that breaks a rule of the wire is left out of its lists; one with other test inputs than objects is not shown either', () => {
  const end = (type: string, schema: unknown): Node => node(type, type, { config: { output_json_schema: typeof schema === 'string' ? schema : JSON.stringify(schema) } })
  const properties = (object: object) => ({ type: 'object', properties: object })
  const text = { type: 'string' }
  const cases: [Definition, boolean][] = [
    [definition([]), true],
    [definition([node('a', 'http-request', { config: { url: 'x' }, settings: { timeoutMs: 5 } })]), true],
    [definition([node('a', 'SingleLLMCallNode')]), false],
    [definition([node('a', 'SingleLLMCallNode', { config: { llm_info: { model: 'm' } } })]), true],
    [definition([node('a', 'llm')]), true],
    [definition([], { testInputs: [{ a: 1 }] }), true],
    [definition([], { testInputs: [{ a: 1 }, 'text'] }), false],
    [definition([], { kind: 'chatbot' }), true],
    [definition([end('InputNode', properties({ user_message: text }))], { kind: 'chatbot' }), false],
    [definition([end('InputNode', properties({ user_message: text }))]), true],
    [definition([end('InputNode', properties({ user_message: text, session_id: text }))], { kind: 'chatbot' }), true],
    [definition([end('InputNode', 'no schema')], { kind: 'chatbot' }), false],
    // One in a body is not the chatbot's own.
    [definition([node('loop', 'ForLoopNode'), { ...end('InputNode', {}), parentId: 'loop' }], { kind: 'chatbot' }), true],
  ]
  for (const [draft, says] of cases) expect(sayable(draft), JSON.stringify(draft)).toBe(says)
  expect(saysTestInputs(definition([], { testInputs: [[]] }))).toBe(false)
})

test('what others put under our key of a node is not taken for a subworkflow', () => {
  const odd: Json[] = ['text', 5, null, [], {}, { subworkflow: 5 }, { subworkflow: { nodes: 'many' } }]
  for (const pyspur of odd) expect(wireDefinition(definition([node('a', 'b', { extra: { pyspur } })])).nodes[0]!.subworkflow).toBeNull()
})

test('a subworkflow that is sent no more is taken away, and what others keep with the node stays', () => {
  const sub = wireDefinition(definition([node('inner', 'InputNode')]))
  const stored = definition([node('a', 'AgentNode', { extra: { pyspur: { subworkflow: sub }, theirs: { x: 1 } } })])
  const [shown] = wireDefinition(stored).nodes
  expect(shown!.subworkflow).toEqual(sub)
  const without = WorkflowDefinitionSchema.parse({ nodes: [{ ...shown, subworkflow: null }], links: [] })
  expect(keepAbsent(stored, changedDefinitionOf(without)).nodes[0]!.extra).toEqual({ theirs: { x: 1 } })
})

test('drafts begin as PySpur begins them: an input node, and for a chatbot the fields of a chat', () => {
  const { nodes, links, test_inputs, spur_type } = wireDefinition(firstDraft('workflow'))
  expect([links, test_inputs, spur_type]).toEqual([[], [], 'workflow'])
  expect(nodes).toEqual([
    {
      id: 'input_node',
      title: 'input_node',
      parent_id: null,
      node_type: 'InputNode',
      config: {
        output_schema: { input_1: 'string' },
        output_json_schema: '{"type": "object", "properties": {"input_1": {"type": "string"} } }',
        has_fixed_output: false,
        enforce_schema: false,
      },
      coordinates: { x: 100, y: 100 },
      dimensions: null,
      subworkflow: null,
    },
  ])
  const chat = wireDefinition(firstDraft('chatbot'))
  expect(chat.nodes.map(({ id, node_type, coordinates }) => [id, node_type, coordinates])).toEqual([
    ['input_node', 'InputNode', { x: 100, y: 100 }],
    ['output_node', 'OutputNode', { x: 300, y: 100 }],
  ])
  expect(chat.nodes.map(({ config }) => config['output_schema'])).toEqual([
    { user_message: 'string', session_id: 'string', message_history: 'List[Dict[str, str]]' },
    { assistant_message: 'string' },
  ])
  expect(chat.nodes.map(({ config }) => JSON.parse(config['output_json_schema'] as string).required)).toEqual([['user_message', 'session_id'], ['assistant_message']])
  expect(chat.links).toEqual([])
  // An agent that was asked for stays one, and has an input.
  expect(wireDefinition(firstDraft('agent'))).toMatchObject({ spur_type: 'agent', nodes: [{ id: 'input_node' }] })
  for (const kind of ['workflow', 'chatbot', 'agent'] as const) expect(sayable(firstDraft(kind))).toBe(true)
})

test('what a workflow begins with is the text that the public hash of it is known of', () => {
  // The hash is the one that PySpur's own versions of it have.
  const text = inPython(wireDefinition(firstDraft('workflow')))
  expect(createHash('sha256').update(text).digest('hex')).toBe('79494118b5a0931413f9d8287da0f73401f493cf6db4631e84b07aee9e4739ce')
})

/** As Python's `json.dumps(…, sort_keys=True)` writes it, where a number is a float. */
function inPython(value: unknown): string {
  if (typeof value === 'number') return `${value}.0`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(inPython).join(', ')}]`
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1))
  return `{${entries.map(([key, each]) => `${JSON.stringify(key)}: ${inPython(each)}`).join(', ')}}`
}
