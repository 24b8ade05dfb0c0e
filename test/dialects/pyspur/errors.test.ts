import { afterAll, beforeAll, expect, test } from 'vitest'
import { given, human, input, made, member, output, stranger } from './graphs.ts'
import { clientOf, operationAt, pyspurServer, type PySpur } from './server.ts'

/** What PySpur's API refuses, and how it says so: each as FastAPI says it. That the document has it, every call checks. */

let spur: PySpur
beforeAll(async () => {
  spur = await pyspurServer()
})
afterAll(() => spur[Symbol.asyncDispose]())

const missing = '01k2v9m3h5rj6tx'

test('what is not there is a 404 in the words that clients know, whatever its id looks like', async () => {
  const long = 'x'.repeat(300)
  const asked: [string, string, string, unknown?][] = []
  for (const id of [missing, 'S1', 'R1', long, '%F0%9F%98%80', "'; drop table workflows; --"].map((each) => (each.startsWith('%') ? each : encodeURIComponent(each))))
    asked.push(
      ['GET', `/wf/${id}/`, 'Workflow not found'],
      ['PUT', `/wf/${id}/`, 'Workflow not found', { name: 'n', definition: { nodes: [], links: [] } }],
      ['PUT', `/wf/${id}/reset/`, 'Workflow not found'],
      ['DELETE', `/wf/${id}/`, 'Workflow not found'],
      ['POST', `/wf/${id}/duplicate/`, 'Workflow not found'],
      ['GET', `/wf/${id}/output_variables/`, 'Workflow not found'],
      ['GET', `/wf/${id}/versions/`, 'Workflow not found'],
      ['POST', `/wf/${id}/run/`, 'Workflow not found', given()],
      ['POST', `/wf/${id}/start_run/`, 'Workflow not found', given()],
      ['GET', `/wf/pause_history/${id}/`, 'Run not found'],
      ['POST', `/wf/process_pause_action/${id}/`, 'Run not found', { inputs: {}, user_id: 'u', action: 'APPROVE' }],
      ['POST', `/wf/cancel_workflow/${id}/`, 'Run not found'],
      ['GET', `/run/${id}/`, 'Run not found'],
      ['GET', `/run/${id}/status/`, 'Run not found'],
      ['GET', `/session/${id}/`, 'Session not found'],
      ['GET', `/files/test_files/${missing}/${id}`, 'File not found'],
    )
  for (const [method, path, detail, body] of asked) {
    const answer = await spur.call(method, path, body)
    expect([method, path, answer.status, answer.body]).toEqual([method, path, 404, { detail }])
  }
})

test('an address that there is not, and a method that it has not, are told so, below both mounts', async () => {
  for (const client of [spur, spur.api]) {
    expect(await client.call('GET', '/wf/a/b/c/d/')).toMatchObject({ status: 404, body: { detail: 'Not Found' } })
    expect(await client.call('GET', '/ds/')).toMatchObject({ status: 404, body: { detail: 'Not Found' } })
    expect(await client.call('PATCH', '/wf/')).toMatchObject({ status: 405, body: { detail: 'Method Not Allowed' } })
    expect(await client.call('GET', `/wf/${missing}/duplicate/`)).toMatchObject({ status: 405, body: { detail: 'Method Not Allowed' } })
  }
})

test('an address that cannot be read is told so in the same form, at its place, and is no body that is wrong', async () => {
  const addresses: [string, string][] = [
    ['/wf/%/', 'path'],
    ['/run/%ED%A0%80/status/', 'path'],
    ['/wf/%00/', 'path'],
    ['/run/?page=%00', 'query'],
    ['/run/?page=%', 'query'],
  ]
  for (const client of [spur, spur.api])
    for (const [path, place] of addresses) {
      const { status, body } = await client.call('GET', path)
      expect([path, status, body.detail]).toEqual([
        path,
        422,
        [{ type: 'value_error', loc: [place], msg: expect.stringMatching(/^Value error, The (address|query) /), input: null, ctx: { error: {} } }],
      ])
    }
})

test('a body that is no JSON is a 422 with its place; one of another type is a 415', async () => {
  const { status, body } = await spur.call('POST', '/wf/', '{"name": "a", }')
  expect([status, body]).toEqual([422, { detail: [{ type: 'json_invalid', loc: ['body', 14], msg: 'JSON decode error', input: {}, ctx: { error: expect.any(String) } }] }])
  expect((await spur.call('POST', '/wf/', '')).body.detail).toMatchObject([{ type: 'missing', loc: ['body'] }])
  expect(await spur.call('POST', '/wf/', 'name=a', { headers: { 'content-type': 'application/x-www-form-urlencoded' } })).toMatchObject({
    status: 415,
    body: { detail: expect.any(String) },
  })
  expect((await spur.call('POST', '/wf/', { name: 'x'.repeat(1_100_000) })).status).toBe(413)
})

const told = async (method: string, path: string, body?: unknown) => {
  const answer = await spur.call(method, path, body)
  expect([answer.status, Array.isArray(answer.body.detail)], JSON.stringify(answer.body)).toEqual([422, true])
  return answer.body.detail.map(({ type, loc, input: given }: { type: string; loc: unknown[]; input: unknown }) => [type, loc, given])
}

test('pages are counted from 1 and have at most 100 items, everywhere', async () => {
  for (const path of ['/wf/', `/wf/${missing}/versions/`, '/wf/paused_workflows/', `/wf/${missing}/runs/`, '/run/']) {
    expect(await told('GET', `${path}?page=0&page_size=101`), path).toEqual([
      ['greater_than_equal', ['query', 'page'], '0'],
      ['less_than_equal', ['query', 'page_size'], '101'],
    ])
    expect(await told('GET', `${path}?page=x`), path).toEqual([['int_parsing', ['query', 'page'], 'x']])
    expect(await told('GET', `${path}?page_size=0`), path).toEqual([['greater_than_equal', ['query', 'page_size'], '0']])
    expect(await told('GET', `${path}?page=99999999`), path).toEqual([['value_error', ['query', 'page'], '99999999']])
  }
})

test('all that does not fit is told at once, with its place, and nothing is made', async () => {
  const before = (await spur.call('GET', '/wf/?page_size=100')).body.length
  expect(await told('POST', '/wf/', { description: 5, definition: { nodes: [{ id: 'a' }, 'node'], links: [{ source_id: 'a', target_id: 7 }], spur_type: 'WORKFLOW' } })).toEqual([
    ['missing', ['body', 'name'], expect.anything()],
    ['string_type', ['body', 'description'], 5],
    ['missing', ['body', 'definition', 'nodes', 0, 'node_type'], { id: 'a' }],
    ['model_attributes_type', ['body', 'definition', 'nodes', 1], 'node'],
    ['string_type', ['body', 'definition', 'links', 0, 'target_id'], 7],
    ['enum', ['body', 'definition', 'spur_type'], 'WORKFLOW'],
  ])
  expect((await spur.call('GET', '/wf/?page_size=100')).body.length).toBe(before)
})

test('what no definition can have is refused at its place, at create and at update', async () => {
  const { body: workflow } = await spur.call('POST', '/wf/', { name: 'Intact' })
  const node = (id: string, more: object = {}) => ({ id, node_type: 'InputNode', ...more })
  const cases: [object, unknown[]][] = [
    [{ nodes: [node('a'), node('a')], links: [] }, ['body', 'definition', 'nodes', 1, 'id']],
    [{ nodes: [node('a')], links: [{ source_id: 'a', target_id: 'b' }] }, ['body', 'definition', 'links', 0, 'target_id']],
    [{ nodes: [node('')], links: [] }, ['body', 'definition', 'nodes', 0, 'id']],
    [{ nodes: [node('x'.repeat(101))], links: [] }, ['body', 'definition', 'nodes', 0, 'id']],
    [{ nodes: [node('a', { title: 'x'.repeat(201) })], links: [] }, ['body', 'definition', 'nodes', 0, 'title']],
    [{ nodes: [node('a', { node_type: '' })], links: [] }, ['body', 'definition', 'nodes', 0, 'node_type']],
    [{ nodes: [node('a')], links: [{ source_id: 'a', target_id: 'a', source_handle: 'x'.repeat(101) }] }, ['body', 'definition', 'links', 0, 'source_handle']],
    [{ nodes: Array.from({ length: 1_001 }, (_, at) => node(`n${at}`)), links: [] }, ['body', 'definition', 'nodes']],
  ]
  for (const [definition, loc] of cases) {
    const places = [await told('POST', '/wf/', { name: 'n', definition }), await told('PUT', `/wf/${workflow.id}/`, { name: 'n', definition })].map((all: unknown[][]) =>
      all.map(([, place]) => place),
    )
    expect(places).toEqual([expect.arrayContaining([loc]), expect.arrayContaining([loc])])
  }
  expect(await told('POST', '/wf/', { name: 'x'.repeat(201) })).toEqual([['value_error', ['body', 'name'], null]])
  expect((await spur.call('GET', `/wf/${workflow.id}/`)).body).toEqual(workflow)
})

test('a chatbot without the fields of a chat is refused at its definition, and a node that asks a model has to name it', async () => {
  const end = (id: string, node_type: string, properties: object) => ({ id, node_type, config: { output_json_schema: JSON.stringify({ type: 'object', properties }) } })
  const text = { type: 'string' }
  const chat = (input_: object, output_: object) => ({
    name: 'Chat',
    definition: { nodes: [end('i', 'InputNode', input_), end('o', 'OutputNode', output_)], links: [], spur_type: 'chatbot' },
  })
  const right = { user_message: text, session_id: text }
  const { body } = await spur.call('POST', '/wf/', chat({ user_message: { type: 'number' } }, {}))
  expect(body.detail).toEqual([
    {
      type: 'value_error',
      loc: ['body', 'definition'],
      msg: 'Value error, Chatbot input node must have the following mandatory fields: user_message (must be of type str), session_id',
      input: expect.anything(),
      ctx: { error: {} },
    },
  ])
  expect(await told('POST', '/wf/', chat(right, { assistant_message: { type: 'array' } }))).toEqual([['value_error', ['body', 'definition'], expect.anything()]])
  expect((await spur.call('POST', '/wf/', chat(right, { assistant_message: text }))).status).toBe(200)
  expect(await told('POST', '/wf/', { name: 'n', definition: { nodes: [{ id: 'a', node_type: 'SingleLLMCallNode' }], links: [] } })).toEqual([
    ['assertion_error', ['body', 'definition', 'nodes', 0], expect.anything()],
  ])
})

test('a definition that cannot run is saved, and refused when it is to run, at the place in its node', async () => {
  const id = await made(spur, {
    nodes: [input, { id: 'r', node_type: 'RouterNode', config: { route_map: { yes: { conditions: [{ variable: 'in.x', operator: 'resembles', value: 1 }] } } } }, output()],
    links: [['in', 'r']],
  })
  const { status, body } = await spur.call('POST', `/wf/${id}/start_run/`, given())
  expect(status).toBe(422)
  expect(body.detail.map(({ loc }: { loc: unknown[] }) => loc.slice(0, 5))).toEqual(expect.arrayContaining([['body', 'definition', 'nodes', 'r', 'config']]))
})

test('a run that was canceled takes no decision, by whichever id it is asked: it is not paused any more', async () => {
  const id = await made(spur, { nodes: [input, human('ask')], links: [['in', 'ask']] })
  const { body: run } = await spur.call('POST', `/wf/${id}/runv2/`, given())
  const { body: pauses } = await spur.call('GET', `/wf/pause_history/${run.id}/`)
  expect((await spur.call('POST', `/wf/cancel_workflow/${run.id}/`)).body.status).toBe('CANCELED')
  for (const named of [run.id, pauses[0].id])
    expect(await spur.call('POST', `/wf/process_pause_action/${named}/`, { inputs: {}, user_id: 'ann', action: 'APPROVE' })).toMatchObject({
      status: 400,
      body: { detail: 'Run is not in a paused state' },
    })
})

test('a run that asks nobody takes no decision, and a decision has to be one', async () => {
  const plain = await made(spur, { nodes: [input], links: [] })
  const { body: run } = await spur.call('POST', `/wf/${plain}/runv2/`, given())
  expect(await spur.call('POST', `/wf/process_pause_action/${run.id}/`, { inputs: {}, user_id: 'ann', action: 'APPROVE' })).toMatchObject({
    status: 400,
    body: { detail: 'Run is not in a paused state' },
  })
  const id = await made(spur, { nodes: [input, human('ask')], links: [['in', 'ask']] })
  const { body: paused } = await spur.call('POST', `/wf/${id}/runv2/`, given())
  expect(await told('POST', `/wf/process_pause_action/${paused.id}/`, { user_id: 5, action: 'approve' })).toEqual([
    ['missing', ['body', 'inputs'], expect.anything()],
    ['string_type', ['body', 'user_id'], 5],
    ['enum', ['body', 'action'], 'approve'],
  ])
})

test('who says nobody is asked who they are; who may not, is told so', async () => {
  for (const [method, path, body] of [
    ['GET', '/wf/'],
    ['POST', '/wf/', { name: 'n' }],
    ['GET', '/run/'],
  ] as const) {
    const { status, body: refused, headers } = await spur.call(method, path, body, { as: '' })
    expect([status, typeof refused.detail, headers.get('www-authenticate')]).toEqual([401, 'string', 'Bearer'])
    expect((await spur.call(method, path, body, { as: 'nobody' })).status).toBe(401)
  }
  const viewer = await member(spur, 'viewer')
  expect((await spur.call('GET', '/wf/', undefined, { as: viewer.token })).status).toBe(200)
  expect(await spur.call('POST', '/wf/', { name: 'n' }, { as: viewer.token })).toMatchObject({ status: 403, body: { detail: expect.any(String) } })
  expect((await spur.call('POST', '/wf/', { name: 'n' }, { as: await stranger(spur) })).status).toBe(200)
})

test('too many requests are told in the same form, with the time after which there may be more', async () => {
  await using limited = await pyspurServer({ SLUICE_RATE_LIMIT: 'api=3' })
  const answers = await Promise.all(Array.from({ length: 8 }, () => limited.call('GET', '/wf/')))
  const refused = answers.find(({ status }) => status === 429)
  expect(refused?.body).toEqual({ detail: expect.any(String) })
  expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0)
})

test('no operation is described that a test could not find: of paths that fit two, the literal one wins', async () => {
  expect(operationAt('GET', '/wf/paused_workflows/')?.id).not.toBe(operationAt('GET', '/wf/other/')?.id)
  // And so it is served: a page of it, no workflow of this name.
  expect((await clientOf(spur.server.url, spur.server.token).call('GET', '/wf/paused_workflows/')).status).toBe(200)
})
