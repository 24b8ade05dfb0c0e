import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { breakOff, call, event, refuse, say, type Script, send, type ToyModel, toyModel } from '../../../../test/support/toy-model.ts'
import { ModelError } from '../../src/models/error.ts'
import type { Asking, Question, Tool } from '../../src/models/model.ts'
import { createModels } from '../../src/models/models.ts'
import { hiding, hidingPieces } from '../../src/outside/hiding.ts'
import { createOutside } from '../../src/outside/outside.ts'

const key = 'sk-secret-0123456789'
let toy: ToyModel
let outside: ReturnType<typeof createOutside>
beforeAll(async () => {
  toy = await toyModel()
  outside = createOutside({ allow: [toy.host] })
})
afterAll(async () => {
  await outside.close()
  await toy[Symbol.asyncDispose]()
})

const complete = async (model: string, question: Partial<Question> = {}, asking: Partial<Asking> = {}, given: string | null = key) => {
  const models = createModels({ configured: { url: toy.url, key: given, model: 'usual' }, outside })
  const asked = await models.modelFor('workspace', model)
  return asked.complete({ messages: [{ role: 'user', content: 'Hi' }], ...question }, { signal: new AbortController().signal, ...asking })
}
const tool = (name: string): Tool => ({ name, description: `Does ${name}`, parameters: { type: 'object', properties: { city: { type: 'string' } } } })

describe('tools', () => {
  test('are offered, and their calls put together of the pieces in which they come', async () => {
    toy.on('caller', call({ name: 'weather', arguments: ['{"ci', 'ty": "Ber', 'lin"}'] }, { name: 'now', arguments: [] }))
    const answer = await complete('caller', { tools: [tool('weather'), tool('now')], toolChoice: { name: 'weather' }, outputSchema: { type: 'object' } })
    expect(answer).toEqual({
      text: '',
      toolCalls: [
        { id: 'call_0', name: 'weather', arguments: { city: 'Berlin' } },
        { id: 'call_1', name: 'now', arguments: {} },
      ],
      finishReason: 'tool_calls',
      usage: { promptTokens: 11, completionTokens: 7, estimated: false },
      model: 'toy-1',
    })
    expect(toy.asked('caller')[0]!.body).toMatchObject({
      tools: [{ type: 'function', function: tool('weather') }, { function: { name: 'now' } }],
      tool_choice: { type: 'function', function: { name: 'weather' } },
    })
  })

  test('what was called and what it gave goes back in the words of the protocol', async () => {
    toy.on('told', say('Clear'))
    await complete('told', {
      messages: [
        { role: 'user', content: 'Sky?' },
        { role: 'assistant', content: '', toolCalls: [{ id: 'a', name: 'weather', arguments: { city: 'Rome' } }] },
        { role: 'tool', callId: 'a', content: 'clear' },
      ],
    })
    expect(toy.asked('told')[0]!.body.messages).toEqual([
      { role: 'user', content: 'Sky?' },
      { role: 'assistant', content: '', tool_calls: [{ id: 'a', type: 'function', function: { name: 'weather', arguments: '{"city":"Rome"}' } }] },
      { role: 'tool', tool_call_id: 'a', content: 'clear' },
    ])
  })

  test('is asked in whole characters: a text that was cut in the middle of one is refused by no server', async () => {
    toy.on('whole', say('Clear'))
    const half = 'sunny \ud83d'
    await complete('whole', {
      messages: [
        { role: 'system', content: half },
        { role: 'user', content: half },
        { role: 'assistant', content: half },
        { role: 'tool', callId: 'a', content: half },
      ],
    })
    expect(toy.asked('whole')[0]!.body.messages.map(({ content }) => content)).toEqual(Array.from({ length: 4 }, () => 'sunny \ufffd'))
  })

  const piecesOf = (...pieces: object[]): Script =>
    send(
      [
        ...pieces.map((piece) => event({ choices: [{ index: 0, delta: { tool_calls: [piece] } }] })),
        event({ choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] }),
      ].join(''),
    )
  const weather = { name: 'weather', arguments: '' }
  const [rome, oslo] = ['{"city":"Rome"}', '{"city":"Oslo"}']

  test.each<[string, Script, string[]]>([
    [
      'in turns',
      piecesOf(
        { index: 0, id: 'a', function: weather },
        { index: 1, id: 'b', function: weather },
        { index: 0, function: { arguments: rome.slice(0, 4) } },
        { index: 1, function: { arguments: oslo } },
        { index: 0, function: { arguments: rome.slice(4) } },
      ),
      ['a', 'b'],
    ],
    [
      'with gaps in their numbers, the later one first',
      piecesOf({ index: 7, id: 'b', function: { ...weather, arguments: oslo } }, { index: 2, id: 'a', function: { ...weather, arguments: rome } }),
      ['a', 'b'],
    ],
    [
      'without numbers, in pieces',
      piecesOf(
        { id: 'a', function: weather },
        { function: { arguments: rome } },
        { id: 'b', function: weather },
        { function: { arguments: oslo.slice(0, 5) } },
        { function: { arguments: oslo.slice(5) } },
      ),
      ['a', 'b'],
    ],
    [
      'all under one number',
      piecesOf({ index: 0, id: 'a', function: { ...weather, arguments: rome } }, { index: 0, id: 'b', function: { ...weather, arguments: oslo } }),
      ['a', 'b'],
    ],
    ['without numbers and ids', piecesOf({ function: { ...weather, arguments: rome } }, { function: { ...weather, arguments: oslo } }), ['call_0', 'call_1']],
    [
      'with empty ids',
      piecesOf({ index: 0, id: '', function: { ...weather, arguments: rome } }, { index: 1, id: '', function: { ...weather, arguments: oslo } }),
      ['call_0', 'call_1'],
    ],
    [
      'with the id and the name in each piece',
      piecesOf(
        { index: 0, id: 'a', function: { ...weather, arguments: rome.slice(0, 4) } },
        { index: 0, id: 'a', function: { ...weather, arguments: rome.slice(4) } },
        { index: 1, id: 'b', function: { ...weather, arguments: oslo } },
        { index: 1, id: 'b', function: weather },
      ),
      ['a', 'b'],
    ],
  ])('of two calls that come %s each is whole', async (name, script, ids) => {
    toy.on(name, script)
    const { toolCalls } = await complete(name, { tools: [tool('weather')] })
    expect(toolCalls).toEqual([
      { id: ids[0], name: 'weather', arguments: { city: 'Rome' } },
      { id: ids[1], name: 'weather', arguments: { city: 'Oslo' } },
    ])
  })

  test('more calls than anybody makes are no answer', async () => {
    toy.on('mad', piecesOf(...Array.from({ length: 1_001 }, (_, at) => ({ id: `c${at}`, function: { ...weather, arguments: rome } }))))
    await expect(complete('mad', { tools: [tool('weather')] })).rejects.toMatchObject({ code: 'answer_invalid' })
  })

  test.each([
    ['arguments that are no JSON', ['{"city":']],
    ['arguments that are no object', ['[1]']],
  ])('%s are no answer', async (_, pieces) => {
    toy.on('clumsy', call({ name: 'weather', arguments: pieces }))
    await expect(complete('clumsy', { tools: [tool('weather')] })).rejects.toMatchObject({ code: 'answer_invalid', retry: true })
  })
})

describe('tokens', () => {
  test('come as they are said, and together are the text', async () => {
    toy.on('speaker', say(['One ', 'two ', 'three'], { apartMs: 20 }))
    const heard: string[] = []
    const answer = await complete('speaker', {}, { onToken: (piece) => heard.push(piece) })
    expect(heard).toEqual(['One ', 'two ', 'three'])
    expect(answer.text).toBe('One two three')
  })

  test('never carry the key, however it is cut', async () => {
    const text = `The key is ${key}, sk-sec is none.`
    toy.on('cutter', say(Array.from(text)))
    const heard: string[] = []
    const answer = await complete('cutter', {}, { onToken: (piece) => heard.push(piece) })
    expect(heard.join('')).toBe('The key is [secret], sk-sec is none.')
    expect(answer.text).toBe(heard.join(''))
  })
})

test('a secret in pieces is hidden like one in a piece', () => {
  const secret = 'aab"aac'
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a', 'b', '"', 'c', 'aa', secret, ' '), { maxLength: 30 }), (pieces) => {
      const hidden = hidingPieces(secret)
      const heard = pieces.map((piece) => hidden.take(piece)).join('') + hidden.rest()
      expect(heard).not.toContain(secret)
      expect(heard).toBe(hiding(secret)(pieces.join('')))
    }),
    { numRuns: 1_000 },
  )
})

test('an endpoint that asks for no key is sent none, and an empty answer is one', async () => {
  toy.on('open', send(event({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })))
  expect(await complete('open', {}, {}, null)).toMatchObject({ text: '', finishReason: 'stop', usage: { completionTokens: 0, estimated: true } })
  expect(toy.asked('open')[0]!.headers.authorization).toBeUndefined()
})

test.each([
  ['negative', -5],
  ['more than there can be', 9_000_000_000],
  ['no whole number', 1.5],
])('counts that cannot be are estimated, and the answer is not lost over them: %s', async (name, count) => {
  const whole = { choices: [{ index: 0, delta: { content: 'Hello' }, finish_reason: 'stop' }], usage: { prompt_tokens: count, completion_tokens: 1 } }
  toy.on(name, send(event(whole)))
  expect(await complete(name)).toMatchObject({ text: 'Hello', usage: { promptTokens: 1, completionTokens: 2, estimated: true } })
})

test.each([
  ['in a fence', '```json\n{"a": 1}\n```', { a: 1 }],
  ['in a fence with gaps', ' ```\n\n{"a": 1}   ```\n', { a: 1 }],
])('JSON %s is read as JSON', async (name, text, value) => {
  toy.on(name, say(text))
  expect(await complete(name, { outputSchema: { type: 'object' } })).toMatchObject({ structured: value })
})

test('an answer that is a fence and a very long gap is refused in time', async () => {
  toy.on('gap', say(`\`\`\`\n${'\n'.repeat(300_000)}x`))
  const began = performance.now()
  await expect(complete('gap', { outputSchema: { type: 'object' } })).rejects.toMatchObject({ code: 'answer_invalid' })
  expect(performance.now() - began).toBeLessThan(8_000)
})

test('an answer whose head nobody could take is hung up on', async () => {
  toy.on('odd', (response) => {
    response.writeHead(799)
    response.write('and so on')
  })
  await expect(complete('odd')).rejects.toMatchObject({ code: 'network', retry: true })
  await toy.left('odd')
})

test('what the environment says to the client library reaches nobody', async () => {
  process.env['OPENAI_ORG_ID'] = 'org-of-the-environment'
  process.env['OPENAI_CUSTOM_HEADERS'] = 'x-custom: of-the-environment'
  toy.on('alone', say('yes'))
  await complete('alone').finally(() => {
    delete process.env['OPENAI_ORG_ID']
    delete process.env['OPENAI_CUSTOM_HEADERS']
  })
  expect(JSON.stringify(toy.asked('alone'))).not.toContain('of-the-environment')
})

test('a private address that nobody opened is not asked', async () => {
  const guarded = createOutside({ allow: [] })
  const models = createModels({ configured: { url: toy.url, key, model: 'usual' }, outside: guarded })
  const model = await models.modelFor('workspace')
  await expect(model.complete({ messages: [] }, { signal: new AbortController().signal })).rejects.toMatchObject({ code: 'refused_address', retry: false })
  await guarded.close()
})

test('who hangs up gets their own reason', async () => {
  const abort = new AbortController()
  toy.on(
    'talker',
    say(
      Array.from({ length: 200 }, () => 'and '),
      { apartMs: 20 },
    ),
  )
  const heard = complete('talker', {}, { signal: abort.signal, onToken: () => abort.abort(new Error('enough')) })
  await expect(heard).rejects.toThrow('enough')
  await toy.left('talker')
  await expect(complete('talker', {}, { signal: abort.signal })).rejects.toThrow('enough')
})

describe('what comes instead of an answer is told apart', () => {
  const inBytes =
    (...cuts: number[]): Script =>
    async (response) => {
      const bytes = Buffer.from(event({ choices: [{ index: 0, delta: { content: 'Grüße 🦥' }, finish_reason: 'stop' }] }))
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      for (const [at, cut] of cuts.entries()) {
        response.write(bytes.subarray(cuts[at - 1] ?? 0, cut))
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      response.end(bytes.subarray(cuts.at(-1)))
    }
  const sloth = Buffer.from(event({ choices: [{ index: 0, delta: { content: 'Grüße 🦥' } }] })).indexOf('🦥')

  test('a character that is cut in two is one', async () => {
    toy.on('halves', inBytes(sloth + 1, sloth + 2, sloth + 3))
    expect((await complete('halves')).text).toBe('Grüße 🦥')
  })

  test('an answer without its mark of the end is whole once it has said why it ended', async () => {
    toy.on('endless', send(event({ choices: [{ index: 0, delta: { content: 'Well' }, finish_reason: 'stop' }] })))
    expect(await complete('endless')).toMatchObject({ text: 'Well', finishReason: 'stop' })
  })

  const gone =
    (text: string): Script =>
    async (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(text)
      await new Promise((resolve) => setTimeout(resolve, 20))
      response.destroy()
    }
  const giant: Script = async (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const piece = event({ choices: [{ index: 0, delta: { content: 'x'.repeat(1_000_000) } }] })
    while (!response.destroyed) {
      if (!response.write(piece)) await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  const said = (message: string, more: object = {}) => ({ message, ...more })
  const page: Script = (response) => response.writeHead(502, { 'content-type': 'text/html' }).end('<html><h1>Bad gateway</h1></html>')

  test.each<[string, Script, { code: string; retry: boolean; message?: unknown }]>([
    ['torn in a token', gone(event({ choices: [] }).slice(0, 9)), { code: 'network', retry: true }],
    ['the stream ends', breakOff('ends'), { code: 'cut_off', retry: true }],
    ['a piece that is no JSON', send('data: {"choices": [{"delta": \n\n'), { code: 'answer_invalid', retry: true }],
    ['a piece of another kind', send(event([1, 2])), { code: 'answer_invalid', retry: true }],
    ['a page', send('<html>Welcome</html>', 'text/html; charset=utf-8'), { code: 'answer_invalid', retry: true, message: expect.stringContaining('a page') }],
    ['a page of a proxy', page, { code: 'unavailable', retry: true }],
    ['nothing', send(''), { code: 'cut_off', retry: true }],
    ['more than is taken', giant, { code: 'answer_too_long', retry: false }],
    [
      'a refusal',
      send(event({ choices: [{ index: 0, delta: { refusal: 'I will not' }, finish_reason: 'stop' }] })),
      { code: 'content_filtered', retry: false, message: expect.stringContaining('I will not') },
    ],
    ['401', refuse(401, said('No')), { code: 'unauthorized', retry: false }],
    ['402', refuse(402, said('Pay first')), { code: 'quota_exhausted', retry: false }],
    ['403', refuse(403, said('No')), { code: 'unauthorized', retry: false }],
    ['404', refuse(404, said('No such model')), { code: 'not_found', retry: false }],
    ['408', refuse(408, said('Too slow')), { code: 'unavailable', retry: true }],
    ['413', refuse(413, said('Too much')), { code: 'context_too_long', retry: false }],
    ['a quota', refuse(429, said('No more', { type: 'insufficient_quota' })), { code: 'quota_exhausted', retry: false }],
    ['429', refuse(429, said('Slow down')), { code: 'rate_limited', retry: true }],
    ['500', refuse(500, said('Oops')), { code: 'unavailable', retry: true }],
    ['503', refuse(503, said('Busy')), { code: 'unavailable', retry: true }],
    ['a context that is too long', refuse(400, said("This model's maximum context length is 8192 tokens")), { code: 'context_too_long', retry: false }],
  ])('%s', async (name, script, expected) => {
    toy.on(name, script)
    await expect(complete(name)).rejects.toMatchObject(expected)
  })

  test.each<[string, Record<string, string>, [least: number, most: number] | null]>([
    ['seconds', { 'retry-after': '7' }, [7_000, 7_000]],
    ['parts of a second', { 'retry-after': '0.25' }, [250, 250]],
    ['milliseconds', { 'retry-after-ms': '125', 'retry-after': '9' }, [125, 125]],
    ['a date', { 'retry-after': new Date(Date.now() + 600_000).toUTCString() }, [400_000, 600_000]],
    ['a date that has passed', { 'retry-after': new Date(Date.now() - 60_000).toUTCString() }, null],
    ['a year', { 'retry-after': '31536000' }, [3_600_000, 3_600_000]],
    ['less than nothing', { 'retry-after': '-5' }, null],
    ['something else', { 'retry-after': 'soon' }, null],
  ])('how long a server wants to be left alone is read of %s', async (name, headers, expected) => {
    toy.on(`after ${name}`, refuse(429, said('Slow down'), headers))
    const failure: unknown = await complete(`after ${name}`).catch((error: unknown) => error)
    if (!(failure instanceof ModelError)) throw failure
    const { retryAfterMs } = failure
    if (expected === null) expect(retryAfterMs).toBeNull()
    else {
      expect(retryAfterMs).toBeGreaterThanOrEqual(expected[0])
      expect(retryAfterMs).toBeLessThanOrEqual(expected[1])
    }
  })
})
