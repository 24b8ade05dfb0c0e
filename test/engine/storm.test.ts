import type { Run } from '@sluice/schema'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { audit } from '../support/audit.ts'
import { cases, numbers, seed } from '../support/effort.ts'
import { approval, delay, external, flow, map, post, signal, subworkflow, values } from '../support/flow.ts'
import { Refused, type Served, type TestServer, testServer } from '../support/server.ts'

let server: TestServer
let there: Served
beforeAll(async () => {
  server = await testServer()
  there = await server.another()
})
afterAll(() => server[Symbol.asyncDispose]())

const rounds = cases(12, 100)
const timeout = cases(60_000, 600_000)

test(`whatever is asked of runs at the same moment, on two servers, each comes to one end (seed ${seed})`, { timeout }, async () => {
  const random = numbers('storm')
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
  const undoable = { compensate: { type: 'http-request', config: { method: 'POST', url: `${server.toy.url}/ok/storm-undo` } } }
  const child = await server.workflow(flow({ e: external(), d: delay(2) }, ['e > d']))
  const { id } = await server.workflow(
    flow(
      {
        in: 'input',
        call: post(`${server.toy.url}/slow/3/storm`, { settings: undoable }),
        ask: approval(),
        report: external({ settings: { retry: { maxAttempts: 5, backoffMs: 1 }, ...undoable } }),
        wait: signal('go'),
        each: map('input', { onItemFailure: 'collect' }),
        flaky: post(`${server.toy.url}/fail/1/storm-flaky`, { in: 'each', settings: { retry: { maxAttempts: 2, backoffMs: 1 } } }),
        inner: approval({ in: 'each' }),
        sub: subworkflow(child.id),
        end: values({}),
      },
      ['in > call > ask > end', 'in > report > end', 'in > wait > each > end', 'in > sub > end', 'flaky > inner'],
    ),
  )
  const runs = await Promise.all(Array.from({ length: 16 }, (_, n) => pick([server, there]).start(id, { input: [1, 2], ...(n % 4 === 0 && { lane: { key: `storm ${n % 8}` } }) })))

  /** What an operator, a person or another program may do to a run; that it comes too late is no surprise. */
  async function act(on: Served, run: Run): Promise<void> {
    const what = pick([
      'approve',
      'approve',
      'approve',
      'decline',
      'report',
      'report',
      'fail',
      'signal',
      'signal',
      'child',
      'child',
      'hold',
      'release',
      'release',
      'cancel',
      'undo',
    ])
    const found = await on.get(run)
    const pause = found.pauses[0]
    if ((what === 'approve' || (what === 'decline' && random() < 0.2)) && pause) await on.decide(pause, what)
    if (what === 'report' || what === 'fail') await on.call('POST', '/v1/steps/report', { run: { id: run.id }, step: 'report', outcome: what === 'fail' ? 'failed' : 'completed' })
    if (what === 'signal') await on.call('POST', '/v1/signals', { runId: run.id, name: 'go' })
    const childId = found.waitingOn.find(({ kind }) => kind === 'child')?.runId
    if (what === 'child' && childId) await on.call('POST', '/v1/steps/report', { run: { id: childId }, step: 'e', outcome: 'completed' })
    if (what === 'hold' || what === 'release') await on.call('POST', `/v1/runs/${run.id}/${what}`, {})
    if ((what === 'cancel' || what === 'undo') && random() < 0.15) await on.call('POST', `/v1/runs/${run.id}/cancel`, { compensate: what === 'undo' })
  }

  const late = new Set<string>()
  for (let round = 0; round < rounds; round++) {
    await Promise.all(
      runs.map((run) =>
        act(pick([server, there]), run).catch((error: unknown) => {
          if (!(error instanceof Refused) || error.status >= 500) throw error
          late.add(error.code)
        }),
      ),
    )
  }
  for (const run of runs) {
    await server.call('POST', `/v1/runs/${run.id}/release`, {}).catch(() => {})
    await server.call('POST', `/v1/runs/${run.id}/cancel`, {}).catch(() => {})
  }
  const ended = await Promise.all(runs.map((run) => server.wait(run)))
  for (const run of ended) {
    expect(['completed', 'failed', 'cancelled', 'compensated']).toContain(run.status)
    audit(await server.events(run))
  }
  for (const table of ['pauses', 'timers'])
    expect(
      await server.db.database.query(
        `select run_id from ${table} join runs on runs.id = run_id where ended_at is not null and ${table === 'pauses' ? `pauses.status = 'open'` : 'true'}`,
      ),
    ).toEqual([])
  const { items } = await server.call<{ items: Run[] }>('GET', `/v1/runs?workflow=${child.id}&limit=100`)
  for (const run of items) expect((await server.wait(run)).endedAt).not.toBeNull()
})
