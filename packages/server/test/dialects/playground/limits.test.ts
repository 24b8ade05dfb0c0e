import { expect, test } from 'vitest'
import { playground } from '../../../src/dialects/playground/index.ts'
import { pyspur } from '../../../src/dialects/pyspur/index.ts'
import { serve } from '../../http/serve.ts'

/** The document's limit is of its twelve operations together, inside that of all requests. */

const operations = [
  ['POST', '/api/chat/playground/start'],
  ['POST', '/api/chat/playground/x/stop'],
  ['GET', '/api/chat/playground/x/chatData'],
  ['GET', '/api/workflows/'],
  ['GET', '/api/workflows/x'],
  ['PUT', '/api/workflows/x'],
  ['GET', '/api/workflows/x/status'],
  ['GET', '/api/workflows/x/logs'],
  ['GET', '/api/workflows/x/messages'],
  ['DELETE', '/api/workflows/x'],
  ['DELETE', '/api/workflows/x/messages/y'],
  ['DELETE', '/api/workflows/x/messages/y/files/z'],
] as const

const left = (headers: Headers) => Number(headers.get('x-ratelimit-remaining'))

test('each of the twelve counts in it, and what is ours, or of another, does not', async () => {
  expect(playground.rows.filter(({ counted }) => counted === 'playground')).toHaveLength(operations.length)
  const { ask } = await serve({ dialects: [playground, pyspur], config: { rateLimit: { api: 100, playground: 50 } } })
  for (const [at, [method, path]] of operations.entries()) {
    const { headers } = await ask(method, path)
    expect([path, headers.get('x-ratelimit-limit'), left(headers)]).toEqual([path, '50', 49 - at])
  }
  const { headers: upload } = await ask('POST', '/api/chat/playground/files')
  expect([upload.get('x-ratelimit-limit'), left(upload)]).toEqual(['100', 100 - operations.length - 1])
  const { headers: elsewhere } = await ask('GET', '/wf/')
  expect([elsewhere.get('x-ratelimit-limit'), left(elsewhere)]).toEqual(['100', 100 - operations.length - 2])
  expect(left((await ask('GET', '/api/workflows/')).headers)).toBe(50 - operations.length - 1)
})

test('who asks too often is told when to come again, in the words of the document’s stack, and may do all else', async () => {
  const { ask, calls } = await serve({ dialects: [playground], config: { rateLimit: { api: 1_200, playground: 120 } } })
  const answers = await Promise.all(Array.from({ length: 120 }, () => ask('GET', '/api/workflows/')))
  expect(answers.map(({ status }) => status)).not.toContain(429)
  const done = () => calls.filter(({ name }) => name.toLowerCase().includes('sessions'))
  const made = done().length
  const refused = await ask('GET', '/api/workflows/')
  expect([refused.status, refused.body]).toEqual([429, { detail: 'Rate limit exceeded: 120 per 1 minute' }])
  const of = (name: string) => Number(refused.headers.get(name))
  expect([of('x-ratelimit-limit'), of('x-ratelimit-remaining')]).toEqual([120, 0])
  expect(of('retry-after')).toBeGreaterThan(0)
  expect(of('retry-after')).toBeLessThanOrEqual(60)
  expect(of('x-ratelimit-reset') * 1_000).toBeGreaterThan(Date.now() - 1_000)
  expect(made).toBe(120)
  expect(done()).toHaveLength(made)
  expect((await ask('GET', '/v1/runs')).status).not.toBe(429)
})

test('the limit of all requests holds here too, and says so', async () => {
  const { ask } = await serve({ dialects: [playground], config: { rateLimit: { api: 3, playground: 120 } } })
  for (let each = 0; each < 3; each++) await ask('GET', '/api/workflows/x/status')
  const refused = await ask('GET', '/api/workflows/x/status')
  expect([refused.status, refused.body]).toEqual([429, { detail: 'Rate limit exceeded: 3 per 1 minute' }])
})

test('without limits nothing is counted', async () => {
  const { ask } = await serve({ dialects: [playground], config: { rateLimit: null } })
  expect((await ask('GET', '/api/workflows/x/status')).headers.get('x-ratelimit-limit')).toBeNull()
})
