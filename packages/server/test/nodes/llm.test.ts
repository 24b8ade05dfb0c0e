import { type Json, type JsonObject, limits } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { ModelError } from '../../src/models/error.ts'
import type { Answer, Asking, Models, Question, ToolCall } from '../../src/models/model.ts'
import { llm } from '../../src/nodes/library/llm.ts'
import { context, failure, run } from './asked.ts'

interface Toy {
  models: Models
  asked: { question: Question; asking: Asking; workspaceId: string; name: string | undefined }[]
}

/** Models that answer so, and remember what they were asked. */
function toy(answer: Partial<Answer> | Error = {}, { offline = false } = {}): Toy {
  const asked: Toy['asked'] = []
  const whole: Answer = { text: 'Hello', toolCalls: [], usage: { promptTokens: 1, completionTokens: 2, estimated: false }, finishReason: 'stop', model: 'toy' }
  return {
    asked,
    models: {
      modelFor: async (workspaceId, name) => ({
        name: offline ? 'offline' : 'toy',
        offline,
        async complete(question, asking) {
          asked.push({ question, asking, workspaceId, name })
          if (answer instanceof Error) throw answer
          asking.onToken?.('Hel')
          asking.onToken?.('lo')
          return { ...whole, ...answer }
        },
      }),
    },
  }
}
const weather: JsonObject = {
  name: 'weather',
  description: 'The sky',
  parameters: { type: 'object', properties: { city: { type: 'string' } } },
  kind: 'here',
  approval: true,
  workflow: null,
}
const refused = (config: JsonObject) => failure(() => run(llm(toy().models), config))
const issues = (config: JsonObject) => llm(toy().models).check!(config).map(({ path }) => path.join('.'))

describe('a step of a language model with functions', () => {
  test('offers their names, words and schemas, and nothing else that is known of them', async () => {
    const { models, asked } = toy()
    await run(llm(models), { prompt: 'Hi', tools: [weather, { name: 'now' }], toolChoice: 'required' })
    const { name, description, parameters } = weather
    expect(asked[0]!.question).toMatchObject({ toolChoice: 'required' })
    expect(asked[0]!.question.tools).toEqual([
      { name, description, parameters },
      { name: 'now', description: '', parameters: { type: 'object', properties: {} } },
    ])
  })

  test('gives what is called, under ids that no other step of the run gives, and the same ones when it is tried again', async () => {
    const calls: ToolCall[] = [
      { id: 'call_0', name: 'weather', arguments: { city: 'Rome' } },
      { id: 'call_0', name: 'weather', arguments: { city: 'Oslo', of: 'no schema' } },
    ]
    const { models } = toy({ text: '', toolCalls: calls, finishReason: 'tool_calls' })
    const idsAt = async (nodeId: string, iteration: string, attempt = 1): Promise<string[]> => {
      const { output } = await run(llm(models), { prompt: 'Hi', tools: [weather] }, { nodeId, iteration, attempt })
      const { toolCalls } = output as { toolCalls: { id: string; name: string; arguments: Json }[] }
      expect(toolCalls.map(({ name, arguments: given }) => ({ name, arguments: given }))).toEqual(calls.map(({ name, arguments: given }) => ({ name, arguments: given })))
      return toolCalls.map(({ id }) => id)
    }
    const all = [...(await idsAt('think', '0')), ...(await idsAt('think', '1')), ...(await idsAt('other', '1')), ...(await idsAt('think', '1.0'))]
    expect(new Set(all).size).toBe(8)
    for (const id of all) expect(id).toMatch(/^[A-Za-z0-9-]{1,64}$/)
    expect(await idsAt('think', '1', 2)).toEqual(all.slice(2, 4))
  })

  test('says that nothing was called wherever functions are offered, and nothing of calls where none are', async () => {
    expect((await run(llm(toy().models), { prompt: 'Hi', tools: [weather] })).output).toMatchObject({ toolCalls: [] })
    for (const tools of [[], null]) expect((await run(llm(toy().models), { prompt: 'Hi', tools })).output).not.toHaveProperty('toolCalls')
  })

  test('is told what was said since, behind the prompt, calls and what they gave among it', async () => {
    const { models, asked } = toy()
    const messages: JsonObject[] = [
      { role: 'assistant', content: '', toolCalls: [{ id: 'a', name: 'weather', arguments: { city: 'Rome' } }] },
      { role: 'tool', callId: 'a', content: 'clear' },
      { role: 'assistant', content: 'Clear', toolCalls: [] },
      { role: 'user', content: 'And in Oslo?' },
    ]
    await run(llm(models), { system: 'Be brief', prompt: 'Sky?', messages })
    expect(asked[0]!.question.messages).toEqual([
      { role: 'system', content: 'Be brief' },
      { role: 'user', content: 'Sky?' },
      ...messages.slice(0, 2),
      { role: 'assistant', content: 'Clear' },
      messages[3],
    ])
    await run(llm(models), { messages })
    expect(asked[1]!.question.messages).toHaveLength(4)
  })

  test.each<[string, JsonObject]>([
    ['nothing to ask', { prompt: ' ', messages: [] }],
    ['messages that are no list', { messages: 'Hi' }],
    ['a message without a role', { messages: [{ content: 'Hi' }] }],
    ['a message whose content is no text', { messages: [{ role: 'user', content: ['Hi'] }] }],
    ['what a function gave, but for no call', { messages: [{ role: 'tool', content: 'clear' }] }],
    ['a call of nothing', { messages: [{ role: 'assistant', content: '', toolCalls: [{ id: 'a', arguments: {} }] }] }],
    ['a call whose arguments are no object', { messages: [{ role: 'assistant', content: '', toolCalls: [{ id: 'a', name: 'weather', arguments: 'Rome' }] }] }],
    ['too many messages', { messages: Array.from({ length: 1_001 }, () => ({ role: 'user', content: '' })) }],
    ['too much in messages', { messages: [{ role: 'user', content: 'x'.repeat(limits.mergedDataBytes) }] }],
    ['tools that are no list', { prompt: 'Hi', tools: weather }],
    ['a tool without a name', { prompt: 'Hi', tools: [{ description: 'x' }] }],
    ['a tool of a name that no model takes', { prompt: 'Hi', tools: [{ name: 'a b' }] }],
    ['a tool whose parameters are no schema', { prompt: 'Hi', tools: [{ name: 'a', parameters: [] }] }],
    ['two tools of one name', { prompt: 'Hi', tools: [weather, weather] }],
    ['too many tools', { prompt: 'Hi', tools: Array.from({ length: 129 }, (_, at) => ({ name: `t${at}` })) }],
    ['too much in tools', { prompt: 'Hi', tools: [{ name: 'a', description: 'x'.repeat(limits.mergedDataBytes) }] }],
  ])('fails for good, and asks nobody, with %s', async (_, config) => {
    expect(await refused(config)).toMatchObject({ code: 'config_invalid', retry: false })
  })
})

test('a config that makes no sense is refused before it runs', () => {
  expect(issues({ prompt: 'Hi' })).toEqual([])
  expect(issues({ messages: '{{ turn.messages }}' })).toEqual([])
  expect(issues({})).toEqual(['prompt'])
  expect(issues({ prompt: 'Hi', toolChoice: 'required' })).toEqual(['toolChoice'])
  expect(issues({ prompt: 'Hi', gives: 'structured' })).toEqual(['gives'])
  expect(issues({ prompt: 'Hi', tools: '{{ tools.tools }}', outputSchema: {} })).toEqual(['toolChoice'])
  expect(issues({ prompt: 'Hi', tools: '{{ tools.tools }}', outputSchema: {}, toolChoice: 'none' })).toEqual([])
})

test('the pieces of an answer are told live if they are to be, and else to nobody', async () => {
  const { models } = toy()
  const heard: string[] = []
  const abilities = { ...context().abilities, say: (piece: string) => void heard.push(piece) }
  await run(llm(models), { prompt: 'Hi' }, { abilities })
  await run(llm(models), { prompt: 'Hi', stream: false }, { abilities })
  expect(heard).toEqual([])
  await run(llm(models), { prompt: 'Hi', stream: true }, { abilities })
  expect(heard.join('')).toBe('Hello')
})

test('the model is asked as that of the workspace, under the key of the step', async () => {
  const { models, asked } = toy()
  await run(llm(models), { prompt: 'Hi', model: 'large' }, { workspaceId: 'w1', key: 'r/n/-' })
  expect(asked).toMatchObject([{ workspaceId: 'w1', name: 'large', asking: { idempotencyKey: 'r/n/-' } }])
})

test('that the offline model answers is said once of a run, and not where it was asked for by its name', async () => {
  const { models } = toy({}, { offline: true })
  const logged: unknown[][] = []
  const abilities = { ...context().abilities, log: (...said: unknown[]) => void logged.push(said) }
  await run(llm(models), { prompt: 'Hi', model: 'offline' }, { abilities })
  expect(logged).toEqual([])
  await run(llm(models), { prompt: 'Hi', model: 'large' }, { abilities })
  expect(logged).toEqual([['warn', expect.stringMatching(/in place of large.*SLUICE_MODEL_URL/), { once: true }]])
})

test('why a model gave no answer is told, and whether and when it is to be asked again', async () => {
  expect(await failure(() => run(llm(toy(new ModelError('rate_limited', 'Slow down', 700)).models), { prompt: 'Hi' }))).toMatchObject({
    code: 'model_rate_limited',
    retry: true,
    retryAfterMs: 700,
  })
  expect(await failure(() => run(llm(toy(new ModelError('unauthorized', 'No')).models), { prompt: 'Hi' }))).toMatchObject({ code: 'model_unauthorized', retry: false })
  const unreadable: Models = { modelFor: async () => Promise.reject(new ModelError('unauthorized', 'The key cannot be read')) }
  expect(await failure(() => run(llm(unreadable), { prompt: 'Hi' }))).toMatchObject({ code: 'model_unauthorized', retry: false })
})
