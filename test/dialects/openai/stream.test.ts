import type { Session } from '@sluice/schema'
import OpenAI from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { approval, delay, flow, template } from '../../support/flow.ts'
import { say } from '../../support/toy-model.ts'
import { clientOf, gateway, type Gateway, sessionOf, talker } from './gateway.ts'

let gate: Gateway
beforeAll(async () => {
  gate = await gateway()
})
afterAll(() => gate[Symbol.asyncDispose]())

const user = (content: string) => ({ role: 'user', content }) as const
type Chunk = OpenAI.Chat.Completions.ChatCompletionChunk

async function all(stream: AsyncIterable<Chunk>): Promise<Chunk[]> {
  const chunks: Chunk[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return chunks
}
const textOf = (chunks: readonly Chunk[]): string => chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')
const stream = (model: string, more: Partial<OpenAI.Chat.Completions.ChatCompletionCreateParamsStreaming> = {}) =>
  gate.client.chat.completions.create({ model, messages: [user('Tell me')], stream: true, ...more })

/** What goes over the wire. */
async function wire(body: object): Promise<string> {
  const { server } = gate
  const answer = await fetch(`${server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ messages: [user('Tell me')], stream: true, ...body }),
  })
  expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
  return answer.text()
}

test('an answer is told piece by piece while the model says it, and together the pieces are the message', async () => {
  const { server, toy } = gate
  const pieces = ['It ', 'rains ', 'in ', 'Oslo']
  toy.on('pieces', say(pieces, { apartMs: 200 }))
  const { handle } = await server.workflow(talker('pieces'))
  const { data, response } = await stream(handle).withResponse()
  const chunks = await all(data)
  expect(textOf(chunks)).toBe('It rains in Oslo')
  expect(chunks.filter(({ choices }) => choices[0]?.delta.content).length).toBeGreaterThan(1)
  expect(chunks[0]).toMatchObject({ object: 'chat.completion.chunk', model: handle, choices: [{ delta: { role: 'assistant', content: '' }, finish_reason: null }] })
  expect(chunks.at(-1)).toMatchObject({ choices: [{ delta: {}, finish_reason: 'stop' }] })
  expect(new Set(chunks.map(({ id, created }) => `${id} ${created}`)).size).toBe(1)
  const { messages } = await server.call<Session>('GET', `/v1/sessions/${sessionOf(response)}?messages=10`)
  expect(messages!.map(({ text }) => text)).toEqual(['Tell me', 'It rains in Oslo'])
})

test('an answer that no model says live is told as a whole, and the last event says that it is done', async () => {
  const { handle } = await gate.server.workflow({ ...flow({ in: 'input', answer: template('All at once') }, ['in > answer']), kind: 'chatbot' })
  expect(textOf(await all(await stream(handle)))).toBe('All at once')
  const text = await wire({ model: handle })
  expect(text.split('\n\n').filter((each) => each.startsWith('data: '))).toHaveLength(4)
  expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
})

test('usage comes in a piece of its own to who asks for it, and is null before; else there is none', async () => {
  const { server, toy } = gate
  toy.on('counted', say('Counted'))
  const { handle } = await server.workflow(talker('counted'))
  const chunks = await all(await stream(handle, { stream_options: { include_usage: true } }))
  expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 } })
  expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true)
  expect((await all(await stream(handle))).every((chunk) => !('usage' in chunk))).toBe(true)
})

test('the helper of the library puts it together', async () => {
  const { server, toy } = gate
  toy.on('helped', say(['Put ', 'together']))
  const { handle } = await server.workflow(talker('helped'))
  const completion = await gate.client.chat.completions.stream({ model: handle, messages: [user('x')] }).finalChatCompletion()
  expect(completion.choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: 'Put together' } })
})

test('who leaves in the middle harms nobody: the round goes on, and its answer is in the session', async () => {
  const { server, toy } = gate
  toy.on('left', say(['Still ', 'here ', 'for ', 'you'], { apartMs: 300 }))
  const { handle } = await server.workflow(talker('left'))
  const { data, response } = await stream(handle).withResponse()
  for await (const chunk of data) if (chunk.choices[0]?.delta.content) break
  const session = sessionOf(response)
  await expect
    .poll(async () => (await server.call<Session>('GET', `/v1/sessions/${session}?messages=10`)).messages!.map(({ text }) => text), { timeout: 15_000 })
    .toEqual(['Tell me', 'Still here for you'])
  expect(toy.asked('left')[0]!.left).toBe(false)
})

test('what goes wrong once it has begun is told, and no answer is taken for whole', async () => {
  const { handle } = await gate.server.workflow({ ...flow({ in: 'input', bad: { type: 'code', config: { source: 'throw new Error("no")' } } }, ['in > bad']), kind: 'chatbot' })
  const error = await stream(handle)
    .then(all)
    .catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ constructor: OpenAI.APIError, code: 'step_failed', type: 'server_error' })
})

test('what waits for a person says so, in a stream too', async () => {
  const { handle } = await gate.server.workflow({ ...flow({ in: 'input', may: approval(), answer: template('Done') }, ['in > may > answer']), kind: 'chatbot' })
  const chunks = await all(await stream(handle))
  expect(textOf(chunks)).toContain('May we?')
  expect(chunks.at(-1)!.choices[0]!.finish_reason).toBe('stop')
})

test('a server that leaves ends its streams with an error, and the round goes on elsewhere', async () => {
  const { server, settings } = gate
  const { handle } = await server.workflow({ ...flow({ in: 'input', wait: delay(2_000), answer: template('Later') }, ['in > wait > answer']), kind: 'chatbot' })
  const leaving = await server.another({ ...settings, SLUICE_ROLE: 'api' })
  const { data, response } = await clientOf({ url: leaving.url, token: server.token })
    .chat.completions.create({ model: handle, messages: [user('x')], stream: true })
    .withResponse()
  const told = all(data).catch((error: unknown) => error)
  await leaving[Symbol.asyncDispose]()
  expect(await told).toMatchObject({ constructor: OpenAI.APIError, code: 'server_error' })
  await expect
    .poll(async () => (await server.call<Session>('GET', `/v1/sessions/${sessionOf(response)}?messages=10`)).messages!.map(({ text }) => text), { timeout: 15_000 })
    .toEqual(['x', 'Later'])
})
