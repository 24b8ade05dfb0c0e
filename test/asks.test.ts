import type { Definition, JsonObject, Reply, SentMessage, Session } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { approval, delay, flow, signal, template, values } from './support/flow.ts'
import { refusal, type TestServer, testServer } from './support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const ask = (body: object) => server.call<Reply>('POST', '/v1/sessions/ask', body)
const chatbot = (definition: Definition): Definition => ({ ...definition, kind: 'chatbot' })

/** Says back what it was asked, how much came before, and what the last of that was. */
const parrot = chatbot(flow({ in: 'input', answer: template('{{ input.text }} after {{ input.history.size }}') }, ['in > answer']))

/** The token of another member of the workspace. */
async function somebodyElse(email: string): Promise<string> {
  const password = 'correct horse battery'
  const { setPassword } = await server.call<{ setPassword: { token: string } }>('POST', '/v1/members', { email, role: 'editor' })
  await server.call('POST', '/v1/auth/set-password', { token: setPassword.token, password }, { as: '' })
  return (await server.call<{ token: string }>('POST', '/v1/auth/login', { email, password }, { as: '' })).token
}

const call = (id: string, name: string, given: JsonObject = {}) => ({ id, name, arguments: given })

/** A model that calls two functions of its client, one after what the other gave, made of steps that say so. */
const caller = chatbot(
  flow(
    {
      in: 'input',
      think: values({ text: '', toolCalls: [call('a-1', 'weather', { city: 'Oslo' }), call('a-2', 'time')] }),
      weather: signal('call:a-1'),
      time: signal('call:a-2'),
      answer: template('{{ weather.content }} at {{ time.content }}'),
    },
    ['in > think > weather > answer', 'think > time > answer'],
  ),
)

const asks = chatbot(
  flow({ in: 'input', which: { type: 'human', config: { kind: 'question', message: 'Which one?' } }, answer: template('{{ which.text }} it is') }, ['in > which > answer']),
)

describe('a message that is waited for', () => {
  test('is answered with what its round says, in a session that is there afterwards', async () => {
    const { id } = await server.workflow(parrot)
    const reply = await ask({ to: id, text: 'Hello' })
    expect(reply).toMatchObject({
      state: 'answered',
      calls: [],
      pauseId: null,
      reason: null,
      message: { role: 'user', text: 'Hello' },
      answer: { role: 'assistant', text: 'Hello after 0' },
    })
    expect(reply.answer!.runId).toBe(reply.runId)
    const second = await ask({ to: reply.session.id, text: 'Again' })
    expect(second).toMatchObject({ state: 'answered', session: { id: reply.session.id, status: 'completed' }, answer: { text: 'Again after 2' } })
  })

  test('says nothing twice under one key, and is told the same again', async () => {
    const { id } = await server.workflow(parrot)
    const once = await ask({ to: id, text: 'Hello', idempotencyKey: 'asked-once' })
    const again = await ask({ to: id, text: 'Hello', idempotencyKey: 'asked-once' })
    expect(again).toEqual(once)
    expect((await server.call<Session>('GET', `/v1/sessions/${once.session.id}?messages=10`)).messages).toHaveLength(2)
  })

  test('goes on when the time is up, and is found answered later', async () => {
    const { id } = await server.workflow(chatbot(flow({ in: 'input', wait: delay(1_500), answer: template('Late') }, ['in > wait > answer'])))
    const reply = await ask({ to: id, text: 'Hello', waitMs: 0, idempotencyKey: 'patience' })
    expect(reply).toMatchObject({ state: 'going', answer: null })
    expect(await ask({ to: id, text: 'Hello', waitMs: 60_000, idempotencyKey: 'patience' })).toMatchObject({ runId: reply.runId, state: 'answered', answer: { text: 'Late' } })
  })

  test('that nobody answers is kept, and says so', async () => {
    expect(await ask({ text: 'Is anybody there?' })).toMatchObject({ state: 'answered', runId: null, answer: null, message: { text: 'Is anybody there?' } })
  })

  test('hears of a failure why, of an approval which, of a question what', async () => {
    const failing = await server.workflow(chatbot(flow({ in: 'input', bad: { type: 'code', config: { source: 'throw new Error("no")' } } }, ['in > bad'])))
    expect(await ask({ to: failing.id, text: 'x' })).toMatchObject({ state: 'failed', answer: null, reason: { code: 'step_failed' } })
    const approving = await server.workflow(chatbot(flow({ in: 'input', may: approval(), answer: template('Done') }, ['in > may > answer'])))
    const waits = await ask({ to: approving.id, text: 'x' })
    expect(waits).toMatchObject({ state: 'approval', answer: null, pauseId: expect.any(String) })
    const asking = await server.workflow(asks)
    const asked = await ask({ to: asking.id, text: 'x' })
    expect(asked).toMatchObject({ state: 'asks', answer: { text: 'Which one?', metadata: { pauseId: asked.pauseId } } })
    expect(await ask({ to: asked.session.id, text: 'The red one' })).toMatchObject({ state: 'answered', runId: asked.runId, answer: { text: 'The red one it is' } })
  })

  test('behind a round that waits for a person is told of that, and is answered in its turn', async () => {
    const { id } = await server.workflow(chatbot(flow({ in: 'input', may: approval(), answer: template('{{ input.text }} done') }, ['in > may > answer'])))
    const first = await ask({ to: id, text: 'One' })
    const second = await ask({ to: first.session.id, text: 'Two', idempotencyKey: 'behind' })
    expect(second).toMatchObject({ state: 'approval', pauseId: first.pauseId })
    expect(second.runId).not.toBe(first.runId)
    await server.call('POST', `/v1/pauses/${first.pauseId}/decide`, { action: 'approve' })
    const own = await ask({ to: first.session.id, text: 'Two', idempotencyKey: 'behind' })
    expect(own).toMatchObject({ state: 'approval', runId: second.runId })
    expect(own.pauseId).not.toBe(first.pauseId)
    await server.call('POST', `/v1/pauses/${own.pauseId}/decide`, { action: 'approve' })
    expect(await ask({ to: first.session.id, text: 'Two', idempotencyKey: 'behind' })).toMatchObject({ state: 'answered', answer: { text: 'Two done' } })
  })

  test('of a round that is stopped meanwhile hears that', async () => {
    const { id } = await server.workflow(chatbot(flow({ in: 'input', wait: delay(600_000), answer: template('Never') }, ['in > wait > answer'])))
    const sent = await server.call<SentMessage>('POST', '/v1/sessions/send', { to: id, text: 'x', idempotencyKey: 'stopped' })
    const reply = ask({ to: id, text: 'x', idempotencyKey: 'stopped' })
    await server.call('POST', `/v1/sessions/${sent.session.id}/stop`)
    expect(await reply).toMatchObject({ state: 'stopped', answer: null })
  })
})

describe('calls of its client', () => {
  test('are told in the order of the model, and their results bring the answer', async () => {
    const { id } = await server.workflow(caller)
    const { session, runId, ...reply } = await ask({ to: id, text: 'How is Oslo?' })
    expect(reply).toMatchObject({ state: 'calls', answer: null, calls: [call('a-1', 'weather', { city: 'Oslo' }), call('a-2', 'time')] })
    const between = await ask({ runId, results: [{ callId: 'a-1', content: 'Rain' }] })
    expect(between).toMatchObject({ state: 'calls', message: null, session: { id: session.id }, calls: [call('a-2', 'time')] })
    const results = [{ callId: 'a-2', content: 'noon' }]
    expect(await ask({ to: session.id, results })).toMatchObject({ state: 'answered', runId, answer: { text: 'Rain at noon' } })
    expect(await ask({ runId, results })).toMatchObject({ state: 'answered', runId, answer: { text: 'Rain at noon' } })
  })

  test('are refused results that nobody waits for, and another result than the first', async () => {
    const { id } = await server.workflow(caller)
    const { runId } = await ask({ to: id, text: 'x' })
    expect(await refusal(ask({ runId, results: [{ callId: 'a-3', content: '' }] }))).toMatchObject({ status: 409, code: 'call_not_waiting' })
    await ask({ runId, results: [{ callId: 'a-1', content: 'Rain' }] })
    expect(await refusal(ask({ runId, results: [{ callId: 'a-1', content: 'Sun' }] }))).toMatchObject({ status: 409, code: 'idempotency_conflict' })
    const nobodys = await server.call<Session>('POST', '/v1/sessions', {})
    expect(await refusal(ask({ to: nobodys.id, results: [{ callId: 'a-1', content: '' }] }))).toMatchObject({ status: 409, code: 'call_not_waiting' })
    expect(await refusal(ask({ to: nobodys.id, runId, results: [{ callId: 'a-1', content: '' }] }))).toMatchObject({ status: 404, code: 'run_missing' })
  })

  test('are the matter of who asked: to others there is no such session, and nothing of it is told', async () => {
    const { id } = await server.workflow(caller)
    const { session, runId } = await ask({ to: id, text: 'x' })
    const as = await somebodyElse('stranger@example.com')
    const tries = [{ runId }, { session: session.id }, { to: session.id }].map((of) => ({ ...of, results: [{ callId: 'a-1', content: 'Sun' }] }))
    for (const body of [...tries, { session: session.id, text: 'Hello' }])
      expect(await refusal(server.call('POST', '/v1/sessions/ask', body, { as }))).toMatchObject({ status: 404, code: 'session_missing' })
    expect(await ask({ runId, results: [{ callId: 'a-1', content: 'Rain' }] })).toMatchObject({ state: 'calls', calls: [call('a-2', 'time')] })
  })

  test('keep a message from waiting behind them unheard', async () => {
    const { id } = await server.workflow(caller)
    const { session, runId } = await ask({ to: id, text: 'x', idempotencyKey: 'first' })
    expect(await refusal(ask({ to: session.id, text: 'Never mind' }))).toMatchObject({ status: 409, code: 'calls_pending', details: { runId, calls: ['a-1', 'a-2'] } })
    expect((await server.call<Session>('GET', `/v1/sessions/${session.id}?messages=10`)).messages).toHaveLength(1)
    expect(await ask({ to: id, text: 'x', idempotencyKey: 'first' })).toMatchObject({ state: 'calls', runId })
  })

  test('come without a message, or the message without them', async () => {
    for (const wrong of [{}, { text: 'x', results: [{ callId: 'a', content: '' }] }, { results: [{ callId: 'a', content: '' }] }, { runId: 'x', text: 'x' }])
      expect(await refusal(ask(wrong))).toMatchObject({ status: 400, code: 'input_invalid' })
  })
})
