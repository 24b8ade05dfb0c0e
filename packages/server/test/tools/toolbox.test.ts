import type { Json, JsonObject, StoredFile } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { DocumentError, type Documents } from '../../src/documents/documents.ts'
import { createModels } from '../../src/models/models.ts'
import { createCatalogue } from '../../src/nodes/catalogue.ts'
import { type AnyNode, StepFailure, type ToolUser, type WorkContext } from '../../src/nodes/contract.ts'
import { createOutside } from '../../src/outside/outside.ts'
import { createSandbox } from '../../src/sandbox/sandbox.ts'
import type { Tx } from '../../src/store/database.ts'
import { createToolbox } from '../../src/tools/toolbox.ts'
import { context, failure } from '../nodes/asked.ts'

const outside = createOutside({ allow: [] })
const models = createModels({ configured: null, outside })
const base = createCatalogue({ outside, sandbox: createSandbox(), models })

const stored = (id: string, name: string, bytes = 5): StoredFile => ({
  id,
  name,
  contentType: 'text/plain',
  bytes,
  sha256: `sha of ${id}`,
  userId: 'user',
  created: '2026-01-01T00:00:00.000Z',
  unusedSince: null,
})

/** A function that does as told, by a program. */
const brought = (type: string, behaviour: AnyNode['behaviour']): AnyNode => ({ ...base.get('code')!, type, tool: { approval: false }, behaviour })
const failing = (error: Error): AnyNode['behaviour'] => ({ is: 'work', run: () => Promise.reject(error) })

interface Room {
  tools?: Json
  client?: Json
  files?: StoredFile[]
  nodes?: AnyNode[]
  query?: Documents['query']
}

const user: ToolUser = { workspaceId: 'workspace', runId: 'run', sessionId: 'session', userId: 'user' }

function toolbox({ tools = null, client = null, files = [], nodes = [], query = () => Promise.reject(new Error('not asked')) }: Room = {}) {
  const database: Tx = {
    query: async (statement, values = []) => {
      const name = typeof statement === 'string' ? statement : statement.name
      const rows: Json[] = name === 'tools-session' && values[0] === 'workspace' && values[1] === 'session' ? [{ tools, client }] : []
      return rows as never
    },
  }
  const documents: Documents = {
    summary: async ({ name, bytes }) => ({ name, bytes, type: name.endsWith('.csv') ? 'table' : 'text' }),
    text: async (file, from, characters) => {
      let bytes = 0
      for await (const chunk of file.read()) bytes += chunk.byteLength
      return { text: 'x'.repeat(bytes).slice(from, from + characters), characters: bytes }
    },
    query,
    close: async () => {},
  }
  const box = createToolbox({
    database,
    catalogue: createCatalogue({ outside, sandbox: createSandbox(), models }, nodes),
    documents,
    files: {
      of: async (_tx, { id }) => (id === 'session' ? files : []),
      async *read(_id, start, end) {
        yield Buffer.alloc(end - start + 1)
      },
    },
  })
  const call = (name: string, given: JsonObject = {}, more: Partial<WorkContext> = {}, of = user) => box.call(of, { name, arguments: given }, context(more))
  return { ...box, asked: box.call, call, told: async (...asked: Parameters<typeof call>) => ((await call(...asked)).output as { content: string }).content }
}

describe('a function that is not offered', () => {
  const refused = /^error: There is no function /
  const push = { queue: 'orders', value: 1 }

  test('is refused: by the session, by its kind, or because there is none of the name', async () => {
    expect(await toolbox().told('queue_push', push)).toBe('1')
    expect(await toolbox({ tools: [{ name: 'code' }] }).told('queue_push', push)).toMatch(refused)
    expect(await toolbox({ tools: [] }).told('queue_push', push)).toMatch(refused)
    for (const name of ['nothing', 'toString', '__proto__', 'queue-push', 'llm', 'x'.repeat(1_000_000)]) expect(await toolbox().told(name, push)).toMatch(refused)
    // Who sent the message does it: not this server, though it has one of the name.
    expect(await toolbox({ client: [{ name: 'queue_push' }] }).told('queue_push', push)).toMatch(refused)
  })

  test('of which a person was not asked is refused once a person has to be, and is for the workflow to say where it says nothing', async () => {
    const box = toolbox({ tools: [{ name: 'code', approval: true }] })
    const call = { name: 'code', arguments: { source: 'return 1' } }
    expect((await box.asked(user, { ...call, approved: false as const }, context())).output).toMatchObject({
      content: expect.stringContaining('error: A person has to be asked') as string,
    })
    expect((await box.asked(user, call, context())).output).toMatchObject({ value: 1 })
    const free = toolbox({ tools: [{ name: 'code', approval: false }] })
    expect((await free.asked(user, { ...call, approved: false as const }, context())).output).toMatchObject({ value: 1 })
  })

  test('is refused outside of a session, and in one of another workspace', async () => {
    expect(await toolbox().told('queue_push', push, {}, { ...user, sessionId: null })).toMatch(refused)
    expect(await toolbox().told('queue_push', push, {}, { ...user, workspaceId: 'another' })).toMatch(refused)
    expect(await toolbox().offered({ ...user, workspaceId: 'another' })).toEqual([])
    expect(await toolbox({ files: [stored('f', 'a.txt')] }).told('read_file', { file: 'a.txt' }, {}, { ...user, sessionId: 'another' })).toMatch(refused)
  })

  test('is what reads files where there are none', async () => {
    expect(await toolbox().told('read_file', { file: 'a.txt' })).toMatch(refused)
  })
})

describe('reading a file', () => {
  const files = [stored('f1', 'a.txt', 10_000), stored('f2', 'empty.txt', 0), stored('f3', 'Sales.csv')]

  test('gives a part of its text by its name or its id, and says whether there is more', async () => {
    const { call } = toolbox({ files })
    expect((await call('read_file', { file: 'a.txt' })).output).toMatchObject({ value: { file: 'a.txt', from: 0, characters: 10_000, more: true, text: 'x'.repeat(8_000) } })
    expect((await call('read_file', { file: 'f1', from: 9_990, characters: 100 })).output).toMatchObject({ value: { text: 'x'.repeat(10), more: false } })
    expect((await call('read_file', { file: 'sales.CSV' })).output).toMatchObject({ value: { file: 'Sales.csv' } })
    expect((await call('read_file', { file: 'empty.txt' })).output).toMatchObject({ value: { text: '', more: false } })
  })

  test('of which there is none names those there are', async () => {
    const content = await toolbox({ files }).told('read_file', { file: 'b.txt' })
    expect(content).toMatch(/^error: There is no file/)
    for (const name of ['a.txt', 'Sales.csv']) expect(content).toContain(name)
  })

  test('with arguments that do not fit tells which', async () => {
    const { told } = toolbox({ files })
    expect(await told('read_file', { from: -1, file: 'a.txt', mode: 'w' })).toMatch(/^error: These arguments do not fit: from: .*mode/s)
    expect(await told('read_file', JSON.parse('{"file":"a.txt","__proto__":{"file":"b"}}') as JsonObject)).toMatch(/^error: |"file":"a.txt"/)
    expect((await told('read_file', { ['k'.repeat(1_000_000)]: 1, file: 'x'.repeat(1_000_000) })).length).toBeLessThan(10_000)
  })
})

describe('asking a table', () => {
  const files = [stored('f', 'sales.csv')]

  test('gives its rows, and of too many for a model the first, as JSON', async () => {
    const rows = Array.from({ length: 200 }, (_, at) => [at, 'x'.repeat(1_000)])
    const content = await toolbox({ files, query: async () => ({ columns: ['n', 'text'], rows, total: 900 }) }).told('query_table', { file: 'sales.csv' })
    const read = JSON.parse(content) as { rows: Json[][]; total: number; note: string }
    expect(read.total).toBe(900)
    expect(read.rows).toEqual(rows.slice(0, read.rows.length))
    expect(read.note).toContain(`${read.rows.length} of 200`)
  })

  test('badly tells what there is instead, and what the server lacks is tried again', async () => {
    const unknown = new DocumentError('column_unknown', 'There is no column price. There are: amount')
    expect(await toolbox({ files, query: () => Promise.reject(unknown) }).told('query_table', { file: 'sales.csv' })).toBe('error: There is no column price. There are: amount')
    await expect(toolbox({ files, query: () => Promise.reject(new Error('the reader died')) }).call('query_table', { file: 'sales.csv' })).rejects.toThrow('the reader died')
  })
})

describe('a node as a function', () => {
  test('takes its arguments as they are, whatever stands in them, and pushes with its step', async () => {
    const value = JSON.parse('{"text":"{{ secrets.key }} {% raw %}","__proto__":{"polluted":true}}') as Json
    expect(await toolbox().call('queue_push', { queue: 'orders', value })).toEqual({
      output: { content: JSON.stringify(value), value },
      push: [{ queue: 'orders', value }],
    })
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  test('is told all that is wrong with its arguments, and does nothing', async () => {
    const { call, told } = toolbox()
    expect(await told('http_request', { method: 'GRAB', url: '', shout: 1 })).toMatch(/^error: These arguments do not fit: .*shout.*method.*url/s)
    expect(await told('http_request', { method: 'GET', url: 'http://a.example', auth: { secret: 'key' } })).toBe(
      'error: These arguments do not fit: auth: is not for a model to give',
    )
    expect(await told('http_request', { method: 'GET', url: 'http://a.example', body: 'x' })).toContain('A GET request has no body')
    expect(await told('queue_push', JSON.parse('{"queue":"orders","value":1,"__proto__":{"queue":"other"}}') as JsonObject)).toContain('__proto__')
    const short: JsonObject[] = [{ value: 1 }, { queue: '', value: 1 }, { queue: 'orders' }]
    for (const given of short) {
      const result = await call('queue_push', given)
      expect(result).toMatchObject({ output: { content: expect.stringContaining('has to be given') as string } })
      expect(result.push).toBeUndefined()
    }
  })

  test('hears of a failure that another try would not mend; of others its step fails, and is tried again', async () => {
    const nodes = [
      brought('refused', failing(new StepFailure('http_404', 'The service answered 404', { retry: false, details: { body: 'no such thing' } }))),
      brought('busy', failing(new StepFailure('http_503', 'The service answered 503', { retryAfterMs: 50 }))),
      brought('broken', failing(new Error('a bug'))),
    ]
    const { call, told } = toolbox({ nodes })
    expect(await told('refused', { source: '' })).toBe('error: The service answered 404\n{"body":"no such thing"}')
    expect(await failure(() => call('busy', { source: '' }))).toMatchObject({ code: 'http_503', retry: true, retryAfterMs: 50 })
    await expect(call('broken', { source: '' })).rejects.toThrow('a bug')
    expect(await told('code', { source: 'throw new Error("my own")' })).toMatch(/^error: .*my own/)
  })

  test('has the key, the signal and the abilities of its step; what it used and pushed is its step’s', async () => {
    const abort = new AbortController()
    let seen: WorkContext | null = null
    const usage = { promptTokens: 3, completionTokens: 4 }
    const nodes = [
      brought('mine', {
        is: 'work',
        run: async (_config, given) => {
          seen = given
          return { output: 'y'.repeat(100_000), usage, push: [{ queue: 'q', value: 1 }], route: ['elsewhere'] }
        },
      }),
    ]
    const given = context({ key: 'run/call/3', signal: abort.signal })
    const came = await toolbox({ nodes }).call('mine', { source: '' }, given)
    expect(seen).toMatchObject({ key: 'run/call/3', signal: abort.signal })
    expect(Object.keys(came).sort()).toEqual(['output', 'push', 'usage'])
    expect((came.output as { content: string }).content.length).toBeLessThanOrEqual(32_768)
    expect((came.output as { value: string }).value).toHaveLength(100_000)
  })

  test('that was stopped tells no model that it failed', async () => {
    const abort = new AbortController()
    abort.abort()
    const nodes = [brought('stopped', failing(new StepFailure('cancelled', 'stopped', { retry: false })))]
    expect(await failure(() => toolbox({ nodes }).call('stopped', { source: '' }, { signal: abort.signal }))).toMatchObject({ code: 'cancelled' })
  })

  test('that waits cannot be called', async () => {
    const nodes = [brought('waiting', { is: 'wait', wait: () => ({ for: 'report' }) }), brought('reported', { is: 'work', run: async () => ({ awaits: 'report' }) })]
    for (const name of ['waiting', 'reported']) expect(await toolbox({ nodes }).told(name, { source: '' })).toMatch(/^error: .* cannot be called as a function/)
  })
})
