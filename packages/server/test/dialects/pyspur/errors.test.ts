import { Fault, faults, type FaultCode, faultKinds } from '@sluice/schema'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { z } from 'zod'
import { HTTPError, PageQuery, PartialRunRequestSchema, ResumeRunRequestSchema, WorkflowCreateRequestSchema } from '../../../src/dialects/pyspur/contract.ts'
import { errors } from '../../../src/dialects/pyspur/errors.ts'
import { Outage } from '../../../src/store/index.ts'
import { problemOf, WireFault } from '../../../src/rpc/faults.ts'

const rendered = (error: unknown, status?: number) => errors.render({ ...problemOf(error), ...(status !== undefined && { status }) }, 'r')

/** What FastAPI would say of a value that does not fit. */
function told(schema: z.ZodType, value: unknown, place: 'body' | 'query' = 'body'): unknown {
  const { error } = schema.safeParse(value, { reportInput: true })
  const { status, body } = rendered(new WireFault(error!.issues.map((issue) => ({ in: place, issue, whole: value }))))
  expect(status).toBe(422)
  return (HTTPError.parse(body).detail as object[]).length === 1 ? (body as { detail: unknown[] }).detail[0] : (body as { detail: unknown[] }).detail
}

test('what is missing, and what is of another type, is told as pydantic tells it', () => {
  expect(told(WorkflowCreateRequestSchema, { description: 'd' })).toEqual({ type: 'missing', loc: ['body', 'name'], msg: 'Field required', input: { description: 'd' } })
  expect(told(WorkflowCreateRequestSchema, undefined)).toEqual({ type: 'missing', loc: ['body'], msg: 'Field required', input: null })
  expect(told(WorkflowCreateRequestSchema, [1])).toEqual({
    type: 'model_attributes_type',
    loc: ['body'],
    msg: 'Input should be a valid dictionary or object to extract fields from',
    input: [1],
  })
  expect(told(WorkflowCreateRequestSchema, { name: 5 })).toEqual({ type: 'string_type', loc: ['body', 'name'], msg: 'Input should be a valid string', input: 5 })
  const node = { id: 'a', node_type: 'InputNode' }
  const inDefinition = (definition: unknown) => told(WorkflowCreateRequestSchema, { name: 'n', definition })
  expect(inDefinition({ nodes: 'many', links: [] })).toEqual({ type: 'list_type', loc: ['body', 'definition', 'nodes'], msg: 'Input should be a valid list', input: 'many' })
  expect(inDefinition({ nodes: [{ ...node, config: [] }], links: [] })).toEqual({
    type: 'dict_type',
    loc: ['body', 'definition', 'nodes', 0, 'config'],
    msg: 'Input should be a valid dictionary',
    input: [],
  })
  expect(inDefinition({ nodes: [{ ...node, coordinates: { x: 'left', y: 1 } }], links: [] })).toEqual({
    type: 'float_type',
    loc: ['body', 'definition', 'nodes', 0, 'coordinates', 'x'],
    msg: 'Input should be a valid number',
    input: 'left',
  })
  expect(inDefinition({ nodes: [node], links: [{ source_id: 'a' }] })).toEqual({
    type: 'missing',
    loc: ['body', 'definition', 'links', 0, 'target_id'],
    msg: 'Field required',
    input: { source_id: 'a' },
  })
  expect(told(ResumeRunRequestSchema, { user_id: 'u', action: 'APPROVE' })).toMatchObject({ type: 'missing', loc: ['body', 'inputs'] })
  expect(told(PartialRunRequestSchema, { node_id: 'n', rerun_predecessors: 'x' })).toMatchObject({
    type: 'bool_parsing',
    msg: 'Input should be a valid boolean, unable to interpret input',
  })
  expect(told(PartialRunRequestSchema, { node_id: 'n', rerun_predecessors: 7 })).toMatchObject({ type: 'bool_type', msg: 'Input should be a valid boolean' })
})

test('an action or a kind that there is not is told with those that there are', () => {
  expect(told(ResumeRunRequestSchema, { inputs: {}, user_id: 'u', action: 'approve' })).toEqual({
    type: 'enum',
    loc: ['body', 'action'],
    msg: "Input should be 'APPROVE', 'DECLINE' or 'OVERRIDE'",
    input: 'approve',
    ctx: { expected: "'APPROVE', 'DECLINE' or 'OVERRIDE'" },
  })
})

test('of a query, which is texts, the text comes back', () => {
  expect(told(PageQuery, { page: 0, page_size: 10 }, 'query')).toEqual({
    type: 'greater_than_equal',
    loc: ['query', 'page'],
    msg: 'Input should be greater than or equal to 1',
    input: '0',
    ctx: { ge: 1 },
  })
  expect(told(PageQuery, { page: 1, page_size: 101 }, 'query')).toMatchObject({ type: 'less_than_equal', loc: ['query', 'page_size'], input: '101', ctx: { le: 100 } })
  expect(told(PageQuery, { page: 'x' }, 'query')).toEqual({
    type: 'int_parsing',
    loc: ['query', 'page'],
    msg: 'Input should be a valid integer, unable to parse string as an integer',
    input: 'x',
  })
  expect(told(PageQuery, { page: 1.5 }, 'query')).toMatchObject({ type: 'int_from_float', input: '1.5' })
  expect(told(PageQuery, { page: 5_000, page_size: 100 }, 'query')).toMatchObject({ type: 'value_error', loc: ['query', 'page'] })
})

test("the rules of chatbots and of nodes that ask a model are told at their place, in PySpur's words", () => {
  const chatbot = (type: string, schema: unknown) => ({
    name: 'n',
    definition: {
      nodes: [{ id: 'a', node_type: type, config: { output_json_schema: typeof schema === 'string' ? schema : JSON.stringify(schema) } }],
      links: [],
      spur_type: 'chatbot',
    },
  })
  const of = (properties: object) => ({ type: 'object', properties })
  const text = { type: 'string' }
  const cases: [string, unknown, string][] = [
    ['InputNode', '', 'Chatbot input node must have the following mandatory fields: user_message, session_id'],
    ['InputNode', of({ user_message: text }), 'Chatbot input node must have the following mandatory fields: session_id'],
    ['InputNode', of({ user_message: { type: 'integer' }, session_id: text }), 'Chatbot input node must have the following mandatory fields: user_message (must be of type str)'],
    ['InputNode', '{', 'Invalid JSON schema in input node output_json_schema'],
    ['OutputNode', of({}), 'Chatbot output node must have the following mandatory fields: assistant_message'],
    ['OutputNode', 'x', 'Invalid JSON schema in output node output_json_schema'],
    ['InputNode', of({ user_message: text, session_id: text, n: { type: 'text' } }), 'Unsupported JSON schema type: text'],
  ]
  for (const [type, schema, message] of cases)
    expect(told(WorkflowCreateRequestSchema, chatbot(type, schema)), message).toMatchObject({
      type: 'value_error',
      loc: ['body', 'definition'],
      msg: `Value error, ${message}`,
      ctx: { error: {} },
    })
  for (const node_type of ['SingleLLMCallNode', 'BestOfNNode'])
    expect(told(WorkflowCreateRequestSchema, { name: 'n', definition: { nodes: [{ id: 'a', node_type }], links: [] } })).toMatchObject({
      type: 'assertion_error',
      loc: ['body', 'definition', 'nodes', 0],
      msg: expect.stringMatching(/^Assertion failed, /),
      ctx: { error: {} },
    })
})

test('what the core finds wrong is told at the place that the wire has for it', () => {
  const at = (...issues: NonNullable<ConstructorParameters<typeof Fault>[1]>['issues'] & object) => {
    const { status, body } = rendered(new Fault('input_invalid', { issues }))
    return [status, (body as { detail: { loc: unknown }[] }).detail.map(({ loc }) => loc)]
  }
  const message = 'm'
  expect(at({ path: ['definition', 'nodes', 3, 'type'], message }, { path: ['definition', 'nodes', 0, 'position', 'x'], message })).toEqual([
    422,
    [
      ['body', 'definition', 'nodes', 3, 'node_type'],
      ['body', 'definition', 'nodes', 0, 'coordinates', 'x'],
    ],
  ])
  // Below a config keys are as they came, whatever they are called.
  expect(at({ path: ['definition', 'nodes', 3, 'config', 'type'], nodeId: 'a', message })[1]).toEqual([['body', 'definition', 'nodes', 3, 'config', 'type']])
  expect(at({ path: ['definition', 'links', 1, 'sourceHandle'], message }, { path: ['definition', 'testInputs'], message }, { path: ['name'], message })[1]).toEqual([
    ['body', 'definition', 'links', 1, 'source_handle'],
    ['body', 'definition', 'test_inputs'],
    ['body', 'name'],
  ])
  expect(at({ nodeId: 'n1', field: 'config.route_map.yes.conditions.0.variable', message }, { nodeId: '', message })[1]).toEqual([
    ['body', 'definition', 'nodes', 'n1', 'config', 'route_map', 'yes', 'conditions', 0, 'variable'],
    ['body', 'definition'],
  ])
  expect(at({ path: ['inputs', 'input_node'], nodeId: 'input_node', message }, { path: ['inputs', 'limit'], message }, { path: ['limit'], message })[1]).toEqual([
    ['body', 'initial_inputs', 'input_node'],
    ['body', 'inputs', 'limit'],
    ['query', 'page_size'],
  ])
  expect(rendered(new Fault('input_invalid', { message: 'The form cannot be read' })).body).toEqual({
    detail: [{ type: 'value_error', loc: ['body'], msg: 'Value error, The form cannot be read', input: null, ctx: { error: {} } }],
  })
})

test('malformed JSON is told with the place where it stops being JSON', () => {
  expect(rendered(new Fault('json_malformed', { details: { offset: 9 } }))).toEqual({
    status: 422,
    body: { detail: [{ type: 'json_invalid', loc: ['body', 9], msg: 'JSON decode error', input: {}, ctx: { error: 'The body is not valid JSON' } }] },
  })
})

test('what is not there is told in the words that clients know', () => {
  const said = Object.fromEntries(
    (['workflow_missing', 'run_missing', 'session_missing', 'user_missing', 'file_missing'] as const).map((code) => [code, rendered(new Fault(code))]),
  )
  expect(said).toEqual({
    workflow_missing: { status: 404, body: { detail: 'Workflow not found' } },
    run_missing: { status: 404, body: { detail: 'Run not found' } },
    session_missing: { status: 404, body: { detail: 'Session not found' } },
    user_missing: { status: 404, body: { detail: 'User not found' } },
    file_missing: { status: 404, body: { detail: 'File not found' } },
  })
  expect(rendered(new Fault('route_missing'))).toEqual({ status: 404, body: { detail: 'Not Found' } })
  expect(rendered(new Fault('route_missing'), 405)).toEqual({ status: 405, body: { detail: 'Method Not Allowed' } })
  expect(rendered(new Fault('run_not_paused'))).toEqual({ status: 400, body: { detail: 'Run is not in a paused state' } })
  expect(rendered(new Fault('pause_missing'))).toEqual({ status: 400, body: { detail: 'No paused task found for this run' } })
})

test('who decides second is told who was first, what they decided and when', () => {
  const decision = { action: 'decline', by: { id: 'u1', label: 'ann' }, at: '2026-01-31T12:00:00.250Z', inputs: null, comments: null }
  expect(rendered(new Fault('pause_decided', { details: { pauseId: 'p1', status: 'declined', decision } }))).toEqual({
    status: 409,
    body: { detail: 'Pause PH_p1 was decided already: DECLINE by ann at 2026-01-31T12:00:00.250000Z' },
  })
  const { by: _by, ...rest } = decision
  expect(rendered(new Fault('pause_decided', { details: { pauseId: 'p1', decision: { ...rest, by: { id: 'u1', label: null } } } })).body).toMatchObject({
    detail: expect.stringContaining('by u1 at'),
  })
  expect(rendered(new Fault('pause_decided', { details: { pauseId: 'p1', status: 'expired', decision: null } })).body).toEqual({ detail: 'Pause PH_p1 is closed: expired' })
  // Its run was ended, and nobody decided.
  expect(rendered(new Fault('pause_decided', { details: { pauseId: 'p1', status: 'cancelled', decision: null } }))).toEqual({
    status: 400,
    body: { detail: 'Run is not in a paused state' },
  })
  expect(rendered(new Fault('pause_ambiguous', { details: { pauses: ['p1', 'p2'] } })).body).toEqual({
    detail: "Several pauses of this run are open; put the id of the one that is meant in place of the run's: PH_p1, PH_p2",
  })
})

test('every fault has an answer in the form of every error: a list under 422, a text under any other status', () => {
  const codes = Object.keys(faults) as FaultCode[]
  for (const error of [...codes.map((code) => new Fault(code)), new Outage('gone'), new Error('a bug in line 7')]) {
    const { status, body } = rendered(error)
    const { detail } = HTTPError.parse(body)
    expect([error, Array.isArray(detail)]).toEqual([error, status === 422])
    expect(JSON.stringify(body)).not.toContain('line 7')
    expect(status).toBeGreaterThanOrEqual(400)
  }
  // The status of a kind that PySpur has no word for stays what it is.
  expect(rendered(new Fault('permission_denied')).status).toBe(faultKinds.forbidden)
  expect(rendered(new Fault('input_invalid', { message: 'The range is outside of the file' }), 416)).toEqual({ status: 416, body: { detail: 'The range is outside of the file' } })
})

test('whatever is sent, the refusal is in form, and not many times what was sent', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), fc.constantFrom('name', 'definition', 'nodes'), (value, key) => {
      for (const sent of [
        value,
        { [key]: value },
        { name: 'n', definition: { nodes: value, links: [value] } },
        { name: 'n', definition: { nodes: [value, { id: 'a', config: value }], links: [] } },
      ]) {
        const { error } = WorkflowCreateRequestSchema.safeParse(sent, { reportInput: true })
        if (!error) continue
        const { status, body } = rendered(new WireFault(error.issues.map((issue) => ({ in: 'body', issue, whole: sent }))))
        expect([status, HTTPError.safeParse(body).success]).toEqual([422, true])
      }
    }),
    { numRuns: 300 },
  )
  const many = Array.from({ length: 900 }, (_, at) => at + 1 / 3)
  for (const config of [{ text: 'y'.repeat(5_000) }, { many }, { ['k'.repeat(5_000)]: 1 }]) {
    const large = { description: 'x'.repeat(100_000), definition: { nodes: Array.from({ length: 200 }, () => ({ config })), links: [] } }
    const { error } = WorkflowCreateRequestSchema.safeParse(large, { reportInput: true })
    const { body } = rendered(new WireFault(error!.issues.map((issue) => ({ in: 'body', issue, whole: large }))))
    expect(JSON.stringify(body).length).toBeLessThan(50_000)
  }
})
