import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { call, event, say, send, type ToyModel, toyModel } from '../../../../test/support/toy-model.ts'
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
