import type { Line, Page, SentMessage, Session, SessionEvent } from '@sluice/schema'
import { expect, test } from 'vitest'
import { flow, post, template } from '../support/flow.ts'
import { createRig } from '../support/rig.ts'

test('a server killed in the middle of a round: session and round end as one, nothing is told twice, and the next message follows', { timeout: 90_000 }, async () => {
  await using rig = await createRig()
  const killed = await rig.serve()
  const { url } = rig.receiver
  const workflow = await rig.workflow(
    flow({ in: 'input', first: post(`${url}/first`), second: post(`${url}/second`), answer: template('Re: {{ input.text }}') }, ['in > first > second > answer']),
  )
  rig.receiver.before = ({ step }) => (step === 'second' && rig.receiver.calls.length === 2 ? new Promise(() => {}) : null)
  const sent = await killed.call<SentMessage>('POST', '/v1/sessions/send', { to: workflow, text: 'one', idempotencyKey: 'k1' })
  const { id } = sent.body.session
  await rig.receiver.called('second')
  const next = await killed.call<SentMessage>('POST', '/v1/sessions/send', { to: id, text: 'two' })
  await killed.kill()

  const server = await rig.serve()
  // The client of the first message heard nothing, and sends it again.
  const again = await server.call<SentMessage>('POST', '/v1/sessions/send', { to: workflow, text: 'one', idempotencyKey: 'k1' })
  expect([again.body.session.id, again.body.message.id, again.body.runId]).toEqual([id, sent.body.message.id, sent.body.runId])
  const runs = [sent.body.runId!, next.body.runId!]
  await rig.ended(runs, 40_000)
  await rig.check(runs, ['in', 'first', 'second', 'answer'], ['first', 'second'])

  const session = (await server.call<Session>('GET', `/v1/sessions/${id}`)).body
  expect(session).toMatchObject({ status: 'completed', progress: 100 })
  const lines = (await server.call<Page<Line>>('GET', `/v1/sessions/${id}/lines?limit=1000`)).body.items
  expect(lines.map(({ number }) => number)).toEqual(lines.map((_, index) => index + 1))
  expect(lines.map(({ at }) => at)).toEqual([...new Set(lines.map(({ at }) => at))].sort())
  const of = (run: string) => lines.filter(({ runId }) => runId === run)
  const said = (run: string) => of(run).map((line) => (line.kind === 'message' ? `${line.role}: ${line.text}` : line.kind === 'log' ? line.message : line.kind))
  const end = ['stat', 'stat', 'stat', 'stat', 'The round was completed']
  expect(said(runs[0]!)).toEqual([
    'user: one',
    ...['The round began', 'in began', 'first began', 'second began', 'second began again (attempt 2)', 'answer began', 'assistant: Re: one', ...end],
  ])
  expect(said(runs[1]!)).toEqual(['user: two', 'The round began', 'in began', 'first began', 'second began', 'answer began', 'assistant: Re: two', ...end])
  const events = (await server.call<Page<SessionEvent>>('GET', `/v1/sessions/${id}/events?limit=100`)).body.items
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
})
