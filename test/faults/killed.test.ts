import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { proxyTo } from '../support/proxy.ts'
import { createRig, tell } from '../support/rig.ts'

// Each has a database and servers of its own: their waits overlap.
describe.concurrent('a server killed with -9', () => {
  test('in the middle of a step: after a start the run finishes; what was recorded is not run again, and each step has one key', { timeout: 90_000 }, async () => {
    await using rig = await createRig()
    const killed = await rig.serve()
    const flow = await rig.chain(['first', 'second', 'third'])
    rig.receiver.before = ({ step }) => (step === 'second' && rig.receiver.calls.length === 2 ? new Promise(() => {}) : null)
    const { body: run } = await killed.start(flow)
    await rig.receiver.called('second')
    await killed.kill()

    await rig.serve()
    await rig.ended([run.id], 40_000)
    await rig.check([run.id], ['first', 'second', 'third'])
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
        const asked = await servers[at]!.start(flow, more)
        const { status, body } = asked.status === 201 ? asked : await servers[1].start(flow, more)
        expect(status).toBe(201)
        runs.push(body.id)
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
    tell(`${runs.length} runs, ${live.length} under way at the kill, ${moved.length} of them on the killed server: moved on after ${seconds(Math.min(...moved))} to ${seconds(Math.max(...moved))} s`)
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
    const { status, body: run } = await next.start(flow, { idempotencyKey: 'once' })
    expect([status, run.id]).toEqual([201, kept[0]!.id])
    await rig.ended([run.id], 40_000)
    await rig.check([run.id], ['only'])
    expect(await rig.database.query('select id from runs')).toHaveLength(1)

    function ask(through: number, text: string): Promise<string> {
      const { promise, resolve, reject } = Promise.withResolvers<string>()
      const socket = connect(through, '127.0.0.1', () =>
        socket.write(`POST /v1/runs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${killed.token}\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`),
      )
      socket.on('data', (chunk) => resolve(String(chunk)))
      socket.on('error', reject).on('close', () => reject(new Error('no reply')))
      return promise
    }
  })
})

const seconds = (ms: number): string => (ms / 1000).toFixed(1)
