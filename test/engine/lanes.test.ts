import type { Run } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { external, flow, post } from '../support/flow.ts'
import { refusal, type TestServer, testServer } from '../support/server.ts'

let server: TestServer
let workflow: { id: string }
beforeAll(async () => {
  server = await testServer()
  workflow = await server.workflow(flow({ in: 'input', e: external() }, ['in > e']))
})
afterAll(() => server[Symbol.asyncDispose]())

const report = (run: { id: string }) => server.call('POST', '/v1/steps/report', { run: { id: run.id }, step: 'e', outcome: 'completed' })
const current = (of: string, query = '') => server.call<Run>('GET', `/v1/workflows/${of}/current${query}`)
const stop = (of: string, more = {}) => server.call<Run>('POST', `/v1/workflows/${of}/stop`, more)
const enter = (key: string, whenBusy: 'queue' | 'join' | 'refuse' = 'queue', more = {}) => server.start(workflow, { lane: { key, whenBusy }, ...more })
/** Through the lane, until it is at its step. */
const inside = (run: Run) => server.wait(run, (found) => found.status === 'waiting')

describe('a lane', () => {
  test('lets one run through at a time, in the order they came', async () => {
    const first = await inside(await enter('order'))
    const queued = []
    for (let n = 0; n < 3; n++) queued.push(await enter('order'))
    for (const run of queued) expect(await server.get(run)).toMatchObject({ status: 'queued', lane: 'order', waitingOn: [{ kind: 'queue' }] })
    let before = first
    for (const run of queued) {
      expect((await server.get(run)).status).toBe('queued')
      await report(before)
      await inside(run)
      before = run
    }
    await report(before)
    expect((await server.wait(before)).status).toBe('completed')
    const times = (await Promise.all([first, ...queued].map((run) => server.get(run)))).map(({ startedAt, endedAt }) => [startedAt!, endedAt!])
    for (const [at, [startedAt]] of times.entries()) if (at > 0) expect(startedAt! >= times[at - 1]![1]!).toBe(true)
  })

  test('joined gives the run that is in it', async () => {
    const first = await enter('join', 'join', { input: 1 })
    const all = await Promise.all(Array.from({ length: 5 }, () => enter('join', 'join', { input: 2 })))
    expect(new Set(all.map(({ id }) => id))).toEqual(new Set([first.id]))
    await inside(first)
    await report(first)
    await server.wait(first)
    const next = await enter('join', 'join')
    expect(next.id).not.toBe(first.id)
    await inside(next)
    await report(next)
  })

  test('joined by many at once is entered by one', async () => {
    const all = await Promise.all(Array.from({ length: 6 }, () => enter('join at once', 'join')))
    expect(new Set(all.map(({ id }) => id)).size).toBe(1)
    await inside(all[0]!)
    await report(all[0]!)
  })

  test('that is free is entered by one of many who come to two servers at once, time after time, and the others are given that one', async () => {
    await using other = await server.another()
    const quick = await server.workflow(flow({ in: 'input', e: external() }, ['in > e']))
    for (let round = 0; round < 8; round++) {
      const lane = { key: `free ${round}`, whenBusy: 'join' as const }
      const all = await Promise.all(Array.from({ length: 6 }, (_, n) => (n % 2 === 0 ? server : other).start(quick, { lane })))
      expect([round, ...new Set(all.map(({ id }) => id))]).toEqual([round, all[0]!.id])
      await inside(all[0]!)
      await report(all[0]!)
      await server.wait(all[0]!)
    }
  })

  test('that is free takes a start with a key once', async () => {
    const more = { idempotencyKey: 'into a lane', lane: { key: 'keyed', whenBusy: 'refuse' as const } }
    const first = await enter('keyed', 'refuse', more)
    expect((await enter('keyed', 'refuse', more)).id).toBe(first.id)
    expect(await refusal(enter('keyed', 'refuse', { ...more, idempotencyKey: 'another' }))).toMatchObject({ code: 'lane_busy', details: { runId: first.id } })
    await inside(first)
    await report(first)
    await server.wait(first)
    expect((await enter('keyed', 'refuse', more)).id).toBe(first.id)
    const next = await enter('keyed', 'refuse', { ...more, idempotencyKey: 'another' })
    expect(next.id).not.toBe(first.id)
    await inside(next)
    await report(next)
  })

  test('refused is a conflict that names the run in it', async () => {
    const first = await enter('refuse', 'refuse')
    expect(await refusal(enter('refuse', 'refuse'))).toMatchObject({ status: 409, code: 'lane_busy', details: { runId: first.id } })
    await inside(first)
    await report(first)
    await server.wait(first)
    const next = await enter('refuse', 'refuse')
    await inside(next)
    await report(next)
  })

  test('queues at most ten', async () => {
    const first = await inside(await enter('ten'))
    const queued: Run[] = []
    for (let n = 0; n < 10; n++) queued.push(await enter('ten'))
    expect(await refusal(enter('ten'))).toMatchObject({ status: 422, code: 'lane_full' })
    await server.call('POST', `/v1/runs/${queued[4]!.id}/cancel`, {})
    const last = await enter('ten')
    for (const run of [...queued, last]) await server.call('POST', `/v1/runs/${run.id}/cancel`, {})
    await report(first)
    expect((await server.wait(first)).status).toBe('completed')
  })

  test('goes on to the next when the run in it is cancelled, or fails', async () => {
    const first = await inside(await enter('cancelled'))
    const second = await enter('cancelled')
    const third = await enter('cancelled')
    await server.call('POST', `/v1/runs/${first.id}/cancel`, {})
    await inside(second)
    await server.call('POST', '/v1/steps/report', { run: { id: second.id }, step: 'e', outcome: 'failed' })
    await inside(third)
    await report(third)
    expect((await server.wait(third)).status).toBe('completed')
  })

  test('passes over a queued run that was cancelled', async () => {
    const first = await inside(await enter('passed'))
    const second = await enter('passed')
    const third = await enter('passed')
    expect((await server.call<Run>('POST', `/v1/runs/${second.id}/cancel`, {})).status).toBe('cancelled')
    await report(first)
    await inside(third)
    await report(third)
  })

  test('is of the workspace: runs of several workflows share it', async () => {
    const other = await server.workflow(flow({ call: post(`${server.toy.url}/ok/lane-shared`) }))
    const first = await inside(await enter('shared'))
    const second = await server.start(other, { lane: { key: 'shared' } })
    const free = await server.start(other, { lane: { key: 'another' } })
    expect((await server.wait(free)).status).toBe('completed')
    expect((await server.get(second)).status).toBe('queued')
    await report(first)
    expect((await server.wait(second)).status).toBe('completed')
  })

  test('keeps its order under many starts, whichever server takes them', async () => {
    await using there = await server.another()
    const quick = await server.workflow(flow({ call: post(`${server.toy.url}/slow/5/lane-quick`) }))
    const runs: Run[] = []
    for (let n = 0; n < 10; n++) runs.push(await (n % 2 ? there : server).start(quick, { lane: { key: 'quick' } }))
    const ended = await Promise.all(runs.map((run) => server.wait(run)))
    expect(ended.map(({ status }) => status)).toEqual(ended.map(() => 'completed'))
    expect(server.toy.mostAtOnce('lane-quick')).toBe(1)
    const order = [...ended].sort((a, b) => (a.startedAt! < b.startedAt! ? -1 : 1)).map(({ id }) => id)
    expect(order).toEqual(runs.map(({ id }) => id))
  })
})

test('the current run of a workflow is its live one, else its newest', async () => {
  const { id } = await server.workflow(flow({ e: external() }))
  expect(await refusal(server.call('GET', `/v1/workflows/${id}/current`))).toMatchObject({ status: 404, code: 'run_missing' })
  const first = await inside(await server.start(id))
  const second = await inside(await server.start(id))
  const current = async () => (await server.call<Run>('GET', `/v1/workflows/${id}/current`)).id
  expect(await current()).toBe(second.id)
  await report(second)
  await server.wait(second)
  expect(await current()).toBe(first.id)
  await report(first)
  await server.wait(first)
  expect(await current()).toBe(second.id)
})

describe('a lane of a workflow', () => {
  const canvas = (of: { id: string } | string, whenBusy: 'queue' | 'join' | 'refuse' = 'join') => server.start(of, { lane: { key: 'canvas', of: 'workflow', whenBusy } })

  test('counts in this workflow alone, by whatever name it is called', async () => {
    const [one, other] = [await server.workflow(flow({ in: 'input', e: external() }, ['in > e'])), await server.workflow(flow({ in: 'input', e: external() }, ['in > e']))]
    const first = await canvas(one)
    const handle = (await server.call<{ handle: string }>('GET', `/v1/workflows/${one.id}`)).handle
    expect((await Promise.all([canvas(one), canvas(handle), canvas(one.id)])).map(({ id }) => id)).toEqual([first.id, first.id, first.id])
    expect(first.lane).toBe(`workflow:${one.id}:canvas`)
    const beside = await canvas(other)
    expect(beside.id).not.toBe(first.id)
    // The lane of the workspace of the same key is another one.
    const apart = await server.start(one, { lane: { key: 'canvas', whenBusy: 'refuse' } })
    expect(await refusal(canvas(one, 'refuse'))).toMatchObject({ code: 'lane_busy', details: { runId: first.id } })
    for (const run of [first, beside, apart]) await server.call('POST', `/v1/runs/${run.id}/cancel`, {})
  })

  test('is not entered by a key that looks like it', async () => {
    expect(await refusal(enter(`workflow:${workflow.id}:canvas`))).toMatchObject({ status: 400, issues: [{ path: ['lane', 'key'] }] })
  })
})

describe('the current run', () => {
  test('is that of the canvas, else the newest live one, else the newest; or the one that is named', async () => {
    const of = await server.workflow(flow({ in: 'input', e: external() }, ['in > e']))
    expect(await refusal(current(of.id))).toMatchObject({ status: 404, code: 'run_missing' })
    expect(await refusal(stop(of.id))).toMatchObject({ status: 404, code: 'run_missing' })
    const canvas = await inside(await server.start(of, { lane: { key: 'canvas', of: 'workflow', whenBusy: 'join' } }))
    const later = await inside(await server.start(of))
    expect((await current(of.id)).id).toBe(canvas.id)
    expect(await current(of.id, `?run=${later.id}&include=version`)).toMatchObject({ id: later.id, pinned: { workflowId: of.id } })
    const elsewhere = await server.start(workflow)
    expect(await refusal(current(of.id, `?run=${elsewhere.id}`))).toMatchObject({ status: 404, code: 'run_missing' })
    expect(await refusal(stop(of.id, { run: elsewhere.id }))).toMatchObject({ status: 404, code: 'run_missing' })
    expect(await stop(of.id)).toMatchObject({ id: canvas.id, status: expect.stringMatching(/^cancel/) })
    await server.wait(canvas)
    expect((await current(of.id)).id).toBe(later.id)
    expect((await stop(of.id, { run: later.id })).id).toBe(later.id)
    await server.wait(later)
    expect((await current(of.id)).id).toBe(later.id)
    await server.call('POST', `/v1/runs/${elsewhere.id}/cancel`, {})
  })

  test('is stopped once, however many ask; when it has ended it stays as it is', async () => {
    const of = await server.workflow(flow({ in: 'input', e: external() }, ['in > e']))
    const run = await inside(await server.start(of))
    const answers = await Promise.all(Array.from({ length: 8 }, () => stop(of.id)))
    for (const answer of answers) expect(answer).toMatchObject({ id: run.id, status: 'cancelled' })
    expect((await server.events(run)).filter(({ type }) => type === 'run.cancelled')).toHaveLength(1)
    const done = await inside(await server.start(of))
    await report(done)
    await server.wait(done)
    const before = await server.get(done)
    expect(await stop(of.id)).toEqual(before)
  })

  test('that is being undone goes on to its end: who stops it is answered, not refused', async () => {
    const of = await server.workflow(flow({ in: 'input', e: external({ settings: { compensate: { type: 'external' } } }), wait: external() }, ['in > e', 'e > wait']))
    const run = await server.wait(await server.start(of), ({ status }) => status === 'waiting')
    await report(run)
    await server.wait(run, ({ waitingOn }) => waitingOn.some(({ step }) => step === 'wait'))
    expect(await stop(of.id, { compensate: true })).toMatchObject({ id: run.id })
    await server.wait(run, ({ status }) => status === 'compensating')
    expect(await stop(of.id)).toMatchObject({ id: run.id, status: 'compensating' })
    expect(await refusal(server.call('POST', `/v1/runs/${run.id}/cancel`, {}))).toMatchObject({ code: 'run_compensating' })
    await server.call('POST', '/v1/steps/report', { run: { id: run.id }, step: 'e', phase: 'compensate', outcome: 'completed' })
    expect((await server.wait(run)).status).toBe('cancelled')
  })
})
