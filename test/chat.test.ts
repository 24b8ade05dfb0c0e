import type { Definition, Json, JsonObject, Line, MessageLine, Page, Run, SentMessage, Session } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { external, flow, template } from './support/flow.ts'
import { type Start, type TestServer, refusal, testServer } from './support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const create = (body: JsonObject = {}) => server.call<Session>('POST', '/v1/sessions', body)
const send = (to: string, text: string, more: JsonObject = {}) => server.call<SentMessage>('POST', '/v1/sessions/send', { to, text, ...more })
const chatbot = (definition: Definition): Definition => ({ ...definition, kind: 'chatbot' })

async function messages({ id }: { id: string }): Promise<MessageLine[]> {
  return (await server.call<Session>('GET', `/v1/sessions/${id}?messages=1000`)).messages!
}
const said = async (session: { id: string }) => (await messages(session)).map(({ role, text }) => `${role}: ${text}`)

/** A round of a session, to its end. */
async function round(session: Session, more: Start): Promise<Run> {
  const { id } = await server.start(session.workflowId!, { sessionId: session.id, ...more })
  return server.wait(id, 'finished')
}

const asked = (user: string, assistant: string) => [
  { role: 'user', content: user },
  { role: 'assistant', content: assistant },
]

/** Says back what it was asked, how much came before, and what the last of that was. */
const parrot = flow(
  { in: 'input', answer: template('{{ input.text }} after {{ input.history.size }}{% if input.history.size > 0 %}: {{ input.history.last.content }}{% endif %}') },
  ['in > answer'],
)

describe('a start that is a round', () => {
  test('brings what its user says: the line is there with the run, and the answer comes with its end', async () => {
    const flow_ = await server.workflow(flow({ in: 'input', wait: external(), answer: template('You said {{ input.q }}') }, ['in > wait > answer']))
    const session = await create({ workflow: flow_.id })
    const run = await server.start(flow_.id, { sessionId: session.id, input: { q: 'a' }, message: { text: 'Hello', metadata: { from: 'web' } } })
    expect(await messages(session)).toMatchObject([{ role: 'user', text: 'Hello', runId: run.id, metadata: { from: 'web' }, files: [] }])
    await server.wait(run.id, 'parked')
    expect((await server.call<Session>('GET', `/v1/sessions/${session.id}`)).status).toBe('waiting')
    await server.call('POST', '/v1/steps/report', { run: { id: run.id }, step: 'wait', outcome: 'completed', output: null })
    await server.wait(run.id, 'finished')
    expect((await messages(session)).map(({ role, text, runId }) => [role, text, runId])).toEqual([
      ['user', 'Hello', run.id],
      ['assistant', 'You said a', run.id],
    ])
  })

  test('says it once, however often its key comes; nothing of it where it is refused', async () => {
    const flow_ = await server.workflow(
      flow({ in: { type: 'input', config: { schema: { type: 'object', required: ['q'], properties: { q: { type: 'string' } } } } }, answer: template('{{ input.q }}') }, [
        'in > answer',
      ]),
    )
    const session = await create({ workflow: flow_.id })
    const start = { sessionId: session.id, input: { q: 'a' }, message: { text: 'Hello' }, idempotencyKey: 'once' }
    const ids = await Promise.all([1, 2, 3].map(async () => (await server.start(flow_.id, start)).id))
    expect(new Set(ids).size).toBe(1)
    await server.wait(ids[0]!, 'finished')
    expect(await refusal(server.start(flow_.id, { ...start, message: { text: 'Another' } }))).toMatchObject({ code: 'idempotency_conflict' })
    expect(await refusal(server.start(flow_.id, { sessionId: session.id, input: {}, message: { text: 'Bad' } }))).toMatchObject({ code: 'input_invalid' })
    expect(await said(session)).toEqual(['user: Hello', 'assistant: a'])
  })

  test('of a transaction id means what its user says, too', async () => {
    const flow_ = await server.workflow(flow({ in: 'input', wait: external() }, ['in > wait']))
    const session = await create({ workflow: flow_.id })
    const start = { sessionId: session.id, input: { q: 'a' }, message: { text: 'Hello' }, historyAs: 'history', transactionId: 't_1' }
    const run = await server.start(flow_.id, start)
    expect((await server.start(flow_.id, start)).id).toBe(run.id)
    expect(await refusal(server.start(flow_.id, { ...start, message: { text: 'Another' } }))).toMatchObject({ code: 'transaction_conflict' })
    expect(await said(session)).toEqual(['user: Hello'])
  })

  test('is of a session that its caller sees, of this workflow, and has no message without one', async () => {
    const [flow_, another] = [await server.workflow(parrot), await server.workflow(parrot)]
    const session = await create({ workflow: another.id })
    const message = { text: 'Hello' }
    expect(await refusal(server.start(flow_.id, { message }))).toMatchObject({ code: 'input_invalid', issues: [{ path: ['message'] }] })
    expect(await refusal(server.start(flow_.id, { historyAs: 'history' }))).toMatchObject({ code: 'input_invalid', issues: [{ path: ['historyAs'] }] })
    expect(await refusal(server.start(flow_.id, { message, sessionId: session.id }))).toMatchObject({ code: 'input_invalid', issues: [{ path: ['sessionId'] }] })
    expect(await refusal(server.start(flow_.id, { message, sessionId: 'abcdefghijklmn9' }))).toMatchObject({ code: 'session_missing' })
    for (const text of ['', 'x'.repeat(256 * 1024 + 1)]) expect((await refusal(server.start(another.id, { message: { text }, sessionId: session.id }))).status).toBe(400)
    expect(await said(session)).toEqual([])
  })
})

describe('the messages before a round', () => {
  const mirror = (nodes: string[] = ['in']) =>
    server.workflow(
      flow(
        { ...Object.fromEntries(nodes.map((id) => [id, 'input'])), answer: template('ok') },
        nodes.map((id) => `${id} > answer`),
      ),
    )

  test('are given to the objects of its input that have none, and to no others', async () => {
    const flow_ = await mirror(['a', 'b', 'c', 'd', 'e'])
    const session = await create({ workflow: flow_.id })
    await round(session, { message: { text: 'one' } })
    const inputs = { a: { q: 1 }, b: { past: null }, c: { past: [] }, d: { past: ['mine'] }, e: 'text' }
    const run = await round(session, { inputs, message: { text: 'two' }, historyAs: 'past' })
    const past = asked('one', 'ok')
    expect(run.input).toEqual({ a: { q: 1, past }, b: { past }, c: { past }, d: { past: ['mine'] }, e: 'text' })
    expect((await server.step(run, 'a')).output).toEqual({ q: 1, past })
    expect((await round(session, { input: { q: 2 }, historyAs: '__proto__' })).input).toEqual(JSON.parse(`{"q":2,"__proto__":${JSON.stringify([...past, ...asked('two', 'ok')])}}`))
    for (const input of [null, 'text', [{}]] as Json[]) expect((await round(session, { input, historyAs: 'past' })).input).toEqual(input)
  })

  test('are checked with the rest of what an input node is given', async () => {
    const schema = { type: 'object', required: ['past'], properties: { past: { type: 'array', maxItems: 1 } } }
    const flow_ = await server.workflow(flow({ in: { type: 'input', config: { schema } }, answer: template('ok') }, ['in > answer']))
    const session = await create({ workflow: flow_.id })
    await round(session, { input: {}, historyAs: 'past', message: { text: 'one' } })
    expect(await refusal(server.start(flow_.id, { sessionId: session.id, input: {}, historyAs: 'past', message: { text: 'two' } }))).toMatchObject({
      code: 'input_invalid',
      issues: [{ nodeId: 'in', path: ['input', 'past'] }],
    })
    expect(await said(session)).toEqual(['user: one', 'assistant: ok'])
  })

  test('are those that were said when it was accepted: a round that waits hears no answer that comes later', async () => {
    const flow_ = await server.workflow(flow({ in: 'input', wait: external(), answer: template('done') }, ['in > wait > answer']))
    const session = await create({ workflow: flow_.id })
    const first = await server.start(flow_.id, { sessionId: session.id, message: { text: 'one' } })
    const second = await server.start(flow_.id, { sessionId: session.id, input: {}, message: { text: 'two' }, historyAs: 'past' })
    for (const { id } of [first, second]) {
      await server.wait(id, 'parked')
      await server.call('POST', '/v1/steps/report', { run: { id }, step: 'wait', outcome: 'completed', output: null })
      await server.wait(id, 'finished')
    }
    expect((await server.get(second)).input).toEqual({ past: [{ role: 'user', content: 'one' }] })
    expect(await said(session)).toEqual(['user: one', 'user: two', 'assistant: done', 'assistant: done'])
  })

  test('are the newest 100, and no more than 256 KiB for all nodes together', async () => {
    const flow_ = await mirror(['a', 'b'])
    const fill = (id: string, count: number, characters: number) =>
      server.db.database.query(
        `with said as (
           insert into lines (session_id, number, id, at, kind, data)
           select $1, n, 'message' || lpad(n::text, 8, '0'), now(), 'message', json_build_object('role', 'user', 'text', rpad(n::text, $3, ' '), 'metadata', json_build_object(), 'files', json_build_array())
           from generate_series(1, $2) n
         ) update sessions set lines = $2 where id = $1`,
        [id, count, characters],
      )
    const heard = async (count: number, characters: number, inputs: Record<string, JsonObject>) => {
      const session = await create({ workflow: flow_.id })
      await fill(session.id, count, characters)
      const { input } = await server.db.database
        .query<{ input: { a: { past: { content: string }[] } } }>('select input from runs where id = $1', [(await round(session, { inputs, historyAs: 'past' })).id])
        .then(([row]) => row!)
      return input.a.past.map(({ content }) => Number(content))
    }
    const upTo = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, n) => first + n)
    expect(await heard(130, 10, { a: {} })).toEqual(upTo(31, 130))
    expect(await heard(30, 16_000, { a: {} })).toEqual(upTo(15, 30))
    expect(await heard(30, 16_000, { a: {}, b: {} })).toEqual(upTo(23, 30))
    expect(await heard(3, 256 * 1024, { a: {} })).toEqual([])
  })
})

describe('a chatbot', () => {
  test('hears the messages before each that it is sent; a workflow of another kind does not', async () => {
    const bot = await server.workflow(chatbot(parrot))
    let sent = await send(bot.id, 'one')
    for (const text of ['two', 'three']) {
      await server.wait(sent.runId!, 'finished')
      sent = await send(sent.session.id, text, { metadata: { n: text } })
    }
    const run = await server.wait(sent.runId!, 'finished')
    expect(run.input).toEqual({
      text: 'three',
      metadata: { n: 'three' },
      files: [],
      messageId: sent.message.id,
      sessionId: sent.session.id,
      history: [...asked('one', 'one after 0'), ...asked('two', 'two after 2: one after 0')],
    })
    expect(await said(sent.session)).toEqual([
      'user: one',
      'assistant: one after 0',
      'user: two',
      'assistant: two after 2: one after 0',
      'user: three',
      'assistant: three after 4: two after 2: one after 0',
    ])
    const plain = await send((await server.workflow(parrot)).id, 'one')
    expect((await server.wait(plain.runId!, 'finished')).input).not.toHaveProperty('history')
  })

  test('talks on in one session, whether it is sent a message or started with one', async () => {
    const bot = await server.workflow(chatbot(parrot))
    const session = await create({ workflow: bot.id })
    await server.wait((await send(session.id, 'one')).runId!, 'finished')
    await round(session, { input: { text: 'two' }, message: { text: 'two' }, historyAs: 'history' })
    await server.wait((await send(session.id, 'three')).runId!, 'finished')
    const all = await messages(session)
    expect(all.map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant', 'user', 'assistant'])
    expect(all.map(({ runId }) => runId)).toEqual((await server.call<Page<Run>>('GET', `/v1/runs?sessionId=${session.id}&order=id`)).items.flatMap(({ id }) => [id, id]))
    expect(all.at(-1)!.text).toBe('three after 4: two after 2: one after 0')
  })
})

test('every message is a line of its session', async () => {
  const session = await create({ workflow: (await server.workflow(parrot)).id })
  await round(session, { message: { text: 'one' } })
  const { items } = await server.call<Page<Line>>('GET', `/v1/sessions/${session.id}/lines?limit=1000`)
  expect(items.map(({ number }) => number)).toEqual(items.map((_, n) => n + 1))
})

describe('a chatbot made with PySpur', () => {
  const fields = { user_message: 'string', session_id: 'string', message_history: 'List[Dict[str, str]]' }
  const definition: Definition = {
    kind: 'chatbot',
    settings: { join: 'all', onFailure: 'continue' },
    nodes: [
      { id: 'input_node', type: 'InputNode', title: 'input_node', config: { output_schema: fields, enforce_schema: true } },
      {
        id: 'bot',
        type: 'SingleLLMCallNode',
        title: 'Bot',
        config: {
          llm_info: { model: 'offline', max_tokens: 100, temperature: 0 },
          system_message: '',
          user_message: 'The message is: {{ input_node.user_message }}\nBefore it came {{ input_node.message_history | length }} messages.',
          output_schema: { assistant_message: 'string' },
        },
      },
      { id: 'output_node', type: 'OutputNode', title: 'output_node', config: { output_map: { assistant_message: 'Bot.assistant_message', heard: 'input_node.message_history' } } },
    ],
    links: [
      { source: 'input_node', target: 'bot' },
      { source: 'bot', target: 'output_node' },
      { source: 'input_node', target: 'output_node' },
    ],
  }

  test('is talked to from every face in one session: its input node is given what PySpur gives it', async () => {
    const bot = await server.workflow(definition)
    const session = await create({ workflow: bot.id, externalId: 'chat', metadata: { user_id: 'test_user' } })
    const heard: Json[] = []
    for (const text of ['one', 'two', 'three', 'four']) {
      const message_history: Json[] = []
      const runId =
        text === 'three'
          ? (
              await server.start(bot.id, {
                sessionId: session.id,
                inputs: { input_node: { user_message: text, session_id: session.id, message_history } },
                message: { text },
                historyAs: 'message_history',
              })
            ).id
          : (await send(session.id, text)).runId!
      const before = (await messages(session)).filter((line) => line.runId !== runId)
      const run = await server.wait(runId, 'finished')
      expect(run).toMatchObject({ status: 'completed', reason: null })
      const past = before.map((line) => ({ role: line.role, content: line.text }))
      expect(run.input).toEqual({ user_message: text, session_id: session.id, message_history: past })
      heard.push((run.output as { heard: Json[] }).heard.length)
      const [said_, answered] = (await messages(session)).slice(-2)
      expect([said_, answered]).toMatchObject([
        { role: 'user', text, runId },
        { role: 'assistant', text: (run.output as { assistant_message: string }).assistant_message, runId },
      ])
    }
    expect(heard).toEqual([0, 2, 4, 6])
    expect((await messages(session)).map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant', 'user', 'assistant', 'user', 'assistant'])
  })

  test('is talked to in the words of PySpur, and what is said there is heard here', async () => {
    const bot = await server.workflow(definition)
    interface Wire {
      id: string
      status: string
      messages: { run_id: string; content: { role: string; content: string } }[]
      tasks: { node_id: string; status: string; outputs: { assistant_message: string } }[]
    }
    const wire = (method: string, path: string, body?: unknown) => server.call<Wire>(method, `/api${path}`, body)
    const session = await wire('POST', `/session/test/?workflow_id=${bot.id}`)
    expect((await wire('POST', `/session/test/?workflow_id=${bot.id}`)).id).toBe(session.id)
    const answers: [string, string, string][] = []
    for (const user_message of ['one', 'two']) {
      const initial_inputs = { input_node: { user_message, session_id: session.id, message_history: [] } }
      const { id } = await wire('POST', `/wf/${bot.id}/start_run/?run_type=interactive`, { initial_inputs, parent_run_id: null })
      await server.wait(id, 'finished')
      const { status, tasks } = await wire('GET', `/run/${id}/status/`)
      expect(status).toBe('COMPLETED')
      const { outputs } = tasks.find((task) => task.node_id === 'output_node' && task.status === 'COMPLETED')!
      answers.push([id, 'user', user_message], [id, 'assistant', outputs.assistant_message])
    }
    const { runId } = await send(session.id, 'three')
    const run = await server.wait(runId!, 'finished')
    expect((run.input as { message_history: Json[] }).message_history).toEqual(answers.map(([, role, content]) => ({ role, content })))
    answers.push([runId!, 'user', 'three'], [runId!, 'assistant', (run.output as { assistant_message: string }).assistant_message])
    expect((await wire('GET', `/session/${session.id}/`)).messages.map(({ run_id, content }) => [run_id, content.role, content.content])).toEqual(answers)
    expect((await wire('POST', `/session/test/?workflow_id=${bot.id}`)).id).not.toBe(session.id)
  })
})
