import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { startEmbedded } from '../../packages/server/src/embedded/index.ts'
import { createLog } from '../../packages/server/src/telemetry.ts'
import { testDatabase } from '../support/database.ts'
import { approval, flow } from '../support/flow.ts'
import { runs as isRunning } from '../support/processes.ts'
import { type Proxy, isCommit, proxyTo, routeOf } from '../support/proxy.ts'
import { type Reply, type Rig, type Server, createRig, pauseOf, tell } from '../support/rig.ts'

const steps = ['a', 'b', 'c']
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Starts runs one after another, each under its own key until it is acknowledged, and keeps all replies. */
function load(servers: readonly Server[], workflow: string, clients: number) {
  const runs: string[] = []
  const refused: Reply[] = []
  const state = { stopping: false }
  const work = Array.from({ length: clients }, async (_, client) => {
    for (let index = 0; !state.stopping; index++) {
      const server = servers[(client + index) % servers.length]!
      for (;;) {
        const reply = await server.start(workflow, { idempotencyKey: `${client}.${index}` })
        if (reply.status === 201) {
          runs.push(reply.body.id)
          break
        }
        refused.push(reply)
        await pause(100)
      }
      await pause(150)
    }
  })
  return {
    runs,
    refused,
    async stop() {
      state.stopping = true
      await Promise.all(work)
    },
  }
}

/** What callers were told while PostgreSQL was away: 503, when to come again, and soon. */
function expectRefusals(refused: readonly Reply[], least: number): void {
  expect(refused.length).toBeGreaterThanOrEqual(least)
  const odd = refused.filter(({ status, body, retryAfter }) => status !== 503 || body.error?.code !== 'unavailable' || !(retryAfter! >= 1))
  expect(odd).toEqual([])
  const times = refused.map(({ ms }) => ms).sort((a, b) => a - b)
  tell(`${refused.length} refusals, in at most ${Math.round(times.at(-1)!)} ms, the median ${Math.round(times[times.length >> 1]!)} ms`)
  expect(times.at(-1)).toBeLessThan(8_000)
  expect(times[times.length >> 1]).toBeLessThan(3_000)
}

const liveRuns = (rig: Rig): Promise<{ id: string }[]> => rig.database.query('select id from runs where ended_at is null and started_at is not null')

/** How long after `back` each of the runs moved on, in milliseconds; the slowest of them. */
async function slowest(rig: Rig, live: readonly { id: string }[], back: Date): Promise<number> {
  const rows = await rig.database.query<{ ms: number }>(
    `select (extract(epoch from min(at) - $2) * 1000)::float8 as ms from events where subject_id = any($1) and at > $2 group by subject_id`,
    [live.map(({ id }) => id), back],
  )
  return Math.max(0, ...rows.map(({ ms }) => ms))
}

test(
  'PostgreSQL killed with -9 under load, once for a moment and once for some seconds: nobody exits, requests get 503, all that was acknowledged goes on',
  { timeout: 180_000 },
  async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'sluice-fault-'))
    const postgres = await startEmbedded({ dataDir, log: createLog({ level: 'fatal' }) })
    const route = routeOf(postgres.url)
    const proxy = await proxyTo(route.target)
    try {
      await using rig = await createRig({ databaseUrl: postgres.url })
      const through = { databaseUrl: route.through(proxy.port) }
      const servers = [await rig.serve(through), await rig.serve(through)]
      const chain = await rig.chain(steps)
      const asking = await rig.workflow(flow({ ask: approval() }))
      rig.receiver.before = () => pause(100 + Math.random() * 400)
      const decidable = await Promise.all(Array.from({ length: 6 }, () => servers[0]!.begin(asking)))
      const pauses = await Promise.all(decidable.map((id) => pauseOf(rig, servers[0]!, id)))
      const decide = async (id: string) => (await servers[1]!.call('POST', `/v1/pauses/${id}/decide`, { action: 'approve' })).status
      const clients = load(servers, chain, 6)

      for (const awayMs of [0, 4_000]) {
        await rig.until(
          '20 more runs are acknowledged',
          (
            (least) => () =>
              clients.runs.length >= least
          )(clients.runs.length + 20),
          30_000,
        )
        const live = await liveRuns(rig).then((rows) => rows.filter(({ id }) => !decidable.includes(id)))
        expect(await decide(pauses.shift()!.id)).toBe(200)
        const killed = postgres.pid!
        process.kill(killed, 'SIGKILL')
        if (awayMs > 0) {
          await proxy.cut()
          await pause(awayMs)
          await proxy.heal()
        }
        await rig.until(
          'PostgreSQL is back',
          () =>
            rig.database.query('select 1').then(
              () => postgres.pid !== null && postgres.pid !== killed,
              () => false,
            ),
          20_000,
        )
        const back = new Date()
        await rig.until(
          'all that was under way has moved on',
          async () =>
            (
              await rig.database.query(`select id from runs where id = any($1) and ended_at is null and not exists (select from events where subject_id = runs.id and at > $2)`, [
                live.map(({ id }) => id),
                back,
              ])
            ).length === 0,
          15_000,
          live.map(({ id }) => id),
        )
        tell(`PostgreSQL away for ${awayMs} ms: the slowest of ${live.length} runs moved on ${Math.round(await slowest(rig, live, back))} ms after it was back`)
        expect(await decide(pauses.shift()!.id)).toBe(200)
      }
      await clients.stop()
      expectRefusals(clients.refused, 20)
      for (const { id } of pauses) expect(await decide(id)).toBe(200)
      await rig.ended([...clients.runs, ...decidable], 30_000)
      await rig.check(clients.runs, steps)
      await rig.check(decidable, ['ask'], [])
      expect(await rig.database.query('select id from runs where workflow_id = $1', [chain])).toHaveLength(clients.runs.length)
      for (const { program } of servers) expect([isRunning(program.pid), program.stdout().match(/"level":"(error|fatal)".*/)?.[0]]).toEqual([true, undefined])
    } finally {
      await proxy.close()
      await postgres.stop(2_000)
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 })
    }
  },
)

/** A server whose way to PostgreSQL goes through a proxy. */
async function behindProxy(): Promise<{ rig: Rig; server: Server; proxy: Proxy; [Symbol.asyncDispose](): Promise<void> }> {
  const db = await testDatabase()
  const route = routeOf(db.url)
  const proxy = await proxyTo(route.target)
  const rig = await createRig({ databaseUrl: db.url })
  const server = await rig.serve({ databaseUrl: route.through(proxy.port) })
  return {
    rig,
    server,
    proxy,
    async [Symbol.asyncDispose]() {
      await rig[Symbol.asyncDispose]()
      await proxy.close()
      await db.close()
    },
  }
}

// Mostly waits, each with a database of its own: they overlap.
describe.concurrent('the link to PostgreSQL', () => {
  test.for([
    ['refuses', (proxy: Proxy) => proxy.cut()],
    ['is silent', (proxy: Proxy) => proxy.silence()],
  ] as const)('%s for longer than a claim lasts: bounded answers meanwhile; afterwards steps under way are recorded, and not run again', { timeout: 120_000 }, async ([, fail]) => {
    await using parts = await behindProxy()
    const { rig, server, proxy } = parts
    const chain = await rig.chain(steps)
    let release = () => {}
    const over = new Promise<void>((resolve) => (release = resolve))
    rig.receiver.before = ({ step }) => (step === 'b' ? over : null)
    const runs = await Promise.all(Array.from({ length: 10 }, () => server.begin(chain)))
    await rig.until('all are in their second step', () => rig.receiver.keys('b').length === 10, 20_000, runs)

    await fail(proxy)
    const failedAt = performance.now()
    const clients = load([server], chain, 6)
    await pause(6_000)
    const login = await server.call('POST', '/v1/auth/login', { email: 'admin@sluice.local', password: 'correct horse battery' })
    const ready = await server.call('GET', '/ready')
    expect([login.status, ready.status, (await server.call('GET', '/health')).status]).toEqual([503, 503, 200])
    expect(Math.max(login.ms, ready.ms)).toBeLessThan(8_000)
    // The answers of half of the steps come while nothing can be recorded.
    await pause(Math.max(0, 13_000 - (performance.now() - failedAt)))
    release()
    await pause(500)
    const refusedBefore = clients.refused.length
    await proxy.heal()
    const back = performance.now()
    await rig.until('new runs are acknowledged', () => clients.runs.length >= 6, 15_000)
    tell(`the first start was acknowledged, and ${clients.runs.length} runs, ${Math.round(performance.now() - back)} ms after the link was back`)
    await rig.until('the steps are recorded', async () => (await rig.database.query(`select from runs where id = any($1) and ended_at is null`, [runs])).length === 0, 15_000, runs)
    tell(`what was under way had ended ${Math.round(performance.now() - back)} ms after the link was back`)
    await clients.stop()
    expectRefusals(clients.refused.slice(0, refusedBefore), 6)
    await rig.ended(clients.runs, 20_000)
    await rig.check([...runs, ...clients.runs], steps)
    for (const id of runs) expect(rig.receiver.calls.filter((call) => call.key.startsWith(id)).map((call) => call.step)).toEqual(steps)
    expect([isRunning(server.program.pid), server.program.stdout().match(/"level":"(error|fatal)".*/)?.[0]]).toEqual([true, undefined])
  })

  test('loses replies to COMMIT: a retried start gives one run, and the engine looks before it does anything again', { timeout: 120_000 }, async () => {
    await using parts = await behindProxy()
    const { rig, server, proxy } = parts
    const chain = await rig.chain(steps)
    rig.receiver.before = () => pause(50 + Math.random() * 100)
    proxy.watch((chunk) => (isCommit(chunk) && Math.random() < 0.25 ? 'lose' : 'pass'))
    const clients = load([server], chain, 6)
    await rig.until('40 runs are acknowledged and 30 replies lost', () => clients.runs.length >= 40 && proxy.lost >= 30, 40_000)
    await clients.stop()
    await rig.ended(clients.runs, 40_000)
    proxy.watch(null)
    tell(`${proxy.lost} replies to COMMIT lost over ${clients.runs.length} runs; ${clients.refused.length} starts were answered with 503`)
    await rig.check(clients.runs, steps)
    expect(await rig.database.query('select id from runs')).toHaveLength(clients.runs.length)
    expect(new Set(clients.runs).size).toBe(clients.runs.length)
    // No worker died, and no body ran twice: nothing begins before its start is known to be recorded.
    for (const id of clients.runs) expect(rig.receiver.calls.filter((call) => call.key.startsWith(id)).map((call) => call.step)).toEqual(steps)
    expect(server.program.stdout()).not.toMatch(/"level":"(error|fatal)"/)
  })
})
