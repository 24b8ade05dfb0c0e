import type { Pause, Run } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { approval, delay, external, flow, type FlowNode, map, post, signal, subworkflow, template, values } from '../support/flow.ts'
import { refusal, type TestServer, testServer } from '../support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const report = (body: object) => server.call<{ state: string; iteration: string }>('POST', '/v1/steps/report', body)
const send = (runId: string, name: string, payload?: unknown, more = {}) => server.call<{ id: string }>('POST', '/v1/signals', { runId, name, payload, ...more })

describe('a pause', () => {
  const asking = (config = {}) => flow({ in: 'input', ask: approval({ config }), out: 'output' }, ['in > ask > out'])
  const open = async (config = {}, input: unknown = { a: 1 }): Promise<{ id: string; pause: Pause }> => {
    const run = await server.run(asking(config), { input: input as never, until: 'parked' })
    return { id: run.id, pause: (await server.pauses(run))[0]! }
  }

  test('shows what is asked, and of whom', async () => {
    const form = { type: 'object', properties: { limit: { type: 'integer' } } }
    const { id, pause } = await open({ message: 'Approve {{ input.a }}?', assignee: 'ann', form })
    expect(pause).toMatchObject({
      runId: id,
      nodeId: 'ask',
      step: 'ask',
      kind: 'approval',
      status: 'open',
      message: 'Approve 1?',
      assignee: 'ann',
      form,
      input: { a: 1 },
      dueAt: null,
      decision: null,
    })
    expect(await server.call('GET', `/v1/pauses/${pause.id}`)).toEqual(pause)
    expect(await server.call('GET', '/v1/pauses?assignee=ann&status=open')).toMatchObject({ items: [{ id: pause.id }] })
    expect(await server.get(id)).toMatchObject({ status: 'waiting', waitingKind: 'pause', pauses: [pause.id], waitingOn: [{ kind: 'pause', step: 'ask', pauseId: pause.id }] })
  })

  test('is asked for without what PostgreSQL keeps no text with, and so is a signal, and the workflow of a child', async () => {
    const odd = 'a\0b\ud800'
    const made = (waits: FlowNode) => flow({ in: 'input', odd: { type: 'code', config: { source: 'return "a\\0b\\ud800"' } }, waits }, ['in > odd > waits'])
    const paused = await server.run(made(approval({ config: { message: '{{ odd }}', assignee: '{{ odd }}' } })), { until: 'paused' })
    expect(await server.step(paused, 'odd')).toMatchObject({ output: odd })
    expect(await server.pauses(paused)).toMatchObject([{ message: 'ab\ufffd', assignee: 'ab\ufffd' }])
    const waiting = await server.run(made(signal('{{ odd }}')), { until: 'parked' })
    expect(await server.call<Run>('GET', `/v1/runs/${waiting.id}/wait?until=paused&ms=1`)).toMatchObject({ status: 'waiting', waitingOn: [{ kind: 'signal', signal: 'ab\ufffd' }] })
    expect(await server.run(made(subworkflow('{{ odd }}')))).toMatchObject({ status: 'failed', reason: { code: 'step_failed', step: 'waits' } })
  })

  test('approved passes the input on, with the decision’s inputs over it', async () => {
    const { id, pause } = await open()
    const decided = await server.decide(pause, 'approve', { inputs: { b: 2 }, comments: 'fine', label: 'Ann' })
    expect(decided).toMatchObject({ status: 'approved', decision: { action: 'approve', inputs: { b: 2 }, comments: 'fine', by: { label: 'Ann' } } })
    expect(await server.wait(id)).toMatchObject({ status: 'completed', output: { a: 1, b: 2 }, pauses: [] })
    expect(await server.call('GET', `/v1/pauses/${pause.id}`)).toEqual(decided)
  })

  test('passes its input on by step name, if it is to, with the decision’s inputs beside the steps', async () => {
    const { id, pause } = await open({ passes: 'steps' })
    expect(pause.input).toEqual({ in: { a: 1 } })
    await server.decide(pause, 'approve', { inputs: { b: 2 } })
    expect((await server.wait(id)).output).toEqual({ in: { a: 1 }, b: 2 })
  })

  test('overridden gives the inputs alone', async () => {
    const { id, pause } = await open()
    expect(await server.decide(pause, 'override', { inputs: { c: 3 } })).toMatchObject({ status: 'overridden' })
    expect((await server.wait(id)).output).toEqual({ c: 3 })
  })

  test('declined without a link for it ends the run cancelled', async () => {
    const { id, pause } = await open()
    expect(await server.decide(pause, 'decline', { comments: 'no' })).toMatchObject({ status: 'declined', decision: { comments: 'no' } })
    expect(await server.wait(id)).toMatchObject({ status: 'cancelled', reason: { code: 'pause_declined', step: 'ask' } })
  })

  test('takes only inputs that fit its form, and says what does not', async () => {
    const { id, pause } = await open({ form: { type: 'object', required: ['limit'], properties: { limit: { type: 'integer', maximum: 10 } }, additionalProperties: false } })
    const refused = await refusal(server.decide(pause, 'approve', { inputs: { limit: 99, x: 1 } }))
    expect(refused).toMatchObject({ status: 400, code: 'input_invalid' })
    expect(refused.issues.map(({ path }) => path?.join('.')).sort()).toEqual(['inputs.limit', 'inputs.x'])
    expect(await refusal(server.decide(pause, 'override', {}))).toMatchObject({ code: 'input_invalid' })
    await server.decide(pause, 'approve', { inputs: { limit: 9 } })
    expect((await server.wait(id)).output).toEqual({ a: 1, limit: 9 })
  })

  test('may be declined whatever its form asks for', async () => {
    const { pause } = await open({ form: { type: 'object', required: ['limit'] } })
    expect(await server.decide(pause, 'decline')).toMatchObject({ status: 'declined' })
  })

  test('decided twice: the same decision is told again, another is a conflict that names the winner', async () => {
    const { pause } = await open()
    const first = await server.decide(pause, 'approve', { inputs: { b: 1 } })
    expect(await server.decide(pause, 'approve', { inputs: { b: 1 } })).toEqual(first)
    const other = await refusal(server.decide(pause, 'decline'))
    expect(other).toMatchObject({ status: 409, code: 'pause_decided', details: { pauseId: pause.id, status: 'approved', decision: { action: 'approve', inputs: { b: 1 } } } })
    expect((await refusal(server.decide(pause, 'approve', { inputs: { b: 2 } }))).code).toBe('pause_decided')
  })

  test('decided by many at once has one winner, and all others are told of it', async () => {
    const { id, pause } = await open()
    const all = await Promise.allSettled(Array.from({ length: 8 }, (_, n) => server.decide(pause, 'override', { inputs: { n } })))
    const winners = all.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    expect(winners).toHaveLength(1)
    const losers = all.flatMap((each) => (each.status === 'rejected' ? [each.reason as { code: string; details: { decision: unknown } }] : []))
    for (const { code, details } of losers) expect([code, details.decision]).toEqual(['pause_decided', winners[0]!.decision])
    expect((await server.wait(id)).output).toEqual(winners[0]!.decision!.inputs)
  })

  test('decided under an idempotency key is told again to who has the key; the key stands for one decision', async () => {
    const { pause } = await open()
    const first = await server.decide(pause, 'override', { inputs: { b: 1 }, idempotencyKey: 'd1' })
    expect(await server.decide(pause, 'override', { inputs: { b: 1 }, idempotencyKey: 'd1' })).toEqual(first)
    expect((await refusal(server.decide(pause, 'decline', { idempotencyKey: 'd1' }))).code).toBe('idempotency_conflict')
  })

  test('that is not there is a 404', async () => {
    expect(await refusal(server.decide('000000000000000', 'approve'))).toMatchObject({ status: 404, code: 'pause_missing' })
  })

  test('expires with the node’s default', async () => {
    const run = await server.run(asking({ expiresInMs: 50, onExpiry: { action: 'approve', inputs: { by: 'nobody' } } }), { input: { a: 1 } })
    expect(run).toMatchObject({ status: 'completed', output: { a: 1, by: 'nobody' } })
    expect(await server.call('GET', `/v1/pauses?runId=${run.id}`)).toMatchObject({ items: [{ status: 'expired', decision: null }] })
  })

  test('expires into the end of the run when nothing takes it up, and is closed for decisions', async () => {
    const run = await server.run(asking({ expiresInMs: 50 }), { input: 1 })
    expect(run).toMatchObject({ status: 'failed', reason: { code: 'pause_expired', step: 'ask' } })
    const { items } = await server.call<{ items: Pause[] }>('GET', `/v1/pauses?runId=${run.id}`)
    expect(await refusal(server.decide(items[0]!, 'approve'))).toMatchObject({ status: 409, code: 'pause_decided', details: { status: 'expired' } })
  })

  test('holds up its dependants only; other work goes on', async () => {
    const run = await server.run(
      flow({ ask: approval(), after: template('after'), call: post(`${server.toy.url}/ok/beside`), next: template('next') }, ['ask > after', 'call > next']),
      {
        until: (found) => found.nodes.some(({ nodeId, state }) => nodeId === 'next' && state === 'completed') && found.status === 'waiting',
      },
    )
    expect(run.nodes.map(({ state }) => state)).toEqual(['waiting', null, 'completed', 'completed'])
  })

  test('that blocks the run holds up everything not yet started', async () => {
    const definition = flow({ ask: approval({ config: { blocks: 'run' } }), call: post(`${server.toy.url}/gate/blocked`), next: template('next') }, ['call > next'])
    const run = await server.start(await server.workflow(definition))
    await server.event(run, 'pause.opened')
    await server.toy.came('blocked')
    server.toy.open('blocked')
    const waiting = await server.wait(run, (found) => found.status === 'waiting')
    expect(waiting.nodes.map(({ state }) => state)).toEqual(['waiting', 'completed', null])
    await server.decide((await server.pauses(run))[0]!, 'approve')
    expect(await server.wait(run)).toMatchObject({ status: 'completed', output: { next: { text: 'next' } } })
  })

  test('beside another is decided on its own', async () => {
    const run = await server.run(flow({ in: 'input', a: approval(), b: approval() }, ['in > a', 'in > b']), { input: { n: 1 }, until: (found) => found.pauses.length === 2 })
    const [a, b] = await server.pauses(run)
    await server.decide(b!, 'override', { inputs: { x: 1 } })
    expect((await server.wait(run, (found) => found.pauses.length === 1)).pauses).toEqual([a!.id])
    await server.decide(a!, 'approve')
    expect((await server.wait(run)).output).toEqual({ a: { n: 1 }, b: { x: 1 } })
  })

  test('is one of at most a hundred open at once; the others open as those are decided', async () => {
    const definition = flow({ in: 'input', each: map('input', { concurrency: 100 }), a: approval({ in: 'each' }), b: approval({ in: 'each' }) }, ['in > each'])
    const run = await server.run(definition, { input: Array.from({ length: 60 }, (_, n) => ({ n })), until: (found) => found.pauses.length === 100 && found.status === 'waiting' })
    let decided = 0
    for (let open = await server.pauses(run); open.length > 0; open = decided === 120 ? [] : await server.pauses(run)) {
      expect(open.length).toBeLessThanOrEqual(100)
      await Promise.all(open.map((pause) => server.decide(pause, 'approve')))
      decided += open.length
      if (decided < 120) await server.wait(run, (found) => found.pauses.length === Math.min(100, 120 - decided))
    }
    expect(await server.wait(run)).toMatchObject({ status: 'completed' })
    expect((await server.steps(run)).filter(({ state }) => state === 'completed')).toHaveLength(122)
  })
})

describe('a signal', () => {
  const waiting = flow({ a: signal('go'), b: { type: 'output', config: { map: { got: '{{ a }}' } } } }, ['a > b'])

  test('ends the wait of the step that waits for it, with its payload', async () => {
    const run = await server.run(waiting, { until: 'parked' })
    expect(run).toMatchObject({ waitingKind: 'signal', waitingOn: [{ kind: 'signal', signal: 'go', step: 'a' }] })
    await send(run.id, 'other', 1)
    await send(run.id, 'go', { n: 1 })
    expect((await server.wait(run)).output).toEqual({ got: { n: 1 } })
  })

  test('that comes early is kept, first in first out, and consumed once', async () => {
    const { id } = await server.workflow(flow({ gate: post(`${server.toy.url}/gate/early`), a: signal('go'), b: signal('go'), c: signal('go') }, ['gate > a > b > c']))
    const run = await server.start(id)
    await send(run.id, 'go', 1)
    await server.toy.came('early')
    await send(run.id, 'go', 2)
    server.toy.open('early')
    const parked = await server.wait(run, (found) => found.status === 'waiting')
    expect(parked.nodes.map(({ output }) => output).slice(1)).toEqual([1, 2, null])
    await send(run.id, 'go', 3)
    expect((await server.wait(run)).output).toEqual({ c: 3 })
  })

  test('goes to the first of two that wait for it', async () => {
    const definition = flow({ first: signal('go'), call: post(`${server.toy.url}/ok/second`), second: signal('go') }, ['call > second'])
    const run = await server.run(definition, { until: (found) => found.waitingOn.length === 2 })
    await send(run.id, 'go', 'one')
    expect((await server.wait(run, (found) => found.waitingOn.length === 1)).waitingOn[0]).toMatchObject({ step: 'second' })
    await send(run.id, 'go', 'two')
    expect((await server.wait(run)).output).toEqual({ first: 'one', second: 'two' })
  })

  test('without a name of its own the step waits for its id', async () => {
    const run = await server.run(flow({ ping: 'signal' }), { until: 'parked' })
    await send(run.id, 'ping')
    expect(await server.wait(run)).toMatchObject({ status: 'completed', output: { ping: null } })
  })

  test('sent twice under one key is one signal', async () => {
    const run = await server.run(flow({ a: signal('go'), b: signal('go') }, ['a > b']), { until: 'parked' })
    const first = await send(run.id, 'go', 1, { idempotencyKey: 's1' })
    expect(await send(run.id, 'go', 1, { idempotencyKey: 's1' })).toEqual(first)
    expect(await refusal(send(run.id, 'go', 2, { idempotencyKey: 's1' }))).toMatchObject({ status: 409, code: 'idempotency_conflict' })
    expect((await server.wait(run, (found) => found.waitingOn.some(({ step }) => step === 'b'))).status).toBe('waiting')
  })

  test('is refused when a run keeps a hundred, and when it has ended', async () => {
    const run = await server.run(flow({ a: signal('never') }), { until: 'parked' })
    for (let n = 0; n < 100; n += 20) await Promise.all(Array.from({ length: 20 }, () => send(run.id, 'kept')))
    expect(await refusal(send(run.id, 'kept'))).toMatchObject({ status: 422, code: 'signals_full' })
    await send(run.id, 'never', 'heard all the same').catch(() => {})
    await server.call('POST', `/v1/runs/${run.id}/cancel`, {})
    await server.wait(run)
    expect(await refusal(send(run.id, 'kept'))).toMatchObject({ status: 409, code: 'run_ended' })
    expect(await refusal(send('000000000000000', 'x'))).toMatchObject({ status: 404, code: 'run_missing' })
  })

  test('is never taken for what goes through channels or comes from queues, whatever its name', async () => {
    const run = await server.run(flow({ a: signal('never') }), { until: 'parked' })
    for (let n = 0; n < 100; n += 20) await Promise.all(Array.from({ length: 20 }, () => send(run.id, 'channel:a')))
    expect(await refusal(send(run.id, 'channel:a'))).toMatchObject({ status: 422, code: 'signals_full' })
    for (const name of ['channel:a\n\nb\n', 'queue:orders\na\n']) expect(await refusal(send(run.id, name))).toMatchObject({ status: 400, code: 'input_invalid' })
  })

  test('that a step waits for is taken although as many others as may be are kept', async () => {
    const run = await server.run(flow({ a: signal('wanted') }), { until: 'parked' })
    for (let n = 0; n < 100; n += 20) await Promise.all(Array.from({ length: 20 }, () => send(run.id, 'kept')))
    await send(run.id, 'wanted', 'x')
    expect((await server.wait(run)).output).toEqual({ a: 'x' })
  })

  test('that does not come in time fails the step', async () => {
    const run = await server.run(flow({ a: signal('never', { timeoutMs: 50 }) }))
    expect(run).toMatchObject({ status: 'failed', reason: { code: 'timed_out', step: 'a' } })
  })
})

describe('a delay', () => {
  test('waits for a time', async () => {
    const run = await server.run(flow({ d: delay(120) }))
    const { startedAt, endedAt, output } = run.nodes[0]!
    expect(Date.parse(endedAt!) - Date.parse(startedAt!)).toBeGreaterThanOrEqual(119)
    expect(output).toMatchObject({ at: expect.any(String) })
  })

  test('waits until a moment; a past one is now', async () => {
    const definition = flow({ in: 'input', d: { type: 'delay', config: { until: '{{ input.at }}' } } }, ['in > d'])
    const at = new Date(Date.now() + 150).toISOString()
    const run = await server.run(definition, { input: { at } })
    expect(Date.parse(run.endedAt!)).toBeGreaterThanOrEqual(Date.parse(at))
    expect(await server.run(definition, { input: { at: '2001-01-01' } })).toMatchObject({ status: 'completed' })
    expect(await server.run(definition, { input: { at: 'soon' } })).toMatchObject({ status: 'failed', reason: { step: 'd' } })
  })

  test('of no time is over at once', async () => {
    expect(await server.run(flow({ a: delay(0), b: delay(0) }, ['a > b']))).toMatchObject({ status: 'completed' })
  })
})

describe('an external step', () => {
  const working = (settings = {}) => flow({ in: 'input', work: external({ settings, title: 'Work' }), out: 'output' }, ['in > work > out'])
  const parked = async (settings = {}) => server.run(working(settings), { input: 1, until: 'parked' })

  test('is completed by a report, by run id or by transaction id', async () => {
    const run = await parked()
    expect(run).toMatchObject({ waitingKind: 'report', waitingOn: [{ kind: 'report', step: 'Work' }] })
    expect(await report({ run: { id: run.id }, step: 'Work', outcome: 'completed', output: { x: 1 } })).toMatchObject({ state: 'completed', output: { x: 1 }, step: 'Work' })
    expect((await server.wait(run)).output).toEqual({ x: 1 })
    const { id } = await server.workflow(working())
    const named = await server.start(id, { transactionId: 'tx', wait: { until: 'parked' } })
    await report({ run: { workflow: id, transactionId: 'tx' }, step: 'work', outcome: 'completed' })
    expect((await server.wait(named)).output).toBeNull()
  })

  test('reported failed has failed one attempt: it is tried again, or fails', async () => {
    const run = await parked({ retry: { maxAttempts: 2, backoffMs: 500 } })
    const failed = { run: { id: run.id }, step: 'work', outcome: 'failed', error: { code: 'no_paper', message: 'Out of paper' } }
    expect(await report(failed)).toMatchObject({ state: 'retrying', failures: 1, error: { code: 'no_paper' } })
    await server.event(run, 'step.waiting', ({ seq }) => seq > 8)
    await report({ ...failed, error: { code: 'no_paper', message: 'Still' } })
    expect(await server.wait(run)).toMatchObject({ status: 'failed', reason: { code: 'step_failed', step: 'Work', message: 'Still' } })
  })

  test('takes the same report again, and refuses a different one', async () => {
    const run = await parked()
    const done = { run: { id: run.id }, step: 'work', outcome: 'completed', output: { x: 1 } }
    const first = await report(done)
    expect(await report(done)).toEqual(first)
    expect(await refusal(report({ ...done, output: { x: 2 } }))).toMatchObject({ status: 409, code: 'report_conflict' })
    expect(await refusal(report({ ...done, outcome: 'failed' }))).toMatchObject({ status: 409, code: 'report_conflict' })
    await server.wait(run)
    expect(await report({ ...done, step: 'Work' })).toEqual(first)
  })

  test('reported at once by many has one outcome', async () => {
    const run = await parked()
    const all = await Promise.allSettled(Array.from({ length: 8 }, (_, n) => report({ run: { id: run.id }, step: 'work', outcome: 'completed', output: n })))
    const won = all.flatMap((each, n) => (each.status === 'fulfilled' ? [n] : []))
    expect(won).toHaveLength(1)
    expect((await server.wait(run)).output).toBe(won[0])
  })

  test('that is not there, or does not wait, is said so', async () => {
    const run = await parked()
    expect(await refusal(report({ run: { id: run.id }, step: 'nobody', outcome: 'completed' }))).toMatchObject({ status: 404, code: 'step_missing' })
    expect(await refusal(report({ run: { id: run.id }, step: 'in', outcome: 'completed' }))).toMatchObject({ status: 409, code: 'step_not_waiting' })
    expect(await refusal(report({ run: { id: run.id }, step: 'work', phase: 'compensate', outcome: 'completed' }))).toMatchObject({ status: 409, code: 'step_not_waiting' })
    expect(await refusal(report({ run: { id: '000000000000000' }, step: 'work', outcome: 'completed' }))).toMatchObject({ status: 404, code: 'run_missing' })
    expect(await refusal(report({ run: { workflow: run.workflowId, transactionId: 'none' }, step: 'work', outcome: 'completed' }))).toMatchObject({
      status: 404,
      code: 'run_missing',
    })
  })

  test('of which several iterations wait is named by its iteration, else the conflict lists them', async () => {
    const definition = flow({ in: 'input', each: map('input'), work: external({ in: 'each' }) }, ['in > each'])
    const run = await server.run(definition, { input: ['a', 'b', 'c'], until: (found) => found.waitingOn.length === 3 })
    const refused = await refusal(report({ run: { id: run.id }, step: 'work', outcome: 'completed' }))
    expect(refused).toMatchObject({ status: 409, code: 'step_ambiguous', details: { iterations: ['0', '1', '2'] } })
    for (const iteration of ['2', '0'])
      expect(await report({ run: { id: run.id }, step: 'work', iteration, outcome: 'completed', output: iteration })).toMatchObject({ iteration, state: 'completed' })
    await report({ run: { id: run.id }, step: 'work', outcome: 'completed', output: 'only one left' })
    expect((await server.wait(run)).output).toEqual({ each: { results: ['0', 'only one left', '2'].map((work) => ({ work })) } })
  })

  test('can be reported on from the moment it waits, also while the run has other work', async () => {
    const run = await server.start(await server.workflow(flow({ work: external(), call: post(`${server.toy.url}/gate/reporting`), both: 'merge' }, ['work > both', 'call > both'])))
    await server.event(run, 'step.waiting')
    await server.toy.came('reporting')
    expect(await report({ run: { id: run.id }, step: 'work', outcome: 'completed', output: { w: 1 } })).toMatchObject({ state: 'completed' })
    server.toy.open('reporting')
    expect((await server.wait(run)).output).toMatchObject({ both: { w: 1, status: 200 } })
  })
})

test('a run waits for several kinds of things at once, and shows a pause before all others', async () => {
  const run = await server.run(flow({ d: delay(3_600_000), e: external(), s: signal('x'), p: approval(), v: values({}) }), {
    until: (found) => found.waitingOn.length === 4 && found.status === 'waiting',
  })
  expect(run.waitingKind).toBe('pause')
  await server.decide((await server.pauses(run))[0]!, 'approve')
  expect((await server.wait(run, (found) => found.waitingOn.length === 3 && found.status === 'waiting')).waitingKind).toBe('report')
  await report({ run: { id: run.id }, step: 'e', outcome: 'completed' })
  expect((await server.wait(run, (found) => found.waitingOn.length === 2 && found.status === 'waiting')).waitingKind).toBe('signal')
  await send(run.id, 'x')
  const last = await server.wait(run, (found) => found.waitingOn.length === 1 && found.status === 'waiting')
  expect(last).toMatchObject({ waitingKind: 'timer', waitingOn: [{ kind: 'timer', step: 'd', until: expect.any(String) }] })
})
