import {
  ConflictError,
  createClient,
  InvalidError,
  NetworkError,
  NotFoundError,
  RunFailedError,
  type Sluice,
  TimeoutError,
  UnauthenticatedError,
  VersionSkewError,
} from '@sluice/client'
import type { RunEvent } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { approval, delay, flow, loop, post, router, signal } from '../support/flow.ts'
import { proxyTo } from '../support/proxy.ts'
import { type TestServer, testServer } from '../support/server.ts'

let server: TestServer
let sluice: Sluice
beforeAll(async () => {
  server = await testServer()
  const admin = await createClient({ url: server.url }).auth.login({ email: 'admin@sluice.local', password: 'correct horse battery' })
  const { secret } = await admin.keys.create({ name: 'test' })
  sluice = createClient({ url: server.url, apiKey: secret })
})
afterAll(() => server[Symbol.asyncDispose]())

const asked = flow({ in: 'input', ask: approval(), out: 'output' }, ['in > ask > out'])
const plain = flow({ in: 'input', out: 'output' }, ['in > out'])
const errorOf = async (call: PromiseLike<unknown>): Promise<unknown> =>
  Promise.resolve(call).then(
    () => expect.fail('it did not fail'),
    (error: unknown) => error,
  )

test('the first program does what it says: draw, start, follow, approve, result, and no pause left open', async () => {
  await sluice.workflows.create({
    name: 'Invoice',
    definition: flow(
      {
        order: { type: 'input', config: { schema: { type: 'object', required: ['customer', 'amount'], properties: { amount: { type: 'number' } } } } },
        size: router({ large: 'order.amount > 1000' }),
        approval: { type: 'human', config: { kind: 'approval', message: 'Charge {{ input.amount }} to {{ input.customer }}?' } },
        charge: post(`${server.toy.url}/ok/charge`, { body: { amount: '{{ input.amount }}' } }),
        receipt: { type: 'output', config: { map: { visit: '{{ nodes.charge.body.visit }}', amount: '{{ input.amount }}' } } },
      },
      ['order > size', 'size.large > approval > charge', 'size > charge', 'charge > receipt'],
    ),
  })

  const run = await sluice.workflow('invoice').start({ customer: 'c_42', amount: 1250 }, { idempotencyKey: 'inv-42' })
  const messages: string[] = []
  for await (const event of run.events()) {
    if (event.type === 'pause.opened') {
      messages.push(event.pause.message)
      await sluice.pauses.approve(event.pause.id, { inputs: { limit: 2000 }, comments: 'fine' }).catch((error: unknown) => {
        if (!(error instanceof ConflictError)) throw error
      })
    }
  }
  expect(await run.result()).toEqual({ visit: 1, amount: 1250 })
  for await (const pause of sluice.pauses.list({ status: 'open', runId: run.id })) messages.push(pause.message)

  expect(messages).toEqual(['Charge 1250 to c_42?'])
  expect(run.status).toBe('completed')
  const again = await sluice.workflow('invoice').start({ customer: 'c_42', amount: 1250 }, { idempotencyKey: 'inv-42' })
  expect(again.id).toBe(run.id)
  expect(await again.result()).toEqual({ visit: 1, amount: 1250 })
})

describe('a run', () => {
  test('whose start lost its answer is started once', async () => {
    const { hostname, port } = new URL(server.url)
    const proxy = await proxyTo({ host: hostname, port: Number(port) })
    try {
      let losses = 2
      proxy.watch((chunk) => (chunk.includes('POST /trpc/runs.start') && losses-- > 0 ? 'lose' : 'pass'))
      const { id } = await server.workflow(plain, 'Once')
      const through = createClient({ url: `http://${proxy.host}`, token: server.token, backoffMs: 5 })
      const run = await through.workflow(id).start({ a: 1 }, { wait: { until: 'finished' } })
      expect(run).toMatchObject({ status: 'completed', run: { output: { a: 1 } } })
      expect(proxy.lost).toBe(2)
      expect((await sluice.workflow(id).runs({ count: true })).total).toBe(1)
    } finally {
      await proxy.close()
    }
  })

  test('that fails says why, where, and as what it ended', async () => {
    const { id } = await server.workflow(flow({ in: 'input', call: post(`${server.toy.url}/refuse/failing`) }, ['in > call']))
    const run = await sluice.workflow(id).start({})
    const error = await errorOf(run.result())
    expect(error).toBeInstanceOf(RunFailedError)
    expect(error).toMatchObject({
      name: 'RunFailedError',
      code: 'step_failed',
      kind: 'run',
      step: 'call',
      run: { id: run.id, status: 'failed' },
      message: expect.stringContaining(`Run ${run.id} ended failed: `),
    })
    expect(run.status).toBe('failed')
  })

  test('that is cancelled or declined is told as that', async () => {
    const { id } = await server.workflow(asked)
    const cancelled = await (await sluice.workflow(id).start({}, { wait: { until: 'parked' } })).cancel()
    expect(await errorOf(cancelled.result())).toMatchObject({ code: 'cancelled', step: null })
    const declined = await sluice.workflow(id).start({}, { wait: { until: 'parked' } })
    await sluice.pauses.decline(declined.run.pauses[0]!)
    expect(await errorOf(declined.result())).toMatchObject({ code: 'pause_declined', run: { status: 'cancelled' } })
  })

  test('is held, released and waited for by its handle, and can be held on to from elsewhere', async () => {
    const { id } = await server.workflow(asked)
    const run = await sluice.workflow(id).start({ a: 1 })
    expect((await run.wait({ until: 'parked' })).status).toBe('waiting')
    expect((await run.hold()).status).toBe('held')
    expect((await run.release()).status).toBe('waiting')
    const same = await sluice.run(run.id)
    await sluice.pauses.override(same.run.pauses[0]!, { inputs: { b: 2 } })
    expect(await same.result()).toEqual({ b: 2 })
    expect(run.status).toBe('waiting')
    expect((await run.refresh()).status).toBe('completed')
  })

  test('whose result takes too long is given up by its caller, not ended', async () => {
    const { id } = await server.workflow(asked)
    const run = await sluice.workflow(id).start({})
    expect(await errorOf(run.result({ timeoutMs: 100 }))).toBeInstanceOf(TimeoutError)
    const abort = new AbortController()
    const waiting = errorOf(run.result({ signal: abort.signal }))
    abort.abort(new Error('enough'))
    expect(await waiting).toMatchObject({ message: 'enough' })
    expect((await run.refresh()).status).toBe('waiting')
  })

  test('gets a signal, once though its answer was lost', async () => {
    const { id } = await server.workflow(flow({ in: 'input', paid: signal('paid'), out: 'output' }, ['in > paid > out']))
    const run = await sluice.workflow(id).start({}, { tags: ['signalled'] })
    const sent = await sluice.signals.send({ runId: run.id, name: 'paid', payload: { by: 'card' }, idempotencyKey: 'paid-1' })
    expect(await run.result()).toEqual({ by: 'card' })
    expect(await sluice.signals.send({ runId: run.id, name: 'paid', payload: { by: 'card' }, idempotencyKey: 'paid-1' })).toEqual(sent)
  })

  test('is begun with what may be said beside its input', async () => {
    const workflow = await server.workflow(plain, 'Said')
    const { number, hash } = await sluice.workflows.publish({ workflow: workflow.id })
    const run = await sluice
      .workflow(workflow.id)
      .start({ a: 1 }, { transactionId: 'tx-1', lane: { key: 'l-1' }, tags: ['one', 'two'], version: number, expectHash: hash, wait: { until: 'finished' } })
    expect(run.run).toMatchObject({ transactionId: 'tx-1', lane: 'l-1', tags: ['one', 'two'], version: 1, status: 'completed' })
    const skewed = await errorOf(sluice.workflow(workflow.id).start({ a: 1 }, { expectHash: '0'.repeat(64) }))
    expect(skewed).toBeInstanceOf(VersionSkewError)
    expect(skewed).toBeInstanceOf(ConflictError)
  })
})

describe('a decision', () => {
  test('that comes second is a conflict with the one that stands; the same one again is not', async () => {
    const { id } = await server.workflow(asked)
    const run = await sluice.workflow(id).start({}, { wait: { until: 'parked' } })
    const pause = run.run.pauses[0]!
    const approved = await sluice.pauses.approve(pause, { comments: 'first' })
    expect(approved).toMatchObject({ status: 'approved', decision: { action: 'approve', comments: 'first' } })
    expect(await sluice.pauses.approve(pause, { comments: 'first' })).toEqual(approved)
    const error = await errorOf(sluice.pauses.decline(pause, { comments: 'second' }))
    expect(error).toBeInstanceOf(ConflictError)
    expect(error).toMatchObject({ code: 'pause_decided', status: 409, winner: approved.decision, requestId: expect.stringMatching(/./) })
  })

  test('of many at once has one winner, whom all others are told', async () => {
    const { id } = await server.workflow(asked)
    const run = await sluice.workflow(id).start({}, { wait: { until: 'parked' } })
    const pause = run.run.pauses[0]!
    const outcomes = await Promise.allSettled(Array.from({ length: 6 }, (_, index) => sluice.pauses.override(pause, { inputs: { index } })))
    const winner = outcomes.flatMap((each) => (each.status === 'fulfilled' ? [each.value.decision] : []))
    expect(winner).toHaveLength(1)
    for (const each of outcomes) if (each.status === 'rejected') expect((each.reason as ConflictError).winner).toEqual(winner[0])
    expect(await run.result()).toEqual(winner[0]!.inputs)
  })
})

describe('a list', () => {
  test('goes through all of it, and counts when asked', async () => {
    const { id } = await server.workflow(plain, 'Many')
    const ids: string[] = []
    for (let index = 0; index < 7; index++) ids.unshift((await sluice.workflow(id).start({ index }, { tags: ['many'] })).id)
    const met: string[] = []
    for await (const run of sluice.runs.list({ workflow: id, limit: 3 })) met.push(run.id)
    expect(met).toEqual(ids)
    expect(await sluice.runs.list({ tag: 'many', limit: 2, count: true })).toMatchObject({ items: [{ id: ids[0] }, { id: ids[1] }], total: 7 })
    const events: RunEvent[] = []
    await (await sluice.run(ids[0]!)).result()
    for await (const event of sluice.runs.events({ id: ids[0]!, limit: 2 })) events.push(event)
    expect(events).toEqual(await server.events(ids[0]!))
    expect(await sluice.runs.events({ id: ids[0]!, after: 2, limit: 1 })).toMatchObject({ items: [{ seq: 3 }], nextCursor: expect.any(String) })
    expect((await sluice.nodeTypes.list()).items.map(({ type }) => type)).toContain('human')
  })
})

test('a draft is changed by who knows a part of it, copied, listed whole and begun anew; over REST it is the same', async () => {
  const { id, handle } = await sluice.workflows.create({
    name: 'Partly known',
    definition: { kind: 'agent', nodes: [{ id: 'a', type: 'merge', config: { by: 'key' }, extra: { one: 1 } }], links: [] },
  })
  const known = { nodes: [{ id: 'a', type: 'merge', title: 'A', extra: { one: null, two: 2 } }], links: [] }
  const draft = { kind: 'agent', nodes: [{ id: 'a', type: 'merge', title: 'A', config: { by: 'key' }, extra: { two: 2 } }], links: [] }
  expect(await sluice.workflows.update({ workflow: handle, definition: known, absent: 'keep' })).toMatchObject({ draft })
  expect(await server.call('PATCH', `/v1/workflows/${handle}`, { definition: known, absent: 'keep' })).toMatchObject({ draft, revision: 3 })
  expect(await sluice.workflows.duplicate({ workflow: id, suffix: ' (Copy)' })).toMatchObject({ name: 'Partly known (Copy)', draft })
  expect(await sluice.workflows.list({ name: 'Partly known', drafts: true })).toMatchObject({ items: [{ id, draft }] })
  expect(await server.call('GET', '/v1/workflows?name=Partly%20known&drafts=true')).toMatchObject({ items: [{ id, draft }] })
  expect((await sluice.workflows.list({ name: 'Partly known' })).items[0]).not.toHaveProperty('draft')
  await expect(sluice.workflows.list({ sayableIn: 'nowhere' })).rejects.toThrow(InvalidError)
  expect(await sluice.workflows.outputs({ workflow: id, of: 'leaves' })).toEqual([{ nodeId: 'a', name: 'A', field: null }])
  expect(await sluice.workflows.reset({ workflow: id, drafts: { agent: { nodes: [{ id: 'b', type: 'merge' }], links: [] } } })).toMatchObject({
    name: 'Partly known',
    draft: { kind: 'agent', nodes: [{ id: 'b', type: 'merge' }], links: [] },
  })
  await sluice.workflows.publish({ workflow: id })
  expect(await server.call('POST', `/v1/workflows/${handle}/reset`, {})).toMatchObject({ draft: { kind: 'agent', nodes: [], links: [] }, version: 1 })
  await sluice.workflows.publish({ workflow: id })
  expect((await sluice.workflows.versions({ workflow: id, offset: 1 })).items.map(({ number }) => number)).toEqual([1])
  expect(await server.call('GET', `/v1/workflows/${id}/versions?offset=1&count=true`)).toMatchObject({ items: [{ number: 1 }], total: 2 })
})

test('a workflow whose creation lost its answer is there once', async () => {
  const { hostname, port } = new URL(server.url)
  const proxy = await proxyTo({ host: hostname, port: Number(port) })
  try {
    let losses = 2
    proxy.watch((chunk) => (/POST \/trpc\/workflows\.(create|duplicate)/.test(chunk.toString()) && losses-- > 0 ? 'lose' : 'pass'))
    const through = createClient({ url: `http://${proxy.host}`, token: server.token, backoffMs: 5 })
    const workflow = await through.workflows.create({ name: 'Made once', definition: plain })
    losses = 1
    await through.workflows.duplicate({ workflow: workflow.id })
    expect(proxy.lost).toBe(3)
    const names: string[] = []
    for await (const { name } of sluice.workflows.list()) if (name.startsWith('Made once')) names.push(name)
    expect(names).toEqual(['Made once (2)', 'Made once'])
  } finally {
    await proxy.close()
  }
})

test('the list of the events of a run has them all, however many pages they take', async () => {
  const many = flow({ in: 'input', l: loop({ times: 120 }), v: { type: 'static-value', in: 'l', config: { values: { a: 1 } } }, out: 'output' }, ['in > l > out'])
  const run = await sluice.workflow((await server.workflow(many)).id).start({})
  await run.result()
  const live: RunEvent[] = []
  for await (const event of run.events()) live.push(event)
  const listed: RunEvent[] = []
  for await (const event of sluice.runs.events({ id: run.id, limit: 100 })) listed.push(event)
  expect(live.length).toBeGreaterThan(200)
  expect(listed).toEqual(live)
  const later: RunEvent[] = []
  for await (const event of sluice.runs.events({ id: run.id, after: 100, limit: 50 })) later.push(event)
  expect(later).toEqual(live.slice(100))
})

describe('an error of the server', () => {
  test('is of its class, with what was wrong', async () => {
    const missing = await errorOf(sluice.workflow('no-such').start({}))
    expect(missing).toBeInstanceOf(NotFoundError)
    expect(missing).toMatchObject({ code: 'workflow_missing', status: 404 })
    const { id } = await server.workflow(flow({ a: { type: 'no-such-type' } }))
    const unfit = await errorOf(sluice.workflow(id).start({}))
    expect(unfit).toBeInstanceOf(InvalidError)
    expect(unfit).toMatchObject({ code: 'definition_invalid', issues: [expect.objectContaining({ nodeId: 'a' })] })
    expect(await errorOf(createClient({ url: server.url }).runs.get({ id: 'x' }))).toBeInstanceOf(UnauthenticatedError)
    expect(await errorOf(createClient({ url: server.url }).auth.login({ email: 'a@b.c', password: 'wrong password' }))).toMatchObject({ code: 'login_failed' })
    for (const stream of [(await sluice.workflow(id).get()).id, 'no-such'].map((workflow) => sluice.events.subscribe({ runId: workflow })))
      expect(await errorOf(stream.next())).toMatchObject({ status: expect.any(Number) })
  })

  test('that nobody answers is a NetworkError, known never to have been sent', async () => {
    const nobody = await proxyTo({ host: '127.0.0.1', port: 9 })
    await nobody.close()
    const error = await errorOf(createClient({ url: `http://${nobody.host}`, backoffMs: 1, retries: 1 }).workflows.create({ name: 'A' }))
    expect(error).toBeInstanceOf(NetworkError)
    expect(error).toMatchObject({ sent: false, message: expect.stringContaining('ECONNREFUSED') })
  })
})

test('a token is renewed by its refresh token, once for all that meet its end', async () => {
  const { tokens } = await createClient({ url: server.url }).auth.login({ email: 'admin@sluice.local', password: 'correct horse battery' })
  const renewed: string[] = []
  const client = createClient({ url: server.url, token: { token: 'worn-out', refreshToken: tokens.refreshToken }, onTokens: ({ token }) => renewed.push(token) })
  const answers = await Promise.all([client.auth.me(), client.runs.list(), client.auth.me()])
  expect(answers[0]).toMatchObject({ credential: 'token', user: { email: 'admin@sluice.local' } })
  expect(renewed).toHaveLength(1)
})

test('a login lives on when the answer with its new tokens is lost', async () => {
  const { hostname, port } = new URL(server.url)
  const proxy = await proxyTo({ host: hostname, port: Number(port) })
  try {
    const { tokens } = await createClient({ url: server.url }).auth.login({ email: 'admin@sluice.local', password: 'correct horse battery' })
    let losses = 2
    proxy.watch((chunk) => (chunk.includes('POST /trpc/auth.refresh') && losses-- > 0 ? 'lose' : 'pass'))
    const held: { token: string; refreshToken: string }[] = []
    const client = createClient({
      url: `http://${proxy.host}`,
      token: { token: 'worn-out', refreshToken: tokens.refreshToken },
      onTokens: (pair) => held.push(pair),
      backoffMs: 5,
    })
    expect(await client.auth.me()).toMatchObject({ credential: 'token' })
    expect([proxy.lost, held.length]).toEqual([2, 1])
    expect((await client.auth.refresh({ refreshToken: held[0]!.refreshToken })).user.email).toBe('admin@sluice.local')
  } finally {
    await proxy.close()
  }
})

test('the events of a workflow begin with a snapshot, and go on with what happens', async () => {
  const { id } = await server.workflow(flow({ in: 'input', d: delay(1), out: 'output' }, ['in > d > out']))
  const types: string[] = []
  let started: string | undefined
  for await (const item of sluice.workflow(id).events()) {
    if (item.type === 'snapshot') types.push(item.type)
    else if ('subject' in item && item.subject.id === started) types.push(item.type)
    if (item.type === 'snapshot') started = (await sluice.workflow(id).start({})).id
    if (item.type === 'run.completed' && item.subject.id === started) break
  }
  expect(types[0]).toBe('snapshot')
  expect(types.slice(1)).toEqual((await server.events(started!)).map(({ type }) => type))
})
