import type { Definition, NodeSettings, Run, Workflow } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { delay, external, flow, post, subworkflow, values } from '../../support/flow.ts'
import { type TestServer, testServer } from '../../support/server.ts'
import { names, rows, watch, type Watcher } from './watch.ts'

/** What Medusa's own SDK is told over server-sent events: the sequences of the contract, message by message. */

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const failing = (settings: NodeSettings = {}) => post(`${server.toy.url}/fail/99/x`, { settings })
const undone = (settings: NodeSettings = {}) => values({ x: 1 }, { settings: { compensate: { type: 'static-value', config: { values: {} } }, ...settings } })
const undoneBadly = () => values({ x: 1 }, { settings: { compensate: { type: 'http-request', config: { method: 'POST', url: `${server.toy.url}/fail/99/x` } } } })

/** Watches a transaction, starts it, does what is to be done, and gives what was told until the end. */
async function told(definition: Definition, during: (run: Run, watcher: Watcher, workflow: Workflow) => unknown = () => {}): Promise<Watcher> {
  const workflow = await server.workflow(definition)
  const watcher = await watch(server, workflow.handle, 'order-42')
  const run = await server.start(workflow, { transactionId: 'order-42' })
  await during(run, watcher, workflow)
  await watcher.over()
  return watcher
}

const report = (run: Run, step: string, outcome: 'completed' | 'failed', more: object = {}) =>
  server.call('POST', '/v1/steps/report', { run: { id: run.id }, step, outcome, ...more })

describe('what is told, and in which order', () => {
  test('of a run that succeeds', async () => {
    const { messages } = await told(flow({ a: values({ x: 1 }), b: values({ y: 2 }) }, ['a > b']))
    expect(rows(messages)).toEqual([
      'onBegin',
      'onStepBegin a invoking/waiting_response 1',
      'onStepSuccess a done/ok 1',
      'onStepBegin b invoking/waiting_response 1',
      'onStepSuccess b done/ok 1',
      'onFinish',
    ])
    expect(messages.map(({ transaction_id }) => transaction_id)).toEqual(messages.map(() => 'order-42'))
    expect(messages.at(2)).toMatchObject({ response: { x: 1 }, step: { id: '_root.a', depth: 1, next: ['_root.a.b'], attempts: 1, failures: 0 } })
    expect(messages.at(-1)).toMatchObject({ result: { b: { y: 2 } }, errors: [] })
  })

  test('of an async step, which somebody reports', async () => {
    const { messages } = await told(flow({ a: values({}), ship: external() }, ['a > ship']), async (run, watcher) => {
      await watcher.told('that it is awaited', ({ event_type }) => event_type === 'onStepAwaiting')
      await report(run, 'ship', 'completed', { output: { tracking: 'T-1' } })
    })
    expect(rows(messages).slice(3)).toEqual([
      'onStepBegin ship invoking/waiting_response 1',
      'onStepAwaiting ship invoking/waiting_response 1',
      'onResume',
      'onStepSuccess ship done/ok 1',
      'onFinish',
    ])
    expect(messages.at(-2)!.response).toEqual({ tracking: 'T-1' })
  })

  test('of a failure, and what it undoes', async () => {
    const { messages } = await told(flow({ a: undone(), b: undone(), c: failing() }, ['a > b > c']))
    expect(rows(messages).slice(5)).toEqual([
      'onStepBegin c invoking/waiting_response 1',
      'onStepFailure c failed/permanent_failure 1',
      'onCompensateBegin',
      'onStepBegin b compensating/waiting_response 1',
      'onCompensateStepSuccess b reverted/ok 1',
      'onStepBegin a compensating/waiting_response 1',
      'onCompensateStepSuccess a reverted/ok 1',
      'onFinish',
    ])
    expect(messages.at(6)!.errors).toMatchObject([{ action: 'c', handlerType: 'invoke' }])
    expect(messages.at(-1)!.errors).toEqual(messages.at(6)!.errors)
    expect(messages.at(-1)).not.toHaveProperty('result')
  })

  test('of an undoing that fails, and of a failure with nothing to undo', async () => {
    const { messages } = await told(flow({ a: undoneBadly(), c: failing() }, ['a > c']))
    expect(rows(messages).slice(5)).toEqual([
      'onCompensateBegin',
      'onStepBegin a compensating/waiting_response 1',
      'onCompensateStepFailure a failed/permanent_failure 1',
      'onFinish',
    ])
    expect(messages.at(-1)!.errors!.map(({ handlerType }) => handlerType)).toEqual(['invoke', 'compensate'])
    const bare = await told(flow({ c: failing() }, []))
    expect(names(bare.messages)).toEqual(['onBegin', 'onStepBegin', 'onStepFailure', 'onCompensateBegin', 'onFinish'])
  })

  test('of a step that is tried again', async () => {
    const { messages } = await told(flow({ c: failing({ retry: { maxAttempts: 2, backoffMs: 20 } }) }, []))
    expect(rows(messages)).toEqual([
      'onBegin',
      'onStepBegin c invoking/waiting_response 1',
      'onStepFailure c invoking/temp_failure 1',
      'onResume',
      'onStepBegin c invoking/waiting_response 2',
      'onStepFailure c failed/permanent_failure 2',
      'onCompensateBegin',
      'onFinish',
    ])
    expect(messages.map(({ step }) => step?.failures)).toEqual([undefined, 0, 1, undefined, 1, 2, undefined, undefined])
  })

  test('of a workflow within another', async () => {
    const inner = await server.workflow(flow({ z: values({ z: 1 }) }, []))
    const { messages } = await told(flow({ child: subworkflow(inner.handle) }, []))
    expect(names(messages)).toEqual(['onBegin', 'onStepBegin', 'onStepSuccess', 'onFinish'])
    expect(messages[1]!.step!.definition.nested).toBe(true)
  })

  test('of a step whose time is up, and of a run whose time is up', async () => {
    const late = await told(flow({ a: external({ settings: { timeoutMs: 100 } }) }, []))
    expect(rows(late.messages)).toEqual([
      'onBegin',
      'onStepBegin a invoking/waiting_response 1',
      'onStepAwaiting a invoking/waiting_response 1',
      'onResume',
      'onStepFailure a timeout/permanent_failure 1',
      'onTimeout',
      'onCompensateBegin',
      'onFinish',
    ])
    const whole = await told(flow({ a: undone(), b: external() }, ['a > b'], { timeoutMs: 300 }))
    expect(names(whole.messages).slice(5)).toEqual(['onResume', 'onStepFailure', 'onTimeout', 'onCompensateBegin', 'onStepBegin', 'onCompensateStepSuccess', 'onFinish'])
  })

  test('of a run that is cancelled', async () => {
    const { messages } = await told(flow({ a: undone(), b: external() }, ['a > b']), async (run, watcher) => {
      await watcher.told('that it is awaited', ({ event_type }) => event_type === 'onStepAwaiting')
      await server.call('POST', `/v1/runs/${run.id}/cancel`, { compensate: true })
    })
    expect(names(messages).slice(5)).toEqual(['onCompensateBegin', 'onStepBegin', 'onCompensateStepSuccess', 'onFinish'])
  })
})

describe('who is told what', () => {
  test('of a workflow: all its executions, and the stream goes on', async () => {
    const workflow = await server.workflow(flow({ a: delay(5) }, []))
    const watcher = await watch(server, workflow.handle)
    await Promise.all(['one', 'two', 'three'].map((transactionId) => server.start(workflow, { transactionId })))
    const ends = () => watcher.messages.filter(({ event_type }) => event_type === 'onFinish')
    await watcher.told('three ends', () => ends().length === 3)
    expect(new Set(ends().map(({ transaction_id }) => transaction_id))).toEqual(new Set(['one', 'two', 'three']))
    for (const { transaction_id: id } of ends()) {
      const own = watcher.messages.filter(({ transaction_id }) => transaction_id === id)
      expect(names(own)).toEqual(['onBegin', 'onStepBegin', 'onStepAwaiting', 'onResume', 'onStepSuccess', 'onFinish'])
    }
    expect(watcher.ended).toBe(false)
  })

  test('of a step, by its name or its id: its messages, and the end', async () => {
    const workflow = await server.workflow(flow({ a: values({}), b: values({}) }, ['a > b']))
    const watchers = [await watch(server, workflow.id, 'one', 'b'), await watch(server, workflow.handle, 'one', '_root.a.b')]
    await server.start(workflow, { transactionId: 'one' })
    for (const watcher of watchers) expect(rows(await watcher.over())).toEqual(['onStepBegin b invoking/waiting_response 1', 'onStepSuccess b done/ok 1', 'onFinish'])
  })

  test('who comes when all is over is told so, and goes', async () => {
    const run = await server.run(flow({ a: values({ x: 1 }) }, []))
    const watcher = await watch(server, run.workflowId, run.id)
    expect(await watcher.over()).toMatchObject([{ event_type: 'onFinish', transaction_id: run.id, result: { a: { x: 1 } }, errors: [] }])
  })

  test('a workflow that is not there is none to be followed, nor is one of others', async () => {
    const asked = async (token: string, ...path: string[]) =>
      (await fetch(`${server.url}/admin/workflows-executions/${path.join('/')}/subscribe`, { headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' } })).status
    expect(await asked(server.token, 'nothing')).toBe(404)
    expect(await asked(server.token, 'nothing', 'one')).toBe(404)
    expect(await asked('wrong', 'nothing')).toBe(401)
  })
})
