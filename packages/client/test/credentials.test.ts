import { describe, expect, test } from 'vitest'
import { createClient, NetworkError, UnauthenticatedError } from '../src/index.ts'
import { answer, bytesOf, connected, frame, lose, refuse, type Reply, type Seen, streamOf } from './toy-server.ts'

const user = { id: 'u00000000000001', email: 'a@b.c', name: 'A', created: '2026-01-31T12:00:00.000Z' }
const refused = refuse(401, { code: 'credential_invalid', kind: 'unauthenticated' })

/** A server whose tokens are `t1`, `t2` …; only the newest holds, and each refresh token works once. */
function server() {
  const state = { issued: 0, dead: new Set<string>(), refreshes: 0, logins: 0, onRefresh: (): Reply | null => null }
  const issue = () => {
    state.issued++
    return { token: `t${state.issued}`, refreshToken: `r${state.issued}`, user }
  }
  const authorizations: (string | null)[] = []
  const procedures: Record<string, (seen: Seen) => Reply> = {
    'auth.login': () => (state.logins++, answer(issue())()),
    async 'auth.refresh'({ input }) {
      state.refreshes++
      await new Promise((resolve) => setTimeout(resolve, 5))
      const reply = state.onRefresh()
      if (reply) return reply
      return (input as { refreshToken: string }).refreshToken === `r${state.issued}` && !state.dead.has('refresh') ? answer(issue())() : refused()
    },
    'users.changePassword': () => (state.dead.add('refresh'), answer(issue())()),
    'auth.switch': () => answer(issue())(),
  }
  const fetch = async (target: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const url = new URL(target instanceof Request ? target.url : target)
    const procedure = url.pathname.replace('/trpc/', '')
    const authorization = new Headers(init.headers).get('authorization')
    await new Promise((resolve) => setTimeout(resolve, 2))
    const open = procedures[procedure]
    if (open) return open({ input: JSON.parse((init.body as string | undefined) ?? 'null') } as Seen)
    authorizations.push(authorization)
    if (authorization !== `Bearer t${state.issued}` || state.dead.has(authorization)) return refused()
    return procedure === 'events.subscribe' ? streamOf(bytesOf(connected + frame({ type: 'run.completed', seq: 1 }, '1'))) : answer({ id: 'x', authorization })()
  }
  return { state, issue, fetch, authorizations }
}

describe('tokens', () => {
  test('that are refused are renewed once for all calls that meet it, and each call is sent again', async () => {
    const { state, issue, fetch } = server()
    const kept: string[] = []
    const sluice = createClient({ url: 'http://sluice.test', token: issue(), fetch, onTokens: ({ refreshToken }) => kept.push(refreshToken) })
    state.dead.add('Bearer t1')
    const answers = await Promise.all(Array.from({ length: 10 }, () => sluice.runs.get({ id: 'x' })))
    expect(answers).toEqual(Array.from({ length: 10 }, () => ({ id: 'x', authorization: 'Bearer t2' })))
    expect(state.refreshes).toBe(1)
    expect(kept).toEqual(['r2'])
  })

  test('are not renewed again for a call that was sent before they were, nor is one sent with the old ones meanwhile', async () => {
    const { state, issue, fetch, authorizations } = server()
    let letGo = (): void => {}
    const held = new Promise<void>((resolve) => (letGo = resolve))
    let first = true
    const late: typeof fetch = async (target, init) => {
      const response = fetch(target, init)
      if (first) {
        first = false
        await held
      }
      return response
    }
    const sluice = createClient({ url: 'http://sluice.test', token: issue(), fetch: late })
    state.dead.add('Bearer t1')
    const slow = sluice.runs.get({ id: 'x' })
    const quick = sluice.runs.get({ id: 'x' })
    while (state.refreshes === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    await Promise.all([quick, sluice.runs.get({ id: 'x' })])
    letGo()
    expect(await slow).toMatchObject({ authorization: 'Bearer t2' })
    expect(state.refreshes).toBe(1)
    expect(authorizations).toEqual(['Bearer t1', 'Bearer t1', 'Bearer t2', 'Bearer t2', 'Bearer t2'])
  })

  test('are renewed for a stream that comes again', async () => {
    const { state, issue, fetch } = server()
    const sluice = createClient({ url: 'http://sluice.test', token: issue(), fetch })
    const run = await sluice.run('x')
    state.dead.add('Bearer t1')
    const types: string[] = []
    for await (const { type } of run.events()) types.push(type)
    expect(types).toEqual(['run.completed'])
    expect(state.refreshes).toBe(1)
  })

  test('that cannot be renewed leave the call refused, and are not tried for ever', async () => {
    const { state, issue, fetch, authorizations } = server()
    const sluice = createClient({ url: 'http://sluice.test', token: issue(), fetch })
    state.dead.add('Bearer t1').add('refresh')
    await expect(sluice.runs.get({ id: 'x' })).rejects.toBeInstanceOf(UnauthenticatedError)
    await expect(sluice.runs.get({ id: 'x' })).rejects.toBeInstanceOf(UnauthenticatedError)
    expect(state.refreshes).toBe(1)
    expect(authorizations).toEqual(['Bearer t1', 'Bearer t1'])
  })

  test('are kept when the renewal got no answer: the next call tries again', async () => {
    const { state, issue, fetch } = server()
    const sluice = createClient({ url: 'http://sluice.test', token: issue(), fetch, retries: 0 })
    state.dead.add('Bearer t1')
    state.onRefresh = lose()
    await expect(sluice.runs.get({ id: 'x' })).rejects.toBeInstanceOf(NetworkError)
    state.onRefresh = () => null
    expect(await sluice.runs.get({ id: 'x' })).toMatchObject({ authorization: 'Bearer t2' })
  })

  test('given without what renews them are used as they are', async () => {
    const { state, issue, fetch } = server()
    const { token } = issue()
    const sluice = createClient({ url: 'http://sluice.test', token, fetch })
    await sluice.runs.get({ id: 'x' })
    state.dead.add('Bearer t1')
    await expect(sluice.runs.get({ id: 'x' })).rejects.toBeInstanceOf(UnauthenticatedError)
    expect(state.refreshes).toBe(0)
  })

  test.each(['t1', { token: 't1', refreshToken: 'r1' }])('that come with a new password are gone on with', async (token) => {
    const { issue, fetch } = server()
    const kept: string[] = []
    issue()
    const sluice = createClient({ url: 'http://sluice.test', token, fetch, onTokens: (pair) => kept.push(pair.token) })
    expect(await sluice.users.changePassword({ current: 'x', next: 'y' })).toMatchObject({ token: 't2' })
    expect(await sluice.runs.get({ id: 'x' })).toMatchObject({ authorization: 'Bearer t2' })
    expect(kept).toEqual(['t2'])
  })
})

describe('a login', () => {
  test('given to a client happens with its first calls, once, and again when its tokens have died', async () => {
    const { state, fetch } = server()
    const sluice = createClient({ url: 'http://sluice.test', login: { email: 'a@b.c', password: 'x' }, fetch })
    expect(state.logins).toBe(0)
    await Promise.all([sluice.runs.get({ id: 'x' }), sluice.runs.get({ id: 'x' })])
    expect(state.logins).toBe(1)
    state.dead.add('Bearer t1').add('refresh')
    expect(await sluice.runs.get({ id: 'x' })).toMatchObject({ authorization: 'Bearer t2' })
    expect([state.logins, state.refreshes]).toEqual([2, 1])
  })

  test('is a client of its own, which renews its tokens and shows them', async () => {
    const { state, fetch, authorizations } = server()
    const kept: string[] = []
    const nobody = createClient({ url: 'http://sluice.test', fetch, onTokens: ({ token }) => kept.push(token) })
    const sluice = await nobody.auth.login({ email: 'a@b.c', password: 'x' })
    expect(sluice.tokens).toEqual({ token: 't1', refreshToken: 'r1', user })
    state.dead.add('Bearer t1')
    await sluice.runs.get({ id: 'x' })
    expect(sluice.tokens.token).toBe('t2')
    const elsewhere = await sluice.auth.switch({ workspace: 'other' })
    expect(elsewhere.tokens.token).toBe('t3')
    expect(kept).toEqual(['t1', 't2', 't3'])
    await expect(nobody.runs.get({ id: 'x' })).rejects.toBeInstanceOf(UnauthenticatedError)
    expect(authorizations.at(-1)).toBeNull()
  })

  test('that is refused is told to every call, and asked for anew by the next', async () => {
    const { state, fetch } = server()
    const wrong = createClient({
      url: 'http://sluice.test',
      login: { email: 'a@b.c', password: 'x' },
      retries: 0,
      fetch: async (target, init) => {
        if (target === 'http://sluice.test/trpc/auth.login' && state.logins++ === 0) return refuse(401, { code: 'login_failed', kind: 'unauthenticated' })()
        return fetch(target, init)
      },
    })
    const both = await Promise.allSettled([wrong.runs.get({ id: 'x' }), wrong.runs.get({ id: 'x' })])
    expect(both.map((each) => each.status === 'rejected' && (each.reason as UnauthenticatedError).code)).toEqual(['login_failed', 'login_failed'])
    expect(await wrong.runs.get({ id: 'x' })).toMatchObject({ id: 'x' })
  })
})
