import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type Dialect, route } from '../../src/dialects/dialect.ts'
import { principal } from '../rpc/toys.ts'
import { serve as serveToys, type Served } from './serve.ts'
import { toyDialect } from './toy-dialect.ts'

const soon = () => new Date(Date.now() + 600_000).toISOString()

const keep = route('auth.renew', {
  name: 'keep',
  method: 'POST',
  path: '/things/session',
  summary: 'Keep it',
  reply: z.object({ ok: z.boolean() }),
  ask: () => ({}),
  answer: () => ({ ok: true }),
  keeps: ({ token }) => ({ token, expiresAt: soon() }),
})
const forget = route('auth.leave', {
  name: 'forget',
  method: 'DELETE',
  path: '/things/session',
  summary: 'Forget it',
  reply: z.object({ ok: z.boolean() }),
  ask: () => undefined,
  answer: () => ({ ok: true }),
  keeps: () => null,
})

const withCookie: Dialect = {
  ...toyDialect,
  rows: [...toyDialect.rows, keep, forget],
  cookie: 'toy.sid',
  clientHeaders: ['x-toy'],
  refuses: { keyAsBearer: 'Send a key as user name' },
}
const other: Dialect = { ...toyDialect, name: 'other', prefixes: ['/others'], rows: [], cookie: 'other.sid' }

const none = { authorization: '' }
const page = { ...none, origin: 'http://localhost:3000' }
const me = '/v1/auth/me'

async function serve(options: Parameters<typeof serveToys>[0] = {}): Promise<Served> {
  const served = await serveToys({ dialects: [withCookie, other], ...options })
  served.principals.set('owner.of.it', principal({ role: 'owner' }))
  return served
}

describe('a session cookie', () => {
  test('is taken under our name and those of the dialects, at every address', async () => {
    const { ask } = await serve()
    for (const path of [me, '/things/'])
      for (const name of ['sluice_session', 'toy.sid', 'other.sid'])
        expect([path, name, (await ask('GET', path, undefined, { ...page, cookie: `a=b; ${name}=owner.of.it; c=d` })).status]).toEqual([path, name, 200])
    expect((await ask('GET', me, undefined, { ...page, cookie: 'a.sid=owner.of.it' })).status).toBe(401)
  })

  test("counts under the dialect's own name before any other, there; elsewhere under ours", async () => {
    const { ask } = await serve()
    const status = async (path: string, cookie: string) => (await ask('GET', path, undefined, { ...page, cookie })).status
    const own = 'sluice_session=x.y.z; toy.sid=owner.of.it'
    const ours = 'toy.sid=x.y.z; sluice_session=owner.of.it'
    expect([await status('/things/', own), await status(me, own), await status('/things/', ours), await status(me, ours)]).toEqual([200, 401, 401, 200])
  })

  test('of another server of this host, under a name that is not ours alone, is passed over', async () => {
    const { ask } = await serve()
    const cookie = 'toy.sid=s%3AabcDEF.signature; other.sid=; sluice_session=owner.of.it'
    for (const path of [me, '/things/']) expect((await ask('GET', path, undefined, { ...page, cookie })).status).toBe(200)
    const alone = await ask('GET', me, undefined, { ...page, cookie: 'toy.sid=s%3AabcDEF.signature' })
    expect(alone.body.error.code).toBe('credential_missing')
  })

  test('of a dialect asks for the same pages as ours', async () => {
    const { ask, calls } = await serve()
    const cookie = 'toy.sid=owner.of.it'
    const strange: Record<string, string>[] = [{}, { origin: 'https://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'same-origin' }]
    for (const headers of strange) expect((await ask('DELETE', '/things/session', undefined, { ...none, cookie, ...headers })).status).toBe(401)
    expect(calls.some(({ name }) => name === 'access.leave')).toBe(false)
    expect((await ask('DELETE', '/things/session', undefined, { ...page, cookie })).status).toBe(200)
    expect(calls.some(({ name }) => name === 'access.leave')).toBe(true)
  })

  test('is given for as long as its token lives, out of reach of scripts and other sites, and taken away with the login', async () => {
    const { ask } = await serve()
    const given = (await ask('POST', '/things/session')).headers.get('set-cookie')
    expect(given).toMatch(/^toy\.sid=renewed\.by\.toys; Path=\/; Max-Age=(5[5-9]\d|600); HttpOnly; SameSite=Lax$/)
    expect((await ask('DELETE', '/things/session')).headers.get('set-cookie')).toBe('toy.sid=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax')
    expect((await ask('POST', '/things/session', undefined, none)).headers.get('set-cookie')).toBeNull()
    expect((await ask('GET', '/things/')).headers.get('set-cookie')).toBeNull()
  })

  test('goes over TLS alone where the server is reached by it', async () => {
    const behind = await serve({ config: { trustProxy: true } })
    for (const method of ['POST', 'DELETE']) {
      const over = async (proto: string) => (await behind.ask(method, '/things/session', undefined, { 'x-forwarded-proto': proto })).headers.get('set-cookie')
      expect([await over('https'), await over('http')]).toEqual([expect.stringMatching(/; Secure$/), expect.not.stringContaining('Secure')])
    }
  })
})

describe('a dialect', () => {
  test('that refuses keys as bearer tokens says so at its addresses, takes them in every other form, and holds for itself alone', async () => {
    const { ask } = await serve()
    const bearer = { authorization: 'Bearer sk_owner' }
    const refused = await ask('GET', '/things/', undefined, bearer)
    expect([refused.status, refused.body.oops, refused.headers.get('www-authenticate')]).toEqual([401, 'credential_invalid', 'Bearer'])
    for (const headers of [
      { authorization: `Basic ${Buffer.from('sk_owner:').toString('base64')}` },
      { ...none, 'x-api-key': 'sk_owner' },
      { authorization: 'Bearer owner-token' },
    ])
      expect((await ask('GET', '/things/', undefined, headers)).status).toBe(200)
    expect((await ask('GET', me, undefined, bearer)).status).toBe(200)
  })

  test('says which headers its clients send of their own accord: pages may send them, and no others', async () => {
    const { ask } = await serve()
    const { headers } = await ask('OPTIONS', '/things/', undefined, { ...page, 'access-control-request-method': 'POST' })
    const allowed = headers.get('access-control-allow-headers')?.split(', ')
    expect(allowed).toEqual(expect.arrayContaining(['x-toy', 'authorization', 'x-api-key']))
    expect(allowed).not.toContain('cookie')
  })
})
