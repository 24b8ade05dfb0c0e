import { describe, expect, test } from 'vitest'
import { createOrigins } from '../../src/http/origins.ts'
import { createTally } from '../../src/http/tally.ts'
import { createLimits } from '../../src/http/limits.ts'
import { Outage } from '../../src/store/index.ts'
import { ids, principal } from '../rpc/toys.ts'
import { serve } from './serve.ts'

const me = '/v1/auth/me'
const none = { authorization: '' }

describe('credentials', () => {
  test.each<[string, Record<string, string>]>([
    ['a bearer token', { authorization: 'Bearer owner-token' }],
    ['however its scheme is spelled', { authorization: 'bearer   owner-token' }],
    ['a bare token', { authorization: 'owner-token' }],
    ['a bearer key', { authorization: 'Bearer sk_owner' }],
    ['a bare key', { authorization: 'sk_owner' }],
    ['a key as user name', { authorization: `Basic ${Buffer.from('sk_owner:').toString('base64')}` }],
    ['a key in its own header', { ...none, 'x-api-key': 'sk_owner' }],
    ['a cookie of a page from here', { ...none, cookie: 'a=b; sluice_session=owner-token', 'sec-fetch-site': 'same-origin' }],
    ['a cookie with an allowed origin', { ...none, cookie: 'sluice_session=owner-token', origin: 'http://localhost:3000' }],
  ])('%s is taken', async (_what, headers) => {
    const { ask } = await serve()
    expect((await ask('GET', me, undefined, headers)).status).toBe(200)
  })

  test.each<[string, Record<string, string>, string]>([
    ['nothing', none, 'credential_missing'],
    ['a token nobody made', { authorization: 'Bearer x' }, 'credential_invalid'],
    ['a key nobody made', { ...none, 'x-api-key': 'sk_x' }, 'credential_invalid'],
    ['a cookie from a page elsewhere', { ...none, cookie: 'sluice_session=owner-token', origin: 'https://evil.example' }, 'credential_missing'],
    ['a cookie of nobody knows which page', { ...none, cookie: 'sluice_session=owner-token' }, 'credential_missing'],
    ['a cookie of a link from elsewhere', { ...none, cookie: 'sluice_session=owner-token', 'sec-fetch-site': 'cross-site' }, 'credential_missing'],
    ['an origin of null', { ...none, cookie: 'sluice_session=owner-token', origin: 'null' }, 'credential_missing'],
    ['a ticket where there is no stream', none, 'credential_missing'],
  ])('%s is a 401', async (_what, headers, code) => {
    const { ask } = await serve()
    const reply = await ask('GET', `${me}?ticket=x`, undefined, headers)
    expect([reply.status, reply.body.error.code, reply.headers.get('www-authenticate')]).toEqual([401, code, 'Bearer'])
  })

  test('the Authorization header wins over a key and a cookie', async () => {
    const { ask } = await serve()
    expect(
      (await ask('GET', me, undefined, { authorization: 'Bearer x', 'x-api-key': 'sk_owner', cookie: 'sluice_session=owner-token', 'sec-fetch-site': 'same-origin' })).status,
    ).toBe(401)
  })

  test('a cookie changes nothing without an Origin, even from here', async () => {
    const { ask, calls } = await serve()
    const headers = { ...none, cookie: 'sluice_session=owner-token', 'sec-fetch-site': 'same-origin' }
    expect((await ask('POST', `/v1/runs/${ids.run}/cancel`, undefined, headers)).status).toBe(401)
    expect(calls.some(({ name }) => name === 'engine.cancel')).toBe(false)
  })

  test('the credential is judged before the body is read, and doors that need none take a stale one', async () => {
    const { ask } = await serve()
    expect((await ask('POST', '/v1/runs', '{{{{', { authorization: 'Bearer x' })).status).toBe(401)
    expect((await ask('POST', '/v1/auth/login', { email: 'ada@example.com', password: 'right' }, { authorization: 'Bearer stale' })).status).toBe(200)
  })

  test('the body is judged before the permission, the permission before the deed', async () => {
    const { ask, calls } = await serve()
    const viewer = { authorization: 'Bearer viewer-token' }
    expect((await ask('POST', '/v1/runs', { nonsense: 1 }, viewer)).status).toBe(400)
    const denied = await ask('POST', '/v1/runs', { workflow: 'a' }, viewer)
    expect([denied.status, denied.body.error.code]).toEqual([403, 'permission_denied'])
    expect(calls.some(({ name }) => name === 'engine.start')).toBe(false)
  })

  test('an outage while looking up who asks is a 503 that says when to come again, and its text stays in the log', async () => {
    const { ask, failWith, logged } = await serve()
    failWith.error = new Outage('PostgreSQL is not available: 10.0.0.7 refused')
    const reply = await ask('GET', me)
    expect([reply.status, reply.body.error.code, reply.headers.get('retry-after')]).toEqual([503, 'unavailable', '2'])
    expect(reply.text).not.toContain('10.0.0.7')
    expect(logged.join('')).toContain('10.0.0.7')
  })
})

describe('the anonymous principal', () => {
  const anonymous = async () => {
    const served = await serve()
    served.principals.set('', principal({ credential: 'anonymous', role: 'operator' }))
    return served
  }

  test('is taken for programs and for pages of this machine', async () => {
    const { ask } = await anonymous()
    const own: Record<string, string>[] = [{}, { origin: 'http://localhost:5173' }, { 'sec-fetch-site': 'none' }]
    for (const headers of own) expect((await ask('GET', '/v1/runs', undefined, { ...none, ...headers })).status).toBe(200)
  })

  test('is not taken for pages elsewhere, nor under a name that is made to point here', async () => {
    const { ask, url, calls } = await anonymous()
    const foreign: Record<string, string>[] = [{ origin: 'https://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }]
    for (const headers of foreign) expect((await ask('POST', `/v1/runs/${ids.run}/cancel`, undefined, { ...none, ...headers })).status).toBe(401)
    const { request } = await import('node:http')
    const rebound = await new Promise<number>((resolve) =>
      request(`${url}/v1/runs`, { headers: { host: 'evil.example', origin: 'http://evil.example' } }, (reply) => resolve(reply.resume().statusCode!)).end(),
    )
    expect(rebound).toBe(401)
    expect(calls.some(({ name }) => name === 'engine.cancel')).toBe(false)
  })
})

describe('origins', () => {
  const of = (over: Partial<Parameters<typeof createOrigins>[0]> = {}) => createOrigins({ corsOrigins: null, publicUrl: null, host: '127.0.0.1', ...over })

  test('unset, pages of this machine may read replies; set, exactly those that are named', () => {
    for (const origin of ['http://localhost:3000', 'https://127.0.0.1', 'http://[::1]:80'])
      expect([origin, of().allows(origin)]).toEqual([origin, new URL(origin).origin === origin])
    for (const origin of [
      'https://evil.example',
      'http://localhost.evil.example',
      'http://localhost:3000/',
      'null',
      '',
      'file://',
      'http://127.0.0.1.evil.example',
      'http://user@localhost',
    ])
      expect(of().allows(origin)).toBe(false)
    const named = of({ corsOrigins: ['https://app.example'], publicUrl: 'https://sluice.example/base' })
    expect(
      ['https://app.example', 'https://sluice.example', 'http://app.example', 'https://app.example:444', 'http://localhost:3000'].map((origin) => named.allows(origin)),
    ).toEqual([true, true, false, false, false])
  })

  test('a preflight is answered without a credential; other origins get no leave', async () => {
    const { ask } = await serve({ config: { corsOrigins: ['https://app.example'] } })
    const preflight = (origin: string) => ask('OPTIONS', '/v1/runs', undefined, { ...none, origin, 'access-control-request-method': 'POST' })
    const allowed = await preflight('https://app.example')
    expect([allowed.status, allowed.headers.get('access-control-allow-origin'), allowed.headers.get('access-control-allow-headers')]).toEqual([
      204,
      'https://app.example',
      expect.stringContaining('idempotency-key'),
    ])
    expect((await preflight('https://evil.example')).headers.get('access-control-allow-origin')).toBeNull()
    const reply = await ask('GET', '/v1/runs', undefined, { origin: 'https://app.example' })
    expect([reply.headers.get('access-control-allow-origin'), reply.headers.get('vary')]).toEqual(['https://app.example', 'Origin'])
  })
})

describe('limits', () => {
  test('a principal has so many requests a minute over all faces, and is told how they stand', async () => {
    const { ask } = await serve({ config: { rateLimit: { api: 12 } } })
    const first = await ask('GET', me)
    expect([first.headers.get('x-ratelimit-limit'), first.headers.get('x-ratelimit-remaining')]).toEqual(['12', '11'])
    await ask('GET', `/trpc/${Array.from({ length: 10 }, () => 'auth.me').join(',')}?batch=1`)
    expect((await ask('GET', me)).headers.get('x-ratelimit-remaining')).toBe('0')
    const over = await ask('GET', me)
    expect([over.status, over.body.error.code, over.headers.get('x-ratelimit-remaining')]).toEqual([429, 'rate_limited', '0'])
    expect(Number(over.headers.get('retry-after'))).toBeGreaterThan(0)
    const reset = Number(over.headers.get('x-ratelimit-reset')) - Date.now() / 1000
    expect(reset).toBeGreaterThan(-30)
    expect(reset).toBeLessThanOrEqual(61)
    expect((await ask('GET', me, undefined, { authorization: 'Bearer viewer-token' })).status).toBe(200)
    expect((await ask('GET', '/health')).status).toBe(200)
  })

  test('who shows no credential is counted by address', async () => {
    const { ask } = await serve({ config: { rateLimit: { api: 2 } } })
    const statuses = []
    for (let request = 0; request < 4; request++) statuses.push((await ask('GET', me, undefined, { authorization: `Bearer guess${request}` })).status)
    expect(statuses).toEqual([401, 401, 429, 429])
    expect((await ask('GET', me)).status).toBe(200)
  })

  test('off, nothing is counted', async () => {
    const { ask } = await serve()
    expect((await ask('GET', me)).headers.get('x-ratelimit-limit')).toBeNull()
  })

  test('ten failed logins a minute for one name; those that succeed are not held against it', async () => {
    const { ask } = await serve({ config: { rateLimit: { api: 1_000 } } })
    const login = (password: string, email = 'ada@example.com') => ask('POST', '/v1/auth/login', { email, password }, none)
    for (let attempt = 0; attempt < 12; attempt++) expect((await login('right')).status).toBe(200)
    for (let attempt = 0; attempt < 10; attempt++) expect((await login('wrong', attempt % 2 ? 'ADA@example.com' : 'ada@example.com')).status).toBe(401)
    expect((await login('right')).status).toBe(429)
    expect((await login('right', 'eve@example.com')).status).toBe(200)
  })

  test('exactly as many as the limit are let through when all come at once, with one count under way a key', async () => {
    let used = 0
    let under = 0
    let most = 0
    const tally = createTally(100, async (_key, points) => {
      most = Math.max(most, ++under)
      await new Promise((resolve) => setTimeout(resolve, 2))
      under--
      return { used: (used += points), resetMs: 1_000 }
    })
    const counts = await Promise.all(Array.from({ length: 150 }, () => tally.add('k', 1)))
    expect(counts.filter(({ allowed }) => allowed)).toHaveLength(100)
    expect(most).toBe(1)
    const before = used
    expect((await tally.add('k', 1)).allowed).toBe(false)
    expect(used).toBe(before)
  })

  test('what is taken back of a key over its limit is counted: it may come again before the minute is over', async () => {
    let used = 0
    const tally = createTally(10, async (_key, points) => ({ used: (used += points), resetMs: 60_000 }))
    const counts = await Promise.all(Array.from({ length: 11 }, () => tally.add('k', 1)))
    expect(counts.filter(({ allowed }) => allowed)).toHaveLength(10)
    await Promise.all(Array.from({ length: 10 }, () => tally.add('k', -1)))
    expect(await tally.add('k', 1)).toMatchObject({ allowed: true, remaining: 8 })
  })

  test('a busy key is counted ahead: servers let no more through together than the limit, each with few counts', async () => {
    let used = 0
    let counts = 0
    const count = async (_key: string, points: number) => (counts++, { used: (used += points), resetMs: 60_000 })
    const servers = [createTally(1_000, count), createTally(1_000, count)]
    const seen = []
    for (let request = 0; request < 1_200; request++) seen.push(await servers[request % 2]!.add('k', 1))
    const allowed = seen.filter((each) => each.allowed)
    expect(allowed.length).toBeLessThanOrEqual(1_000)
    // What a server has counted ahead and not given out is lost to the other: a fiftieth of the limit.
    expect(allowed.length).toBeGreaterThanOrEqual(980)
    expect(counts).toBeLessThan(60)
    expect(seen.at(-1)).toMatchObject({ allowed: false, remaining: 0 })
  })

  test('a single server loses nothing by counting ahead, and says exactly how many remain', async () => {
    let used = 0
    const tally = createTally(1_000, async (_key, points) => ({ used: (used += points), resetMs: 60_000 }))
    const seen = []
    for (let request = 0; request < 1_001; request++) seen.push(await tally.add('k', 1))
    expect(seen.map(({ remaining }) => remaining)).toEqual([...Array.from({ length: 1_000 }, (_, at) => 999 - at), 0])
    expect(seen.map(({ allowed }) => allowed)).toEqual([...Array.from({ length: 1_000 }, () => true), false])
  })

  test('what was counted ahead is not given out in the next minute', async () => {
    let [clock, used, counted] = [0, 0, 0]
    const tally = createTally(
      1_000,
      async (_key, points) => ({ used: (used += counted = points), resetMs: 60_000 }),
      () => clock,
    )
    for (let request = 0; request < 3; request++) await tally.add('k', 1)
    expect(used).toBeGreaterThan(3)
    ;[clock, used, counted] = [60_000, 0, 0]
    expect(await tally.add('k', 1)).toMatchObject({ remaining: 999, allowed: true })
    expect(counted).toBe(1)
  })

  test('servers count together in the database; while it is away or silent each counts for itself, without waiting', async () => {
    const rows = new Map<string, number>()
    let mood: 'well' | 'away' | 'silent' = 'well'
    const database = {
      query: async (_statement: unknown, values: readonly unknown[] = []) => {
        if (mood === 'away') throw new Error('away')
        if (mood === 'silent') return new Promise<never>(() => {})
        const [key, points, expire] = values as [string, number, number]
        rows.set(key, (rows.get(key) ?? 0) + points)
        return [{ points: rows.get(key)!, expire }]
      },
    } as unknown as NonNullable<Parameters<typeof createLimits>[0]['database']>
    const [one, other] = [createLimits({ rateLimit: { api: 3 }, database }), createLimits({ rateLimit: { api: 3 }, database })]
    expect([(await one.api('p', 1))?.remaining, (await other.api('p', 1))?.remaining, (await one.api('p', 1))?.remaining, (await other.api('p', 1))?.allowed]).toEqual([
      2,
      1,
      0,
      false,
    ])
    mood = 'away'
    expect((await one.api('q', 1))?.allowed).toBe(true)
    mood = 'silent'
    const begun = Date.now()
    expect((await one.api('r', 1))?.allowed).toBe(true)
    expect(Date.now() - begun).toBeLessThan(3_000)
  })
})
