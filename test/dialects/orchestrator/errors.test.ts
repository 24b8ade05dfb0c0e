import { afterAll, beforeAll, expect, test } from 'vitest'
import { clientOf, ok, type Orchestrator, orchestratorServer } from './server.ts'

/** What the Orchestrator's API refuses, and how it says so. That the document has it, every call checks. */

let flows: Orchestrator
beforeAll(async () => {
  flows = await orchestratorServer()
})
afterAll(() => flows[Symbol.asyncDispose]())

const missing = '0mfq3k7x9tdv2ab'
const odd = [missing, 'node-uuid', '550e8400-e29b-41d4-a716-446655440000', 'x'.repeat(300), encodeURIComponent('😀'), encodeURIComponent("'; drop table workflows; --"), '%01']

/** The error of the document, with the keys of the source beside it. */
const notFound = (error: string, more: object = {}) => ({ error, code: 'NOT_FOUND', details: {}, detail: error, error_code: 'NOT_FOUND', ...more })

test('what is not there is a 404 in the words of the source, whatever its id looks like, and never a 500', async () => {
  const { id: there } = await ok(flows.call('POST', '/workflow/', { name: 'There' }), 201)
  const { id: node } = await ok(flows.call('POST', `/workflow/${there}/nodes/add/`, {}), 201)
  const workflow = notFound('No WorkFlow matches the given query.')
  for (const id of odd) {
    const nodeWords = notFound(`Node not found: ${decodeURIComponent(id)} in workflow ${there}`, { resource_type: 'Node' })
    const connection = notFound('No Connection matches the given query.')
    const asked: [string, string, object, unknown?][] = [
      ['GET', `/workflow/${id}/`, workflow],
      ['PUT', `/workflow/${id}/`, workflow, { name: 'n' }],
      ['PATCH', `/workflow/${id}/`, workflow, {}],
      ['DELETE', `/workflow/${id}/`, workflow],
      ['POST', `/workflow/${id}/duplicate/`, workflow],
      ['POST', `/workflow/${id}/activate/`, workflow],
      ['GET', `/workflow/${id}/canvas_data/`, workflow],
      ['GET', `/workflow/${id}/rawconfig/`, workflow],
      ['GET', `/workflow/${id}/start_execution/`, workflow],
      ['POST', `/workflow/${id}/start_execution/`, workflow],
      ['GET', `/workflow/${id}/stop_execution/`, workflow],
      ['GET', `/workflow/${id}/task_status/`, workflow],
      ['GET', `/workflow/${id}/nodes/`, workflow],
      ['POST', `/workflow/${id}/nodes/`, workflow, { node_type: 'counter' }],
      ['POST', `/workflow/${id}/nodes/add/`, workflow, {}],
      ['GET', `/workflow/${id}/connections/`, workflow],
      ['POST', `/workflow/${id}/connections/`, workflow, { source_node: 'a', target_node: 'b' }],
      ['GET', `/workflow/${there}/nodes/${id}/`, nodeWords],
      ['PUT', `/workflow/${there}/nodes/${id}/`, nodeWords, { node_type: 'counter' }],
      ['PATCH', `/workflow/${there}/nodes/${id}/`, nodeWords, {}],
      ['DELETE', `/workflow/${there}/nodes/${id}/`, nodeWords],
      ['DELETE', `/workflow/${there}/nodes/${id}/remove/`, nodeWords],
      ['PATCH', `/workflow/${there}/nodes/${id}/position/`, nodeWords, { position: { x: 1 } }],
      ['GET', `/workflow/${there}/nodes/${id}/input/`, nodeWords],
      ['GET', `/workflow/${there}/nodes/${id}/output/`, nodeWords],
      ['POST', `/workflow/${there}/execute_and_save_node/`, nodeWords, { node_id: decodeURIComponent(id) }],
      ['GET', `/workflow/${there}/connections/${id}/`, connection],
      ['PUT', `/workflow/${there}/connections/${id}/`, connection, { source_node: node, target_node: 'b' }],
      ['DELETE', `/workflow/${there}/connections/${id}/`, connection],
      ['DELETE', `/workflow/${there}/connections/${id}/remove/`, connection],
      ['GET', `/workflow/${there}/nodes/${node}/files/${id}/`, notFound('No NodeFile matches the given query.')],
      ['DELETE', `/workflow/${there}/nodes/${node}/files/${id}/`, notFound('No NodeFile matches the given query.')],
    ]
    for (const [method, path, body, sent] of asked) {
      const answer = await flows.call(method, path, sent)
      expect([method, path, answer.status, answer.body]).toEqual([method, path, 404, body])
    }
    expect((await flows.call('GET', `/workflow/${there}/nodes/${id}/files/`)).status).toBe(404)
  }
})

test('a body that does not fit is a 400 that tells all of it by field, in the words of Django, and changes nothing', async () => {
  const told = async (method: string, path: string, body: unknown) => {
    const answer = await flows.call(method, path, body)
    expect([answer.status, answer.body.code, answer.body.detail]).toEqual([400, 'INVALID_REQUEST', answer.body.error])
    return answer.body.errors
  }
  const before = (await ok(flows.call('GET', '/workflow/'))).length
  expect(await told('POST', '/workflow/', {})).toEqual({ name: ['This field is required.'] })
  expect(await told('POST', '/workflow/', undefined)).toEqual({ non_field_errors: ['This field is required.'] })
  expect(await told('POST', '/workflow/', [1])).toEqual({ non_field_errors: ['Invalid data. Expected a dictionary.'] })
  expect(await told('POST', '/workflow/', { name: ' ', description: 'x'.repeat(256), category: 5, status: 'paused', next_run: 'soon', runs_count: 1.5, tags: null })).toEqual({
    name: ['This field may not be blank.'],
    description: ['Ensure this field has no more than 255 characters.'],
    category: ['Not a valid string.'],
    status: ['"paused" is not a valid choice.'],
    next_run: ['Datetime has wrong format. Use an ISO 8601 date and time.'],
    runs_count: ['A valid integer is required.'],
    tags: ['This field may not be null.'],
  })
  expect(await told('POST', '/workflow/', { name: 'x'.repeat(101) })).toEqual({ name: ['Ensure this field has no more than 100 characters.'] })
  expect((await ok(flows.call('GET', '/workflow/'))).length).toBe(before)

  const { id } = await ok(flows.call('POST', '/workflow/', { name: 'Intact' }), 201)
  expect(await told('PUT', `/workflow/${id}/`, { description: 'no name' })).toEqual({ name: ['This field is required.'] })
  expect(await told('PATCH', `/workflow/${id}/`, { name: null })).toEqual({ name: ['This field may not be null.'] })
  expect(await told('POST', `/workflow/${id}/nodes/`, { x: '1', form_values: [] })).toEqual({
    node_type: ['This field is required.'],
    x: ['A valid number is required.'],
    form_values: ['Expected a dictionary.'],
  })
  expect(await told('POST', `/workflow/${id}/nodes/add/`, { position: { x: null } })).toEqual({ 'position.x': ['This field may not be null.'] })
  expect(await told('POST', `/workflow/${id}/connections/`, { source_node: 1 })).toEqual({ source_node: ['Not a valid string.'], target_node: ['This field is required.'] })
  expect(await told('POST', `/workflow/${id}/execute_and_save_node/`, {})).toEqual({ node_id: ['This field is required.'] })
  expect(await told('POST', `/workflow/${id}/execute_and_save_node/`, { node_id: 'n', timeout: -1 })).toEqual({ timeout: ['Ensure this value is greater than or equal to 0.'] })
  expect(await told('POST', `/workflow/${id}/nodes/add/`, { form_values: { text: 'x'.repeat(20) }, nodeTemplate: 'x'.repeat(101) })).toEqual({
    nodeTemplate: ['Ensure this field has no more than 100 characters.'],
  })
})

test('what the core refuses of a node is told by the key of the wire', async () => {
  const { id } = await ok(flows.call('POST', '/workflow/', { name: 'Large' }), 201)
  const { status, body } = await flows.call('POST', `/workflow/${id}/nodes/`, { node_type: 'counter', config: { text: 'x'.repeat(17_000) } })
  expect([status, Object.keys(body.errors)]).toEqual([400, ['config']])
})

test('what cannot be read, is too large, of another type, or of a method that an address has not, is told in the same form', async () => {
  const malformed = await flows.call('POST', '/workflow/', '{"name": ')
  expect([malformed.status, malformed.body.code, malformed.body.error]).toEqual([400, 'INVALID_REQUEST', expect.stringMatching(/^JSON parse error/)])
  expect(await flows.call('POST', '/workflow/', { name: 'x'.repeat(1_100_000) })).toMatchObject({ status: 413, body: { code: 'PAYLOAD_TOO_LARGE' } })
  expect(await flows.call('POST', '/workflow/', 'name=a', { headers: { 'content-type': 'application/x-www-form-urlencoded' } })).toMatchObject({
    status: 415,
    body: { code: 'UNSUPPORTED_MEDIA_TYPE' },
  })
  expect(await flows.call('PATCH', '/workflow/')).toMatchObject({ status: 405, body: { code: 'METHOD_NOT_ALLOWED' } })
  expect(await flows.call('GET', '/workflow/a/b/c/d/')).toMatchObject({ status: 404, body: { error: 'Not found.', code: 'NOT_FOUND' } })
  for (const path of ['/workflow/%/', '/workflow/%00/', '/workflow/?ordering=%']) expect((await flows.call('GET', path)).status).toBe(400)
})

test('who sends no credential, a wrong one, or may not do it, is told so in the words of the source', async () => {
  const { id } = await ok(flows.call('POST', '/workflow/', { name: 'Mine' }), 201)
  const none = await flows.call('GET', `/workflow/${id}/`, undefined, { as: '' })
  expect([none.status, none.body]).toEqual([
    401,
    {
      error: 'Authentication credentials were not provided.',
      code: 'UNAUTHORIZED',
      details: {},
      detail: 'Authentication credentials were not provided.',
      error_code: 'UNAUTHORIZED',
    },
  ])
  expect(await flows.call('GET', '/workflow/', undefined, { as: 'nobody' })).toMatchObject({ status: 401, body: { error: 'Given token not valid for any token type' } })
  await flows.server.call('POST', '/v1/members', { email: 'viewer@sluice.local', role: 'viewer', password: 'correct horse battery' })
  const { access } = await ok(flows.call('POST', '/auth/login/', { username: 'viewer@sluice.local', password: 'correct horse battery' }))
  const viewer = clientOf(flows.server.url, access)
  expect(await ok(viewer.call('GET', `/workflow/${id}/canvas_data/`))).toMatchObject({ id })
  for (const [method, path, body] of [
    ['DELETE', `/workflow/${id}/`],
    ['GET', `/workflow/${id}/start_execution/`],
    ['GET', `/workflow/${id}/stop_execution/`],
    ['POST', `/workflow/${id}/nodes/add/`, {}],
    ['POST', '/nodes/counter/execute/', {}],
  ] as const)
    expect(await viewer.call(method, path, body), path).toMatchObject({ status: 403, body: { code: 'FORBIDDEN', error: 'You do not have permission to perform this action.' } })
})
