import type { Json, JsonObject } from '@sluice/schema'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ModelError } from '../../src/models/error.ts'
import type { Message, Question, Tool } from '../../src/models/model.ts'
import { mostCharacters, offline, sign } from '../../src/models/offline/offline.ts'
import { countTokens, promptTokens, tokensOf } from '../../src/models/tokens.ts'

const signal = new AbortController().signal
const user = (content: string): Message[] => [{ role: 'user', content }]
const ask = (question: Partial<Question>, content = '') => offline.complete({ messages: user(content), ...question }, { signal })
const said = async (content: string): Promise<string> => (await ask({}, content)).text.replace(`${sign} `, '')
const filled = async (content: string, outputSchema: JsonObject): Promise<Json | undefined> => (await ask({ outputSchema }, content)).structured
const refusal = async (work: Promise<unknown>): Promise<ModelError> => {
  const error: unknown = await work.catch((thrown: unknown) => thrown)
  if (error instanceof ModelError) return error
  throw new Error(`not refused: ${JSON.stringify(error)}`)
}

describe('a text', () => {
  test.each([
    ['what is labelled', 'Invoice 17\nTotal: 1,250.50 EUR\nDue: tomorrow\n\nWhat is the total?', 'Total: 1,250.50 EUR'],
    ['what is labelled in JSON', '{"order": {"status": "sent", "lines": 3}}\nWhat is the status of the order?', 'order.status: sent'],
    ['a mean', 'What is the average of 3, 5 and 10?', 'The average of the 3 numbers in the text is 6.'],
    ['a sum', 'Sum up 0.1 and 0.2, please', 'The sum of the 2 numbers in the text is 0.3.'],
    ['the largest', 'Which is the largest? -7, 1.250,50 and 1,000', 'The largest of the 3 numbers in the text is 1250.5.'],
    ['the sentence that fits', 'The river rose on Monday. The mayor of the town came late. Who came late to the town?', '“The mayor of the town came late.”'],
  ])('%s is found', async (_, asked, answer) => {
    expect(await said(asked)).toBe(answer)
  })

  test('a summary is made of sentences that stand there, in their order', async () => {
    const text = 'The river rose on Monday. People carried sand to the river. A dog barked. On Tuesday the river fell and people went home. Nobody knew why.'
    const summary = await said(`Summarise this.\n${text}`)
    expect(summary.length).toBeLessThan(text.length)
    const places = summary.split(/(?<=\.) /).map((sentence) => text.indexOf(sentence))
    expect(places.length).toBe(3)
    expect(places).toEqual(places.toSorted((a, b) => a - b))
    expect(places.every((at) => at >= 0)).toBe(true)
  })

  test('begins with what the model is, and says so when no rule fits', async () => {
    const answer = await ask({}, 'Write me a poem about autumn')
    expect(answer).toMatchObject({ model: 'offline', finishReason: 'stop', toolCalls: [] })
    expect(answer.text.startsWith(sign)).toBe(true)
    expect(answer.text).toMatch(/None of its rules fits.*SLUICE_MODEL_URL/)
  })

  test('is the same to the same question', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 300 }), async (content) => {
        expect(await ask({}, content)).toEqual(await ask({}, content))
      }),
      { numRuns: 50 },
    )
  })

  test('comes in pieces that are its tokens, and is cut where it may have no more', async () => {
    const pieces: string[] = []
    const question = { messages: user('Total: 12 EUR\nWhat is the total?') }
    const whole = await offline.complete(question, { signal, onToken: (piece) => pieces.push(piece) })
    expect(pieces.join('')).toBe(whole.text)
    expect(whole.usage).toEqual({ promptTokens: promptTokens(question), completionTokens: pieces.length, estimated: false })
    const cut = await offline.complete({ ...question, maxTokens: 3 }, { signal })
    expect(cut).toMatchObject({ text: pieces.slice(0, 3).join(''), finishReason: 'length', usage: { completionTokens: 3 } })
  })

  test('stops when nobody waits any more', async () => {
    const abort = new AbortController()
    const long = `${'The river rose. '.repeat(3)}${'a river of words '.repeat(2_000)}. Where is the river?`
    const answer = offline.complete({ messages: user(long) }, { signal: abort.signal, onToken: () => abort.abort(new Error('enough')) })
    await expect(answer).rejects.toThrow('enough')
  })
})

test('tokens are a rule: their texts together are the text, and counting is counting them', () => {
  expect(tokensOf('Dear Ada, 12.50!')).toEqual(['Dear', ' Ada', ',', ' 12', '.', '50', '!'])
  expect(tokensOf('wonderful')).toEqual(['wond', 'erfu', 'l'])
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(tokensOf(text).join('')).toBe(text)
      expect(countTokens(text)).toBe(tokensOf(text).length)
    }),
  )
})

describe('a schema', () => {
  const invoice: JsonObject = {
    type: 'object',
    additionalProperties: false,
    required: ['customer', 'total', 'dueDate', 'currency', 'paid'],
    properties: {
      customer: { type: 'string' },
      total: { type: 'number', minimum: 0 },
      dueDate: { type: 'string', format: 'date' },
      currency: { enum: ['EUR', 'USD'] },
      paid: { type: 'boolean' },
      email: { type: 'string', format: 'email' },
      items: { type: 'array', items: { type: 'string' } },
    },
  }

  test.each<[string, string, Json]>([
    [
      'lines with labels',
      'Extract the invoice.\n\nInvoice 17\nCustomer: Ada Lovelace\nTotal: 1,250.50 EUR\nDue: 31 January 2026\nStatus: not paid\nWrite to ada@example.com.\nItems: apples, pears and plums',
      { customer: 'Ada Lovelace', total: 1250.5, dueDate: '2026-01-31', currency: 'EUR', paid: false, email: 'ada@example.com', items: ['apples', 'pears', 'plums'] },
    ],
    [
      'sentences',
      'Extract it: the customer is Ada Lovelace, the total is 99 EUR and it was due on January 3rd, 2026. It has been paid.',
      { customer: 'Ada Lovelace', total: 99, dueDate: '2026-01-03', currency: 'EUR', paid: true },
    ],
    [
      'JSON',
      'Here: {"customer": "Ada", "total": 5, "paid": true, "due_date": "2026-02-01", "currency": "USD", "items": ["a", "b"]}',
      { customer: 'Ada', total: 5, dueDate: '2026-02-01', currency: 'USD', paid: true, items: ['a', 'b'] },
    ],
  ])('is filled out of %s', async (_, content, value) => {
    expect(await filled(content, invoice)).toEqual(value)
  })

  test('a field that is called output is what the question is answered', async () => {
    const output = { type: 'object', properties: { output: { type: 'string' } }, required: ['output'] }
    expect(await filled('Boxes: 3\nApples: 12\nWhat is the sum of the numbers?', output)).toEqual({ output: expect.stringContaining('15') })
    await expect(filled('x', output)).rejects.toThrow('cannot find: output')
  })

  test.each<[string, string, JsonObject, Json]>([
    ['the number beside its name', '3 boxes and 12 apples', { type: 'object', properties: { apples: { type: 'integer' }, boxes: { type: 'integer' } } }, { apples: 12, boxes: 3 }],
    ['the only number', 'It took 41 minutes', { type: 'object', required: ['duration'], properties: { duration: { type: 'number' } } }, { duration: 41 }],
    ['an enum that is mentioned', 'All is in progress', { type: 'object', properties: { state: { enum: ['done', 'in_progress'] } } }, { state: 'in_progress' }],
    ['all numbers', 'We saw 3, 5 and 8', { type: 'object', properties: { seen: { type: 'array', items: { type: 'number' } } } }, { seen: [3, 5, 8] }],
    [
      'an object in it',
      '{"buyer": {"name": "Ada"}}',
      { type: 'object', properties: { buyer: { type: 'object', properties: { name: { type: 'string' } } } } },
      { buyer: { name: 'Ada' } },
    ],
    ['a definition', 'Age: 7', { type: 'object', properties: { age: { $ref: '#/$defs/n' } }, $defs: { n: { type: 'integer' } } }, { age: 7 }],
    ['null, where it may be and nothing is said', 'Nothing', { type: 'object', properties: { age: { type: ['integer', 'null'] } } }, { age: null }],
    ['a default', 'Nothing', { type: 'object', properties: { lang: { type: 'string', default: 'en' } } }, { lang: 'en' }],
    ['what was said last', 'Total: 5', { type: 'object', properties: { total: { type: 'number' } } }, { total: 5 }],
    ['nothing of rows, of which nobody says which', '[{"n": 1}, {"n": 2}]', { type: 'object', properties: { n: { type: 'integer' } } }, {}],
  ])('takes %s', async (_, content, schema, value) => {
    expect(await filled(content, schema)).toEqual(value)
  })

  test('names all that is required and not in the text, and makes nothing up', async () => {
    const error = await refusal(filled('A letter without anything in it', invoice))
    expect(error).toMatchObject({ code: 'beyond_rules', retry: false })
    expect(error.message).toContain('customer, total, dueDate, currency, paid')
  })

  test('of two numbers without names takes none', async () => {
    expect(await refusal(filled('It was 41, then 42', { type: 'object', required: ['size'], properties: { size: { type: 'number' } } }))).toMatchObject({ code: 'beyond_rules' })
  })

  test('of a date that may be two takes none', async () => {
    const schema = { type: 'object', properties: { due: { type: 'string', format: 'date' } } }
    expect(await filled('Due: 3/4/2026', schema)).toEqual({})
    expect(await filled('Due: 13/4/2026', schema)).toEqual({ due: '2026-04-13' })
    expect(await filled('Due: 2026-02-30', schema)).toEqual({})
  })

  test('what a form says is found again, whatever it says', async () => {
    const word = fc.stringMatching(/^[A-Z][a-z]{2,9}$/).filter((each) => !/^(Not|None|Off|Yes|True|False|And|But|With|While|Whose)$/.test(each))
    const form = fc.record({
      customer: fc.tuple(word, word).map((names) => names.join(' ')),
      amount: fc.integer({ min: 0, max: 99_999_999 }).map((cents) => cents / 100),
      day: fc.date({ min: new Date('1990-01-01'), max: new Date('2090-01-01'), noInvalidDate: true }).map((date) => date.toISOString().slice(0, 10)),
      level: fc.constantFrom('low', 'middle', 'high'),
      count: fc.integer({ min: -1000, max: 1000 }),
      urgent: fc.boolean(),
    })
    const properties: JsonObject = {
      customer: { type: 'string' },
      amount: { type: 'number' },
      day: { type: 'string', format: 'date' },
      level: { enum: ['low', 'middle', 'high'] },
      count: { type: 'integer' },
      urgent: { type: 'boolean' },
    }
    await fc.assert(
      fc.asyncProperty(form, fc.shuffledSubarray(Object.keys(properties), { minLength: 1 }), async (values, order) => {
        const text = order
          .map(
            (name) =>
              `${name}: ${values[name as keyof typeof values] === true ? 'yes' : values[name as keyof typeof values] === false ? 'no' : String(values[name as keyof typeof values])}`,
          )
          .join('\n')
        const schema = { type: 'object', required: order, properties: Object.fromEntries(order.map((name) => [name, properties[name]!])) }
        expect(await filled(text, schema)).toEqual(Object.fromEntries(order.map((name) => [name, values[name as keyof typeof values]])))
      }),
      { numRuns: 200 },
    )
  })

  test('what is given fits the schema in type, enum and bounds, whatever the text', async () => {
    const fits = new Ajv2020({ strict: false, validateFormats: false }).compile({ ...invoice, required: [] })
    const piece = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.constantFrom('total', 'Total: ', 'paid', ' not ', 'EUR', '-5', '12,5', '2026-01-31', '\n', '{"items":', '[1,"a"]', '}', ', ', 'customer is ', 'a@b.c'),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 20 }), async (pieces) => {
        const value = await filled(pieces.join(''), { ...invoice, required: [] })
        expect(fits(value), JSON.stringify({ value, errors: fits.errors })).toBe(true)
      }),
      { numRuns: 300 },
    )
  })
})

describe('tools', () => {
  const object = (properties: JsonObject, required = Object.keys(properties)): JsonObject => ({ type: 'object', properties, required })
  const tools: Tool[] = [
    { name: 'get_weather', description: 'The weather of a city', parameters: object({ city: { type: 'string' } }) },
    { name: 'send_email', description: 'Sends an email to a person', parameters: object({ to: { type: 'string', format: 'email' }, body: { type: 'string' } }) },
    {
      name: 'aggregate',
      description: 'Sum, mean or count of a column of a table',
      parameters: object({ operation: { enum: ['sum', 'mean', 'count'] }, column: { type: 'string' }, groupBy: { type: 'string', description: 'Column to group by' } }, [
        'operation',
        'column',
      ]),
    },
  ]
  const called = async (content: string, more: Partial<Question> = {}) => (await ask({ tools, ...more }, content)).toolCalls.map(({ name, arguments: given }) => [name, given])

  test.each<[string, string, JsonObject]>([
    ['What is the weather in Berlin?', 'get_weather', { city: 'Berlin' }],
    ['Send an email to ada@example.com. Body: see you at noon', 'send_email', { to: 'ada@example.com', body: 'see you at noon' }],
    ['region,amount\nnorth,3\nsouth,4\n\nWhat is the sum of the amount by region?', 'aggregate', { operation: 'sum', column: 'amount', groupBy: 'region' }],
    ['[{"city": "Rome", "people": 3}]\nThe mean of people of the table', 'aggregate', { operation: 'mean', column: 'people' }],
  ])('%j calls %s', async (content, name, given) => {
    expect(await called(content)).toEqual([[name, given]])
  })

  test('a tool is called only with what the text says', async () => {
    const answer = await ask({ tools }, 'What is the weather?')
    expect(answer.toolCalls).toEqual([])
    expect(answer.text).toContain('get_weather fits, but the text does not say: city')
    expect(await refusal(ask({ tools, toolChoice: { name: 'get_weather' } }, 'Hello'))).toMatchObject({ code: 'beyond_rules', message: expect.stringContaining('city') })
    expect(await refusal(ask({ tools, toolChoice: { name: 'none' } }, 'Hello'))).toMatchObject({ code: 'beyond_rules' })
  })

  test('none is called when none fits, or none may be', async () => {
    expect(await called('Total: 5. What is the total?')).toEqual([])
    expect(await called('What is the weather in Berlin?', { toolChoice: 'none' })).toEqual([])
    expect(await called('Berlin it is. City: Berlin', { toolChoice: 'required' })).toEqual([['get_weather', { city: 'Berlin' }]])
  })

  test('what a tool gave is the answer', async () => {
    const messages: Message[] = [
      ...user('What is the weather in Berlin?'),
      { role: 'assistant', content: '', toolCalls: [{ id: 'call_0', name: 'get_weather', arguments: { city: 'Berlin' } }] },
      { role: 'tool', callId: 'call_0', content: '{"sky":"clear"}' },
    ]
    const answer = await ask({ tools, messages })
    expect(answer).toMatchObject({ toolCalls: [], text: `${sign} get_weather gave: {"sky":"clear"}` })
    expect(await filled('x', { type: 'object' })).toEqual({})
    expect((await ask({ messages, outputSchema: object({ sky: { enum: ['clear', 'grey'] } }) })).structured).toEqual({ sky: 'clear' })
  })
})

describe('what would take long', () => {
  test('is refused: more text than it reads, or too many fields for the text', async () => {
    expect(await refusal(ask({}, 'x'.repeat(mostCharacters + 1)))).toMatchObject({ code: 'context_too_long', retry: false })
    const wide = { type: 'object', properties: Object.fromEntries(Array.from({ length: 4_000 }, (_, at) => [`field${at}`, { type: 'number' }])) }
    expect(await refusal(filled('field1: 3\n'.repeat(1_000), wide))).toMatchObject({ code: 'context_too_long' })
    expect(await filled('field1: 3', { ...wide, properties: { field1: { type: 'number' } } })).toEqual({ field1: 3 })
  })

  test.each(['a', ' ', '1,', 'a:', 'a: b, ', '{', 'x is y and ', '"', 'Jan ', 'a\n', '1.', '@a.', '“', '```json\n', '- = '])('%j over and over is read in time', async (piece) => {
    const began = performance.now()
    await ask({}, `${piece.repeat(Math.floor(99_000 / piece.length))} what is it?`)
    expect(performance.now() - began).toBeLessThan(10_000)
  })

  const label = (count: number): string => Array.from({ length: count }, (_, at) => `"k${at}":1`).join(',')
  const strings = (...names: string[]): JsonObject => ({ type: 'object', properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])) })
  test.each<[string, string, JsonObject?]>([
    ['a fence that is never closed, before empty lines', '```\n'.padEnd(99_000, '\n')],
    ['fences that open and open', '```\nx'.repeat(19_000)],
    ['a gap inside a value', `total: x${' '.repeat(99_000)}y`, strings('total')],
    ['a gap inside a list', `tags: x${' '.repeat(99_000)}y`, { type: 'object', properties: { tags: { type: 'array', items: { type: 'string' } } } }],
    ['keys below a very long key', `{"${'ab '.repeat(25_000)}":{${label(2_000)}}}`],
    ['thousands of choices', 'word '.repeat(19_000), { type: 'object', properties: { a: { enum: Array.from({ length: 20_000 }, (_, at) => `v${at}`) } } }],
    [
      'thousands of columns',
      `Which column?\n${'c,'.repeat(12_000).replaceAll('c', () => `c${Math.random().toString(36).slice(2, 5)}`)}c\n${','.repeat(12_000)}`,
      strings('column', 'field'),
    ],
  ])('%s is read in time', async (_, content, outputSchema) => {
    const began = performance.now()
    await ask({ ...(outputSchema && { outputSchema }) }, content).catch((error: unknown) => expect(error).toBeInstanceOf(ModelError))
    expect(performance.now() - began).toBeLessThan(8_000)
  })

  test('JSON that is nested without end is text like any other', async () => {
    const nested = `{"total":${'['.repeat(49_000)}${']'.repeat(49_000)}} What is the total?`
    expect(await ask({}, nested)).toMatchObject({ finishReason: 'stop' })
    expect(await said('{"total": [[1], [2]]} What is the total?')).toBe('total: [[1],[2]]')
  })
})
