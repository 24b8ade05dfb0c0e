import type { Definition, Json, JsonObject, NodeSettings, Run } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deadline } from './support/deadline.ts'
import { flow, type FlowNode } from './support/flow.ts'
import { inTurn, refusal, testServer, type TestServer } from './support/server.ts'
import { breakOff, call, drone, event, refuse, say, send, silence, type ToyModel, toyModel } from './support/toy-model.ts'

const key = 'sk-a-very-secret-key/42'
let server: TestServer
let toy: ToyModel
beforeAll(async () => {
  toy = await toyModel()
  server = await testServer({ SLUICE_MODEL_URL: toy.url, SLUICE_MODEL_KEY: key, SLUICE_MODEL: 'usual' })
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await toy[Symbol.asyncDispose]()
})

const llm = (config: JsonObject, settings?: NodeSettings): FlowNode => ({ type: 'llm', config: { prompt: 'Say it', ...config }, ...(settings && { settings }) })
const asking = (config: JsonObject, settings?: NodeSettings): Definition => flow({ ask: llm(config, settings) })
const run = (config: JsonObject, settings?: NodeSettings): Promise<Run> => server.run(asking(config, settings))
const errorOf = async (ended: Run) => (await server.step(ended, 'ask')).error
const thrice: NodeSettings = { retry: { maxAttempts: 3, backoffMs: 1 } }

describe('a step that asks a model', () => {
  test('gives its text, its name and the tokens it took, and is asked with what the config says', async () => {
    toy.on('usual', say(['Dear ', 'Ada', ', hello']))
    const definition = flow({ in: 'input', ask: llm({ prompt: 'Greet {{ input.name }}', system: 'Be brief', temperature: 0.5, topP: 0.9, maxTokens: 50 }) }, ['in > ask'])
    const ended = await server.run(definition, { input: { name: 'Ada' } })
    const output = { text: 'Dear Ada, hello', usage: { promptTokens: 11, completionTokens: 7 }, model: 'toy-1', finishReason: 'stop' }
    expect(ended).toMatchObject({ status: 'completed', output: { ask: output } })
    expect((await server.step(ended, 'ask')).output).toEqual(output)
    const [asked] = toy.asked('usual')
    expect(asked).toMatchObject({
      path: '/v1/chat/completions',
      headers: { authorization: `Bearer ${key}`, 'idempotency-key': `${ended.id}/ask/-` },
      body: {
        messages: [
          { role: 'system', content: 'Be brief' },
          { role: 'user', content: 'Greet Ada' },
        ],
        temperature: 0.5,
        top_p: 0.9,
        max_tokens: 50,
        stream: true,
      },
    })
    expect(Object.keys(asked!.headers).filter((name) => name.startsWith('x-stainless'))).toEqual([])
  })

  test('is told the examples, then the history, then what it is asked', async () => {
    toy.on('long', say('Hello'))
    const examples = [{ user: 'Greet {{ input.friend }}', assistant: 'Dear {{ input.friend }}' }]
    const definition = flow({ in: 'input', ask: llm({ model: 'long', system: 'Be brief', examples, history: '{{ input.said }}' }) }, ['in > ask'])
    const said: Json = [
      { role: 'user', content: 'Hi {{ input.friend }}', at: 1 },
      { role: 'assistant', content: '' },
      { role: 'system', content: 'Now in French' },
    ]
    expect(await server.run(definition, { input: { friend: 'Ada', said } })).toMatchObject({ status: 'completed' })
    const messages = (toy.asked('long')[0]!.body as { messages: { role: string; content: string }[] }).messages
    expect(messages.map(({ role, content }) => `${role}: ${content}`)).toEqual([
      'system: Be brief',
      'user: Greet Ada',
      'assistant: Dear Ada',
      'user: Hi {{ input.friend }}',
      'assistant: ',
      'system: Now in French',
      'user: Say it',
    ])
    expect(await server.run(definition, { input: { friend: 'Ada', said: null } })).toMatchObject({ status: 'completed' })
  })

  test('fails with a history that is none, and asks nobody', async () => {
    toy.on('spared', say('Hello'))
    const definition = flow({ in: 'input', ask: llm({ model: 'spared', history: '{{ input }}' }, thrice) }, ['in > ask'])
    const histories: Json[] = [
      'Hi',
      [null],
      [{ role: 'tool', content: 'x' }],
      [{ content: 'x' }],
      [{ role: 'user', content: ['x'] }],
      Array.from({ length: 1_001 }, () => ({ role: 'user', content: '' })),
    ]
    for (const history of histories) {
      const ended = await server.run(definition, { input: history })
      const step = await server.step(ended, 'ask')
      expect([history, step.error?.code, step.attempts]).toEqual([history, 'history_invalid', 1])
    }
    expect(toy.asked('spared')).toEqual([])
  })

  test('gives what is structured alone, if it is to, and what does not fit fails the attempt all the same', async () => {
    const outputSchema = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] }
    toy.on('alone', say('{"name": "Ada"}'))
    expect(await run({ model: 'alone', outputSchema, gives: 'structured' })).toMatchObject({ status: 'completed', output: { ask: { name: 'Ada' } } })
    toy.on('unfit', say('{"name": 1}'))
    expect(await errorOf(await run({ model: 'unfit', outputSchema, gives: 'structured' }))).toMatchObject({ code: 'output_invalid' })
    expect((await refusal(run({ gives: 'structured' }))).issues).toMatchObject([{ field: 'config.gives' }])
  })

  test('asks the model it names', async () => {
    toy.on('other', say('other'))
    expect(await run({ model: 'other' })).toMatchObject({ status: 'completed', output: { ask: { text: 'other' } } })
  })

  test('an answer cut at the most tokens completes, and says so', async () => {
    toy.on('cut', say('Half', { finish: 'length' }))
    expect(await run({ model: 'cut', maxTokens: 1 })).toMatchObject({ status: 'completed', output: { ask: { text: 'Half', finishReason: 'length' } } })
  })

  test('in a conversation, its tokens stand in the stats of the round', async () => {
    toy.on('usual', say('Hello'))
    const { id } = await server.workflow(flow({ in: 'input', one: llm({ prompt: '{{ input.text }}' }), two: llm({ prompt: '{{ nodes.one.text }}' }) }, ['in > one > two']))
    const { session } = await server.call<{ session: { id: string } }>('POST', '/v1/sessions/send', { to: id, text: 'Hi' })
    const stats = await deadline<Record<string, number>>('the stats of the round', (done, fail) => {
      const look = async (): Promise<void> => {
        const { items } = await server.call<{ items: { name: string; value: number }[] }>('GET', `/v1/sessions/${session.id}/lines?limit=100&kind=stat`)
        if (items.length > 0) done(Object.fromEntries(items.map(({ name, value }) => [name, value])))
      }
      const timer = setInterval(() => void look().catch(fail), 50)
      return () => clearInterval(timer)
    })
    expect(stats).toMatchObject({ prompt_tokens: 22, completion_tokens: 14 })
  })

  test('once answered is never asked again, though its run goes on elsewhere', async () => {
    toy.on('once', say('once'))
    await using house = await testServer({ SLUICE_ROLE: 'api', SLUICE_MODEL_URL: toy.url, SLUICE_MODEL: 'once' })
    const started = await house.start(
      await house.workflow(
        flow({ ask: llm({}), wait: { type: 'signal', config: { name: 'go' } }, end: llm({ model: 'after', prompt: '{{ nodes.ask.text }}' }) }, ['ask > wait > end']),
      ),
    )
    toy.on('after', say('after'))
    {
      await using first = await house.another({ SLUICE_ROLE: 'worker' })
      await house.wait(started, (seen) => seen.status === 'waiting')
      void first
    }
    await using second = await house.another({ SLUICE_ROLE: 'worker' })
    await house.call('POST', '/v1/signals', { runId: started.id, name: 'go' })
    expect(await house.wait(started)).toMatchObject({ status: 'completed' })
    void second
    expect(toy.asked('once')).toHaveLength(1)
    expect(toy.asked('after')).toMatchObject([{ body: { messages: [{ role: 'user', content: 'once' }] } }])
  })
})

describe('an answer by a schema', () => {
  const schema = { type: 'object', properties: { total: { type: 'number' } }, required: ['total'], additionalProperties: false }

  test('is given as a value, and asked for strictly when the schema is closed', async () => {
    toy.on('strict', say(['{"tot', 'al": 5}']))
    expect(await run({ model: 'strict', outputSchema: schema })).toMatchObject({ status: 'completed', output: { ask: { structured: { total: 5 }, text: '{"total": 5}' } } })
    expect(toy.asked('strict')[0]!.body['response_format']).toEqual({ type: 'json_schema', json_schema: { name: 'answer', schema, strict: true } })
    toy.on('loose', say('{}'))
    await run({ model: 'loose', outputSchema: { type: 'object', properties: { a: { type: 'string' } } } })
    expect(toy.asked('loose')[0]!.body['response_format']).toMatchObject({ json_schema: { strict: false } })
  })

  test('that does not fit is a failed attempt, and a better one is taken', async () => {
    toy.on('learning', say('{"total": "five"}'), say('total is five'), say('{"total": 5}'))
    const ended = await run({ model: 'learning', outputSchema: schema }, thrice)
    expect(ended).toMatchObject({ status: 'completed', output: { ask: { structured: { total: 5 } } } })
    expect((await server.events(ended)).flatMap((each) => (each.type === 'step.retrying' ? [each.error?.code] : []))).toEqual(['output_invalid', 'model_answer_invalid'])
  })

  test('of a server that knows no schemas is asked for in simpler ways, which are kept', async () => {
    const unknown = refuse(400, { message: "Unknown parameter: 'response_format.json_schema'" })
    toy.on('simple', unknown, refuse(422, { message: 'response_format is not supported' }), say('```json\n{"total": 5}\n```'))
    const config = { model: 'simple', outputSchema: schema }
    expect(await run(config)).toMatchObject({ status: 'completed', output: { ask: { structured: { total: 5 } } } })
    expect(await run(config)).toMatchObject({ status: 'completed' })
    const formats = toy.asked('simple').map(({ body }) => (body['response_format'] as JsonObject | undefined)?.['type'] ?? null)
    expect(formats).toEqual(['json_schema', 'json_object', null, null])
    const keys = toy.asked('simple').map(({ headers }) => String(headers['idempotency-key']).split('/').slice(3).join('/'))
    expect(keys).toEqual(['', 'json_object', 'asked', 'asked'])
    expect(toy.asked('simple').at(-1)!.body.messages.at(-1)).toMatchObject({ role: 'system', content: expect.stringContaining('"total"') })
  })

  test('cut short is of no use, and is not asked for again', async () => {
    toy.on('short', say('{"tot', { finish: 'length' }))
    const ended = await run({ model: 'short', outputSchema: schema }, thrice)
    expect(await errorOf(ended)).toMatchObject({ code: 'model_answer_too_long' })
    expect(toy.asked('short')).toHaveLength(1)
  })
})

test('a server that refuses to count is not asked to, and the tokens are estimated', async () => {
  toy.on('uncounted', refuse(400, { message: 'stream_options: extra fields not permitted' }), say('four words are here'))
  const ended = await run({ model: 'uncounted' })
  expect(ended).toMatchObject({ status: 'completed', output: { ask: { usage: { promptTokens: 2, completionTokens: 5, estimated: true } } } })
})

test('a model that knows the most tokens by another name is asked by that', async () => {
  toy.on('newer', refuse(400, { message: "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead." }), say('yes'))
  expect(await run({ model: 'newer', maxTokens: 9 })).toMatchObject({ status: 'completed' })
  expect(toy.asked('newer').at(-1)!.body).toMatchObject({ max_completion_tokens: 9 })
})

describe('what may pass is tried again', () => {
  test.each([
    ['a limit', 'limited', refuse(429, { message: 'Slow down', type: 'rate_limit_error' }), 'model_rate_limited'],
    ['a server that fails', 'failing', refuse(503, { message: 'Overloaded' }), 'model_unavailable'],
    ['a stream that ends', 'ending', breakOff('ends'), 'model_cut_off'],
    ['a connection that is torn', 'torn', breakOff('torn'), 'model_network'],
    ['garbage', 'garbage', send('data: {"choices": [{"del\n\n'), 'model_answer_invalid'],
    ['JSON that is no answer', 'strange', send(event({ choices: 'none' })), 'model_answer_invalid'],
    ['a page', 'page', send('<html>Welcome</html>', 'text/html'), 'model_answer_invalid'],
    ['an error in the stream', 'midway', send(event({ error: { message: 'The engine died', type: 'server_error' } })), 'model_unavailable'],
  ])('%s', async (_, model, script, code) => {
    toy.on(model, script, say('well'))
    const ended = await run({ model }, thrice)
    expect(ended).toMatchObject({ status: 'completed', output: { ask: { text: 'well' } } })
    expect((await server.events(ended)).flatMap((each) => (each.type === 'step.retrying' ? [each.error?.code] : []))).toEqual([code])
    expect(new Set(toy.asked(model).map(({ headers }) => headers['idempotency-key'])).size).toBe(1)
  })

  test('not before the server wants it', async () => {
    toy.on('patient', refuse(429, { message: 'Slow down' }, { 'retry-after': '1' }), say('well'))
    expect(await run({ model: 'patient' }, thrice)).toMatchObject({ status: 'completed' })
    const [first, second] = toy.asked('patient')
    expect(second!.at - first!.at).toBeGreaterThanOrEqual(990)
  })
})

describe('what will not pass is not tried again', () => {
  test.each([
    ['a wrong key', 'locked', refuse(401, { message: 'Incorrect API key' }), 'model_unauthorized'],
    ['no more money', 'broke', refuse(429, { message: 'You exceeded your quota', code: 'insufficient_quota' }), 'model_quota_exhausted'],
    ['a model that is not there', 'nobody', undefined, 'model_not_found'],
    ['a redirect, wherever it leads', 'moved', refuse(307, { message: 'Moved' }, { location: 'http://127.0.0.1:9/v1' }), 'model_not_found'],
    ['a question it does not take', 'picky', refuse(400, { message: 'temperature is too hot' }), 'model_bad_request'],
    ['a question that is too long', 'narrow', refuse(400, { message: 'Too long', code: 'context_length_exceeded' }), 'model_context_too_long'],
    ['a filter', 'prudish', refuse(400, { message: 'No', code: 'content_filter' }), 'model_content_filtered'],
    ['a filter at the end', 'halted', say('Well', { finish: 'content_filter' }), 'model_content_filtered'],
  ])('%s', async (_, model, script, code) => {
    if (script) toy.on(model, script)
    const ended = await run({ model }, thrice)
    expect(ended).toMatchObject({ status: 'failed', reason: { code: 'step_failed', step: 'ask' } })
    expect(await errorOf(ended)).toMatchObject({ code })
    expect(toy.asked(model)).toHaveLength(1)
  })
})

test('the key of the model is in no error, output, event or line of the log, also where the server repeats it', async () => {
  toy.on('telltale', refuse(401, { message: `Incorrect API key provided: ${key}` }))
  toy.on('parrot', say(['Your key is ', key.slice(0, 9), key.slice(9), '.']))
  toy.on('drawer', say(JSON.stringify({ it: key })))
  await using loud = await testServer({ SLUICE_MODEL_URL: toy.url, SLUICE_MODEL_KEY: key, SLUICE_MODEL: 'usual', SLUICE_LOG_LEVEL: 'trace' })
  const configs: JsonObject[] = [{ model: 'telltale' }, { model: 'parrot' }, { model: 'drawer', outputSchema: { type: 'object' } }]
  const ended = await inTurn(configs, (config) => loud.run(asking(config)))
  expect(loud.lines.length).toBeGreaterThan(0)
  expect((await loud.step(ended[0]!, 'ask')).error).toMatchObject({ code: 'model_unauthorized', message: expect.stringContaining('[secret]') })
  expect(ended.slice(1)).toMatchObject([{ output: { ask: { text: 'Your key is [secret].' } } }, { output: { ask: { structured: { it: '[secret]' } } } }])
  const everything = JSON.stringify([ended, await Promise.all(ended.flatMap((each) => [loud.steps(each), loud.events(each)])), loud.lines])
  expect(everything).not.toContain(key)
  expect(everything).not.toContain(JSON.stringify(key).slice(1, -1))
})

test.each([
  ['that speaks', 'droning', drone],
  [
    'that speaks slowly',
    'halting',
    say(
      Array.from({ length: 200 }, () => 'and '),
      { apartMs: 300 },
    ),
  ],
  ['that is silent', 'mute', silence],
])('cancelling a run hangs up on a model %s within 5 s', async (_, model, script) => {
  toy.on(model, script)
  const started = await server.start(await server.workflow(asking({ model })))
  await toy.came(model)
  const at = performance.now()
  await server.call('POST', `/v1/runs/${started.id}/cancel`)
  await toy.left(model)
  expect(performance.now() - at).toBeLessThan(5_000)
  expect(await server.wait(started)).toMatchObject({ status: 'cancelled' })
})

test('an attempt that takes too long hangs up', async () => {
  toy.on('slow', drone)
  const ended = await run({ model: 'slow' }, { timeoutMs: 500 })
  expect(await errorOf(ended)).toMatchObject({ code: 'timed_out' })
  await toy.left('slow')
})

test('the model is reached by those who ask it alone: to other steps its address is as private as any', async () => {
  const ended = await server.run(flow({ call: { type: 'http-request', config: { method: 'GET', url: `${toy.url}/models` } } }))
  expect((await server.step(ended, 'call')).error).toMatchObject({ code: 'http_refused_address' })
})

test('calls of tools that nobody offered are no answer', async () => {
  toy.on('eager', call({ name: 'rm', arguments: ['{"path":', '"/"}'] }))
  const ended = await run({ model: 'eager' })
  expect(ended).toMatchObject({ status: 'failed' })
  expect(await errorOf(ended)).toMatchObject({ code: 'model_answer_invalid' })
})

describe('without a configured model', () => {
  let bare: TestServer
  beforeAll(async () => {
    bare = await testServer()
  })
  afterAll(() => bare[Symbol.asyncDispose]())
  const logged = async (ended: Run) => (await bare.events(ended)).flatMap((each) => (each.type === 'log' ? [each.message] : []))

  test('the offline one answers, says what it is, and the log of the run names the settings', async () => {
    const ended = await bare.run(asking({ prompt: 'Invoice 17\nTotal: 12.50 EUR\n\nWhat is the total?', model: 'gpt-9' }))
    expect(ended).toMatchObject({
      status: 'completed',
      output: {
        ask: {
          text: '[offline model: rules, not a language model] Total: 12.50 EUR',
          model: 'offline',
          usage: { promptTokens: expect.any(Number), completionTokens: expect.any(Number) },
        },
      },
    })
    expect(await logged(ended)).toEqual([expect.stringMatching(/offline model.*in place of gpt-9.*SLUICE_MODEL_URL/)])
  })

  test('it fills a schema with what stands in the text, or fails and names what does not', async () => {
    const outputSchema = { type: 'object', required: ['total', 'due'], properties: { total: { type: 'number' }, due: { type: 'string', format: 'date' } } }
    const filled = await bare.run(asking({ prompt: 'The total is 1,250.50 EUR, due on 31 January 2026.', model: 'offline', outputSchema }))
    expect(filled).toMatchObject({ status: 'completed', output: { ask: { structured: { total: 1250.5, due: '2026-01-31' } } } })
    expect(await logged(filled)).toEqual([])
    const lacking = await bare.run(asking({ prompt: 'The total is 5 EUR.', outputSchema }, thrice))
    expect(lacking).toMatchObject({ status: 'failed', reason: { message: expect.stringContaining('cannot find: due') } })
    expect((await bare.step(lacking, 'ask')).attempts).toBe(1)
  })

  test('it stands in the list of node types', async () => {
    const { items } = await bare.call<{ items: { type: string; description: string }[] }>('GET', '/v1/node-types')
    expect(items.find(({ type }) => type === 'llm')!.description).toContain('`offline`')
  })

  test('a definition with a schema that is none is not published', async () => {
    const workflow = await bare.workflow(asking({ outputSchema: { type: 'nonsense' } }))
    await expect(bare.start(workflow)).rejects.toMatchObject({ status: 400 })
  })
})
