import { createClient } from '@sluice/client'
import type { RunEvent } from '@sluice/schema'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { deadline } from '../support/deadline.ts'
import { approval, delay, flow, loop } from '../support/flow.ts'
import { proxyTo } from '../support/proxy.ts'
import { type TestServer, testServer } from '../support/server.ts'
import { cuttingProxy } from './cutting-proxy.ts'

let server: TestServer
let apiKey: string
beforeAll(async () => {
  server = await testServer()
  apiKey = (await createClient({ url: server.url, token: server.token }).keys.create({ name: 'test' })).secret
})
afterAll(() => server[Symbol.asyncDispose]())

/** Some 250 events over a second or so. */
const busy = flow(
  { in: 'input', l: loop({ times: 40 }), d: delay(10, { in: 'l' }), v: { type: 'static-value', in: 'l', config: { values: { text: 'größer 🌊' } } }, out: 'output' },
  ['in > l > out', 'd > v'],
)

test('a stream that is cut 25 times at random bytes delivers every event once, in order, and its end', async () => {
  const seed = Math.floor(Math.random() * 2 ** 32)
  const random = mulberry(seed)
  let cutsLeft = 25
  // From within the head of the answer up to some events on.
  await using proxy = await cuttingProxy(server.url, () => (cutsLeft-- > 0 ? Math.floor(random() * 4_000) : null))
  const { id } = await server.workflow(busy)
  const run = await createClient({ url: proxy.url, apiKey, backoffMs: 20 }).workflow(id).start({})
  const events: RunEvent[] = []
  for await (const event of run.events()) events.push(event)
  expect(proxy.cuts.length, `seed ${seed}`).toBe(25)
  expect(events, `seed ${seed}, cut after ${proxy.cuts.join(' ')}`).toEqual(await server.events(run))
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
  expect(events.at(-1)!.type).toBe('run.completed')
})

test('an event is there when it happens, and a stream may begin after any that is known', async () => {
  const sluice = createClient({ url: server.url, apiKey })
  const { id } = await server.workflow(flow({ in: 'input', ask: approval(), out: 'output' }, ['in > ask > out']))
  const run = await sluice.workflow(id).start({})
  const first: RunEvent[] = []
  for await (const event of run.events()) {
    first.push(event)
    if (event.type === 'pause.opened') break
  }
  const late = (async () => {
    const events: RunEvent[] = []
    for await (const event of run.events({ after: first.at(-1)!.cursor })) {
      events.push(event)
      if (event.type === 'run.waiting') await sluice.pauses.approve((await run.refresh()).run.pauses[0]!)
    }
    return events
  })()
  expect([...first, ...(await late)]).toEqual(await server.events(run))
  expect(await run.refresh()).toMatchObject({ id: run.id, status: 'completed' })
  for await (const _ of run.events({ after: (await server.events(run)).at(-1)!.cursor })) expect.fail('nothing comes after the end')
})

test('a stream and the wait for a result live on over a server that is away for a while', async () => {
  const { hostname, port } = new URL(server.url)
  const proxy = await proxyTo({ host: hostname, port: Number(port) })
  try {
    const sluice = createClient({ url: `http://${proxy.host}`, apiKey, backoffMs: 20 })
    const { id } = await server.workflow(flow({ in: 'input', ask: approval(), out: 'output' }, ['in > ask > out']))
    const run = await sluice.workflow(id).start({ a: 1 })
    await run.wait({ until: 'parked' })
    const types: string[] = []
    const read = (async () => {
      for await (const { type } of run.events()) types.push(type)
    })()
    const result = run.result()
    await until('the pause in the stream', () => types.includes('pause.opened'))
    await proxy.cut()
    await server.decide((await server.pauses(run))[0]!, 'approve')
    await new Promise((resolve) => setTimeout(resolve, 300))
    await proxy.heal()
    expect(await result).toEqual({ a: 1 })
    await read
    expect(types).toEqual((await server.events(run)).map(({ type }) => type))
  } finally {
    await proxy.close()
  }
})

test('a stream whose login has ended logs in again by itself and goes on', async () => {
  await using own = await testServer()
  const login = { email: 'admin@sluice.local', password: 'correct horse battery' }
  const { id } = await own.workflow(flow({ in: 'input', ask: approval(), out: 'output' }, ['in > ask > out']))
  const tokens: string[] = []
  const sluice = createClient({ url: own.url, login, onTokens: ({ token }) => tokens.push(token) })
  const run = await sluice.workflow(id).start({})
  const events: RunEvent[] = []
  const read = (async () => {
    for await (const event of run.events()) events.push(event)
  })()
  await until('the pause in the stream', () => events.at(-1)?.type === 'run.waiting')
  // Ends every token of the user, and soon after what was opened with one.
  await (await createClient({ url: own.url }).auth.login(login)).auth.logout()
  await until('a login of the stream', () => tokens.length === 2)
  for await (const pause of sluice.pauses.list({ runId: run.id })) await sluice.pauses.approve(pause.id)
  await read
  expect(events).toEqual((await sluice.runs.events({ id: run.id, limit: 100 })).items)
  expect(tokens).toHaveLength(2)
})

const until = (what: string, holds: () => boolean): Promise<void> =>
  deadline(what, (done) => {
    const timer = setInterval(() => holds() && done(), 10)
    return () => clearInterval(timer)
  })

/** Small, seeded, good enough to choose places. */
function mulberry(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
