import { describe, expect, test } from 'vitest'
import {
  ConflictError,
  createClient,
  ForbiddenError,
  InternalError,
  InvalidError,
  LimitExceededError,
  NetworkError,
  NotFoundError,
  RateLimitedError,
  SluiceError,
  TimeoutError,
  UnauthenticatedError,
  UnavailableError,
  VersionSkewError,
  type ClientOptions,
} from '../src/index.ts'
import { answer, hang, lose, refuse, toyFetch, type ToyFetch } from './toy-server.ts'

const run = { id: 'r00000000000001', status: 'queued', endedAt: null }
const clientOf = (toy: ToyFetch, more: Partial<ClientOptions> = {}) => createClient({ url: 'http://sluice.test/', apiKey: 'sk_1', fetch: toy.fetch, backoffMs: 1, ...more })
const failureOf = async (call: PromiseLike<unknown>): Promise<unknown> =>
  Promise.resolve(call).then(
    () => expect.fail('it did not fail'),
    (error: unknown) => error,
  )

describe('a call', () => {
  test('reads by GET with its input in the address, writes by POST with it in the body, and says who asks', async () => {
    const toy = toyFetch(answer(run))
    const sluice = clientOf(toy)
    expect(await sluice.runs.get({ id: run.id })).toEqual(run)
    await sluice.runs.hold({ id: run.id })
    expect(toy.seen.map(({ method, procedure, input }) => ({ method, procedure, input }))).toEqual([
      { method: 'GET', procedure: 'runs.get', input: { id: run.id } },
      { method: 'POST', procedure: 'runs.hold', input: { id: run.id } },
    ])
    expect(toy.seen.map(({ headers }) => headers.get('x-api-key'))).toEqual(['sk_1', 'sk_1'])
  })

  test('goes below the path that a proxy shows the server under', async () => {
    const targets: string[] = []
    const fetch = async (target: string | URL | Request): Promise<Response> => (targets.push(target as string), Response.json({ result: {} }))
    await createClient({ url: 'https://example.com/sluice/?x=1#y', fetch }).auth.logout()
    expect(targets).toEqual(['https://example.com/sluice/trpc/auth.logout'])
  })

  test('takes its credential nowhere else: a redirect is not followed', async () => {
    let redirect: string | undefined
    const fetch = async (_target: unknown, init?: RequestInit): Promise<Response> => ((redirect = init?.redirect), Response.json({ result: {} }))
    await createClient({ url: 'http://sluice.test', apiKey: 'sk_1', fetch }).auth.logout()
    expect(redirect).toBe('error')
  })

  test('without an answer value is undefined', async () => {
    expect(await clientOf(toyFetch(answer())).secrets.delete({ name: 'a' })).toBeUndefined()
  })

  test('takes one credential and an address', () => {
    expect(() => createClient({ url: 'http://sluice.test', apiKey: 'a', token: 'b' })).toThrow(TypeError)
    expect(() => createClient({ url: 'nowhere' })).toThrow(TypeError)
  })
})

describe('a call that may pass later', () => {
  test.each([429, 502, 503, 504])('is repeated after a %i, and its answer is what the caller gets', async (status) => {
    const toy = toyFetch(
      () => new Response('<h1>Busy</h1>', { status }),
      () => new Response('', { status }),
      answer(run),
    )
    expect(await clientOf(toy).runs.get({ id: run.id })).toEqual(run)
    expect(toy.seen).toHaveLength(3)
  })

  test('comes again when Retry-After says, not before', async () => {
    const toy = toyFetch(refuse(429, { code: 'rate_limited', kind: 'rate_limited' }, { 'retry-after': '1' }), answer(run))
    await clientOf(toy).runs.get({ id: run.id })
    expect(toy.seen[1]!.at - toy.seen[0]!.at).toBeGreaterThanOrEqual(999)
  })

  test('is left to its caller when it should come again much later', async () => {
    const toy = toyFetch(refuse(429, { code: 'rate_limited', kind: 'rate_limited' }, { 'retry-after': '3600' }))
    const error = await failureOf(clientOf(toy).runs.get({ id: run.id }))
    expect(error).toBeInstanceOf(RateLimitedError)
    expect(error).toMatchObject({ code: 'rate_limited', status: 429, retryAfter: 3600 })
    expect(toy.seen).toHaveLength(1)
  })

  test('is repeated as often as was said, then throws the last error', async () => {
    const toy = toyFetch(lose())
    const error = await failureOf(clientOf(toy, { retries: 2 }).runs.get({ id: run.id }))
    expect(error).toBeInstanceOf(NetworkError)
    expect(error).toMatchObject({ code: 'network', status: null, message: 'runs.get got no answer: ECONNRESET', sent: true })
    expect(toy.seen).toHaveLength(3)
    await failureOf(clientOf(toy).runs.get({ id: run.id }, { retries: 0 }))
    expect(toy.seen).toHaveLength(4)
  })

  test('waits longer from time to time', async () => {
    const toy = toyFetch(lose())
    await failureOf(clientOf(toy, { backoffMs: 20, retries: 3 }).runs.get({ id: run.id }))
    const [first, second, third] = toy.seen.slice(1).map(({ at }, index) => at - toy.seen[index]!.at)
    expect(first).toBeGreaterThanOrEqual(9)
    expect(second).toBeGreaterThanOrEqual(19)
    expect(third).toBeGreaterThanOrEqual(39)
  })

  test('is repeated when its answer came broken', async () => {
    const toy = toyFetch(() => new Response('{"result":{"da'), answer(run))
    expect(await clientOf(toy).runs.get({ id: run.id })).toEqual(run)
  })
})

describe('a call that changes something', () => {
  test('starts with a key of its own, and the same one in every repeat', async () => {
    const toy = toyFetch(lose(), () => new Response('', { status: 503 }), answer(run))
    const sluice = clientOf(toy)
    await sluice.runs.start({ workflow: 'invoice', input: 1 })
    await sluice.workflow('invoice').start({ customer: 'c_42' }, { idempotencyKey: 'inv-42', tags: ['a'], timeoutMs: 1000 })
    await sluice.workflow('invoice').start()
    const inputs = toy.seen.map(({ input }) => input as { idempotencyKey: string })
    const [first, second, third, given, last] = inputs.map(({ idempotencyKey }) => idempotencyKey)
    expect(first).toMatch(/^[0-9a-f]{32}$/)
    expect([second, third]).toEqual([first, first])
    expect(given).toBe('inv-42')
    expect(inputs[3]).toEqual({ workflow: 'invoice', input: { customer: 'c_42' }, idempotencyKey: 'inv-42', tags: ['a'] })
    expect(last).toMatch(/^[0-9a-f]{32}$/)
    expect(last).not.toBe(first)
  })

  test('decides and signals with a key, kept over repeats', async () => {
    const toy = toyFetch(lose(), answer({ id: 'p' }), lose(), answer({ id: 's' }))
    const sluice = clientOf(toy)
    await sluice.pauses.approve('p00000000000001', { inputs: { limit: 2000 }, comments: 'fine' })
    await sluice.signals.send({ runId: run.id, name: 'paid' })
    const [first, again, signal, signalAgain] = toy.seen.map(({ input }) => input as { idempotencyKey: string })
    expect(first).toMatchObject({ id: 'p00000000000001', action: 'approve', inputs: { limit: 2000 }, comments: 'fine' })
    expect(first!.idempotencyKey).toMatch(/^[0-9a-f]{32}$/)
    expect(again).toEqual(first)
    expect(signalAgain).toEqual(signal)
    expect(signal!.idempotencyKey).not.toBe(first!.idempotencyKey)
  })

  test('is never repeated after a conflict', async () => {
    const toy = toyFetch(refuse(409, { code: 'lane_busy', kind: 'conflict', details: { runId: 'r2' } }))
    const error = await failureOf(clientOf(toy).runs.start({ workflow: 'invoice' }))
    expect(error).toBeInstanceOf(ConflictError)
    expect(error).toMatchObject({ code: 'lane_busy', details: { runId: 'r2' }, winner: null })
    expect(toy.seen).toHaveLength(1)
  })

  test('and would do so twice is repeated only when it surely was not carried out', async () => {
    const unsure = toyFetch(lose('ECONNRESET'), answer({ id: 'w' }))
    expect(await failureOf(clientOf(unsure).keys.create({ name: 'A' }))).toMatchObject({ code: 'network', sent: true })
    const away = toyFetch(() => new Response('', { status: 503 }), answer({ id: 'w' }))
    expect(await failureOf(clientOf(away).keys.create({ name: 'A' }))).toBeInstanceOf(UnavailableError)
    expect([unsure.seen.length, away.seen.length]).toEqual([1, 1])
    const sure = toyFetch(lose('ECONNREFUSED'), () => new Response('', { status: 429 }), answer({ id: 'w' }))
    expect(await clientOf(sure).keys.create({ name: 'A' })).toEqual({ id: 'w' })
  })

  test('and makes a session once under an id of its own, or an empty one, is repeated; one that would make two is not', async () => {
    for (const session of [{ externalId: 'chat-1' }, { reuse: 'empty' as const }]) {
      const lost = toyFetch(lose('ECONNRESET'), answer({ id: 's' }))
      expect(await clientOf(lost).sessions.create(session)).toEqual({ id: 's' })
      expect(lost.seen).toHaveLength(2)
    }
    expect(await failureOf(clientOf(toyFetch(lose('ECONNRESET'), answer({ id: 's' }))).sessions.create({ title: 'A' }))).toMatchObject({ code: 'network' })
  })

  test('and finds nothing left to delete has done it, when its first answer was lost', async () => {
    const missing = refuse(404, { code: 'secret_missing', kind: 'not_found' })
    await clientOf(toyFetch(lose(), missing)).secrets.delete({ name: 'a' })
    expect(await failureOf(clientOf(toyFetch(missing)).secrets.delete({ name: 'a' }))).toBeInstanceOf(NotFoundError)
    expect(await failureOf(clientOf(toyFetch(lose('ECONNREFUSED'), missing)).secrets.delete({ name: 'a' }))).toBeInstanceOf(NotFoundError)
  })
})

describe('an error', () => {
  test.each([
    [400, 'input_invalid', 'invalid', InvalidError],
    [401, 'credential_invalid', 'unauthenticated', UnauthenticatedError],
    [403, 'permission_denied', 'forbidden', ForbiddenError],
    [404, 'run_missing', 'not_found', NotFoundError],
    [409, 'run_ended', 'conflict', ConflictError],
    [409, 'hash_mismatch', 'conflict', VersionSkewError],
    [413, 'body_too_large', 'too_large', InvalidError],
    [415, 'media_unsupported', 'unsupported_media', InvalidError],
    [422, 'lane_full', 'limit_exceeded', LimitExceededError],
    [429, 'rate_limited', 'rate_limited', RateLimitedError],
    [500, 'internal', 'internal', InternalError],
    [503, 'unavailable', 'unavailable', UnavailableError],
    [507, 'storage_full', 'storage_full', UnavailableError],
  ])('of status %i %s has its class, code, request id and what was wrong', async (status, code, kind, Class) => {
    const issues = [{ path: ['input', 'amount'], message: 'expected a number' }]
    const error = await failureOf(clientOf(toyFetch(refuse(status, { code, kind, issues, details: { a: 1 } })), { retries: 0 }).runs.get({ id: 'x' }))
    expect(error).toBeInstanceOf(Class)
    expect(error).toBeInstanceOf(SluiceError)
    expect(error).toMatchObject({ name: Class.name, code, kind, status, requestId: 'req_1', message: `It is ${code}`, issues, details: { a: 1 } })
  })

  test('that came before the procedure was reached is told alike', async () => {
    const body = { error: { code: 'credential_missing', kind: 'unauthenticated', message: 'Send a token', issues: [], details: {}, requestId: 'req_2' } }
    const error = await failureOf(clientOf(toyFetch(() => Response.json(body, { status: 401 }))).runs.get({ id: 'x' }))
    expect(error).toBeInstanceOf(UnauthenticatedError)
    expect(error).toMatchObject({ code: 'credential_missing', message: 'Send a token', requestId: 'req_2', status: 401 })
  })

  test('of a newer server keeps its code, and of something else has that of its status', async () => {
    const newer = await failureOf(clientOf(toyFetch(refuse(409, { code: 'moon_full', kind: 'lunar' }))).runs.get({ id: 'x' }))
    expect(newer).toBeInstanceOf(ConflictError)
    expect(newer).toMatchObject({ code: 'moon_full' })
    const proxy = await failureOf(clientOf(toyFetch(() => new Response('<h1>Nothing here</h1>', { status: 404, headers: { 'x-request-id': 'abc' } }))).runs.get({ id: 'x' }))
    expect(proxy).toBeInstanceOf(NotFoundError)
    expect(proxy).toMatchObject({ requestId: 'abc', message: 'The server answered with status 404' })
    const page = await failureOf(
      clientOf(
        toyFetch(() => Response.json({ hello: 'world' })),
        { retries: 0 },
      ).runs.get({ id: 'x' }),
    )
    expect(page).toBeInstanceOf(NetworkError)
    expect(page).toMatchObject({ status: 200, message: expect.stringContaining('is the address right?') })
  })

  test('of a decided pause carries the decision that stands', async () => {
    const decision = { action: 'decline', by: { id: 'u', label: null }, at: '2026-01-31T12:00:00.000Z', inputs: null, comments: 'no' }
    const decided = (details: object) => clientOf(toyFetch(refuse(409, { code: 'pause_decided', kind: 'conflict', details }))).pauses.approve('p00000000000001')
    expect(await failureOf(decided({ status: 'declined', decision }))).toMatchObject({ winner: decision })
    expect(await failureOf(decided({ status: 'expired', decision: null }))).toMatchObject({ winner: null, details: { status: 'expired' } })
  })
})

describe('time-outs and signals', () => {
  test('an attempt that takes too long is given up and repeated, then told', async () => {
    const toy = toyFetch(hang)
    const error = await failureOf(clientOf(toy, { timeoutMs: 20, retries: 1 }).runs.get({ id: 'x' }))
    expect(error).toBeInstanceOf(TimeoutError)
    expect(error).toMatchObject({ code: 'timeout', message: 'runs.get took longer than 20 ms' })
    expect(toy.seen).toHaveLength(2)
  })

  test('what a call asks the server to wait does not count', async () => {
    const late = (ms: number) => () => new Promise<Response>((resolve) => setTimeout(() => resolve(answer(run)()), ms))
    const sluice = clientOf(toyFetch(late(60)), { timeoutMs: 20, retries: 0 })
    await sluice.runs.wait({ id: run.id, ms: 5_000 })
    await sluice.runs.start({ workflow: 'invoice', wait: { until: 'parked' } })
    expect(await failureOf(sluice.runs.start({ workflow: 'invoice', wait: { until: 'accepted' } }))).toBeInstanceOf(TimeoutError)
  })

  test("a signal ends a call under way, one that waits to be repeated, and one that has not begun; with the signal's own reason", async () => {
    const reason = new Error('enough')
    const abort = new AbortController()
    const sluice = clientOf(toyFetch(hang))
    const underWay = failureOf(sluice.runs.get({ id: 'x' }, { signal: abort.signal }))
    const waiting = failureOf(clientOf(toyFetch(lose()), { backoffMs: 60_000 }).runs.get({ id: 'x' }, { signal: abort.signal }))
    await new Promise((resolve) => setTimeout(resolve, 10))
    abort.abort(reason)
    expect(await underWay).toBe(reason)
    expect(await waiting).toBe(reason)
    expect(await failureOf(sluice.runs.get({ id: 'x' }, { signal: abort.signal }))).toBe(reason)
    expect(await failureOf(clientOf(toyFetch(hang), { signal: abort.signal }).runs.get({ id: 'x' }))).toBe(reason)
  })
})
