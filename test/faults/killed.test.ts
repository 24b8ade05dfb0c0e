import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { proxyTo } from '../support/proxy.ts'
import { type Server, createRig, tell } from '../support/rig.ts'

// Each has a database and servers of its own: their waits overlap.
describe.concurrent('a server killed with -9', () => {
  test('in the middle of a step: after a start the run finishes; what was recorded is not run again, and each step has one key', { timeout: 90_000 }, async () => {
    await using rig = await createRig()
    const killed = await rig.serve()
    const flow = await rig.chain(['first', 'second', 'third'])
    rig.receiver.before = ({ step }) => (step === 'second' && rig.receiver.calls.length === 2 ? new Promise(() => {}) : null)
    const run = await killed.begin(flow)
    await rig.receiver.called('second')
    await killed.kill()

    await rig.serve()
    await rig.ended([run], 40_000)
    await rig.check([run], ['first', 'second', 'third'])
    expect(rig.receiver.calls.map((call) => call.step)).toEqual(['first', 'second', 'second', 'third'])
  })

  test('one of two that share the work: nothing is lost, and its runs have moved on within 15 s', { timeout: 120_000 }, async () => {
    await using rig = await createRig()
    const servers = await Promise.all([rig.serve(), rig.serve()])
    const steps = ['a', 'b', 'c']
    const flow = await rig.chain(steps)
    rig.receiver.before = () => new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 800))
    const runs: string[] = []
    // Who gets no answer asks the other server, under the same key.
    const load = async (at: number, name: string) => {
      for (let index = 0; index < 10; index++) {
        const more = { idempotencyKey: `${name}.${index}` }
        let reply = await servers[at]!.start(flow, more)
        for (let tries = 0; reply.status !== 201 && tries < 20; tries++) {
          await new Promise((resolve) => setTimeout(resolve, 200))
          reply = await servers[1].start(flow, more)
        }
        runs.push(reply.body.id)
      }
    }
    const loads = [0, 1].flatMap((at) => Array.from({ length: 6 }, (_, index) => load(at, `${at}.${index}`)))
    await rig.until('60 runs have started, and 60 steps been called', () => runs.length >= 60 && rig.receiver.calls.length >= 60, 30_000)
    const live = await rig.database.query<{ id: string }>('select id from runs where ended_at is null and started_at is not null')
    await servers[0].kill()
    const killedAt = performance.now()
    await Promise.all(loads)
    await rig.ended(runs, 40_000)
    await rig.check(runs, steps)

    // Those of the killed one stood still until its claims had lapsed; those of the other never noticed.
    const gaps = live.map(({ id }) => {
      const times = rig.receiver.calls.filter((call) => call.key.startsWith(id) && call.at > killedAt).map((call) => call.at)
      return times.length === 0 ? 0 : times[0]! - killedAt
    })
    const moved = gaps.filter((gap) => gap > 5_000)
    tell(
      `${runs.length} runs, ${live.length} under way at the kill, ${moved.length} of them on the killed server: moved on after ${seconds(Math.min(...moved))} to ${seconds(Math.max(...moved))} s`,
    )
    expect(new Set(runs).size).toBe(120)
    expect(await rig.database.query('select id from runs')).toHaveLength(120)
    expect(moved.length).toBeGreaterThanOrEqual(5)
    expect(live.length - moved.length).toBeGreaterThanOrEqual(5)
    expect(Math.max(...moved)).toBeLessThan(30_000)
  })

  test('after the commit of a start and before its reply: the retry with the same key is answered with the same run', { timeout: 90_000 }, async () => {
    await using rig = await createRig()
    const killed = await rig.serve()
    const flow = await rig.chain(['only'])
    const { hostname, port } = new URL(killed.url)
    // The reply is under way: now the server dies, and the client hears nothing of it.
    const proxy = await proxyTo({ host: hostname, port: Number(port) }, () => killed.kill())
    proxy.watch(() => 'lose')
    const body = JSON.stringify({ workflow: flow, idempotencyKey: 'once' })
    await expect(ask(proxy.port, body)).rejects.toThrow()
    expect(proxy.lost).toBe(1)
    await proxy.close()
    const kept = await rig.database.query<{ id: string }>('select id from runs')
    expect(kept).toHaveLength(1)

    const next = await rig.serve()
    let again = await next.start(flow, { idempotencyKey: 'once' })
    for (let tries = 0; again.status === 503 && tries < 5; tries++) again = await next.start(flow, { idempotencyKey: 'once' })
    const { status, body: run } = again
    expect([status, run.id]).toEqual([201, kept[0]!.id])
    await rig.ended([run.id], 40_000)
    await rig.check([run.id], ['only'])
    expect(await rig.database.query('select id from runs')).toHaveLength(1)

    function ask(through: number, text: string): Promise<string> {
      const { promise, resolve, reject } = Promise.withResolvers<string>()
      const socket = connect(through, '127.0.0.1', () =>
        socket.write(
          `POST /v1/runs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${killed.token}\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
        ),
      )
      socket.on('data', (chunk) => resolve(String(chunk)))
      socket.on('error', reject).on('close', () => reject(new Error('no reply')))
      return promise
    }
  })

  test('by a run, every time: the run ends with worker_lost at the fifth death, and its neighbours finish', { timeout: 180_000 }, async () => {
    await using rig = await createRig()
    let server: Server = await rig.serve()
    const poison = await rig.chain(['poison'])
    const neighbour = await rig.chain(['a', 'b', 'c', 'd'])
    let deaths = 0
    let again = Promise.resolve()
    const { promise: over, resolve } = Promise.withResolvers<void>()
    rig.receiver.before = ({ step }) => {
      // A neighbour is in the middle of something at each death.
      if (step !== 'poison') return new Promise((done) => setTimeout(done, 2_000))
      deaths++
      again = again.then(async () => {
        await server.kill()
        server = await rig.serve()
      })
      return new Promise(() => {})
    }
    const begun = performance.now()
    const ids = await Promise.all(Array.from({ length: 8 }, () => server.begin(neighbour)))
    const run = await server.begin(poison)
    await rig.ended([run], 120_000)
    resolve()
    await over
    await again
    const [row] = await rig.database.query<{ status: string; reason: { code: string }; deaths: number }>('select status, reason, deaths from runs where id = $1', [run])
    tell(`five deaths took ${((performance.now() - begun) / 1000).toFixed(1)} s`)
    expect([row!.status, row!.reason.code, deaths]).toEqual(['failed', 'worker_lost', 5])

    await rig.ended(ids, 40_000)
    await rig.check(ids, ['a', 'b', 'c', 'd'])
    expect(rig.receiver.keys('poison')).toHaveLength(1)
  })
})

const seconds = (ms: number): string => (ms / 1000).toFixed(1)
