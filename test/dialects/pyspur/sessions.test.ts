import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Graph, human, made, member, node, stranger } from './graphs.ts'
import { pyspurServer, type PySpur } from './server.ts'

let spur: PySpur
beforeAll(async () => {
  spur = await pyspurServer()
})
afterAll(() => spur[Symbol.asyncDispose]())

const missing = '01k2v9m3h5rj6tx'
const post = (path: string, body?: unknown) => spur.call('POST', path, body)
const get = async (path: string) => (await spur.call('GET', path)).body

const schema = (fields: string[]): string => JSON.stringify({ type: 'object', properties: Object.fromEntries(fields.map((field) => [field, { type: 'string' }])) })
/** Says how much was said before, and repeats the message. */
const bot: Graph = {
  spur_type: 'chatbot',
  nodes: [
    node('input_node', 'InputNode', { output_schema: { user_message: 'string', session_id: 'string' }, output_json_schema: schema(['user_message', 'session_id']) }),
    node('count', 'template', { text: '{{ input_node.message_history | size }}: {{ input_node.user_message }}' }),
    node('output_node', 'OutputNode', { output_map: { assistant_message: 'count.text' }, output_json_schema: schema(['assistant_message']) }),
  ],
  links: [
    ['input_node', 'count'],
    ['count', 'output_node'],
  ],
}
const says = (session_id: string, user_message: string) => ({ initial_inputs: { input_node: { user_message, session_id } } })

/** As the chat does it: start, and ask until it is over; then the task of the output node has the answer. */
async function chat(id: string, session: string, text: string): Promise<string> {
  const { body } = await post(`/wf/${id}/start_run/?run_type=interactive`, says(session, text))
  await spur.server.wait(body.id)
  const run = await get(`/run/${body.id}/status/`)
  expect(run.status).toBe('COMPLETED')
  const end = run.workflow_version.definition.nodes.find((each: { node_type: string }) => each.node_type === 'OutputNode')
  return run.tasks.find((task: { node_id: string; status: string }) => task.node_id === end.id && task.status === 'COMPLETED').outputs.assistant_message
}

const said = ({ messages }: { messages: { content: object }[] }) => messages.map(({ content }) => content)

test('a chat is held in a session: each message knows those before it, and both sides are kept with their run', async () => {
  const id = await made(spur, bot, 'Bot')
  const { status, body: session } = await post(`/session/test/?workflow_id=${id}`)
  expect(status).toBe(200)
  expect(session).toMatchObject({ user_id: 'test_user', workflow_id: id, external_id: null, messages: [] })
  expect((await post(`/session/test/?workflow_id=${id}`)).body).toEqual(session)

  expect(await chat(id, session.id, 'Hello')).toBe('0: Hello')
  expect(await chat(id, session.id, 'Again')).toBe('2: Again')
  const after = await get(`/session/${session.id}/`)
  expect(said(after)).toEqual([
    { role: 'user', content: 'Hello' },
    { role: 'assistant', content: '0: Hello' },
    { role: 'user', content: 'Again' },
    { role: 'assistant', content: '2: Again' },
  ])
  const [run] = await get(`/wf/${id}/runs/`)
  expect(after.messages.map((message: { run_id: string }) => message.run_id).slice(2)).toEqual([run.id, run.id])
  expect(run.initial_inputs.input_node).toMatchObject({ user_message: 'Again', message_history: [{ role: 'user', content: 'Hello' }, { role: 'assistant' }] })
  // It is no longer empty.
  expect((await post(`/session/test/?workflow_id=${id}`)).body.id).not.toBe(session.id)
})

test('a history that is sent along is the one that counts; waiting for the answer is the same', async () => {
  const id = await made(spur, bot, 'Bot')
  const { body: session } = await post(`/session/test/?workflow_id=${id}`)
  await post(`/wf/${id}/run/`, says(session.id, 'One'))
  const told = says(session.id, 'Two')
  const own = { initial_inputs: { input_node: { ...told.initial_inputs.input_node, message_history: [{ role: 'user', content: 'mine' }] } } }
  expect((await post(`/wf/${id}/runv2/`, own)).body.outputs.output_node).toEqual({ assistant_message: '1: Two' })
  expect(said(await get(`/session/${session.id}/`))).toHaveLength(4)
})

test('ids of sessions that clients make up are input like any other; those that could be ours are looked for', async () => {
  const id = await made(spur, bot, 'Bot')
  const { body } = await post(`/wf/${id}/run/`, says('chat_session_1732279800000', 'Hello'))
  expect(body).toMatchObject({ input_node: { session_id: 'chat_session_1732279800000' } })
  expect(await post(`/wf/${id}/run/`, says(missing, 'Hello'))).toMatchObject({ status: 404, body: { detail: 'Session not found' } })
  const { body: session } = await post(`/session/test/?workflow_id=${id}`)
  const other = await made(spur, bot, 'Bot')
  expect((await post(`/wf/${other}/run/`, says(session.id, 'Hello'))).status).toBe(422)
  expect(await post(`/wf/${id}/start_run/`, says(session.id, ''))).toMatchObject({ status: 200 })
  expect(said(await get(`/session/${session.id}/`))).toEqual([])
})

test('a session of an external id is made once; its user is a name, or a member', async () => {
  const id = await made(spur, bot, 'Bot')
  const asked = { user_id: 'customer 7', workflow_id: id, external_id: 'thread-9' }
  const { body: session } = await post('/session/', asked)
  expect(session).toMatchObject({ user_id: 'customer 7', workflow_id: id, external_id: 'thread-9', messages: [] })
  expect((await post('/session/', asked)).body).toEqual(session)
  expect((await post('/session/', { ...asked, workflow_id: await made(spur, bot) })).status).toBe(409)
  expect((await post('/session/', { ...asked, external_id: null })).body.id).not.toBe(session.id)
  const other = await member(spur, 'editor')
  const theirs = (await post('/session/', { user_id: other.id, workflow_id: id })).body
  expect(theirs).toMatchObject({ user_id: other.id })
  expect(await spur.call('POST', '/session/', { user_id: session.id, workflow_id: id })).toMatchObject({ status: 404, body: { detail: 'User not found' } })
  expect(await post('/session/', { user_id: 'me', workflow_id: missing })).toMatchObject({ status: 404, body: { detail: 'Workflow not found' } })
  expect(await post(`/session/test/?workflow_id=${missing}`)).toMatchObject({ status: 404, body: { detail: 'Workflow not found' } })
  expect((await post('/session/', { user_id: 'x'.repeat(201), workflow_id: id })).body.detail[0]).toMatchObject({ type: 'string_too_long', loc: ['body', 'user_id'] })
  expect((await post('/session/', { workflow_id: id })).body.detail[0]).toMatchObject({ type: 'missing', loc: ['body', 'user_id'] })
  expect((await post('/session/test/')).body.detail[0]).toMatchObject({ type: 'missing', loc: ['query', 'workflow_id'] })
})

test('sessions are listed by user, counted and paged; those of no workflow, and those of others, are not there', async () => {
  const id = await made(spur, bot, 'Bot')
  const make = async (user_id: string): Promise<string> => (await post('/session/', { user_id, workflow_id: id })).body.id
  const ids = [await make('lister'), await make('lister'), await make('lister')]
  const unbound = await spur.server.call<{ id: string }>('POST', '/v1/sessions', { title: 'Plain' })
  expect(await get('/session/?user_id=lister&limit=2')).toMatchObject({ sessions: [{ id: ids[2] }, { id: ids[1] }], total: 3 })
  expect(await get('/session/?user_id=lister&skip=2')).toMatchObject({ sessions: [{ id: ids[0] }], total: 3 })
  expect(await get('/session/?user_id=nobody')).toEqual({ sessions: [], total: 0 })
  expect((await get('/session/?limit=100')).sessions.map((session: { id: string }) => session.id)).not.toContain(unbound.id)
  expect((await get('/session/?limit=101')).detail[0]).toMatchObject({ type: 'less_than_equal', loc: ['query', 'limit'] })

  for (const none of [unbound.id, missing, 'SN1']) expect(await spur.call('GET', `/session/${none}/`)).toMatchObject({ status: 404, body: { detail: 'Session not found' } })
  const as = await stranger(spur)
  for (const method of ['GET', 'DELETE'])
    expect(await spur.call(method, `/session/${ids[0]}/`, undefined, { as })).toMatchObject({ status: 404, body: { detail: 'Session not found' } })
  expect((await spur.call('GET', '/session/', undefined, { as })).body).toEqual({ sessions: [], total: 0 })
  expect((await spur.call('POST', '/session/', { user_id: 'me', workflow_id: id }, { as })).status).toBe(404)

  expect((await spur.call('DELETE', `/session/${ids[0]}/`)).status).toBe(204)
  expect((await spur.call('GET', `/session/${ids[0]}/`)).status).toBe(404)
  expect(await get('/session/?user_id=lister')).toMatchObject({ total: 2 })
})

test('a round that asks a person is paused, and its answer comes into the session with the decision', async () => {
  const asking: Graph = {
    ...bot,
    nodes: [bot.nodes[0]!, human('ask'), node('output_node', 'OutputNode', { output_map: { assistant_message: 'ask.answer' }, output_json_schema: schema(['assistant_message']) })],
    links: [
      ['input_node', 'ask'],
      ['ask', 'output_node'],
    ],
  }
  const id = await made(spur, asking, 'Bot')
  const { body: session } = await post(`/session/test/?workflow_id=${id}`)
  const { body: run } = await post(`/wf/${id}/runv2/`, says(session.id, 'May I?'))
  expect(run.status).toBe('PAUSED')
  await post(`/wf/process_pause_action/${run.id}/`, { inputs: { answer: 'You may' }, user_id: 'me', action: 'APPROVE' })
  await spur.server.wait(run.id)
  expect(said(await get(`/session/${session.id}/`))).toEqual([
    { role: 'user', content: 'May I?' },
    { role: 'assistant', content: 'You may' },
  ])
})
