import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { testServer, type TestServer } from '../support/server.ts'
import type { Exchange } from '../support/traffic.ts'
import { flawOf } from '../support/traffic-check.ts'

/** What `npm test` holds against the documents when all tests have ended: that it would notice. */

const given = process.env['SLUICE_TEST_TRAFFIC']
let folder: string
let server: TestServer
beforeAll(async () => {
  folder = given ?? (await mkdtemp(join(tmpdir(), 'sluice-traffic-')))
  process.env['SLUICE_TEST_TRAFFIC'] = folder
  // It has been loaded before this file, and did nothing unless a folder was named then.
  vi.resetModules()
  await import('../support/traffic.ts')
  server = await testServer()
})
afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
  if (given !== undefined) return
  delete process.env['SLUICE_TEST_TRAFFIC']
  await rm(folder, { recursive: true, force: true })
})

const noted = async (): Promise<Exchange[]> =>
  (await readFile(join(folder, `${process.pid}.ndjson`), 'utf8').catch(() => ''))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Exchange)

async function exchange(method: string, path: string): Promise<Exchange> {
  const find = async () => (await noted()).findLast(({ by, ...each }) => by.endsWith('traffic.test.ts') && each.method === method && each.url === path)
  await expect.poll(find, { timeout: 20_000 }).toBeTruthy()
  return (await find())!
}

test('a request and its answer are noted, and are as the document says; once for each shape', async () => {
  await server.call('POST', '/v1/workflows', { name: 'Noted', definition: { nodes: [], links: [] } })
  await server.call('POST', '/v1/workflows', { name: 'Again', definition: { nodes: [], links: [] } })
  const made = await exchange('POST', '/v1/workflows')
  expect(made).toMatchObject({ status: 201, sent: { type: 'application/json', json: { name: 'Noted' } }, answered: { type: 'application/json', json: { name: 'Noted' } } })
  expect(flawOf(made)).toBeNull()
  await server.call('GET', '/v1/workflows?limit=1')
  expect(flawOf(await exchange('GET', '/v1/workflows?limit=1'))).toBeNull()
  expect((await noted()).filter(({ method, url, by }) => method === 'POST' && url === '/v1/workflows' && by.endsWith('traffic.test.ts'))).toHaveLength(1)
})

test('a form is held against the form that is described: its fields are text, JSON, several of them, or files', async () => {
  const send = async (fields: Record<string, string | Blob>) => {
    const body = new FormData()
    for (const [name, value] of Object.entries(fields)) body.append(name, value)
    const { status } = await fetch(`${server.url}/v1/files`, { method: 'POST', headers: { authorization: `Bearer ${server.token}` }, body })
    expect(status).toBe(201)
    return exchange('POST', '/v1/files')
  }
  const sent = await send({ file: new Blob(['\r\n--a\r\n\r\nb']), name: 'grün.txt' })
  expect(sent.sent).toMatchObject({ type: 'multipart/form-data', form: { file: [null], name: ['grün.txt'] } })
  expect(flawOf(sent)).toBeNull()
  expect(flawOf({ ...sent, sent: { ...sent.sent, form: { file: [null], name: [''] } } })).toContain('took a form')
  expect(flawOf({ ...sent, sent: { ...sent.sent, form: { name: ['grün.txt'] } } })).toContain('took a form')
})

test('another status, type, field or request than the document tells of is a flaw', async () => {
  await server.call('POST', '/v1/workflows', { name: 'Noted', definition: { nodes: [], links: [] } })
  const made = await exchange('POST', '/v1/workflows')
  const { answered, sent } = made
  const flaws = [
    { ...made, status: 299 },
    { ...made, answered: { ...answered, type: 'text/html' } },
    { ...made, answered: { ...answered, json: { ...(answered.json as object), unheardOf: 1 } } },
    { ...made, answered: { ...answered, json: { ...(answered.json as object), name: 7 } } },
    { ...made, sent: { ...sent, json: { name: 7 } } },
    { ...made, sent: { type: '', empty: true } },
  ].map(flawOf)
  expect(flaws).toEqual([
    expect.stringContaining('is not described'),
    expect.stringContaining('text/html, which is not described'),
    expect.stringContaining('must NOT have additional properties'),
    expect.stringContaining('name must be string'),
    expect.stringContaining('took what it is not said to take'),
    expect.stringContaining('without the body'),
  ])
})
