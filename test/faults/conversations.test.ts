import type { Line, Page, Session } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { createRig } from '../support/rig.ts'
import { planner, stageOf, taskOf } from '../support/toy-planner.ts'
import { drone, toyModel } from '../support/toy-model.ts'

/** Conversations whose servers die, and whose people have enough. Each test has servers and a model of its own: their waits overlap. */

const tools = [{ name: 'http_request', approval: false }]

describe.concurrent('a conversation', () => {
  test('whose server is killed in the middle of a plan goes on without doing a task, or calling a function, that was done', { timeout: 120_000 }, async () => {
    await using model = await toyModel()
    await using rig = await createRig()
    const env = { SLUICE_MODEL_URL: model.url, SLUICE_MODEL: 'clever' }
    const killed = await rig.serve({ env: { ...env, SLUICE_HTTP_ALLOW: `${rig.receiver.host},${model.host}` } })
    const post = (id: string) => ({ name: 'http_request', arguments: { method: 'POST', url: `${rig.receiver.url}/${id}` } })
    const plan = [
      { id: 'first', call: post('first') },
      { id: 'second', call: post('second'), dependsOn: ['first'] },
      { id: 'third', call: post('third'), dependsOn: ['first', 'second'] },
    ]
    // The second call has come, and is never answered while the first server lives.
    let lives = true
    rig.receiver.before = ({ step }) => (step === 'second' && lives ? new Promise(() => {}) : null)
    model.on('clever', planner(plan))
    const sent = await killed.call<{ session: Session }>('POST', '/v1/sessions/send', { mode: 'Actionplan', text: 'Do it', tools })
    const { id } = sent.body.session
    await rig.receiver.called('second', 60_000)
    await killed.kill()
    lives = false

    const next = await rig.serve({ env })
    const stateOf = async () => (await next.call<Session>('GET', `/v1/sessions/${id}`)).body.status
    await rig.until('the conversation has ended', async () => ['completed', 'failed', 'stopped'].includes(await stateOf()), 60_000)
    expect(await stateOf()).toBe('completed')
    // The one that was under way is called again, under its key; of all others each is called once.
    expect(rig.receiver.calls.map(({ step }) => step)).toEqual(['first', 'second', 'second', 'third'])
    expect(rig.receiver.keys()).toHaveLength(3)
    const asked = model.asked().map((each) => (stageOf(each) === 'think' ? `think ${taskOf(each)}` : stageOf(each)))
    expect(asked).toEqual(['understand', 'plan', 'think first', 'think first', 'think second', 'think second', 'think third', 'think third', 'review', 'answer'])
    const { items } = (await next.call<Page<Line>>('GET', `/v1/sessions/${id}/lines?limit=1000`)).body
    expect(items.flatMap((line) => (line.kind === 'message' ? [line.text] : []))).toEqual(['Do it', 'All is done: first, second, third'])
    const begun = items.flatMap((line) => (line.kind === 'log' && line.message.startsWith('Task ') ? [line.message] : []))
    expect(begun).toEqual(['Task 1 of 3: The task first', 'Task 2 of 3: The task second', 'Task 3 of 3: The task third'])
  })

  test('that is stopped closes the connection to its model, whichever server asks it, and says nothing more', { timeout: 120_000 }, async () => {
    await using model = await toyModel()
    await using rig = await createRig()
    const env = { SLUICE_MODEL_URL: model.url, SLUICE_MODEL: 'talkative' }
    const api = await rig.serve({ env: { ...env, SLUICE_ROLE: 'api' } })
    await rig.serve({ env: { ...env, SLUICE_ROLE: 'worker' } })
    model.on('talkative', drone)
    const { id } = (await api.call<{ session: Session }>('POST', '/v1/sessions/send', { mode: 'React', text: 'Tell me all' })).body.session
    await model.came('talkative')
    const from = performance.now()
    const stopped = await api.call<Session>('POST', `/v1/sessions/${id}/stop`)
    expect(stopped.body).toMatchObject({ status: 'stopped', stoppedAt: expect.any(String) as string })
    await model.left('talkative')
    // One second is promised: this much is for a crowded machine.
    expect(performance.now() - from).toBeLessThan(6_000)
    const lines = (await api.call<Page<Line>>('GET', `/v1/sessions/${id}/lines?limit=1000`)).body.items
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect((await api.call<Page<Line>>('GET', `/v1/sessions/${id}/lines?limit=1000`)).body.items).toEqual(lines)
    expect(lines.filter(({ at }) => at > stopped.body.stoppedAt!.replace('Z', '999Z'))).toEqual([])
    expect(lines.at(-1)).toMatchObject({ kind: 'log', message: 'The round was stopped' })
  })
})
