import type { Definition, NodeSettings, Run, RunEvent, RunStep, Version } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Account, beginAccount, toldOf } from '../packages/server/src/events/account.ts'
import { createAccounts } from '../packages/server/src/events/accounts.ts'
import { approval, delay, external, flow, post, values } from './support/flow.ts'
import { type TestServer, testServer } from './support/server.ts'

/** How a run stood, told out of its events: what the store says of it, at its end and on the way there. */

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const failing = (maxAttempts = 1) => post(`${server.toy.url}/fail/99/x`, { settings: { retry: { maxAttempts, backoffMs: 20 } } })
const undoneBy = (compensate: NodeSettings['compensate']) => values({ x: 1 }, { settings: { compensate } })
const missing = () => ({ type: 'http-request', config: { method: 'POST', url: `${server.toy.url}/fail/99/x` } })

const told = (run: Run): Promise<Run> => server.call('GET', `/v1/runs/${run.id}?include=steps&include=version`)

const accountOf = (run: Run, events: readonly RunEvent[]): Account => events.reduce(toldOf, beginAccount(run, run.pinned as Version))

/** What of a step its events tell: not by which way a failed one is left, nor what an undoing gave. */
const known = ({ compensateInput: _left, reported: _who, waitingFor, route, compensation, ...step }: RunStep) => ({
  ...step,
  waitingFor: waitingFor?.kind ?? null,
  route: step.state === 'failed' ? null : route,
  compensation: compensation && { ...compensation, output: null },
})
const byNode = (steps: Iterable<RunStep>) => Object.fromEntries([...steps].map((step) => [step.nodeId, known(step)]))

const cases: [string, () => Definition][] = [
  ['a run that completes', () => flow({ a: values({ x: 1 }), b: delay(5), c: values({ y: 2 }) }, ['a > b > c'])],
  ['attempts, and a failure for good', () => flow({ a: values({ x: 1 }), b: failing(3), c: values({}) }, ['a > b > c'])],
  ['what is undone, and what is not', () => flow({ a: undoneBy({ type: 'static-value', config: { values: {} } }), b: values({}), c: failing() }, ['a > b > c'])],
  ['an undoing that fails', () => flow({ a: undoneBy(missing()), c: failing() }, ['a > c'])],
]

describe('A1: an account says what the store says', () => {
  test.each(cases)('of %s', async (_name, definition) => {
    const run = await told(await server.run(definition()))
    const account = accountOf(run, await server.events(run))
    expect(byNode(account.steps.values())).toEqual(byNode(run.steps!))
    expect(account).toMatchObject({ status: run.status, startedAt: run.startedAt, endedAt: run.endedAt, reason: run.reason })
  })

  test.each([
    ['a report', () => flow({ a: values({ x: 1 }), b: external(), c: values({}) }, ['a > b > c']), 'report'],
    ['a person', () => flow({ a: approval(), b: values({}) }, ['a > b']), 'pause'],
  ])('of a run that waits for %s', async (_name, definition, kind) => {
    const run = await told(await server.run(definition(), { until: 'parked' }))
    const account = accountOf(run, await server.events(run))
    expect(byNode(account.steps.values())).toEqual(byNode(run.steps!))
    expect(account).toMatchObject({ status: 'waiting', endedAt: null })
    expect([...account.steps.values()].at(-1)!.waitingFor!.kind).toBe(kind)
  })
})

describe('accounts that are kept', () => {
  test('are the same wherever one begins to read, and in whatever order', async () => {
    const run = await told(await server.run(cases[2]![1]()))
    const events = await server.events(run)
    const whole = (upTo: number): Account => accountOf(run, events.slice(0, upTo))
    const seen = (account: Account) => ({ ...account, run: account.run.id, pinned: account.pinned.number })
    const accounts = createAccounts(server.db.database)
    for (const at of [3, 5, 0, 4, events.length - 1, 2]) {
      const [passage] = await accounts.of([events[at]!])
      expect(seen(passage!.before)).toEqual(seen(whole(at)))
      expect(seen(passage!.after)).toEqual(seen(whole(at + 1)))
    }
    const all = await accounts.of(events)
    expect(all.map((passage) => passage!.after.seq)).toEqual(events.map(({ seq }) => seq))
    expect(await accounts.of([{ type: 'snapshot', cursor: String(events.length), at: run.created, run }])).toMatchObject([{ after: { status: run.status, seq: events.length } }])
  })

  test('are none of trials, of records, and of runs that are there no more', async () => {
    const accounts = createAccounts(server.db.database)
    const run = await server.run(flow({ a: values({}) }, []))
    const [event] = await server.events(run)
    const gone = { ...event!, subject: { kind: 'run' as const, id: '0'.repeat(run.id.length) }, seq: 3 }
    expect(await accounts.of([gone, { type: 'resync', cursor: '1' }, { type: 'snapshot', cursor: '1', at: run.created, runs: [] }])).toEqual([null, null, null])
  })
})
