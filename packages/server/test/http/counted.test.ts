import { expect, test } from 'vitest'
import { serve } from './serve.ts'

const requests = (many: number) => Array.from({ length: many }, (_, at) => ({ do: 'delete', collection: 'demo', id: `r${at}` }))

test('a request that holds several calls counts as so many, over REST and tRPC, and is refused before any of them is made', async () => {
  const { ask, calls } = await serve({ config: { rateLimit: { api: 100 } } })
  const left = (headers: Headers) => Number(headers.get('x-ratelimit-remaining'))
  const first = await ask('POST', '/v1/records/batch', { requests: requests(30) })
  expect([first.status, left(first.headers)]).toEqual([200, 70])
  const second = await ask('POST', '/trpc/records.batch', { requests: requests(40) })
  expect([second.status, left(second.headers)]).toEqual([200, 30])
  const one = await ask('POST', '/v1/records/batch', { requests: requests(1) })
  expect(left(one.headers)).toBe(29)
  const made = calls.filter(({ name }) => name === 'records.batch').length
  const refused = await ask('POST', '/v1/records/batch', { requests: requests(40) })
  expect([refused.status, refused.body.error.code, Number(refused.headers.get('retry-after')) > 0]).toEqual([429, 'rate_limited', true])
  expect(calls.filter(({ name }) => name === 'records.batch')).toHaveLength(made)
})
