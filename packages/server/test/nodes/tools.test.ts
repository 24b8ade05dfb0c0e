import type { Json, JsonObject } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { mostCharacters } from '../../src/nodes/content.ts'
import type { ToolCall } from '../../src/nodes/contract.ts'
import { tool } from '../../src/nodes/library/tool.ts'
import { tools } from '../../src/nodes/library/tools.ts'
import { turn } from '../../src/nodes/library/turn.ts'
import { context, failure, output, run } from './asked.ts'

const nested = (levels: number): Json => (levels === 0 ? 1 : { a: nested(levels - 1) })

test('tools gives what is offered and what files there are', async () => {
  const offered = { name: 'read_file', description: 'Reads', parameters: { type: 'object' }, kind: 'here' as const, workflow: null, approval: false }
  const file = { id: 'f', name: 'a.txt', type: 'text' as const, bytes: 3 }
  const abilities = { ...context().abilities, tools: async () => [offered], documents: async () => [file] }
  expect(await run(tools, {}, { abilities })).toEqual({ output: { tools: [offered], files: [file] } })
  expect(await output(tools)).toEqual({ tools: [], files: [] })
})

describe('tool', () => {
  async function called(config: JsonObject): Promise<{ calls: ToolCall[]; output: Json }> {
    const calls: ToolCall[] = []
    const abilities = { ...context().abilities, callTool: async (call: ToolCall) => (calls.push(call), { output: 'done' }) }
    return { output: (await run(tool, config, { abilities })).output, calls }
  }

  test('calls the function with what it is given, and gives what came of it', async () => {
    const given = { text: '{{ secrets.key }}', n: 1, list: [null] }
    expect(await called({ name: 'f', arguments: given })).toEqual({ calls: [{ name: 'f', arguments: given }], output: 'done' })
    expect((await called({ name: 'f' })).calls).toEqual([{ name: 'f', arguments: {} }])
  })

  test('tells the model of arguments that no function takes, and calls none', async () => {
    for (const given of ['text', [1], null, 7, nested(40)])
      expect(await called({ name: 'f', arguments: given })).toEqual({
        calls: [],
        output: { content: expect.stringMatching(/^error: The arguments are n/) as string, value: { error: expect.anything() as string } },
      })
  })
})

describe('turn', () => {
  const call = (id: string, given: JsonObject = {}): JsonObject => ({ id, name: 'f', arguments: given })
  const turned = async (config: JsonObject): Promise<JsonObject & { messages: JsonObject[] }> => (await output(turn, { messages: [], ...config })) as never
  const contents = async (results: Json[]): Promise<Json[]> =>
    (await turned({ answer: { text: '', toolCalls: results.map((_, at) => call(`c${at}`)) }, results })).messages.slice(1).map((message) => message['content']!)

  test('puts what was said and what came of the calls behind the conversation', async () => {
    const before = [{ role: 'user', content: 'Go on' }]
    expect(
      await turned({ messages: before, text: 'Well.', answer: { text: 'Let me look.', toolCalls: [call('a', { x: 1 }), call('b')] }, results: [{ content: 'one', value: 1 }, 2] }),
    ).toEqual({
      messages: [
        ...before,
        { role: 'assistant', content: 'Let me look.', toolCalls: [call('a', { x: 1 }), call('b')] },
        { role: 'tool', callId: 'a', content: 'one' },
        { role: 'tool', callId: 'b', content: '2' },
      ],
      text: 'Well.\n\nLet me look.',
      done: false,
      calls: 2,
    })
  })

  test('is done when nothing more is called', async () => {
    expect(await turned({ answer: { text: 'Three.', toolCalls: [] } })).toEqual({ messages: [{ role: 'assistant', content: 'Three.' }], text: 'Three.', done: true, calls: 0 })
    expect(await turned({ text: 'One.', answer: { text: ' ' } })).toMatchObject({ text: 'One.', done: true })
  })

  test('tells what failed as an error, a text as it is, and all else as JSON', async () => {
    expect(await contents([{ error: { code: 'http_503', message: 'The service answered 503' } }, 'said', { text: 'declined' }, { total: 3 }, null])).toEqual([
      'error: The service answered 503',
      'said',
      'declined',
      '{"total":3}',
      'null',
    ])
  })

  test('cuts a result that is long, and says so', async () => {
    const [content] = (await contents(['x'.repeat(1_000_000)])) as string[]
    expect(content!.length).toBeLessThanOrEqual(mostCharacters)
    expect(content).toMatch(/… \(9\d{5} more characters are left out\)$/)
  })

  test('keeps the newest results of a long conversation, and of the oldest their beginning', async () => {
    let messages: JsonObject[] = []
    for (let at = 0; at < 40; at++) {
      const answer = { text: '', toolCalls: [call(`c${at}`, { code: 'y'.repeat(100_000) })] }
      messages = (await turned({ messages, answer, results: [`${at} ${'x'.repeat(30_000)}`] })).messages
    }
    const told = messages.filter(({ role }) => role === 'tool').map(({ content }) => content as string)
    expect(told).toHaveLength(40)
    expect(told.at(-1)).toHaveLength(30_003)
    expect(told[0]).toMatch(/^0 x+\n… \(\d+ more characters are left out\)$/)
    expect(JSON.stringify(messages).length).toBeLessThan(400_000)
    expect(messages.at(-2)).toMatchObject({ toolCalls: [{ id: 'c39', arguments: { truncated: 100_011 } }] })
  })

  test('fails for good on what no model gave', async () => {
    const wrong: JsonObject[] = [{ messages: 'x', answer: { text: '' } }, { answer: 'x' }, { answer: { text: '', toolCalls: [call('a')] }, results: [] }]
    for (const config of wrong) expect(await failure(() => turned(config))).toMatchObject({ code: 'config_invalid', retry: false })
  })
})
