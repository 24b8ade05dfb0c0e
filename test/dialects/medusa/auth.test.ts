import type { CreatedKey, TokenPair, Workspace } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { medusa } from '../../../packages/server/src/dialects/medusa/index.ts'
import { admin, testServer, type TestServer } from '../../support/server.ts'
import { type Answer, type Client, clientsOf, ok } from '../client.ts'
import { medusaSdk } from './sdk.ts'

let server: TestServer
let api: Client
let people = 0

beforeAll(async () => {
  server = await testServer()
  api = clientsOf(medusa, 'Error').of(server.url, '')
})
afterAll(() => server[Symbol.asyncDispose]())

const { password } = admin
const call = <T>(method: string, path: string, body?: unknown, as = server.token): Promise<T> => server.call<T>(method, path, body, { as })
const login = async (email: string): Promise<string> => (await ok(api.call('POST', '/auth/user/emailpass', { email, password }))).token
const me = (headers: Record<string, string>): Promise<Answer> => api.call('GET', '/admin/users/me', undefined, { headers })
const told = ({ status, body }: Answer) => [status, body]

/** A new editor of the default workspace. */
async function person() {
  const email = `person${++people}@example.com`
  const { userId } = await call<{ userId: string }>('POST', '/v1/members', { email, role: 'editor', password })
  return { userId, email, token: await login(email) }
}

const makeKey = (as: string) => call<CreatedKey>('POST', '/v1/keys', { name: 'script' }, as)
const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` })
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
/** As the page of an origin sends it. */
const fromPage = (token: string, origin = 'http://localhost:7000') => ({ cookie: `connect.sid=${token}`, origin })

const unauthorized = [401, { message: 'Unauthorized' }]

describe('the SDK', () => {
  test('logs in, is told who it is, gets another token, and is nobody after its logout', async () => {
    const client = medusaSdk(server.url)
    const who = () => client.client.fetch<{ user: object }>('/admin/users/me')
    await expect(who()).rejects.toMatchObject({ status: 401, message: 'Unauthorized' })
    const token = await client.auth.login('user', 'emailpass', { email: ` ${admin.email.toUpperCase()}`, password })
    const first = await who()
    expect(first.user).toMatchObject({ email: admin.email, deleted_at: null, created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) })
    const refreshed = await client.auth.refresh()
    expect(refreshed.token).not.toBe(token)
    expect(await client.client.getToken()).toBe(refreshed.token)
    expect(await who()).toEqual(first)
    await client.auth.logout()
    await expect(who()).rejects.toMatchObject({ status: 401 })
  })

  test('finds in the token what its clients look for, of whichever login it is', async () => {
    const { userId, email, token } = await person()
    const native = await call<TokenPair>('POST', '/v1/auth/login', { email, password }, '')
    for (const each of [token, native.token])
      expect(JSON.parse(Buffer.from(each.split('.')[1]!, 'base64url').toString())).toMatchObject({
        actor_id: userId,
        actor_type: 'user',
        auth_identity_id: userId,
        auth_provider: 'emailpass',
        app_metadata: { user_id: userId },
        user_metadata: {},
        mfa_enabled: false,
      })
    expect((await me(bearer(native.token))).status).toBe(200)
    expect((await call<{ user: { id: string } }>('GET', '/v1/auth/me', undefined, token)).user.id).toBe(userId)
  })

  test('asks with an API key, until that is revoked', async () => {
    const { email, token } = await person()
    const key = await makeKey(token)
    const client = medusaSdk(server.url, { apiKey: key.secret })
    const who = () => client.client.fetch<{ user: { email: string } }>('/admin/users/me')
    expect((await who()).user.email).toBe(email)
    await call('DELETE', `/v1/keys/${key.id}`, undefined, token)
    await expect(who()).rejects.toMatchObject({ status: 401, message: 'Unauthorized' })
  })
})

describe('a login', () => {
  test('that fails says the same of an unknown user and a wrong password, and of what is no text that it is none', async () => {
    const attempt = async (body: unknown) => told(await api.call('POST', '/auth/user/emailpass', body))
    const refused = (message: string) => [401, { type: 'unauthorized', message }]
    for (const body of [
      { email: admin.email, password: 'wrong' },
      { email: 'nobody@example.com', password },
      { email: 'x'.repeat(400), password },
    ])
      expect(await attempt(body)).toEqual(refused('Invalid email or password'))
    for (const body of [undefined, {}, { email: admin.email }, { email: admin.email, password: 5 }, { password: '' }])
      expect(await attempt(body)).toEqual(refused('Password should be a string'))
    for (const body of [{ password }, { email: null, password }, { email: '', password }]) expect(await attempt(body)).toEqual(refused('Email should be a string'))
    expect((await attempt({ email: admin.email, password, more: 1 }))[0]).toBe(400)
  })

  test('is not to be had by GET, and nobody registers', async () => {
    expect((await api.call('GET', '/auth/user/emailpass')).status).toBe(405)
    const before = await call<{ items: unknown[] }>('GET', '/v1/members')
    const registered = await api.call('POST', '/auth/user/emailpass/register', { email: 'new@example.com', password })
    expect(told(registered)).toEqual([403, { type: 'forbidden', message: 'Registration is disabled: ask an admin to be invited' }])
    expect(await call('GET', '/v1/members')).toEqual(before)
  })

  test('is tried ten times a minute, whichever API is asked; then even the right password waits', async () => {
    await using limited = await testServer({ SLUICE_RATE_LIMIT: 'api=1000' })
    const client = clientsOf(medusa, 'Error').of(limited.url, '')
    const attempt = (given: string) => client.call('POST', '/auth/user/emailpass', { email: admin.email, password: given })
    const natively = () =>
      fetch(`${limited.url}/v1/auth/login`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ ...admin, password: 'wrong' }) })
    for (let times = 0; times < 5; times++) expect([(await attempt('wrong')).status, (await natively()).status]).toEqual([401, 401])
    const late = await attempt(password)
    expect([late.status, Number(late.headers.get('retry-after')) > 0]).toEqual([429, true])
  })

  test('leads to the default workspace of the user; a credential of another one reaches nothing of this', async () => {
    const { userId, email, token } = await person()
    await call('PATCH', `/v1/members/${userId}`, { role: 'owner' })
    const owner = await login(email)
    const elsewhere = await call<Workspace>('POST', '/v1/workspaces', { name: 'Elsewhere' }, owner)
    await call('PATCH', `/v1/users/${userId}`, { defaultWorkspace: elsewhere.id }, owner)
    const there = await login(email)
    const workspaceOf = async (as: string) => (await call<{ workspace: { id: string } }>('GET', '/v1/auth/me', undefined, as)).workspace.id
    expect(await workspaceOf(there)).toBe(elsewhere.id)
    const flow = await server.workflow({ kind: 'workflow', nodes: [{ id: 'wait', type: 'signal' }], links: [] })
    const run = await server.start(flow)
    const key = await makeKey(there)
    const renewed = (await ok(api.call('POST', '/auth/token/refresh', undefined, { as: there }))).token
    for (const as of [there, key.secret, renewed]) await expect(call('GET', `/v1/runs/${run.id}`, undefined, as)).rejects.toMatchObject({ status: 404 })
    await server.call('POST', `/v1/runs/${run.id}/cancel`, {})
    // The role changed: what was issued before is dead.
    expect(told(await me(bearer(token)))).toEqual(unauthorized)
  })
})

describe('an API key', () => {
  test('is taken by Basic in three forms, and in its own header', async () => {
    const { email, token } = await person()
    const { secret } = await makeKey(token)
    for (const headers of [basic(`${secret}:`), basic(secret), { authorization: `Basic ${secret}` }, { 'x-api-key': secret }])
      expect((await me(headers)).body.user.email).toBe(email)
    for (const headers of [basic(`${secret}x:`), basic(`:${secret}`), { authorization: `Basic ${token}` }, basic(''), { 'x-api-key': token }])
      expect(told(await me(headers))).toEqual(unauthorized)
  })

  test('is refused as bearer token here, with the words that tell what to do, and nowhere else', async () => {
    const { secret } = await makeKey(server.token)
    for (const headers of [bearer(secret), bearer('sk_nobodys'), { authorization: `bearer   ${secret}` }])
      expect(told(await me(headers))).toEqual([401, { message: expect.stringContaining('Basic') }])
    expect((await call<{ credential: string }>('GET', '/v1/auth/me', undefined, secret)).credential).toBe('key')
  })

  test('is no login: it gets no token, no session, and ends none', async () => {
    const { token } = await person()
    const headers = basic(`${(await makeKey(token)).secret}:`)
    for (const [method, path] of [
      ['POST', '/auth/token/refresh'],
      ['POST', '/auth/session'],
      ['DELETE', '/auth/session'],
    ] as const) {
      const answer = await api.call(method, path, undefined, { headers })
      expect([answer.status, answer.body.type, answer.headers.get('set-cookie')]).toEqual([401, 'unauthorized', null])
    }
    expect((await me(bearer(token))).status).toBe(200)
  })
})

describe('a refresh', () => {
  test('takes a token that holds, by header or cookie, and an empty body that says it is JSON', async () => {
    const { email, token } = await person()
    const asks = [bearer(token), fromPage(token)]
    for (const headers of asks) {
      const { token: next } = await ok(api.call('POST', '/auth/token/refresh', undefined, { headers: { ...headers, 'content-type': 'application/json' } }))
      expect((await me(bearer(next))).body.user.email).toBe(email)
    }
    for (const headers of [{}, bearer('x.y.z'), fromPage('x.y.z')]) expect(told(await api.call('POST', '/auth/token/refresh', undefined, { headers }))).toEqual(unauthorized)
  })

  test.each<[string, (of: { token: string }) => Promise<unknown>]>([
    ['logout', ({ token }) => call('POST', '/v1/auth/logout', undefined, token)],
    ['a new password', ({ token }) => call('POST', '/v1/users/change-password', { current: password, next: 'battery horse staple' }, token)],
    ['the end of its session', ({ token }) => api.call('DELETE', '/auth/session', undefined, { headers: fromPage(token) })],
  ])('is refused after %s, and all that was refreshed before is dead', async (_what, end) => {
    const { token } = await person()
    const refreshed = (await ok(api.call('POST', '/auth/token/refresh', undefined, { as: token }))).token
    const begun = await api.call('POST', '/auth/session', undefined, { as: refreshed })
    const kept = /connect\.sid=([^;]+)/.exec(begun.headers.get('set-cookie') ?? '')![1]!
    await end({ token })
    for (const headers of [bearer(token), bearer(refreshed), fromPage(kept)]) {
      expect(told(await api.call('POST', '/auth/token/refresh', undefined, { headers }))).toEqual(unauthorized)
      expect(told(await me(headers))).toEqual(unauthorized)
    }
  })
})

describe('a session', () => {
  test('is a cookie for ten hours that no script reads, tells whose it is, and ends with its login alone', async () => {
    const { userId, email, token } = await person()
    const other = await login(email)
    const begun = await api.call('POST', '/auth/session', undefined, { as: token, headers: { 'content-type': 'application/json' } })
    expect(told(begun)).toEqual([
      200,
      { user: { actor_id: userId, actor_type: 'user', auth_identity_id: userId, auth_provider: 'emailpass', app_metadata: { user_id: userId }, user_metadata: {} } },
    ])
    const [, kept, seconds] = /^connect\.sid=([\w.-]+); Path=\/; Max-Age=(\d+); HttpOnly; SameSite=Lax$/.exec(begun.headers.get('set-cookie') ?? '')!
    expect(Number(seconds)).toBeGreaterThan(10 * 3_600 - 60)
    expect(Number(seconds)).toBeLessThanOrEqual(10 * 3_600)
    expect((await me(fromPage(kept!))).body.user.email).toBe(email)
    const ended = await api.call('DELETE', '/auth/session', undefined, { headers: { ...fromPage(kept!), 'content-type': 'application/json' } })
    expect([...told(ended), ended.headers.get('set-cookie')]).toEqual([200, { success: true }, 'connect.sid=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax'])
    expect(told(await me(fromPage(kept!)))).toEqual(unauthorized)
    expect((await me(bearer(other))).status).toBe(200)
  })

  test('does nothing for pages of other origins, nor for nobody knows whom', async () => {
    const { token } = await person()
    const strange = [{ cookie: `connect.sid=${token}` }, fromPage(token, 'https://evil.example'), fromPage(token, 'null')]
    for (const headers of strange)
      for (const [method, path] of [
        ['POST', '/auth/token/refresh'],
        ['POST', '/auth/session'],
        ['DELETE', '/auth/session'],
      ] as const)
        expect(told(await api.call(method, path, undefined, { headers }))).toEqual(unauthorized)
    expect((await me(bearer(token))).status).toBe(200)
  })

  test('holds on every server, and ends on every one within five seconds', async () => {
    await using second = await server.another()
    const { token } = await person()
    const there = clientsOf(medusa, 'Error').of(second.url, '')
    const asked = () => there.call('GET', '/admin/users/me', undefined, { headers: fromPage(token) })
    expect((await asked()).status).toBe(200)
    await ok(api.call('DELETE', '/auth/session', undefined, { headers: fromPage(token) }))
    await expect.poll(async () => (await asked()).status, { timeout: 10_000 }).toBe(401)
  })
})
