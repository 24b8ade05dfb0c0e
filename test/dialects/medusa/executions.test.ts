import type { Json, JsonObject, Workflow, Workspace } from '@sluice/schema'
import { defineWorkflow, done, permanentFailure, type Flow } from '@sluice/server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { approval, external, flow, signal, values } from '../../support/flow.ts'
import { executions, medusaServer, type MedusaServer, ok } from './server.ts'
import { medusaSdk } from './sdk.ts'

/** Executions as they are started, reported on and looked at. Whatever is answered has been checked against the document. */

// ── what is executed ───────────────────────────────────────────────────────────────────────────────────────────────────

/** That of Medusa's own test. */
const mine = defineWorkflow('my-workflow-name', { retainForSeconds: 1000 }, (w: Flow<{ initial: string }>) => {
  const first = w.step('my-step', { input: w.input, invoke: ({ initial }) => ({ result: initial }) })
  w.step('my-step-async', { async: true, invoke: () => {} })
  return first
})

/** An error with a type, as Medusa's have one. */
const typed = (message: string, type?: string): Error => Object.assign(new Error(message), type !== undefined && { type })

interface Fails {
  message?: string
  type?: string
}

const saga = defineWorkflow('saga', (w: Flow<Fails | null>) => {
  const reserved = w.step('reserve', { invoke: () => done({ held: 1 }, { key: 'k' }), compensate: (left) => ({ released: left }) })
  w.parallel(
    () => w.step('mail', { invoke: () => 'sent' }),
    () => w.step('log', { invoke: () => null, compensate: () => {} }),
  )
  w.when(
    'big',
    { reserved },
    ({ reserved: { held } }) => held > 1,
    () => w.step('gift', { invoke: () => 'a pen' }),
  )
  w.step('close', {
    input: w.input,
    invoke(failing) {
      if (failing?.message !== undefined) throw typed(failing.message, failing.type)
      return 'closed'
    },
  })
  w.step('after', { invoke: () => 'after' })
})

const fail = (message: string) => (): never => {
  throw new Error(message)
}

const tolerant = defineWorkflow('tolerant', (w) => {
  w.step('soft', { onFailure: 'continue', invoke: fail('soft') })
  w.step('between', { invoke: () => 1 })
  w.step('hard', { onFailure: 'skip', invoke: fail('hard') })
  w.step('last', { invoke: () => 2 })
})

const lost = defineWorkflow('lost', (w) => {
  w.step('lose', { retry: { attempts: 5, everyMs: 60_000 }, invoke: () => permanentFailure('It is lost', { parcel: 7 }), compensate: (left) => left })
})

const broken = defineWorkflow('broken', (w) => {
  w.step('make', { invoke: () => 1, compensate: fail('It cannot be undone') })
  w.step('fail', { invoke: fail('It fails') })
})

const once = defineWorkflow('once', { idempotent: true }, (w: Flow<{ n: number }>) => {
  w.step('count', { input: w.input, invoke: ({ n }) => n + 1 })
})

const slow = defineWorkflow('slow', (w) => {
  w.step('again', { retry: { attempts: 2, everyMs: 60_000 }, invoke: fail('Not yet') })
})

const awaiting = defineWorkflow('awaiting', (w) => {
  w.step('order', { invoke: () => 'ordered', compensate: () => 'recalled' })
  w.step('ship', { async: true, retry: { attempts: 2, everyMs: 0 }, timeoutMs: 600_000, invoke: () => {} })
  w.step('thank', { invoke: () => 'thanked' })
})

const later = defineWorkflow('later', (w) => {
  w.step('wait', { async: true, invoke: () => {} })
  w.step('fail', { invoke: fail('Later') })
})

const unhurried = defineWorkflow('unhurried', (w) => {
  w.step('wait', { async: true, invoke: () => {} })
  w.step('think', { invoke: () => new Promise((thought) => setTimeout(thought, 500, 'thought')) })
})

const inner = defineWorkflow('inner', (w) => {
  w.step('ask', { async: true, invoke: () => {} })
})
const outer = defineWorkflow('outer', (w) => {
  w.run(inner)
})

let medusa: MedusaServer
beforeAll(async () => {
  medusa = await medusaServer({}, [mine, saga, tolerant, lost, broken, once, slow, awaiting, later, unhurried, inner, outer])
})
afterAll(() => medusa[Symbol.asyncDispose]())

// ── what is asked ──────────────────────────────────────────────────────────────────────────────────────────────────────

const post = (path: string, body?: unknown) => medusa.call('POST', `${executions}/${path}`, body)
const run = async (workflow: string, body?: unknown) => (await ok(post(`${workflow}/run`, body))).acknowledgement
const of = async (workflow: string, transaction: string) => (await ok(medusa.call('GET', `${executions}/${workflow}/${transaction}`))).workflow_execution
const listed = (query: string) => ok(medusa.call('GET', `${executions}?${query}`))
const refused = async (call: Promise<{ status: number; body: Json }>) => {
  const { status, body } = await call
  return [status, body]
}
/** With `fields` there may be less than the document says. */
async function raw(path: string) {
  const response = await fetch(`${medusa.server.url}${executions}${path}`, { headers: { authorization: `Bearer ${medusa.server.token}` } })
  // oxlint-disable-next-line typescript/no-explicit-any -- as an answer
  return { status: response.status, body: (await response.json()) as any }
}
const success = (workflow: string, body: JsonObject) => post(`${workflow}/steps/success`, body)
const failure = (workflow: string, body: JsonObject) => post(`${workflow}/steps/failure`, body)

let transactions = 0
const fresh = () => `t-${++transactions}`

// oxlint-disable-next-line typescript/no-explicit-any -- as an answer
type Told = any
const statesOf = ({ execution }: Told): Record<string, string> =>
  Object.fromEntries(
    Object.entries<Told>(execution.steps).flatMap(([id, { invoke, compensate }]) =>
      id === '_root' ? [] : [[id, `${invoke.state}/${invoke.status} ${compensate.state}/${compensate.status}`]],
    ),
  )
const flagsOf = ({ execution }: Told): string[] =>
  Object.entries(execution)
    .filter(([key, value]) => key.startsWith('has') && value === true)
    .map(([key]) => key)

describe("Medusa's own test", () => {
  test('lists the executions of a workflow', async () => {
    const made = await Promise.all(['one', 'two', 'three'].map(async (name) => run('my-workflow-name', { input: { initial: name }, transaction_id: `listed-${name}` })))
    expect(made.map(({ transactionId }) => transactionId)).toEqual(['listed-one', 'listed-two', 'listed-three'])
    const all = await listed('workflow_id=my-workflow-name&q=listed-&order=transaction_id')
    expect(all).toMatchObject({ count: 3, offset: 0, limit: 100 })
    expect(all.workflow_executions.map(({ transaction_id }: Told) => transaction_id)).toEqual(['listed-one', 'listed-three', 'listed-two'])
    expect(Object.keys(all.workflow_executions[0]).toSorted()).toEqual(
      ['context', 'created_at', 'deleted_at', 'execution', 'id', 'state', 'transaction_id', 'updated_at', 'workflow_id'].toSorted(),
    )
    const two = await listed('transaction_id[]=listed-one&transaction_id[]=listed-three')
    expect(two.workflow_executions.map(({ transaction_id }: Told) => transaction_id).toSorted()).toEqual(['listed-one', 'listed-three'])
  })

  test('executes a workflow, and answers with an acknowledgement of four keys', async () => {
    expect(await run('my-workflow-name', { input: { initial: 'abc' }, transaction_id: 'acknowledged' })).toEqual({
      transactionId: 'acknowledged',
      workflowId: 'my-workflow-name',
      hasFinished: false,
      hasFailed: false,
    })
  })

  test('retrieves an execution that waits, takes the report of its step, and tells that it is done', async () => {
    await run('my-workflow-name', { input: { initial: 'abc' }, transaction_id: 'retrieved' })
    const waiting = await of('my-workflow-name', 'retrieved')
    expect(waiting).toMatchObject({
      id: expect.stringMatching(/^wf_exec_[a-z0-9]{15}$/),
      workflow_id: 'my-workflow-name',
      transaction_id: 'retrieved',
      state: 'invoking',
      deleted_at: null,
      execution: {
        modelId: 'my-workflow-name',
        options: { name: 'my-workflow-name', store: true, retentionTime: 1000 },
        transactionId: 'retrieved',
        hasAsyncSteps: true,
        hasFailedSteps: false,
        hasSkippedSteps: false,
        hasWaitingSteps: true,
        hasRevertedSteps: false,
        timedOutAt: null,
        startedAt: expect.any(Number),
        state: 'invoking',
        definition: { action: 'my-step', noCompensation: true, next: { action: 'my-step-async', async: true, noCompensation: true } },
      },
    })
    expect(waiting.execution.steps).toMatchObject({
      _root: { id: '_root', next: ['_root.my-step'] },
      '_root.my-step': { depth: 1, next: ['_root.my-step.my-step-async'], invoke: { state: 'done', status: 'ok' }, attempts: 1, failures: 0 },
      '_root.my-step.my-step-async': {
        depth: 2,
        next: [],
        definition: { async: true, store: true },
        invoke: { state: 'invoking', status: 'waiting_response' },
        compensate: { state: 'dormant', status: 'idle' },
      },
    })
    const kept = {
      __type: 'Symbol(WorkflowWorkflowData)',
      output: { __type: 'Symbol(WorkflowStepResponse)', output: { result: 'abc' }, compensateInput: { result: 'abc' } },
    }
    expect(waiting.context).toEqual({ data: { payload: { initial: 'abc' }, invoke: { 'my-step': kept }, compensate: {} }, compensate: {}, errors: [] })

    const report = { transaction_id: 'retrieved', step_id: 'my-step-async', response: { all: 'good' } }
    expect(await ok(success('my-workflow-name', report))).toEqual({ success: true })
    const finished = await of('my-workflow-name', 'retrieved')
    expect(finished).toMatchObject({ state: 'done', execution: { state: 'done', hasWaitingSteps: false, hasAsyncSteps: true } })
    expect(finished.context.data.invoke).toEqual({
      'my-step': kept,
      'my-step-async': { __type: 'Symbol(WorkflowStepResponse)', output: { all: 'good' }, compensateInput: { all: 'good' } },
    })
    expect(statesOf(finished)).toEqual({ '_root.my-step': 'done/ok dormant/idle', '_root.my-step.my-step-async': 'done/ok dormant/idle' })
  })
})

describe('a start', () => {
  test('of one that needs nobody is answered when it is over, without a body and without a transaction id as well', async () => {
    const acknowledgement = await run('saga')
    expect(acknowledgement).toEqual({ transactionId: expect.stringMatching(/^[a-z0-9]{15}$/), workflowId: 'saga', hasFinished: true, hasFailed: false })
    const found = await of('saga', acknowledgement.transactionId)
    expect(found).toMatchObject({ id: `wf_exec_${acknowledgement.transactionId}`, transaction_id: acknowledgement.transactionId, state: 'done' })
    const { id } = await medusa.server.call<Workflow>('GET', '/v1/workflows/saga')
    expect((await of(id, acknowledgement.transactionId)).workflow_id).toBe('saga')
  })

  test('of a workflow that is not there is a 404 with its name, and a body that does not fit a 400 that says where', async () => {
    expect(await refused(post('nobody/run', {}))).toEqual([404, { type: 'not_found', message: 'Workflow with id "nobody" not found.' }])
    const invalid = async (body: unknown) => refused(post('saga/run', body))
    expect(await invalid({ transaction_id: 5, wait: true })).toEqual([
      400,
      { type: 'invalid_data', message: "Invalid request: Expected type: 'string' for field 'transaction_id', got: '5'; Unrecognized fields: 'wait'" },
    ])
    expect((await invalid('{'))[0]).toBe(400)
  })

  test('of a transaction that goes on is no second one: it tells how far that is, whoever asks at the same moment', async () => {
    const body = { input: { initial: 'x' }, transaction_id: fresh() }
    const all = await Promise.all([1, 2, 3, 4, 5].map(() => run('my-workflow-name', body)))
    expect(new Set(all.map((each) => JSON.stringify(each))).size).toBe(1)
    expect((await listed(`transaction_id=${body.transaction_id}`)).count).toBe(1)
    // Who says no input means the one there is.
    expect(await run('my-workflow-name', { transaction_id: body.transaction_id })).toEqual(all[0])
    expect(await refused(post('my-workflow-name/run', { ...body, input: { initial: 'y' } }))).toEqual([
      409,
      { code: 'invalid_state_error', type: 'conflict', message: 'A run with this transaction id is live with another input' },
    ])
  })

  test('of a transaction that has ended is a new execution, and of several the newest is found', async () => {
    const body = { transaction_id: fresh() }
    await run('saga', body)
    const first = await of('saga', body.transaction_id)
    await run('saga', body)
    const second = await of('saga', body.transaction_id)
    expect(second.id).not.toBe(first.id)
    expect(second.id > first.id).toBe(true)
    expect((await listed(`transaction_id=${body.transaction_id}`)).count).toBe(2)
  })

  test('of an idempotent workflow with a transaction that has ended is that execution as it was', async () => {
    const body = { input: { n: 1 }, transaction_id: fresh() }
    expect(await run('once', body)).toMatchObject({ hasFinished: true, hasFailed: false })
    const first = await of('once', body.transaction_id)
    expect(await run('once', body)).toMatchObject({ hasFinished: true, hasFailed: false })
    expect(await of('once', body.transaction_id)).toEqual(first)
  })

  test('answers when a retry is scheduled, and tells since when', async () => {
    const transaction_id = fresh()
    expect(await run('slow', { transaction_id })).toMatchObject({ hasFinished: false, hasFailed: false })
    const { execution, context } = await of('slow', transaction_id)
    expect(execution.steps['_root.again']).toMatchObject({
      invoke: { state: 'invoking', status: 'temp_failure' },
      attempts: 1,
      failures: 1,
      hasScheduledRetry: true,
      retryRescheduledAt: expect.any(Number),
      definition: { maxRetries: 1, retryInterval: 60 },
    })
    expect(context.errors).toEqual([])
  })

  test('whose step fails is answered with that error: by its type, else as a 500 with what it said', async () => {
    const failed = (input: Fails) => refused(post('saga/run', { input }))
    expect(await failed({ message: 'bang' })).toEqual([500, { code: 'unknown_error', type: 'unknown_error', message: 'bang' }])
    expect(await failed({ message: 'No such cart', type: 'not_found' })).toEqual([404, { type: 'not_found', message: 'No such cart' }])
    expect(await failed({ message: 'Not now', type: 'not_allowed' })).toEqual([400, { type: 'not_allowed', message: 'Not now' }])
    expect(await failed({ message: 'Twice', type: 'duplicate_error' })).toEqual([422, { code: 'invalid_request_error', type: 'duplicate_error', message: 'Twice' }])
    expect(await failed({ message: 'At once', type: 'conflict' })).toEqual([409, { code: 'invalid_state_error', type: 'conflict', message: 'At once' }])
    expect(await failed({ message: 'Odd', type: 'constructor' })).toEqual([500, { code: 'unknown_error', type: 'unknown_error', message: 'Odd' }])
  })

  test('of a nested workflow waits where that waits, and tells what it is part of', async () => {
    const transaction_id = fresh()
    expect(await run('outer', { transaction_id })).toMatchObject({ hasFinished: false })
    const { id, execution } = await of('outer', transaction_id)
    expect(execution.steps['_root.inner-as-step']).toMatchObject({ definition: { nested: true }, invoke: { state: 'invoking', status: 'waiting_response' } })
    const { workflow_executions: children } = await listed('workflow_id=inner&limit=1')
    expect(children[0].execution.metadata.parentStepIdempotencyKey).toBe(id.replace('wf_exec_', ''))
    expect(await ok(success('inner', { transaction_id: children[0].transaction_id, step_id: 'ask', response: 1 }))).toEqual({ success: true })
    await medusa.server.wait(id.replace('wf_exec_', ''))
    expect((await of('outer', transaction_id)).state).toBe('done')
  })
})

describe('a report', () => {
  test('goes to the step that waits; the same again succeeds, another outcome and a late one are refused', async () => {
    const transaction_id = fresh()
    await run('awaiting', { transaction_id })
    const report = { transaction_id, step_id: 'ship', response: { parcel: 7 }, compensate_input: { recall: 7 }, action: 'INVOKE' }
    const [first, ...others] = await Promise.all([1, 2, 3].map(() => success('awaiting', report)))
    expect([first, ...others].map((each) => each!.body)).toEqual([{ success: true }, { success: true }, { success: true }])
    const { state, context } = await of('awaiting', transaction_id)
    expect(state).toBe('done')
    expect(context.data.invoke.ship).toEqual({ __type: 'Symbol(WorkflowStepResponse)', output: { parcel: 7 }, compensateInput: { recall: 7 } })
    expect(await refused(success('awaiting', { ...report, response: { parcel: 8 } }))).toEqual([400, { type: 'not_allowed', message: 'Cannot set step success when status is ok' }])
    expect(await refused(failure('awaiting', report))).toEqual([400, { type: 'not_allowed', message: 'Cannot set step failure when status is ok' }])
    expect((await success('awaiting', report)).body).toEqual({ success: true })
  })

  test('to what is not there, or does not wait, says what it is', async () => {
    const transaction_id = fresh()
    await run('awaiting', { transaction_id })
    const report = { transaction_id, step_id: 'ship' }
    for (const tell of [success, failure]) {
      expect(await refused(tell('nobody', report))).toEqual([404, { type: 'not_found', message: 'Workflow with id "nobody" not found.' }])
      expect(await refused(tell('awaiting', { ...report, transaction_id: 'none' }))).toEqual([404, { type: 'not_found', message: 'Transaction none could not be found.' }])
      expect(await refused(tell('awaiting', { ...report, transaction_id: '' }))).toEqual([404, { type: 'not_found', message: 'Transaction  could not be found.' }])
      expect(await refused(tell('awaiting', { ...report, step_id: 'nothing' }))).toEqual([400, { type: 'invalid_data', message: 'Action not found.' }])
      expect(await refused(tell('awaiting', { transaction_id }))).toEqual([400, { type: 'invalid_data', message: "Invalid request: Field 'step_id' is required" }])
      expect(await refused(tell('awaiting', { ...report, action: 'Undo' }))).toEqual([
        400,
        { type: 'invalid_data', message: "Invalid request: Expected: 'invoke, compensate' for field 'action', but got: 'undo'" },
      ])
    }
    expect(await refused(success('awaiting', { ...report, step_id: 'order' }))).toEqual([400, { type: 'not_allowed', message: 'Cannot set step success when status is ok' }])
    expect(await refused(success('awaiting', { ...report, step_id: 'thank' }))).toEqual([400, { type: 'not_allowed', message: 'Cannot set step success when status is idle' }])
    expect(await refused(success('awaiting', { ...report, action: 'compensate' }))).toEqual([
      400,
      { type: 'not_allowed', message: 'Cannot set step success when status is waiting_response' },
    ])
  })

  test('of a failure is one failure: with attempts left the step waits again, else the execution is undone, and what was sent is kept', async () => {
    const transaction_id = fresh()
    await run('awaiting', { transaction_id })
    const report = { transaction_id, step_id: 'ship', response: { message: 'The parcel was lost', parcel: 7 } }
    expect(await ok(failure('awaiting', report))).toEqual({ success: true })
    const { id } = await of('awaiting', transaction_id)
    await medusa.server.wait(id.replace('wf_exec_', ''), ({ waitingOn }) => waitingOn.some(({ kind }) => kind === 'report'))
    const again = await of('awaiting', transaction_id)
    expect(again.execution.steps['_root.order.ship']).toMatchObject({ invoke: { state: 'invoking', status: 'waiting_response' }, attempts: 2, failures: 1 })
    expect(await ok(failure('awaiting', { ...report, response: 'Again' }))).toEqual({ success: true })
    const reverted = await of('awaiting', transaction_id)
    expect(reverted.state).toBe('reverted')
    expect(statesOf(reverted)).toEqual({
      '_root.order': 'done/ok reverted/ok',
      '_root.order.ship': 'failed/permanent_failure reverted/ok',
      '_root.order.ship.thank': 'not_started/idle dormant/idle',
    })
    expect(reverted.context).toMatchObject({
      data: { compensate: { order: { output: 'recalled' } } },
      compensate: { order: { output: 'recalled' } },
      errors: [{ action: 'ship', handlerType: 'invoke', error: { message: '"Again"', details: 'Again', code: 'reported_failure' } }],
    })
  })

  test('is answered when the execution has gone on as far as it goes by itself', async () => {
    const transaction_id = fresh()
    await run('unhurried', { transaction_id })
    expect(await ok(success('unhurried', { transaction_id, step_id: 'wait' }))).toEqual({ success: true })
    expect((await of('unhurried', transaction_id)).state).toBe('done')
  })

  test('is no error although a later step fails', async () => {
    const transaction_id = fresh()
    await run('later', { transaction_id })
    expect(await ok(success('later', { transaction_id, step_id: 'wait' }))).toEqual({ success: true })
    const { state, context } = await of('later', transaction_id)
    expect(state).toBe('reverted')
    // Of a report that says nothing nothing is kept.
    expect(context.data.invoke).toEqual({})
  })

  test('of a drawn graph names the step by its title, with its dots or as its id has them', async () => {
    const drawn = flow({ in: 'input', a: external({ title: 'First.step' }), b: external({ title: 'Second' }) }, ['in > a > b'])
    const { handle } = await medusa.server.workflow(drawn, 'Drawn')
    const transaction_id = fresh()
    await run(handle, { input: { x: 1 }, transaction_id })
    const { execution } = await of(handle, transaction_id)
    expect(Object.keys(execution.steps)).toEqual(['_root', '_root.First\u2024step', '_root.First\u2024step.Second'])
    const [, id] = Object.keys(execution.steps)
    expect(await ok(success(handle, { transaction_id, step_id: id!.split('.').at(-1)!, response: 1 }))).toEqual({ success: true })
    expect((await of(handle, transaction_id)).context.data.invoke).toMatchObject({ 'First\u2024step': { output: 1 } })
    expect(await ok(success(handle, { transaction_id, step_id: 'Second', response: 2 }))).toEqual({ success: true })
    expect((await of(handle, transaction_id)).state).toBe('done')
  })
})

describe('an execution', () => {
  test('that failed has its steps undone, and tells each side of them', async () => {
    const transaction_id = fresh()
    await post('saga/run', { input: { message: 'bang' }, transaction_id })
    const reverted = await of('saga', transaction_id)
    expect(statesOf(reverted)).toEqual({
      '_root.reserve': 'done/ok reverted/ok',
      '_root.reserve.mail': 'done/ok reverted/ok',
      '_root.reserve.log': 'done/ok reverted/ok',
      '_root.reserve.log.gift': 'skipped/ok dormant/idle',
      '_root.reserve.log.gift.close': 'failed/permanent_failure reverted/ok',
      '_root.reserve.log.gift.close.after': 'not_started/idle dormant/idle',
    })
    expect(flagsOf(reverted)).toEqual(['hasSkippedSteps', 'hasRevertedSteps'])
    expect(reverted.execution.steps['_root.reserve']).toMatchObject({ stepFailed: true, attempts: 1, failures: 0, next: ['_root.reserve.mail', '_root.reserve.log'] })
    expect(reverted.context).toEqual({
      data: {
        payload: { message: 'bang' },
        invoke: {
          reserve: { __type: 'Symbol(WorkflowWorkflowData)', output: { __type: 'Symbol(WorkflowStepResponse)', output: { held: 1 }, compensateInput: { key: 'k' } } },
          mail: { __type: 'Symbol(WorkflowWorkflowData)', output: { __type: 'Symbol(WorkflowStepResponse)', output: 'sent', compensateInput: 'sent' } },
          log: { __type: 'Symbol(WorkflowWorkflowData)', output: { __type: 'Symbol(WorkflowStepResponse)', output: null, compensateInput: null } },
        },
        compensate: { reserve: { output: { released: { key: 'k' } } }, log: {} },
      },
      compensate: { reserve: { output: { released: { key: 'k' } } }, log: {} },
      errors: [{ action: 'close', handlerType: 'invoke', error: { message: 'bang', name: 'Error', stack: 'Error: bang\n⮑ sat [saga -> close (invoke)]' } }],
    })
  })

  test('goes on past what may fail, and tells that it did', async () => {
    const transaction_id = fresh()
    expect(await run('tolerant', { transaction_id })).toMatchObject({ hasFinished: true, hasFailed: false })
    const passed = await of('tolerant', transaction_id)
    expect(statesOf(passed)).toEqual({
      '_root.soft': 'failed/permanent_failure dormant/idle',
      '_root.soft.between': 'done/ok dormant/idle',
      '_root.soft.between.hard': 'failed/permanent_failure dormant/idle',
      '_root.soft.between.hard.last': 'skipped_failure/idle dormant/idle',
    })
    expect(flagsOf(passed)).toEqual(['hasFailedSteps', 'hasSkippedOnFailureSteps'])
    expect(passed.execution.steps['_root.soft'].definition).toMatchObject({ name: 'soft', continueOnPermanentFailure: true })
    expect(passed.execution.steps['_root.soft.between.hard'].definition).toMatchObject({ skipOnPermanentFailure: true })
    expect(passed.context.errors.map(({ action }: Told) => action)).toEqual(['soft', 'hard'])
  })

  test('whose step gave up for good has no more attempts, and what it left for its undoing', async () => {
    const transaction_id = fresh()
    expect((await post('lost/run', { transaction_id })).body).toMatchObject({ message: 'It is lost' })
    const { state, context } = await of('lost', transaction_id)
    expect([state, context.data, context.errors[0].error.name]).toEqual([
      'reverted',
      {
        payload: null,
        invoke: { lose: { __type: 'Symbol(WorkflowStepResponse)', output: { parcel: 7 }, compensateInput: { parcel: 7 } } },
        compensate: { lose: { output: { parcel: 7 } } },
      },
      'PermanentStepFailure',
    ])
  })

  test('that could not be undone is failed, and tells both errors', async () => {
    const transaction_id = fresh()
    expect((await post('broken/run', { transaction_id })).body).toMatchObject({ message: 'It fails' })
    const failed = await of('broken', transaction_id)
    expect([failed.state, statesOf(failed)]).toEqual(['failed', { '_root.make': 'done/ok failed/permanent_failure', '_root.make.fail': 'failed/permanent_failure reverted/ok' }])
    expect(failed.context.errors).toMatchObject([
      { action: 'fail', handlerType: 'invoke', error: { message: 'It fails' } },
      { action: 'make', handlerType: 'compensate', error: { message: 'It cannot be undone' } },
    ])
  })

  test('of any graph is told, whatever it waits for', async () => {
    const graph = flow({ in: 'input', a: values({ a: 1 }), ask: approval(), go: signal('go'), end: { type: 'output', config: { map: { a: 'a.a' } } } }, [
      'in > a > ask > end',
      'a > go > end',
    ])
    const { handle } = await medusa.server.workflow(graph, 'Any graph')
    const transaction_id = fresh()
    expect(await run(handle, { input: {}, transaction_id })).toMatchObject({ hasFinished: false })
    expect(statesOf(await of(handle, transaction_id))).toEqual({
      '_root.a': 'done/ok dormant/idle',
      '_root.a.ask': 'invoking/waiting_response dormant/idle',
      '_root.a.go': 'invoking/waiting_response dormant/idle',
      '_root.a.go.end': 'not_started/idle dormant/idle',
    })
  })

  test('that is not there, or is another workspace’s, is not found', async () => {
    const missing = (path: string) => refused(medusa.call('GET', `${executions}/${path}`))
    expect(await missing('wf_exec_000000000000000')).toEqual([404, { type: 'not_found', message: 'WorkflowExecution with id: wf_exec_000000000000000 was not found' }])
    expect(await missing('nothing')).toEqual([404, { type: 'not_found', message: 'WorkflowExecution with id: nothing was not found' }])
    expect(await missing('saga/none')).toEqual([404, { type: 'not_found', message: 'WorkflowExecution with workflow_id: saga, transaction_id: none was not found' }])
    expect(await missing('nobody/none')).toEqual([404, { type: 'not_found', message: 'WorkflowExecution with workflow_id: nobody, transaction_id: none was not found' }])

    const transaction_id = fresh()
    await run('saga', { transaction_id })
    const { id } = await of('saga', transaction_id)
    const { id: elsewhere } = await medusa.server.call<Workspace>('POST', '/v1/workspaces', { name: 'Elsewhere', handle: 'elsewhere' })
    const { token } = await medusa.server.call<{ token: string }>('POST', '/v1/auth/switch', { workspace: elsewhere })
    for (const [method, path, body, status] of [
      ['GET', `/${id}`, undefined, 404],
      ['GET', `/saga/${transaction_id}`, undefined, 404],
      ['POST', '/saga/run', {}, 404],
      ['POST', '/saga/steps/success', { transaction_id, step_id: 'close' }, 404],
      ['POST', '/saga/steps/failure', { transaction_id, step_id: 'close' }, 404],
    ] as const)
      expect([path, (await medusa.call(method, executions + path, body, { as: token })).status]).toEqual([path, status])
    expect(await ok(medusa.call('GET', executions, undefined, { as: token }))).toEqual({ workflow_executions: [], count: 0, offset: 0, limit: 100 })
  })

  test('is found by its id with the prefix and without', async () => {
    const { transactionId } = await run('saga')
    for (const id of [transactionId, `wf_exec_${transactionId}`])
      expect((await ok(medusa.call('GET', `${executions}/${id}`))).workflow_execution.transaction_id).toBe(transactionId)
  })
})

describe('the SDK', () => {
  test('lists, retrieves, executes and reports', async () => {
    const sdk = medusaSdk(medusa.server.url)
    await sdk.client.setToken(medusa.server.token)
    const transaction_id = fresh()
    const { acknowledgement } = await sdk.client.fetch<{ acknowledgement: object }>(`${executions}/my-workflow-name/run`, {
      method: 'POST',
      body: { input: { initial: 'sdk' }, transaction_id },
    })
    expect(acknowledgement).toEqual({ transactionId: transaction_id, workflowId: 'my-workflow-name', hasFinished: false, hasFailed: false })
    const query = {
      workflow_id: ['my-workflow-name', 'saga'],
      transaction_id: [transaction_id],
      state: ['invoking'],
      created_at: { $gte: '2026-01-01' },
      order: '-created_at',
      limit: 20,
    }
    const { workflow_executions: found, count } = await sdk.admin.workflowExecution.list(query)
    expect([count, found[0]?.transaction_id, found[0]?.state]).toEqual([1, transaction_id, 'invoking'])
    const { workflow_execution: one } = await sdk.admin.workflowExecution.retrieve(found[0]!.id)
    expect(one).toEqual(found[0])
    await sdk.client.fetch(`${executions}/my-workflow-name/steps/success`, { method: 'POST', body: { transaction_id, step_id: 'my-step-async', response: {} } })
    expect((await sdk.admin.workflowExecution.retrieve(one.id)).workflow_execution.state).toBe('done')
    await expect(sdk.admin.workflowExecution.retrieve('nothing')).rejects.toMatchObject({ status: 404, message: 'WorkflowExecution with id: nothing was not found' })
    await expect(medusaSdk(medusa.server.url).admin.workflowExecution.list()).rejects.toMatchObject({ status: 401, message: 'Unauthorized' })
  })
})

describe('a list', () => {
  const ids = ({ body }: Told): string[] => body.workflow_executions.map(({ transaction_id }: Told) => transaction_id)
  const names = async (query: string): Promise<string[]> => ids({ body: await listed(query) }).toSorted()

  test('is filtered by lists in every form, one value or many, and by several things at once', async () => {
    const [one, two, three] = [fresh(), fresh(), fresh()]
    await run('once', { input: { n: 1 }, transaction_id: one })
    await run('tolerant', { transaction_id: two })
    await run('my-workflow-name', { input: { initial: 'x' }, transaction_id: three })
    for (const form of [
      `transaction_id[]=${one}&transaction_id[]=${two}`,
      `transaction_id[0]=${one}&transaction_id[1]=${two}`,
      `transaction_id%5B%5D=${one}&transaction_id%5B%5D=${two}`,
      `transaction_id[]=${one},${two}`,
      `transaction_id=${one}&transaction_id=${two}`,
    ])
      expect([form, await names(form)]).toEqual([form, [one, two].toSorted()])
    expect(await names(`transaction_id=${one},${two}`)).toEqual([])
    const all = `transaction_id[]=${one}&transaction_id[]=${two}&transaction_id[]=${three}`
    expect(await names(`${all}&workflow_id[]=once&workflow_id[]=tolerant`)).toEqual([one, two].toSorted())
    expect(await names(`${all}&state=invoking`)).toEqual([three])
    expect(await names(`${all}&state[]=done&state[]=failed`)).toEqual([one, two].toSorted())
    expect(await names(`${all}&state=nothing`)).toEqual([])
    expect(await names('workflow_id=nobody')).toEqual([])
    expect(await names('transaction_id=')).toEqual([])
    expect(await names(`${all}&with_deleted=true`)).toEqual([one, two, three].toSorted())
  })

  test('is searched by what a client sees: ids, names and states', async () => {
    const mark = `Mark-${fresh()}`
    await run('my-workflow-name', { input: { initial: 'x' }, transaction_id: `${mark}-a` })
    await run('once', { input: { n: 1 }, transaction_id: `${mark}-b` })
    expect(await names(`q=${mark.toLowerCase()}`)).toEqual([`${mark}-a`, `${mark}-b`])
    const { id } = await of('once', `${mark}-b`)
    expect(await names(`q=${id}`)).toEqual([`${mark}-b`])
    expect(await names(`q=${id.slice('wf_exec_'.length).toUpperCase()}`)).toEqual([`${mark}-b`])
    const both = `transaction_id[]=${mark}-a&transaction_id[]=${mark}-b`
    expect(await names(`${both}&q=INVOK`)).toEqual([`${mark}-a`])
    expect(await names(`${both}&q=done`)).toEqual([`${mark}-b`])
    expect(await names(`${both}&q=my-work`)).toEqual([`${mark}-a`])
    expect(await names(`${both}&q=completed`)).toEqual([])
    // No text of a pattern: it is looked for as it is.
    expect(await names(`${both}&q=${encodeURIComponent('%')}`)).toEqual([])
  })

  test('is bounded by when they were made', async () => {
    const transaction_id = fresh()
    await run('once', { input: { n: 1 }, transaction_id })
    const { created_at } = await of('once', transaction_id)
    const when = (query: string) => names(`transaction_id=${transaction_id}&${query}`)
    const later = new Date(Date.parse(created_at) + 1).toISOString()
    for (const query of [
      `created_at=${created_at}`,
      `created_at[]=${created_at}&created_at[]=${later}`,
      `created_at[$eq]=${created_at}`,
      `created_at[$in][]=${created_at}`,
      `created_at[$gte]=${created_at}`,
      `created_at[$lte]=${created_at}&created_at[$gt]=2020-01-01`,
      `created_at[$ne]=${later}`,
      `created_at[$nin][]=${later}`,
      `created_at.$lt=${later}`,
    ])
      expect([query, await when(query)]).toEqual([query, [transaction_id]])
    for (const query of [
      `created_at=${later}`,
      `created_at[$ne]=${created_at}`,
      `created_at[$nin][]=${created_at}`,
      `created_at[$gt]=${created_at}`,
      `created_at[$lt]=${created_at}`,
      `created_at[$gte]=${later}`,
    ])
      expect([query, await when(query)]).toEqual([query, []])
  })

  test('is in the order that is asked for, newest first unless it is, and page by page', async () => {
    const made = [fresh(), fresh(), fresh()]
    for (const transaction_id of made) await run('once', { input: { n: 1 }, transaction_id })
    const all = made.map((each) => `transaction_id[]=${each}`).join('&')
    const inOrder = async (query: string) => ids({ body: await listed(`${all}&${query}`) })
    expect(await inOrder('')).toEqual(made.toReversed())
    expect(await inOrder('order=created_at')).toEqual(made)
    expect(await inOrder('order=-created_at')).toEqual(made.toReversed())
    expect(await inOrder('order=transaction_id')).toEqual(made.toSorted())
    expect(await inOrder('order=-id')).toEqual(made.toReversed())
    for (const field of ['workflow_id', 'state', 'updated_at', 'run_id']) expect(await inOrder(`order=-${field}`)).toHaveLength(3)
    const page = (await raw(`?${all}&order=created_at&offset=1&limit=1`)).body
    expect([ids({ body: page }), page.count, page.offset, page.limit]).toEqual([[made[1]], 3, 1, 1])
    expect((await raw(`?${all}&limit=0`)).body).toEqual({ workflow_executions: [], count: 3, offset: 0, limit: 0 })
    expect((await raw(`?${all}&limit=1000`)).body.workflow_executions).toHaveLength(3)
  })

  test('refuses what it does not know, and says what it is', async () => {
    const message = async (query: string) => {
      const { status, body } = await medusa.call('GET', `${executions}?${query}`)
      expect([query, status, body.type]).toEqual([query, 400, 'invalid_data'])
      return body.message
    }
    expect(await message('a=1&b=2')).toBe("Invalid request: Unrecognized fields: 'a, b'")
    expect(await message('limit=many')).toBe("Invalid request: Expected type: 'number' for field 'limit', got: 'many'")
    expect(await message('limit=1001')).toBe("Invalid request: Value for field 'limit' too big, expected at most: '1000'")
    expect(await message('offset=-1')).toBe("Invalid request: Value for field 'offset' too small, expected at least: '0'")
    expect(await message('with_deleted=maybe')).toBe("Invalid request: Expected type: 'boolean' for field 'with_deleted', got: 'maybe'")
    expect(await message('workflow_id[a]=1')).toBe("Invalid request: Expected type: 'string, array' for field 'workflow_id', got: '[object Object]'")
    expect(await message('fields[]=id')).toBe("Invalid request: Expected type: 'string' for field 'fields', got: 'id'")
    expect(await message('limit=x&offset=y&with_deleted=z&q[]=1')).toBe(
      "Invalid request: Expected type: 'number' for field 'offset', got: 'y'; Expected type: 'number' for field 'limit', got: 'x'; Expected type: 'string' for field 'q', got: '1'",
    )
    expect(await message('order=execution.state')).toBe('Order field execution.state is not valid')
    expect(await message('order=-')).toBe('Order field  is not valid')
    expect(await message('fields=id,name')).toBe('Requested fields [name] are not valid')
    expect(await message('created_at[$like]=2026')).toBe("Invalid request: Field 'created_at' is a time, which is not compared by '$like'")
    expect(await message('created_at[$foo]=2026')).toBe("Invalid request: Unrecognized fields: '$foo'")
    expect(await message('created_at[$gt]=soon')).toBe("Invalid request: Expected a date for field 'created_at, $gt', got: 'soon'")
    expect(await message('created_at[$gt][a][b]=soon')).toMatch(/two levels/)
  })
})

describe('fields', () => {
  let path: string
  let whole: Told
  beforeAll(async () => {
    const { transactionId } = await run('saga', {})
    path = `/saga/${transactionId}`
    whole = await of('saga', transactionId)
  })
  const told = async (fields: string): Promise<Told> => (await raw(`${path}?fields=${encodeURIComponent(fields)}`)).body.workflow_execution

  test('are the defaults, unless it is said which; the id is always told', async () => {
    expect(await told('state,workflow_id')).toEqual({ id: whole.id, workflow_id: 'saga', state: 'done' })
    expect(await told('')).toEqual({ id: whole.id })
    expect(await told('*')).toEqual(whole)
    expect(await told('+run_id,+retention_time')).toEqual({ ...whole, run_id: whole.id.replace('wf_exec_', ''), retention_time: null })
    // A plus of an address is a blank, once it was read.
    expect((await raw(`${path}?fields=+run_id,-context,-execution`)).body.workflow_execution).toEqual({
      ...Object.fromEntries(Object.entries(whole).filter(([key]) => key !== 'context' && key !== 'execution')),
      run_id: whole.id.replace('wf_exec_', ''),
    })
    expect(await told('-id,-context,-execution,-state')).toMatchObject({ id: whole.id, workflow_id: 'saga' })
    expect(await told('id,*context')).toEqual({ id: whole.id, context: whole.context })
    expect(await told('id,execution.*')).toEqual({ id: whole.id, execution: whole.execution })
  })

  test('reach into executions and contexts, past the dots of the ids of steps', async () => {
    expect(await told('execution.state,execution.steps._root.reserve.mail.invoke,context.errors.action,context.data.invoke.mail.output')).toEqual({
      id: whole.id,
      context: { data: { invoke: { mail: { output: whole.context.data.invoke.mail.output } } }, errors: [] },
      execution: { state: 'done', steps: { '_root.reserve.mail': { invoke: { state: 'done', status: 'ok' } } } },
    })
    expect(await told('execution.nothing.there')).toEqual({ id: whole.id, execution: {} })
    expect(await told('execution,execution.state')).toEqual({ id: whole.id, execution: whole.execution })
    const { body } = await raw(`?transaction_id=${whole.transaction_id}&fields=execution.hasAsyncSteps`)
    expect(body.workflow_executions).toEqual([{ id: whole.id, execution: { hasAsyncSteps: false } }])
  })

  test('that there are not are refused', async () => {
    for (const fields of ['nothing', 'id,__proto__', 'state.foo', '+constructor', 'id,toString.x'])
      expect([fields, (await raw(`${path}?fields=${encodeURIComponent(fields)}`)).status]).toEqual([fields, 400])
  })
})
