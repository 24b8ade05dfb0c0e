import type { Session } from '@sluice/schema'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { approval, delay, flow, template } from '../../support/flow.ts'
import { say } from '../../support/toy-model.ts'
import { clientOf, gateway, type Gateway, saidTo, sessionOf, talker } from './gateway.ts'

let gate: Gateway
beforeAll(async () => {
  gate = await gateway()
})
afterAll(() => gate[Symbol.asyncDispose]())

const user = (content: string) => ({ role: 'user', content }) as const
const chatbot = (nodes: Parameters<typeof flow>[0], links: string[]) => ({ ...flow(nodes, links), kind: 'chatbot' as const })

describe('a completion', () => {
  test('is the answer of a chatbot of the workspace, by its handle and by its id, with the tokens of its round', async () => {
    const { client, server, toy } = gate
    toy.on('plain', say(['Oslo is ', 'in Norway']))
    const { id, handle } = await server.workflow(talker('plain'))
    for (const model of [handle, id]) {
      const completion = await client.chat.completions.create({ model, messages: [user('Where is Oslo?')] })
      expect(completion).toMatchObject({
        object: 'chat.completion',
        model,
        choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'Oslo is in Norway', refusal: null } }],
        usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 },
      })
      expect(completion.id).toMatch(/^chatcmpl-/)
      expect(Math.abs(completion.created - Date.now() / 1_000)).toBeLessThan(60)
    }
  })

  test('is the answer of a mode, which needs nothing to be there', async () => {
    const { client, toy } = gate
    toy.on('toy-1', say('From React'))
    const completion = await client.chat.completions.create({ model: 'React', messages: [user('Hello')] })
    expect(completion.choices[0]!.message.content).toBe('From React')
  })

  test('is made of what was said before, in roles and order, where no session is named', async () => {
    const { client, server, toy } = gate
    toy.on('before', say('Blue'))
    const { handle } = await server.workflow(talker('before'))
    await client.chat.completions.create({
      model: handle,
      messages: [
        { role: 'system', content: 'Be brief' },
        user('What is red?'),
        { role: 'assistant', content: 'A colour' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'And ' },
            { type: 'text', text: 'the sky?' },
          ],
        },
      ],
    })
    expect(saidTo(toy, 'before')).toEqual(['system: Be brief', 'user: What is red?', 'assistant: A colour', 'user: And the sky?'])
  })

  test('goes on in the session that its header names, of which nothing is said twice', async () => {
    const { client, server, toy } = gate
    toy.on('thread', say('One'), say('Two'), say('Three'))
    const { handle } = await server.workflow(talker('thread'))
    const first = await client.chat.completions.create({ model: handle, messages: [user('1')] }).withResponse()
    const session = sessionOf(first.response)
    const messages = [user('1'), { role: 'assistant', content: 'One' } as const, user('2')]
    const second = await client.chat.completions.create({ model: handle, messages }, { headers: { 'x-sluice-session': session } }).withResponse()
    expect(sessionOf(second.response)).toBe(session)
    expect(saidTo(toy, 'thread')).toEqual(['user: 1', 'assistant: One', 'user: 2'])
    const third = await client.chat.completions.create({ model: handle, messages: [user('3')], metadata: { session, from: 'test' } }).withResponse()
    expect(sessionOf(third.response)).toBe(session)
    const { messages: kept } = await server.call<Session>('GET', `/v1/sessions/${session}?messages=10`)
    expect(kept!.map(({ role, text }) => `${role}: ${text}`)).toEqual(['user: 1', 'assistant: One', 'user: 2', 'assistant: Two', 'user: 3', 'assistant: Three'])
    expect(kept!.at(-2)!.metadata).toEqual({ from: 'test' })
  })

  test('under one idempotency key is made once', async () => {
    const { client, server, toy } = gate
    toy.on('once', say('First'), say('Second'))
    const { handle } = await server.workflow(talker('once'))
    const ask = () => client.chat.completions.create({ model: handle, messages: [user('x')] }, { headers: { 'idempotency-key': 'once' } })
    const [first, again] = [await ask(), await ask()]
    expect([first, again].map(({ choices }) => choices[0]!.message.content)).toEqual(['First', 'First'])
    expect(toy.asked('once')).toHaveLength(1)
  })

  test('is a question where the round asks one, and the next message answers it', async () => {
    const { client, server } = gate
    const { handle } = await server.workflow(
      chatbot({ in: 'input', which: { type: 'human', config: { kind: 'question', message: 'Which one?' } }, answer: template('{{ which.text }} it is') }, ['in > which > answer']),
    )
    const asked = await client.chat.completions.create({ model: handle, messages: [user('Buy it')] }).withResponse()
    expect(asked.data.choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: 'Which one?' } })
    const answered = await client.chat.completions.create({ model: handle, messages: [user('The red one')] }, { headers: { 'x-sluice-session': sessionOf(asked.response) } })
    expect(answered.choices[0]!.message.content).toBe('The red one it is')
  })

  test('says what waits for an approval, and where that is given', async () => {
    const { client, server } = gate
    const { handle } = await server.workflow(chatbot({ in: 'input', may: approval(), answer: template('Done') }, ['in > may > answer']))
    const { data, response } = await client.chat.completions.create({ model: handle, messages: [user('Do it')] }).withResponse()
    const content = data.choices[0]!.message.content!
    expect(content).toContain('May we?')
    const [decide] = /\/v1\/pauses\/\w+\/decide/.exec(content)!
    await server.call('POST', decide, { action: 'approve' })
    const next = await server.call<Session>('GET', `/v1/sessions/${sessionOf(response)}?messages=10`)
    expect(next.messages!.length).toBeGreaterThan(0)
  })
})

describe('what cannot be answered', () => {
  const failure = async (call: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> => {
    const error = await call.catch((thrown: unknown) => thrown)
    if (error instanceof OpenAI.APIError) return error
    throw new Error(`not refused: ${JSON.stringify(error)}`)
  }
  const ask = (body: object, client = gate.client) => failure(client.chat.completions.create({ model: 'React', messages: [user('x')], ...body } as never))

  test('is told as the errors of the library, with what it is about and a code', async () => {
    const { server } = gate
    const plain = await server.workflow(flow({ in: 'input' }))
    const { response } = await gate.client.models.list().withResponse()
    expect(response.status).toBe(200)
    for (const model of ['nobody', plain.handle, plain.id])
      expect(await ask({ model })).toMatchObject({ constructor: OpenAI.NotFoundError, code: 'model_not_found', param: 'model', type: 'invalid_request_error' })
    expect(await ask({ model: 'nobody', stream: true })).toMatchObject({ constructor: OpenAI.NotFoundError, code: 'model_not_found' })
    expect(await ask({}, clientOf(server, { apiKey: 'wrong' }))).toMatchObject({ constructor: OpenAI.AuthenticationError, code: 'invalid_api_key' })
    expect(await ask({ n: 2 })).toMatchObject({ constructor: OpenAI.BadRequestError, param: 'n' })
    expect(await ask({ messages: undefined })).toMatchObject({ constructor: OpenAI.BadRequestError, param: 'messages', code: 'missing_required_parameter' })
    expect(await ask({ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }] })).toMatchObject({
      constructor: OpenAI.BadRequestError,
      param: 'messages[0].content[0].type',
    })
    expect(await ask({ messages: [user('x'), { role: 'assistant', content: 'y' }] })).toMatchObject({ constructor: OpenAI.BadRequestError, param: 'messages[1].role' })
    expect(await ask({ messages: [user(' ')] })).toMatchObject({ constructor: OpenAI.BadRequestError, param: 'messages[0].content' })
    expect(await failure(gate.client.chat.completions.create({ model: 'React', messages: [user('x')] }, { headers: { 'x-sluice-session': '000000000000000' } }))).toMatchObject({
      constructor: OpenAI.NotFoundError,
      code: 'session_missing',
    })
  })

  test('of a round that failed or was stopped says why, and is not asked for again', async () => {
    const { server } = gate
    const failing = await server.workflow(chatbot({ in: 'input', bad: { type: 'code', config: { source: 'throw new Error("no")' } } }, ['in > bad']))
    const client = clientOf(server, { maxRetries: 2 })
    expect(await ask({ model: failing.handle }, client)).toMatchObject({ status: 422, code: 'step_failed', type: 'server_error' })
    expect((await server.call<{ items: unknown[] }>('GET', `/v1/runs?workflow=${failing.id}`)).items).toHaveLength(1)
    const slow = await server.workflow(chatbot({ in: 'input', wait: delay(600_000), answer: template('Never') }, ['in > wait > answer']))
    const asked = ask({ model: slow.handle }, client)
    let session: Session | undefined
    while (!session) session = (await server.call<{ items: Session[] }>('GET', `/v1/sessions?workflow=${slow.id}&status=running`)).items[0]
    await server.call('POST', `/v1/sessions/${session.id}/stop`)
    expect(await asked).toMatchObject({ status: 422, code: 'cancelled' })
  })

  test('of another session than the one of the model is refused', async () => {
    const { client, server, toy } = gate
    toy.on('own', say('Yes'))
    const [one, other] = [await server.workflow(talker('own')), await server.workflow(talker('own'))]
    const { response } = await client.chat.completions.create({ model: one.handle, messages: [user('x')] }).withResponse()
    const error = await failure(client.chat.completions.create({ model: other.handle, messages: [user('x')] }, { headers: { 'x-sluice-session': sessionOf(response) } }))
    expect(error).toMatchObject({ status: 400, param: 'model' })
  })

  test('below its addresses is told in its manner, and other native addresses are as they were', async () => {
    const { server } = gate
    const answer = await fetch(`${server.url}/v1/models/a/b`, { headers: { authorization: `Bearer ${server.token}` } })
    expect([answer.status, await answer.json()]).toMatchObject([404, { error: { code: 'unknown_url', type: 'invalid_request_error' } }])
    expect((await server.call<{ items: unknown[] }>('GET', '/v1/chatbots')).items.length).toBeGreaterThan(1)
  })
})

describe('models', () => {
  test('are the modes and the chatbots of the workspace, and nothing else', async () => {
    const { client, server } = gate
    const bot = await server.workflow(talker('listed'), 'Listed one')
    const plain = await server.workflow(flow({ in: 'input' }), 'Plain one')
    const models = (await client.models.list()).data
    expect(models.slice(0, 2).map(({ id }) => id)).toEqual(['Actionplan', 'React'])
    expect(models).toContainEqual({ id: bot.handle, object: 'model', created: Math.floor(Date.parse(bot.created) / 1_000), owned_by: 'workspace' })
    expect(models.map(({ id }) => id)).not.toContain(plain.handle)
    for (const id of ['React', bot.handle]) expect(await client.models.retrieve(id)).toMatchObject({ id, object: 'model' })
    expect(await client.models.retrieve(plain.handle).catch((error: unknown) => error)).toMatchObject({ constructor: OpenAI.NotFoundError, code: 'model_not_found' })
  })
})
