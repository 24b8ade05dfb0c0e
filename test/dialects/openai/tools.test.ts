import OpenAI from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { call, say, type Script } from '../../support/toy-model.ts'
import { clientOf, gateway, type Gateway, saidTo, sessionOf } from './gateway.ts'

let gate: Gateway
beforeAll(async () => {
  gate = await gateway()
})
afterAll(() => gate[Symbol.asyncDispose]())

type Message = OpenAI.Chat.Completions.ChatCompletionMessageParam
type Completion = OpenAI.Chat.Completions.ChatCompletion

const user = (content: string) => ({ role: 'user', content }) as const
const tool = (name: string) =>
  ({
    type: 'function',
    function: { name, description: `What ${name} knows`, parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } },
  }) as const
const tools = [tool('weather'), tool('time')]
const given = (id: string, content: string): Message => ({ role: 'tool', tool_call_id: id, content })

const ask = (messages: Message[], more: object = {}, client = gate.client): Promise<Completion> =>
  client.chat.completions.create({ model: 'React', messages, tools, ...more } as OpenAI.Chat.Completions.ChatCompletionCreateParamsNonStreaming)
const refused = async (answer: Promise<unknown>) => {
  const error = await answer.catch((thrown: unknown) => thrown)
  if (error instanceof OpenAI.APIError) return error
  throw new Error(`not refused: ${JSON.stringify(error)}`)
}

const oslo = { name: 'weather', arguments: ['{"city":', '"Oslo"}'] }
const rome = { name: 'time', arguments: ['{"city":"Rome"}'] }

/** Calls these, and says what it has to say when it is told what they gave. */
const calling =
  (made: Parameters<typeof call>, ...text: string[]): Script =>
  (response, asked) =>
    (asked.body.messages.at(-1)!.role === 'tool' ? say(text) : call(...made))(response, asked)

test('a call of a tool of the client comes back with its result, without a thread, and ends in the answer', async () => {
  gate.toy.on('toy-1', calling([oslo], 'It rains'))
  const messages: Message[] = [user('How is Oslo?')]
  const first = await ask(messages)
  expect(first.choices[0]).toMatchObject({
    finish_reason: 'tool_calls',
    message: { content: null, tool_calls: [{ type: 'function', function: { name: 'weather', arguments: '{"city":"Oslo"}' } }] },
  })
  messages.push(first.choices[0]!.message, given(first.choices[0]!.message.tool_calls![0]!.id, 'Rain'))
  const second = await ask(messages)
  expect(second.choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: 'It rains' } })
  expect(second.id).not.toBe(first.id)
  // Of one round in two parts each has its own tokens.
  expect([first.usage, second.usage]).toMatchObject([{ total_tokens: 18 }, { total_tokens: 18 }])
  expect(saidTo(gate.toy, 'toy-1').at(-1)).toBe('tool: Rain')
})

test('calls at one time are told together and answered together', async () => {
  gate.toy.on('toy-1', calling([oslo, rome], 'Both'))
  const messages: Message[] = [user('Two things')]
  const first = await ask(messages)
  const calls = first.choices[0]!.message.tool_calls!
  expect(calls.map((each) => each.type === 'function' && each.function.name)).toEqual(['weather', 'time'])
  expect(new Set(calls.map(({ id }) => id)).size).toBe(2)
  const half = await refused(ask([...messages, first.choices[0]!.message, given(calls[0]!.id, 'Rain')]))
  expect(half).toMatchObject({ status: 400, param: 'messages[1].tool_calls' })
  const done = await ask([...messages, first.choices[0]!.message, given(calls[1]!.id, 'Noon'), given(calls[0]!.id, 'Rain')])
  expect(done.choices[0]!.message.content).toBe('Both')
  expect(saidTo(gate.toy, 'toy-1').slice(-2)).toEqual(['tool: Rain', 'tool: Noon'])
})

test('the helper of the library that runs tools does so, streaming and not', async () => {
  const runnable = {
    type: 'function',
    function: { ...tool('weather').function, parse: JSON.parse as (text: string) => object, function: (of: object) => `Rain in ${JSON.stringify(of)}` },
  } as const
  for (const stream of [false, true]) {
    gate.toy.on('toy-1', calling([oslo], 'It ', 'rains'))
    const asked = { model: 'React', messages: [user('How is Oslo?')], tools: [runnable] }
    const runner = stream ? gate.client.chat.completions.runTools({ ...asked, stream } as never) : gate.client.chat.completions.runTools(asked as never)
    expect(await runner.finalContent()).toBe('It rains')
    expect(saidTo(gate.toy, 'toy-1').at(-1)).toBe('tool: Rain in {"city":"Oslo"}')
  }
})

test('calls wait over a restart, and their results are taken by any server', async () => {
  gate.toy.on('toy-1', calling([oslo], 'Still rains'))
  const other = await gate.server.another(gate.settings)
  const first = await ask([user('How is Oslo?')], {}, clientOf({ url: other.url, token: gate.server.token }))
  await other[Symbol.asyncDispose]()
  const { message } = first.choices[0]!
  const second = await ask([user('How is Oslo?'), message, given(message.tool_calls![0]!.id, 'Rain')])
  expect(second.choices[0]!.message.content).toBe('Still rains')
})

test('the same results once more are told the same answer; others, and those of no call, are refused', async () => {
  gate.toy.on('toy-1', calling([oslo], 'It rains'))
  const first = await ask([user('How is Oslo?')])
  const { message } = first.choices[0]!
  const { id } = message.tool_calls![0]!
  const before: Message[] = [user('How is Oslo?'), message]
  expect((await ask([...before, given(id, 'Rain')])).choices[0]!.message.content).toBe('It rains')
  expect((await ask([...before, given(id, 'Rain')])).choices[0]!.message.content).toBe('It rains')
  expect(gate.toy.asked('toy-1').filter(({ body }) => body.messages.at(-1)!.content === 'Rain').length).toBeGreaterThan(0)
  expect(await refused(ask([...before, given(id, 'Sun')]))).toMatchObject({ constructor: OpenAI.ConflictError, code: 'idempotency_conflict' })
  expect(await refused(ask([user('x'), given('call_of_nobody', 'Sun')]))).toMatchObject({ status: 400, param: 'messages[1].tool_call_id' })
  expect(await refused(ask([user('x'), given(id.replace(/_[^_]*$/, '_9-9'), 'Sun')]))).toMatchObject({ status: 409, code: 'call_not_waiting' })
  expect(await refused(ask([user('x'), given('call_000000000000000_0-1', 'Sun')]))).toMatchObject({ status: 404, code: 'run_missing' })
})

test('a thread that waits for results says so to who says something else', async () => {
  gate.toy.on('toy-1', calling([oslo], 'It rains'))
  const { response } = await gate.client.chat.completions.create({ model: 'React', messages: [user('How is Oslo?')], tools }).withResponse()
  const headers = { 'x-sluice-session': sessionOf(response) }
  const error = await refused(gate.client.chat.completions.create({ model: 'React', messages: [user('Never mind')] }, { headers }))
  expect(error).toMatchObject({ status: 409, code: 'calls_pending' })
})

test('tools that may not be called are not offered', async () => {
  gate.toy.on('toy-1', say('Without'))
  await ask([user('x')], { tool_choice: 'none' })
  expect(JSON.stringify(gate.toy.asked('toy-1').at(-1)!.body['tools'] ?? [])).not.toContain('weather')
})
