import { createClient, NotFoundError } from '@sluice/client'
import type { Json, JsonObject, Line, LineKind, Page, Pause, Run, SentMessage, Session, SessionEvent, SessionStep } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Tx } from '../packages/server/src/store/database.ts'
import { emptySession, type SessionRow } from '../packages/server/src/store/rows/sessions.ts'
import { deadline } from './support/deadline.ts'
import { type FlowNode, approval, external, flow, map, post, router, subworkflow, template, values } from './support/flow.ts'
import { Refused, type TestServer, callerOf, refusal, testServer } from './support/server.ts'

let server: TestServer
/** An operator of the same workspace, and the owner of another one. */
let other: { id: string; token: string }
let stranger: { token: string }

beforeAll(async () => {
  server = await testServer()
  other = await member('operator')
  const elsewhere = await server.call<{ id: string }>('POST', '/v1/workspaces', { name: 'Elsewhere' })
  stranger = await server.call<{ token: string }>('POST', '/v1/auth/switch', { workspace: elsewhere.id })
})
afterAll(() => server[Symbol.asyncDispose]())

/** Of a round that will wait: it may do so already when the answer is made. */
const goesOn = expect.stringMatching(/^(running|waiting)$/)

let people = 0
async function member(role: string): Promise<{ id: string; token: string }> {
  const email = `person${++people}@example.com`
  const invited = await server.call<{ userId: string; setPassword: { token: string } }>('POST', '/v1/members', { email, role })
  await server.call('POST', '/v1/auth/set-password', { token: invited.setPassword.token, password: 'correct horse battery' })
  const { token } = await server.call<{ token: string }>('POST', '/v1/auth/login', { email, password: 'correct horse battery' })
  return { id: invited.userId, token }
}

// ── small calls ────────────────────────────────────────────────────────────────────────────────────────────────────────

type As = { as?: string }
const create = (body: JsonObject = {}, options?: As) => server.call<Session>('POST', '/v1/sessions', body, options)
const get = ({ id }: { id: string }, options?: As) => server.call<Session>('GET', `/v1/sessions/${id}`, undefined, options)
const update = ({ id }: { id: string }, body: JsonObject, options?: As) => server.call<Session>('PATCH', `/v1/sessions/${id}`, body, options)
const remove = ({ id }: { id: string }, options?: As) => server.call('DELETE', `/v1/sessions/${id}`, undefined, options)
const stop = ({ id }: { id: string }, options?: As) => server.call<Session>('POST', `/v1/sessions/${id}/stop`, {}, options)
const send = (to: string | undefined, text: string, more: JsonObject = {}, options?: As) =>
  server.call<SentMessage>('POST', '/v1/sessions/send', { ...(to !== undefined && { to }), text, ...more }, options)
const workflow = (nodes: Record<string, FlowNode>, links: string[] = []) => server.workflow(flow(nodes, links))

async function lines<K extends LineKind>({ id }: { id: string }, kind?: K): Promise<Extract<Line, { kind: K }>[]> {
  const page = await server.call<Page<Line>>('GET', `/v1/sessions/${id}/lines?limit=1000${kind ? `&kind=${kind}` : ''}`)
  return page.items as Extract<Line, { kind: K }>[]
}
const said = async (session: { id: string }) => (await lines(session, 'message')).map(({ role, text }) => `${role}: ${text}`)
const logged = async (session: { id: string }) => (await lines(session, 'log')).map(({ level, message }) => `${level}: ${message}`)

async function events({ id }: { id: string }): Promise<SessionEvent[]> {
  const all: SessionEvent[] = []
  for (;;) {
    const { items } = await server.call<Page<SessionEvent>>('GET', `/v1/sessions/${id}/events?after=${all.at(-1)?.seq ?? 0}&limit=100`)
    all.push(...items)
    if (items.length < 100) return all
  }
}

/** The session once it is so. */
async function once(session: { id: string }, holds: (session: Session) => boolean): Promise<Session> {
  const end = Date.now() + 20_000
  for (;;) {
    const now = await get(session)
    if (holds(now)) return now
    if (Date.now() > end) throw new Error(`not within 20 s: ${JSON.stringify(now)} ${JSON.stringify(await logged(session))}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
const ended = (session: { id: string }) => once(session, ({ status }) => status === 'completed' || status === 'failed')

const report = (runId: string, step: string, output: Json = null) => server.call('POST', '/v1/steps/report', { run: { id: runId }, step, outcome: 'completed', output })
const parked = (runId: string) => server.wait(runId, 'parked')
const rounds = async (session: { id: string }) =>
  server.db.database.query<{ id: string; status: string }>('select id, status from runs where session_id = $1 order by id', [session.id])

const question = (message: string, config: JsonObject = {}): FlowNode => ({ type: 'human', config: { kind: 'question', message, ...config } })
const echo = () => workflow({ in: 'input', answer: template('You said {{ input.text }}') }, ['in > answer'])
const slow = () => workflow({ in: 'input', work: external() }, ['in > work'])

/** Of every session: lines and events are numbered without a gap, and the lines' times rise. */
async function audit(session: { id: string }): Promise<void> {
  const all = await lines(session)
  expect(all.map(({ number }) => number)).toEqual(all.map((_, index) => index + 1))
  expect(all.map(({ at }) => at)).toEqual([...new Set(all.map(({ at }) => at))].sort())
  const told = await events(session)
  expect(told.map(({ seq }) => seq)).toEqual(told.map((_, index) => index + 1))
  expect(told.flatMap((event) => (event.type === 'line.added' ? [event.line!.number] : []))).toEqual(all.map(({ number }) => number))
}

// ── unbound ────────────────────────────────────────────────────────────────────────────────────────────────────────────

describe('an unbound session', () => {
  test("is plain data of its client: every field is kept as it was written, and only the status's form is checked", async () => {
    const given = {
      title: 'My New Workflow',
      description: 'On topics',
      tags: ['a', 'b'],
      metadata: { a: 1 },
      mode: 'guided',
      subject: { kind: 'order', id: 'o_1' },
      status: 'running',
      currentStepId: 'topic-discovery',
      steps: [{ id: 'topic-discovery', anything: [null] }],
      progress: 12.5,
      context: { topic: 'AI' },
    }
    const made = await create(given)
    expect(made).toMatchObject({ ...given, workflowId: null, stoppedAt: null })
    expect(made.id).toMatch(/^[a-z0-9]{15}$/)
    expect(await get(made)).toEqual(made)
    const changed = await update(made, { status: 'failed', steps: 'any', context: null, currentStepId: null })
    expect(changed).toMatchObject({ title: 'My New Workflow', status: 'failed', steps: 'any', context: null, currentStepId: null })
    expect((await refusal(update(made, { status: 'finished' }))).status).toBe(400)
    expect(await rounds(made)).toEqual([])
  })

  test('takes an id of its client, once; put makes it or changes it', async () => {
    const id = 'abcdefghijklmn0'
    expect(await create({ id, title: 'Mine' })).toMatchObject({ id, title: 'Mine', status: 'idle' })
    expect(await refusal(create({ id }))).toMatchObject({ status: 409, code: 'id_taken' })
    expect((await refusal(create({ id: 'SHORT' }))).status).toBe(400)
    const put = (body: JsonObject, options?: As) => server.call<Session>('PUT', '/v1/sessions/abcdefghijklmn1', body, options)
    expect(await put({ title: 'One', context: { a: 1 } })).toMatchObject({ title: 'One' })
    expect(await put({ title: 'Two' })).toMatchObject({ title: 'Two', context: { a: 1 } })
    expect((await refusal(put({ title: 'Mine' }, { as: other.token }))).code).toBe('id_taken')
    const [one, two] = await Promise.all([1, 2].map((n) => server.call<Session>('PUT', '/v1/sessions/abcdefghijklmn2', { title: `${n}` })))
    expect(one!.id).toBe(two!.id)
  })

  test('keeps messages that nobody answers; without an addressee one makes it', async () => {
    const { session, message, runId } = await send(undefined, 'Remember the milk\nand bread', { metadata: { from: 'phone' }, mode: 'a label' })
    expect(session).toMatchObject({ title: 'Remember the milk', workflowId: null, status: 'idle', mode: 'a label' })
    expect(message).toMatchObject({ kind: 'message', role: 'user', text: 'Remember the milk\nand bread', metadata: { from: 'phone' }, number: 1, runId: null })
    expect(runId).toBeNull()
    await send(session.id, 'and butter')
    expect(await said(session)).toEqual(['user: Remember the milk\nand bread', 'user: and butter'])
    await audit(session)
  })

  test('is stopped when its client says that it runs, and else stays as it is', async () => {
    const running = await create({ status: 'running' })
    const stopped = await stop(running)
    expect(stopped.status).toBe('stopped')
    expect(Date.parse(stopped.stoppedAt!)).toBeGreaterThan(0)
    expect(await stop(running)).toEqual(stopped)
    const completed = await create({ status: 'completed' })
    expect(await stop(completed)).toEqual(completed)
    expect((await update(stopped, { status: 'running' })).stoppedAt).toBeNull()
  })

  test('that its client stops is stopped after its last line, whatever the clock says', async () => {
    const { session } = await send(undefined, 'Hello')
    await server.db.database.query('update sessions set line_at = line_at + 60000000 where id = $1', [session.id])
    const [last] = await server.db.database.query<{ line_at: number }>('select line_at from sessions where id = $1', [session.id])
    const { stoppedAt } = await update(session, { status: 'stopped' })
    expect(Date.parse(stoppedAt!)).toBeGreaterThanOrEqual(last!.line_at / 1000)
  })

  test('is bounded in what it keeps', async () => {
    const { issues } = await refusal(create({ metadata: { long: 'x'.repeat(70_000) } }))
    expect(issues).toEqual([{ path: ['metadata'], message: expect.stringContaining('65536 are allowed') }])
  })
})

// ── bound ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

describe('a bound session', () => {
  test('answers a message: its round is committed with it, and its status, current step, steps and progress are those of the round', async () => {
    const flow = await workflow({ in: 'input', work: external({ title: 'The work' }), answer: template('You said {{ input.text }}') }, ['in > work > answer'])
    const { session, message, runId } = await send(flow.id, 'Hello')
    expect(session).toMatchObject({ title: 'Hello', workflowId: flow.id, status: goesOn })
    expect(message).toMatchObject({ role: 'user', text: 'Hello', runId })
    await parked(runId!)
    const under = await get(session)
    expect(under).toMatchObject({ status: 'waiting', currentStepId: 'work', progress: 33 })
    expect((under.steps as SessionStep[]).map(({ id, name, type, status, endedAt }) => [id, name, type, status, endedAt !== null])).toEqual([
      ['in', 'in', 'input', 'completed', true],
      ['work', 'The work', 'external', 'waiting', false],
      ['answer', 'answer', 'template', 'pending', false],
    ])
    await report(runId!, 'work')
    const done = await ended(session)
    expect(done).toMatchObject({ status: 'completed', progress: 100, currentStepId: 'work', stoppedAt: null })
    expect((done.steps as SessionStep[]).map(({ status }) => status)).toEqual(['completed', 'completed', 'completed'])
    expect(await said(session)).toEqual(['user: Hello', 'assistant: You said Hello'])
    await audit(session)
  })

  test('drops what clients write to the derived fields, and says so of any status that is not a command', async () => {
    const flow = await echo()
    const made = await create({ workflow: flow.handle, title: 'Bound', currentStepId: 'mine', steps: [1], progress: 50, context: { text: 'x' } })
    expect(made).toMatchObject({ workflowId: flow.id, status: 'idle', currentStepId: null, steps: [], progress: 0, context: { text: 'x' } })
    expect(await update(made, { currentStepId: 'mine', steps: [1], progress: 50, title: 'Still bound' })).toMatchObject({
      currentStepId: null,
      steps: [],
      progress: 0,
      title: 'Still bound',
    })
    for (const status of ['waiting', 'completed', 'failed', 'stopped'])
      expect(await refusal(update(made, { status }))).toMatchObject({ status: 400, issues: [{ path: ['status'] }] })
    expect((await refusal(create({ workflow: flow.id, status: 'completed' }))).status).toBe(400)
    expect(await refusal(create({ workflow: 'nowhere' }))).toMatchObject({ status: 404, code: 'workflow_missing' })
    expect(await rounds(made)).toEqual([])
  })

  test('takes running as a command: a round with the context as its input, or nothing while one is live; a status that is equal is none', async () => {
    const made = await create({ workflow: (await slow()).id, context: { topic: 'old' } })
    const running = await update(made, { status: 'running', context: { topic: 'AI' } })
    expect(running).toMatchObject({ status: goesOn, context: { topic: 'AI' } })
    const [round] = await rounds(made)
    expect((await server.get(round!.id)).input).toEqual({ topic: 'AI' })
    await parked(round!.id)
    await update(made, { status: 'running', context: { topic: 'new' } })
    expect(await rounds(made)).toHaveLength(1)
    await report(round!.id, 'work')
    const done = await ended(made)
    expect(done.context).toEqual({ topic: 'new' })
    await update(made, { status: 'completed' })
    expect(await rounds(made)).toHaveLength(1)
    await update(made, { status: 'running' })
    expect(await rounds(made)).toHaveLength(2)
    const both = await create({ workflow: (await echo()).id, status: 'running', context: { text: 'at once' } })
    await ended(both)
    expect(await said(both)).toEqual(['assistant: You said at once'])
  })

  test('takes idle as a cancel, which shows at once; of what is not live it changes nothing', async () => {
    const { session, runId } = await send((await slow()).id, 'Go')
    await parked(runId!)
    expect(await update(session, { status: 'idle' })).toMatchObject({ status: 'stopped' })
    expect((await server.get(runId!)).status).toBe('cancelled')
    expect(await update(session, { status: 'idle' })).toMatchObject({ status: 'stopped' })
    const { session: completed } = await send((await echo()).id, 'Go')
    await ended(completed)
    expect(await update(completed, { status: 'idle' })).toMatchObject({ status: 'completed' })
  })

  test('a cancel of its run by other means shows at once too', async () => {
    const { session, runId } = await send((await slow()).id, 'Go')
    await parked(runId!)
    await server.call('POST', `/v1/runs/${runId}/cancel`, {})
    expect(await get(session)).toMatchObject({ status: 'stopped' })
  })

  test('waits for a pause and for nothing else; fails as its round fails', async () => {
    const { session, runId } = await send((await workflow({ in: 'input', ok: approval() }, ['in > ok'])).id, 'May I?')
    await once(session, ({ status }) => status === 'waiting')
    const [pause] = await server.pauses(runId!)
    await server.decide(pause!, 'approve')
    await ended(session)
    const failing = await workflow({ in: 'input', boom: { type: 'code', config: { source: 'throw new Error("no")' } } }, ['in > boom'])
    const { session: failed } = await send(failing.id, 'Go')
    expect(await once(failed, ({ status }) => status !== 'running')).toMatchObject({ status: 'failed' })
    expect(await said(failed)).toEqual(['user: Go'])
  })

  test('logs the start and the end of a round, the start, the retry and the failure of a step, and what its nodes log; then its figures', async () => {
    const flow = await workflow(
      {
        in: 'input',
        note: { type: 'log', config: { level: 'warn', message: 'Mind {{ input.text }}' } },
        flaky: { type: 'code', title: 'Flaky', config: { source: 'throw new Error("no")' }, settings: { retry: { maxAttempts: 2, backoffMs: 1, jitter: 0 } } },
      },
      ['in > note > flaky'],
    )
    const { session, runId } = await send(flow.id, 'the gap')
    await ended(session)
    expect(await logged(session)).toEqual([
      'info: The round began',
      'info: in began',
      'info: note began',
      'warn: Mind the gap',
      'info: Flaky began',
      expect.stringMatching(/^warn: Flaky failed and will be tried again: .*no/),
      'info: Flaky began again (attempt 2)',
      expect.stringMatching(/^error: Flaky failed: .*no/),
      expect.stringMatching(/^error: The round failed: .*no/),
    ])
    const stats = await lines(session, 'stat')
    expect(stats.map(({ name, value, unit }) => [name, name === 'duration_ms' ? value >= 0 : value, unit])).toEqual([
      ['duration_ms', true, 'ms'],
      ['steps', 3, null],
      ['prompt_tokens', 0, null],
      ['completion_tokens', 0, null],
    ])
    expect((await lines(session)).every((line) => line.runId === runId)).toBe(true)
    expect((await lines(session)).at(-1)).toMatchObject({ kind: 'log', level: 'error' })
  })

  test('says what its round answers: text alone, text under its name, the text of its last step; an output of another form is no message', async () => {
    const answers: [Record<string, FlowNode>, string | null][] = [
      [{ in: 'input', out: { type: 'output', config: { map: { assistant_message: 'A' } } } }, 'A'],
      [{ in: 'input', out: { type: 'output', config: { map: { message: 'B', n: 1 } } } }, 'B'],
      [{ in: 'input', out: template('C') }, 'C'],
      [{ in: 'input', out: { type: 'code', config: { source: 'return "D"' } } }, 'D'],
      [{ in: 'input', out: values({ n: 1 }) }, null],
    ]
    for (const [nodes, answer] of answers) {
      const { session } = await send((await workflow(nodes, ['in > out'])).id, 'Go')
      await ended(session)
      expect((await said(session)).slice(1)).toEqual(answer === null ? [] : [`assistant: ${answer}`])
    }
  })

  test('is there for its expressions: title, context, metadata, user, and what was said so far', async () => {
    const flow = await workflow(
      { in: 'input', answer: template('{{ session.title }}/{{ session.metadata.a }}/{{ session.context.topic }}/{{ session.messages | map: "text" | join: "," }}') },
      ['in > answer'],
    )
    const made = await create({ workflow: flow.id, title: 'T', metadata: { a: 1 }, context: { topic: 'AI' } })
    await send(made.id, 'one')
    await ended(made)
    await send(made.id, 'two')
    await once(made, ({ status }) => status === 'completed')
    await expect.poll(() => said(made), { timeout: 15_000 }).toEqual(['user: one', 'assistant: T/1/AI/one', 'user: two', 'assistant: T/1/AI/one,T/1/AI/one,two'])
    const plain = await server.run(flow.draft, {})
    expect(plain.output).toEqual({ answer: { text: '///' } })
  })

  test('shows them a long message too, and of those before it what there is room for', async () => {
    const flow = await workflow({ in: 'input', answer: template('{% for each in session.messages %}{{ each.text | size }} {% endfor %}') }, ['in > answer'])
    const { session } = await send(flow.id, 'one')
    await ended(session)
    await send(session.id, 'x'.repeat(70_000))
    await expect.poll(async () => (await said(session)).at(-1), { timeout: 15_000 }).toBe('assistant: 70000 ')
    await send(session.id, 'two')
    await expect.poll(async () => (await said(session)).at(-1), { timeout: 15_000 }).toBe('assistant: 70000 6 3 ')
  })

  test('a run sets single keys of the context with the step that sets them, also for the steps that follow in the same breath', async () => {
    const flow = await workflow(
      {
        in: 'input',
        keep: { type: 'set-context', config: { values: { heard: '{{ input.text }}', count: 1 } } },
        answer: template('{{ session.context.heard }} of {{ session.context.topic }}'),
        work: external(),
      },
      ['in > keep > answer > work'],
    )
    const made = await create({ workflow: flow.id, context: { topic: 'AI', heard: 'nothing' } })
    const { runId } = await send(made.id, 'Hello')
    await parked(runId!)
    expect((await get(made)).context).toEqual({ topic: 'AI', heard: 'Hello', count: 1 })
    expect((await server.step(runId!, 'answer')).output).toEqual({ text: 'Hello of AI' })
    await update(made, { context: { mine: true } })
    await report(runId!, 'work')
    expect((await ended(made)).context).toEqual({ mine: true })
  })

  test('a context that is no object is not touched by a run, which says so', async () => {
    const flow = await workflow({ in: 'input', keep: { type: 'set-context', config: { values: { a: 1 } } } }, ['in > keep'])
    const made = await create({ workflow: flow.id, context: [1] })
    await send(made.id, 'Go')
    expect((await ended(made)).context).toEqual([1])
    expect(await logged(made)).toContain('error: The context was not changed: it is no object (a)')
    const large = await workflow(
      { in: 'input', big: template('{% for n in (1..300) %}{{ input.text }}{% endfor %}'), keep: { type: 'set-context', config: { values: { a: '{{ big.text }}' } } } },
      ['in > big > keep'],
    )
    const { session } = await send(large.id, 'y'.repeat(200))
    expect(((await ended(session)).context as { a: string }).a).toHaveLength(60_000)
    const nul = await workflow(
      { in: 'input', c: { type: 'code', config: { source: 'return "a\\u0000b"' } }, keep: { type: 'set-context', config: { values: { a: '{{ c }}' } } } },
      ['in > c > keep'],
    )
    const { session: odd } = await send(nul.id, 'Go')
    expect((await ended(odd)).context).toBeNull()
    expect((await logged(odd)).find((line) => line.startsWith('error'))).toContain('NUL')
  })

  test('a context that a run would make too large stays as it is', async () => {
    const flow = await workflow({ in: 'input', keep: { type: 'set-context', config: { values: { a: '{{ input.long }}' } } } }, ['in > keep'])
    const made = await create({ workflow: flow.id, context: { long: 'x'.repeat(1_000_000) } })
    await server.wait(await server.start(flow, { sessionId: made.id, input: { long: 'y'.repeat(60_000) } }))
    expect((await ended(made)).context).toEqual({ long: 'x'.repeat(1_000_000) })
    expect(await logged(made)).toContain('error: The context was not changed: it is full (a)')
    const { session } = await send(flow.id, 'Go')
    await ended(session)
    const step = await server.start(flow, { sessionId: session.id, input: { long: 'y'.repeat(70_000) } })
    expect((await server.wait(step)).reason).toMatchObject({ code: 'limit_exceeded' })
  })

  test('refuses a write that names a session it has not seen the newest of, and lets none of it happen', async () => {
    const made = await create({ workflow: (await slow()).id, context: { n: 1 } })
    const newer = await update(made, { context: { n: 2 }, ifUpdated: made.updated })
    expect(Date.parse(newer.updated)).toBeGreaterThan(Date.parse(made.updated))
    for (const status of [undefined, 'running'] as const) {
      const refused = await refusal(update(made, { context: { n: 3 }, ifUpdated: made.updated, ...(status && { status }) }))
      expect(refused).toMatchObject({ status: 409, code: 'session_stale', details: { updated: newer.updated } })
    }
    expect(await rounds(made)).toEqual([])
    const { runId } = await send(made.id, 'Go')
    await parked(runId!)
    expect((await refusal(update(made, { status: 'idle', ifUpdated: made.updated }))).code).toBe('session_stale')
    expect((await server.get(runId!)).status).toBe('waiting')
    expect(await update(made, { status: 'idle', ifUpdated: (await get(made)).updated })).toMatchObject({ status: 'stopped' })
  })

  test('takes a start with its id: one more round in its lane, of its own workflow alone', async () => {
    const flow = await slow()
    const made = await create({ workflow: flow.id })
    const [one, two] = [await server.start(flow, { sessionId: made.id, input: 1 }), await server.start(flow, { sessionId: made.id, input: 2 })]
    await parked(one.id)
    expect(await get(made)).toMatchObject({ status: 'waiting' })
    expect((await server.get(two.id)).status).toBe('queued')
    await report(one.id, 'work')
    await parked(two.id)
    await report(two.id, 'work')
    await ended(made)
    // While another round waits, the end of one is not the end.
    const statuses = (await events(made)).flatMap((event) => (event.type === 'updated' ? [(event.record as unknown as Session).status] : []))
    expect(statuses.indexOf('completed')).toBe(statuses.length - 1)
    const elsewhere = await echo()
    expect((await refusal(server.start(elsewhere, { sessionId: made.id }))).issues).toEqual([{ path: ['sessionId'], message: 'The session is not bound to this workflow' }])
    expect((await refusal(server.start(flow, { sessionId: made.id, lane: { key: 'mine' } }))).issues[0]!.path).toEqual(['lane'])
    expect((await refusal(server.start(flow, { lane: { key: `session:${made.id}` } }))).issues[0]!.path).toEqual(['lane', 'key'])
    expect((await refusal(server.call('POST', '/v1/runs', { workflow: flow.id, sessionId: made.id }, { as: other.token }))).code).toBe('session_missing')
  })
})

// ── messages ───────────────────────────────────────────────────────────────────────────────────────────────────────────

describe('messages', () => {
  test('that come together are rounds one after another in their order, each with its lines in one piece', async () => {
    const flow = await workflow({ in: 'input', call: post(`${server.toy.url}/ok/chat`), answer: template('Re: {{ input.text }}') }, ['in > call > answer'])
    const made = await create({ workflow: flow.id })
    const sent = await Promise.all(Array.from({ length: 8 }, (_, index) => send(made.id, `m${index}`)))
    await once(made, ({ status }) => status === 'completed' || status === 'failed')
    await expect.poll(async () => (await said(made)).length, { timeout: 20_000 }).toBe(16)
    await audit(made)
    const all = await lines(made)
    const order = sent.map(({ message }) => message).sort((a, b) => a.number - b.number)
    const answers = all.filter((line) => line.kind === 'message' && line.role === 'assistant')
    expect(answers.map((line) => (line.kind === 'message' ? line.text : ''))).toEqual(order.map((line) => (line.kind === 'message' ? `Re: ${line.text}` : '')))
    // What the rounds themselves say does not mix.
    const speaking = all.filter((line) => !(line.kind === 'message' && line.role === 'user')).map((line) => line.runId)
    expect(speaking.filter((run, index) => run !== speaking[index - 1])).toEqual(order.map((line) => line.runId))
    const live = await server.db.database.query<{ overlaps: number }>(
      `select count(*)::int as overlaps from runs a join runs b on a.session_id = b.session_id and a.id < b.id and tstzrange(a.started_at, a.ended_at) && tstzrange(b.started_at, b.ended_at) and b.started_at < a.ended_at
       where a.session_id = $1`,
      [made.id],
    )
    expect(live[0]!.overlaps).toBe(0)
  })

  test('of which ten wait are too many: the next is refused, and leaves nothing', async () => {
    const made = await create({ workflow: (await slow()).id })
    const { runId } = await send(made.id, 'first')
    await parked(runId!)
    for (let index = 0; index < 10; index++) await send(made.id, `m${index}`)
    expect(await refusal(send(made.id, 'too many'))).toMatchObject({ status: 422, code: 'lane_full' })
    expect(await said(made)).toHaveLength(11)
    expect(await rounds(made)).toHaveLength(11)
    expect(await stop(made)).toMatchObject({ status: 'stopped' })
    expect(new Set((await rounds(made)).map(({ status }) => status))).toEqual(new Set(['cancelled']))
  })

  test('sent again under their key are told what became of the first; another under the key is a conflict', async () => {
    const flow = await echo()
    const first = await send(flow.id, 'Hello', { idempotencyKey: 'k1' })
    const again = await Promise.all([1, 2, 3].map(() => send(flow.id, 'Hello', { idempotencyKey: 'k1' })))
    for (const { session, message, runId } of again) expect([session.id, message.id, runId]).toEqual([first.session.id, first.message.id, first.runId])
    expect(await refusal(send(flow.id, 'Goodbye', { idempotencyKey: 'k1' }))).toMatchObject({ status: 409, code: 'idempotency_conflict' })
    await ended(first.session)
    expect(await said(first.session)).toEqual(['user: Hello', 'assistant: You said Hello'])
  })

  test('sent again when what they made is gone are told so: that the session is, or that the message is', async () => {
    const flow = await echo()
    for (const to of [flow.id, undefined]) {
      const again = () => send(to, 'Hello', { idempotencyKey: `gone-${to}` })
      const { session, message } = await again()
      await server.call('DELETE', `/v1/sessions/${session.id}/messages/${message.id}`)
      expect((await refusal(again())).code).toBe('line_missing')
      await remove(session)
      for (let time = 0; time < 4; time++) expect((await refusal(again())).code).toBe('session_missing')
    }
  })

  test('to more sessions at once than there are connections are all taken', async () => {
    const flow = await echo()
    const made = await Promise.all(Array.from({ length: 48 }, () => create({ workflow: flow.id })))
    const sent = await Promise.all(made.map((each) => send(each.id, 'Hello')))
    expect(new Set(sent.map(({ runId }) => runId)).size).toBe(48)
  })

  test('that start nothing are not kept: of a draft that cannot be published, of nobody', async () => {
    const broken = await workflow({ a: 'unheard-of' })
    expect((await refusal(send(broken.id, 'Hello'))).code).toBe('definition_invalid')
    expect((await refusal(send('nowhere', 'Hello'))).code).toBe('workflow_missing')
    const { items } = await server.call<Page<Session>>('GET', `/v1/sessions?workflow=${broken.id}`)
    expect(items).toEqual([])
  })

  test('answer an open question of the round under way, which asked in the conversation', async () => {
    const flow = await workflow({ in: 'input', ask: question('Which colour?'), answer: template('{{ nodes.ask.text }}, then') }, ['in > ask > answer'])
    const { session, runId } = await send(flow.id, 'Paint it')
    await once(session, ({ status }) => status === 'waiting')
    const sent = await send(session.id, 'Blue')
    expect(sent).toMatchObject({ runId, pauseId: expect.any(String) })
    await ended(session)
    expect(await said(session)).toEqual(['user: Paint it', 'assistant: Which colour?', 'user: Blue', 'assistant: Blue, then'])
    expect((await lines(session, 'message'))[1]!.metadata).toEqual({ pauseId: sent.pauseId })
    expect(await server.call<Pause>('GET', `/v1/pauses/${sent.pauseId}`)).toMatchObject({ status: 'approved', decision: { inputs: { text: 'Blue' } } })
    expect(await rounds(session)).toHaveLength(1)
    await audit(session)
  })

  test('answer under the name that the form of the question has for text; what does not fit is refused and not kept', async () => {
    const form = { type: 'object', required: ['colour'], properties: { colour: { type: 'string', maxLength: 5 }, shade: { type: 'integer' } } }
    const flow = await workflow({ in: 'input', ask: question('Which?', { form }), answer: template('{{ nodes.ask.colour }}') }, ['in > ask > answer'])
    const { session } = await send(flow.id, 'Paint it')
    await once(session, ({ status }) => status === 'waiting')
    expect((await refusal(send(session.id, 'Ultramarine'))).issues[0]!.path).toEqual(['inputs', 'colour'])
    await send(session.id, 'Blue')
    await ended(session)
    expect(await said(session)).toEqual(['user: Paint it', 'assistant: Which?', 'user: Blue', 'assistant: Blue'])
  })

  test('never decide an approval: they wait behind it', async () => {
    const { session, runId } = await send((await workflow({ in: 'input', ok: approval() }, ['in > ok'])).id, 'Pay')
    await once(session, ({ status }) => status === 'waiting')
    const second = await send(session.id, 'yes, approve it')
    expect(second).toMatchObject({ pauseId: null })
    expect(second.runId).not.toBe(runId)
    expect(await server.pauses(runId!)).toHaveLength(1)
    expect(await get(session)).toMatchObject({ status: 'waiting' })
    await stop(session)
  })

  test('find what waits for approval in the log, with its id, and who decided it', async () => {
    const flow = await workflow({ in: 'input', each: map('[1]'), ok: { ...(approval() as Exclude<FlowNode, string>), in: 'each' }, after: approval() }, ['in > each > after'])
    const { session, runId } = await send(flow.id, 'Pay')
    const open = async (count: number) => {
      await expect.poll(async () => (await logged(session)).filter((line) => line.startsWith('warn: Waits')).length, { timeout: 20_000 }).toBe(count)
      return (await server.pauses(runId!))[0]!
    }
    const first = await open(1)
    await server.decide(first, 'approve', { comments: 'Fine' })
    const second = await open(2)
    await server.decide(second, 'decline', { label: 'Ada' })
    await server.wait(runId!, 'finished')
    const { user } = session
    expect((await logged(session)).filter((line) => line.includes('pproval'))).toEqual([
      `warn: Waits for approval ${first.id}: May we?`,
      `info: Approval ${first.id} was approved by ${user}: Fine`,
      `warn: Waits for approval ${second.id}: May we?`,
      `info: Approval ${second.id} was declined by Ada`,
    ])
    expect(await get(session)).toMatchObject({ status: 'stopped' })
    await audit(session)
  })

  test('that race for one question: one answers it, the others are rounds of their own', async () => {
    const flow = await workflow({ in: 'input', choose: router({ ask: 'input.text == "Ask"' }), ask: question('Which?'), answer: template('done') }, [
      'in > choose',
      'choose.ask > ask > answer',
      'choose.default > answer',
    ])
    const { session, runId } = await send(flow.id, 'Ask')
    await once(session, ({ status }) => status === 'waiting')
    const sent = await Promise.all([1, 2, 3, 4].map((n) => send(session.id, `${n}`)))
    expect(sent.filter(({ pauseId }) => pauseId !== null)).toMatchObject([{ runId }])
    await expect.poll(async () => (await rounds(session)).filter(({ status }) => status === 'completed').length, { timeout: 20_000 }).toBe(4)
    await audit(session)
  })
})

// ── stop ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

describe('a stop', () => {
  test('is durable and shows at once: the figures and one last line stand before stoppedAt, and nothing after it', async () => {
    const flow = await workflow({ in: 'input', call: post(`${server.toy.url}/hang/hold-stop`), answer: template('never') }, ['in > call > answer'])
    const { session, runId } = await send(flow.id, 'Go')
    await server.toy.came('hold-stop')
    const stopped = await stop(session)
    expect(stopped).toMatchObject({ status: 'stopped' })
    expect((await server.get(runId!)).status).toBe('cancelled')
    await server.toy.left('hold-stop')
    await new Promise((resolve) => setTimeout(resolve, 300))
    const all = await lines(session)
    expect(all.slice(-5).map((line) => (line.kind === 'stat' ? line.name : line.kind === 'log' ? line.message : line.kind))).toEqual([
      'duration_ms',
      'steps',
      'prompt_tokens',
      'completion_tokens',
      'The round was stopped',
    ])
    expect([all.at(-1)!.at, stopped.stoppedAt!].sort()[1]).toBe(stopped.stoppedAt)
    expect(await stop(session)).toEqual(await get(session))
    expect(await get(session)).toEqual(stopped)
  })

  test('takes what waits behind along; the next message goes on, and is not of the past', async () => {
    const { session, runId } = await send((await slow()).id, 'one')
    await parked(runId!)
    const waiting = await Promise.all([send(session.id, 'two'), send(session.id, 'three')])
    await stop(session)
    for (const { runId: id } of waiting) expect((await server.get(id!)).status).toBe('cancelled')
    expect((await lines(session)).filter((line) => waiting.some(({ runId: id }) => line.runId === id)).map(({ kind }) => kind)).toEqual(['message', 'message'])
    const next = await send(session.id, 'four')
    expect(next.session).toMatchObject({ status: goesOn, stoppedAt: null })
    await parked(next.runId!)
    await report(next.runId!, 'work')
    await ended(session)
    await audit(session)
  })

  test('of a session that is not running changes nothing', async () => {
    const { session } = await send((await echo()).id, 'Go')
    const done = await ended(session)
    expect(await stop(session)).toEqual(done)
  })

  test('of a round whose child still ends says nothing more when it has, and keeps the next round waiting for it', async () => {
    const child = await workflow({ call: post(`${server.toy.url}/hang/hold-child`) })
    const { session, runId } = await send((await workflow({ in: 'input', sub: subworkflow(child.id) }, ['in > sub'])).id, 'Go')
    await server.toy.came('hold-child')
    const stopped = await stop(session)
    expect(stopped.status).toBe('stopped')
    const of = async () => (await lines(session)).filter((line) => line.runId === runId)
    const told = await of()
    const next = await send(session.id, 'Next')
    expect((await server.wait(runId!)).status).toBe('cancelled')
    await server.toy.came('hold-child', 2)
    expect(await of()).toEqual(told)
    expect(await get(session)).toMatchObject({ status: 'waiting', stoppedAt: null })
    const before = Date.parse((await server.get(runId!)).endedAt!)
    expect(Date.parse((await server.get(next.runId!)).startedAt!)).toBeGreaterThanOrEqual(before)
    const again = await stop(session)
    expect((await server.wait(next.runId!)).status).toBe('cancelled')
    expect(await get(session)).toEqual(again)
    await audit(session)
  })

  test('against messages: whoever comes first, the session ends stopped or with all that came after the stop', async () => {
    const made = await create({ workflow: (await echo()).id })
    for (let round = 0; round < 5; round++) {
      await Promise.all([send(made.id, 'a'), stop(made), send(made.id, 'b'), stop(made), send(made.id, 'c')])
      await once(made, ({ status }) => status === 'completed' || status === 'stopped')
    }
    await expect.poll(async () => (await rounds(made)).filter(({ status }) => status !== 'completed' && status !== 'cancelled'), { timeout: 20_000 }).toEqual([])
    await audit(made)
    const all = await lines(made)
    for (const { id, status } of await rounds(made)) {
      const last = all.filter((line) => line.runId === id).at(-1)!
      if (status === 'completed') expect(last).toMatchObject({ kind: 'log', message: 'The round was completed' })
      else expect([last.kind === 'log' ? last.message : last.kind]).toEqual([last.kind === 'message' ? 'message' : 'The round was stopped'])
    }
  })
})

// ── lines ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

describe('lines', () => {
  test('are read from after a number, an id or a time on, of a kind, page by page; ids come with the session when asked', async () => {
    const { session } = await send((await echo()).id, 'Hello')
    await ended(session)
    const all = await lines(session)
    const from = async (query: string) => (await server.call<Page<Line>>('GET', `/v1/sessions/${session.id}/lines?limit=1000&${query}`)).items.map(({ number }) => number)
    const rest = all.slice(3).map(({ number }) => number)
    expect(await from('after=3')).toEqual(rest)
    expect(await from(`afterId=${all[2]!.id}`)).toEqual(rest)
    expect(await from(`since=${all[2]!.at}`)).toEqual(rest)
    expect(await from('afterId=unknown')).toHaveLength(all.length)
    expect(await from(`since=${new Date(Date.now() + 60_000).toISOString()}`)).toEqual([])
    expect((await refusal(from('since=yesterday'))).status).toBe(400)
    const paged: Line[] = []
    for (let cursor = ''; ;) {
      const page: Page<Line> = await server.call('GET', `/v1/sessions/${session.id}/lines?limit=2&count=true${cursor}`)
      expect(page.total).toBe(all.length)
      paged.push(...page.items)
      if (page.nextCursor === null) break
      cursor = `&cursor=${page.nextCursor}`
    }
    expect(paged).toEqual(all)
    expect(all.map(({ at }) => at).every((at) => /\.\d{6}Z$/.test(at))).toBe(true)
    const { lineIds } = await server.call<Session>('GET', `/v1/sessions/${session.id}?lineIds=true`)
    expect(lineIds).toEqual({ messages: all.filter(({ kind }) => kind === 'message').map(({ id }) => id), logs: all.filter(({ kind }) => kind === 'log').map(({ id }) => id) })
  })

  test('that are large make smaller pages: an answer is bounded, and nothing is left out', async () => {
    const { session } = await send(undefined, 'x'.repeat(250_000))
    for (let index = 0; index < 39; index++) await send(session.id, 'y'.repeat(250_000))
    const numbers: number[] = []
    let cursor: string | null = ''
    for (; cursor !== null;) {
      const page: Page<Line> = await server.call('GET', `/v1/sessions/${session.id}/lines?limit=1000${cursor && `&cursor=${cursor}`}`)
      expect(page.items.length).toBeLessThan(40)
      numbers.push(...page.items.map(({ number }) => number))
      cursor = page.nextCursor
    }
    expect(numbers).toEqual(Array.from({ length: 40 }, (_, index) => index + 1))
  })

  test('what a run says is text as all text is: without NUL, and as long as anybody’s', async () => {
    const flow = await workflow({ in: 'input', out: { type: 'code', config: { source: 'return "a\\u0000b" + "c".repeat(300000)' } } }, ['in > out'])
    const { session, message } = await send(flow.id, 'Go')
    await ended(session)
    const [, answer] = await lines(session, 'message')
    expect(answer!.text.slice(0, 3)).toBe('abc')
    expect(answer!.text.length).toBeLessThanOrEqual(262_144)
    await server.call('DELETE', `/v1/sessions/${session.id}/messages/${answer!.id}`)
    await server.call('DELETE', `/v1/sessions/${session.id}/messages/${message.id}`)
    expect(await said(session)).toEqual([])
  })

  test('a message that is deleted is gone from the lines and from what its events tell; its number is nobody else’s', async () => {
    const { session, message } = await send(undefined, 'a secret word')
    await send(session.id, 'plain')
    await server.call('DELETE', `/v1/sessions/${session.id}/messages/${message.id}`)
    expect((await lines(session)).map(({ number }) => number)).toEqual([2])
    const told = await events(session)
    expect(told.map(({ type }) => type)).toEqual(['created', 'line.added', 'line.added', 'line.deleted'])
    expect(told[1]).toMatchObject({ line: null, redacted: message.id })
    expect(told[3]).toMatchObject({ id: message.id })
    const kept = await server.db.database.query<{ text: string }>(`select data::text as text from events where subject_id = $1 and type like 'line%'`, [session.id])
    expect(JSON.stringify(kept)).not.toContain('secret')
    expect((await refusal(server.call('DELETE', `/v1/sessions/${session.id}/messages/${message.id}`))).code).toBe('line_missing')
    expect((await send(session.id, 'third')).message.number).toBe(3)
  })
})

describe('files of messages', () => {
  const upload = async (name: string, as = server.token): Promise<string> => {
    const form = new FormData()
    form.append('file', new Blob([`content of ${name}`], { type: 'text/plain' }), name)
    const response = await fetch(`${server.url}/v1/files`, { method: 'POST', headers: { authorization: `Bearer ${as}` }, body: form })
    return ((await response.json()) as { files: { id: string }[] }).files[0]!.id
  }
  const detach = (session: { id: string }, messageId: string, fileId: string) => server.call('DELETE', `/v1/sessions/${session.id}/messages/${messageId}/files/${fileId}`)
  const inUse = async (id: string) => (await server.call<{ unusedSince: string | null }>('GET', `/v1/files/${id}`)).unusedSince === null

  test('are used by the session, and told of as documents; the round is given their ids', async () => {
    const [a, b] = [await upload('a.txt'), await upload('b.txt')]
    const { session, message, runId } = await send((await echo()).id, 'Read these', { files: [a, b, a] })
    expect(message).toMatchObject({ files: [a, b] })
    expect(await lines(session, 'document')).toMatchObject([
      { messageId: message.id, fileId: a, name: 'a.txt', mimeType: 'text/plain', size: 16, runId },
      { messageId: message.id, fileId: b, name: 'b.txt' },
    ])
    expect([await inUse(a), await inUse(b)]).toEqual([true, true])
    expect((await server.get(runId!)).input).toMatchObject({ files: [a, b] })
    await ended(session)
    await audit(session)
  })

  test('of somebody else are not there, and then nothing of the message is kept', async () => {
    const theirs = await upload('theirs.txt', other.token)
    const flow = await echo()
    expect((await refusal(send(flow.id, 'Read this', { files: [theirs] }, { as: (await member('operator')).token }))).code).toBe('file_missing')
    expect((await server.call<Page<Session>>('GET', `/v1/sessions?workflow=${flow.id}`)).items).toEqual([])
    expect((await server.call<Page<Run>>('GET', `/v1/runs?workflow=${flow.id}`)).items).toEqual([])
  })

  test('go from a message, from the events that told of it, and, with the last message that has them, out of use', async () => {
    const a = await upload('a.txt')
    const first = await send(undefined, 'one', { files: [a] })
    const second = await send(first.session.id, 'two', { files: [a] })
    await detach(first.session, first.message.id, a)
    expect(await lines(first.session, 'message')).toMatchObject([{ files: [] }, { files: [a] }])
    expect(await inUse(a)).toBe(true)
    const told = await events(first.session)
    expect(told.map(({ type }) => type)).toEqual(['created', 'line.added', 'line.added', 'line.added', 'line.added', 'line.deleted'])
    expect(told.slice(1, 3)).toMatchObject([{ line: { text: 'one', files: [] } }, { line: null }])
    expect((await refusal(detach(first.session, first.message.id, a))).code).toBe('line_missing')
    await server.call('DELETE', `/v1/sessions/${first.session.id}/messages/${second.message.id}`)
    expect(await lines(first.session)).toMatchObject([{ kind: 'message', text: 'one' }])
    expect(await inUse(a)).toBe(false)
  })

  test('are of messages alone: a log has none to take', async () => {
    const { session, message } = await send((await echo()).id, 'Hello')
    await ended(session)
    const [log] = await lines(session, 'log')
    for (const { id } of [log!, message, { id: '0000000nothing0' }]) {
      expect(await refusal(server.call('DELETE', `/v1/sessions/${session.id}/messages/${id}/files/0000000nothing0`))).toMatchObject({ status: 404, code: 'line_missing' })
    }
  })

  test('are free again when the session is deleted', async () => {
    const a = await upload('a.txt')
    const { session } = await send(undefined, 'one', { files: [a] })
    await remove(session)
    expect(await inUse(a)).toBe(false)
  })
})

// ── events ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What a stream gives until one fits; then the reader leaves. */
async function streamed(
  path: string,
  fits: (item: { type: string }) => boolean,
  options: { lastEventId?: string } = {},
): Promise<{ type: string; cursor: string; [key: string]: unknown }[]> {
  const all: { type: string; cursor: string }[] = []
  const items = server.stream(path, options)
  await deadline('events of a session', (done, fail) => {
    void (async () => {
      for await (const { item } of items) {
        all.push(item)
        if (fits(item)) return done()
      }
      done()
    })().catch(fail)
    return () => void items.return().catch(() => {})
  })
  return all
}

describe('the events of a session', () => {
  test('are told live, in order, and once: a snapshot and what follows, or what follows a cursor', async () => {
    const { session } = await send((await echo()).id, 'Hello')
    await ended(session)
    const all = await events(session)
    const [snapshot] = await streamed(`/v1/sessions/${session.id}/events`, ({ type }) => type === 'snapshot')
    expect(snapshot).toMatchObject({ cursor: String(all.length), session: { id: session.id, status: 'completed' } })
    expect((snapshot!['lines'] as Line[]).map(({ number }) => number)).toEqual((await lines(session)).map(({ number }) => number))
    const live = streamed(`/v1/sessions/${session.id}/events`, (item) => item.type === 'updated' && (item as unknown as { record: Session }).record.status === 'completed', {
      lastEventId: '0',
    })
    expect((await live).map(({ type }) => type)).toEqual(all.map(({ type }) => type))
    const next = streamed(`/v1/sessions/${session.id}/events`, (item) => item.type === 'line.added' && (item as unknown as { line: Line }).line.kind === 'stat', {
      lastEventId: String(all.length),
    })
    await send(session.id, 'Again')
    expect((await next).map(({ cursor }) => Number(cursor))).toEqual((await next).map((_, index) => all.length + 1 + index))
    expect(all.every((event) => event.subject.kind === 'session' && event.subject.id === session.id)).toBe(true)
  })

  test('that were trimmed are not missed in silence: the stream starts anew', async () => {
    const { session } = await send(undefined, 'old')
    await server.db.database.query(`delete from events where subject_id = $1`, [session.id])
    expect((await streamed(`/v1/sessions/${session.id}/events`, ({ type }) => type === 'snapshot', { lastEventId: '1' })).map(({ type }) => type)).toEqual(['resync', 'snapshot'])
    await send(session.id, 'new')
    expect((await streamed(`/v1/sessions/${session.id}/events`, ({ type }) => type === 'snapshot', { lastEventId: '1' })).map(({ type }) => type)).toEqual(['resync', 'snapshot'])
  })

  test('end with its deletion, which carries its last record; whoever comes back later is told so too', async () => {
    const made = await create({ title: 'Last words' })
    const whole = streamed(`/v1/sessions/${made.id}/events`, () => false, { lastEventId: '0' })
    await update(made, { title: 'The very last' })
    await remove(made)
    expect((await whole).at(-1)).toMatchObject({ type: 'deleted', record: { title: 'The very last' } })
    expect(await streamed(`/v1/sessions/${made.id}/events`, () => false, { lastEventId: '1' })).toMatchObject([{ type: 'deleted', record: { id: made.id } }])
  })

  test('carry no large value: its size stands for it', async () => {
    const made = await create({ context: { long: 'x'.repeat(20_000) } })
    const { message } = await send(made.id, 'y'.repeat(100_000))
    const [created, added] = await events(made)
    expect(created).toMatchObject({ record: { context: { truncated: expect.any(Number) } } })
    expect(added).toMatchObject({ line: { id: message.id, truncated: 100_000 } })
    expect((await lines(made, 'message'))[0]!.text).toHaveLength(100_000)
  })
})

test('a storm of messages, stops, commands, writes and cancels on two servers: nobody waits for nobody, and every session is whole', { timeout: 90_000 }, async () => {
  await using second = await server.another()
  const flow = await workflow(
    { in: 'input', keep: { type: 'set-context', config: { values: { last: '{{ run.id }}' } } }, each: map('[1, 2]'), v: { type: 'log', in: 'each', config: { message: 'm' } } },
    ['in > keep > each'],
  )
  const made = await Promise.all(Array.from({ length: 4 }, () => create({ workflow: flow.id, context: {} })))
  const odd: string[] = []
  const allowed = new Set(['lane_full', 'run_compensating', 'run_missing', 'line_missing'])
  async function one(session: Session, step: number): Promise<void> {
    const via = step % 2 === 0 ? server : second
    const path = `/v1/sessions/${session.id}`
    const ops: (() => Promise<unknown>)[] = [
      () => via.call('POST', '/v1/sessions/send', { to: session.id, text: `m${step}` }),
      () => via.call('POST', '/v1/sessions/send', { to: session.id, text: `n${step}` }),
      () => via.call('POST', `${path}/stop`, {}),
      () => via.call('PATCH', path, { status: 'running', context: { mine: step } }),
      () => via.call('PATCH', path, { status: 'idle' }),
      () => via.call('PATCH', path, { context: { mine: step } }),
      async () => {
        const [live] = await server.db.database.query<{ id: string }>('select id from runs where session_id = $1 and ended_at is null limit 1', [session.id])
        if (live) await via.call('POST', `/v1/runs/${live.id}/cancel`, {})
      },
    ]
    await ops[(step * 5 + made.indexOf(session)) % ops.length]!().catch((error: unknown) => {
      if (!(error instanceof Refused && allowed.has(error.code))) odd.push(String(error))
    })
  }
  for (let wave = 0; wave < 12; wave++) await Promise.all(made.flatMap((session) => [0, 1, 2, 3].map((index) => one(session, wave * 4 + index))))
  expect(odd).toEqual([])
  const live = () => server.db.database.query('select id from runs where session_id = any($1) and ended_at is null', [made.map(({ id }) => id)])
  await expect.poll(live, { timeout: 30_000 }).toEqual([])
  for (const session of made) {
    await audit(session)
    const { status, stoppedAt } = await get(session)
    expect(['completed', 'stopped']).toContain(status)
    expect(stoppedAt !== null).toBe(status === 'stopped')
    const all = await lines(session)
    for (const round of await rounds(session)) {
      const words = all.flatMap((line) => (line.runId === round.id && line.kind === 'log' ? [line.message] : []))
      if (words.length > 0) expect([words[0], words.at(-1)]).toEqual(['The round began', round.status === 'completed' ? 'The round was completed' : 'The round was stopped'])
      expect(words.filter((word) => word.startsWith('The round was'))).toHaveLength(words.length > 0 ? 1 : 0)
    }
  }
})

test('the SDK holds a conversation: it sends, follows what is said over a cut connection, and reads it all again', async () => {
  const sluice = createClient({ url: server.url, token: server.token })
  const flow = await workflow({ in: 'input', ask: question('Which colour?'), answer: template('{{ nodes.ask.text }}, then') }, ['in > ask > answer'])
  const { session } = await sluice.sessions.send({ to: flow.handle, text: 'Paint it' })
  const heard: string[] = []
  let cursor: string | undefined = '0'
  // Each pass is a connection of its own, from where the one before was left.
  while (heard.at(-1) !== 'assistant: Blue, then') {
    for await (const event of sluice.events.subscribe({ sessionId: session.id, after: cursor })) {
      cursor = event.cursor
      if (event.type !== 'line.added' || event.line?.kind !== 'message') continue
      heard.push(`${event.line.role}: ${event.line.text}`)
      if (event.line.text === 'Which colour?') await sluice.sessions.send({ to: session.id, text: 'Blue' })
      break
    }
  }
  expect(heard).toEqual(['user: Paint it', 'assistant: Which colour?', 'user: Blue', 'assistant: Blue, then'])
  const all: Line[] = []
  for await (const line of sluice.sessions.lines({ id: session.id, limit: 3 })) all.push(line)
  expect(all.map(({ number }) => number)).toEqual(all.map((_, index) => index + 1))
  const told: SessionEvent[] = []
  for await (const event of sluice.sessions.events({ id: session.id, limit: 4 })) told.push(event)
  expect(told.map(({ seq }) => seq)).toEqual(told.map((_, index) => index + 1))
  await sluice.sessions.delete({ id: session.id })
  await expect(sluice.sessions.get({ id: session.id })).rejects.toThrow(NotFoundError)
})

test('a session handle holds one too, and knows its rounds', async () => {
  const sluice = createClient({ url: server.url, token: server.token })
  const flow = await workflow({ in: 'input', answer: template('You said {{ input.text }}') }, ['in > answer'])
  const { session, runId } = await sluice.sessions.send({ to: flow.handle, text: 'Hello' })
  const talk = sluice.session(session.id)
  const said: string[] = []
  for await (const event of talk.events({ after: '0' })) {
    if (event.type !== 'line.added' || event.line?.kind !== 'message' || event.line.role !== 'assistant') continue
    said.push(event.line.text)
    if (said.length === 2) break
    await talk.send('And again', { metadata: { from: 'a test' } })
  }
  expect(said).toEqual(['You said Hello', 'You said And again'])
  const texts: string[] = []
  for await (const line of talk.lines({ kind: 'message', limit: 3 })) if (line.kind === 'message' && line.role === 'user') texts.push(line.text)
  expect(texts).toEqual(['Hello', 'And again'])
  await sluice.run(runId!).then((run) => run.wait())
  const rounds = await talk.runs({ order: 'created', count: true })
  expect(rounds).toMatchObject({ total: 2, items: [{ id: runId, sessionId: session.id, trigger: 'session' }, { sessionId: session.id }] })
  expect((await sluice.runs.list({ where: { sessionId: null, workflowId: flow.id } })).items).toEqual([])
  for await (const { id } of talk.runs({ limit: 1 })) await sluice.run(id).then((run) => run.wait())
  expect(await talk.update({ title: 'Renamed' })).toMatchObject({ id: talk.id, title: 'Renamed' })
  expect((await talk.stop()).id).toBe(talk.id)
  await talk.delete()
  await expect(talk.get()).rejects.toThrow(NotFoundError)
})

// ── who ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

describe('who sees a session', () => {
  test('is its owner and the admins: to others, and to another workspace, it is not there by any door', async () => {
    const flow = await slow()
    const { session, message } = await send(flow.id, 'Mine', {})
    const path = `/v1/sessions/${session.id}`
    const doors: [string, string, JsonObject?][] = [
      ['GET', path],
      ['PATCH', path, { title: 'x' }],
      ['DELETE', path],
      ['POST', `${path}/stop`, {}],
      ['GET', `${path}/lines`],
      ['GET', `${path}/events`],
      ['DELETE', `${path}/messages/${message.id}`],
    ]
    for (const as of [other.token, stranger.token]) {
      for (const [method, door, body] of doors) expect([door, (await refusal(server.call(method, door, body, { as }))).code]).toEqual([door, 'session_missing'])
      expect((await refusal(send(session.id, 'Hello', {}, { as }))).code).toBe('workflow_missing')
      expect((await server.call<Page<Session>>('GET', '/v1/sessions', undefined, { as })).items.filter(({ id }) => id === session.id)).toEqual([])
      const refused = await fetch(`${server.url}${path}/events`, { headers: { authorization: `Bearer ${as}`, accept: 'text/event-stream' } })
      expect(refused.status).toBe(404)
    }
    expect((await get(session)).title).toBe('Mine')
    const theirs = await create({ title: 'Theirs' }, { as: other.token })
    expect(await get(theirs)).toMatchObject({ user: other.id })
    expect((await server.call<Page<Session>>('GET', '/v1/sessions')).items.map(({ id }) => id)).toContain(theirs.id)
    expect(await update(theirs, { title: 'Helped' })).toMatchObject({ title: 'Helped', user: other.id })
    expect((await refusal(server.call('GET', '/v1/sessions', undefined, { as: (await member('viewer')).token }))).status).toBe(403)
  })

  test('is who hears of it on the stream of the workspace', async () => {
    const mine = await create({ title: 'Mine' })
    const theirs = await create({ title: 'Whispered' }, { as: other.token })
    // All that came up to the event of the later one.
    const heard = (token: string): Promise<string> =>
      deadline<string>('the events of a workspace', (done, fail) => {
        const items = callerOf(server.url, token).stream('/v1/events?after=0.0')
        void (async () => {
          let text = ''
          for await (const { item } of items) {
            const told = JSON.stringify(item)
            text += told
            if (told.includes(theirs.id)) return done(text)
          }
        })().catch(fail)
        return () => void items.return().catch(() => {})
      })
    const [admin, they] = await Promise.all([heard(server.token), heard(other.token)])
    expect([admin.includes(theirs.id), admin.includes(mine.id)]).toEqual([true, true])
    expect([they.includes(theirs.id), they.includes(mine.id)]).toEqual([true, false])
  })

  test('who makes one for another is an admin, and the other a member', async () => {
    expect(await create({ user: other.id })).toMatchObject({ user: other.id })
    const { id: me } = (await server.call<{ user: { id: string } }>('GET', '/v1/auth/me')).user
    expect((await refusal(create({ user: me }, { as: other.token }))).status).toBe(403)
    expect((await refusal(create({ user: '0000000nobody00' }))).issues).toEqual([{ path: ['user'], message: 'There is no such member' }])
  })

  test('a user is not deleted while sessions are theirs', async () => {
    const leaving = await member('operator')
    const made = await create({}, { as: leaving.token })
    expect(await refusal(server.call('DELETE', `/v1/users/${leaving.id}`))).toMatchObject({ status: 409, code: 'user_in_use' })
    await remove(made)
    await server.call('DELETE', `/v1/users/${leaving.id}`)
  })

  test('a user who leaves while a session is made for them is refused, or leaves none behind', async () => {
    for (let round = 0; round < 4; round++) {
      const leaving = await member('operator')
      const made = Array.from({ length: 4 }, () => create({ user: leaving.id }).catch((error: unknown) => error))
      const gone = server.call('DELETE', `/v1/users/${leaving.id}`).then(
        () => true,
        () => false,
      )
      await Promise.all(made)
      const theirs = await server.db.database.query('select id from sessions where user_id = $1', [leaving.id])
      if (await gone) expect(theirs).toEqual([])
      else expect(theirs.length).toBeGreaterThan(0)
    }
  })

  test('a user who leaves while they send is refused, or leaves no session behind', async () => {
    const flow = await echo()
    for (let round = 0; round < 4; round++) {
      const leaving = await member('operator')
      const sent = Array.from({ length: 8 }, (_, index) =>
        send(index % 2 ? flow.id : undefined, 'Hello', {}, { as: leaving.token }).then(
          () => null,
          ({ status }: Refused) => status,
        ),
      )
      const gone = server.call('DELETE', `/v1/users/${leaving.id}`).then(
        () => 'gone',
        ({ code }: Refused) => code,
      )
      // They do not wait for each other in a circle, which PostgreSQL would cut with a 503.
      for (const status of await Promise.all(sent)) expect([null, 400, 401]).toContain(status)
      const theirs = await server.db.database.query('select id from sessions where user_id = $1', [leaving.id])
      expect(await gone).toBe(theirs.length === 0 ? 'gone' : 'user_in_use')
    }
  })

  test('the anonymous principal has sessions of its own, where it is let in', async () => {
    await using open = await server.another({ SLUICE_ANONYMOUS_ROLE: 'operator' })
    const { session } = await open.call<SentMessage>('POST', '/v1/sessions/send', { text: 'Hello' }, { as: '' })
    expect((await open.call<Page<Session>>('GET', '/v1/sessions', undefined, { as: '' })).items.map(({ id }) => id)).toEqual([session.id])
    expect((await refusal(get(session, { as: other.token }))).code).toBe('session_missing')
  })
})

describe('a list of sessions', () => {
  test('is filtered, ordered and counted by what sessions have, also inside their context', async () => {
    const flow = await slow()
    const [a, b] = [
      await create({ title: 'Alpha', tags: ['x'], context: { topic: 'AI', n: 2 } }),
      await create({ title: 'Beta', tags: ['x', 'y'], context: { topic: 'Law', n: 1 }, status: 'waiting' }),
    ]
    const bound = await create({ title: 'Gamma', workflow: flow.id })
    const list = async (query: Record<string, string>) =>
      (
        await server.call<Page<Session>>('GET', `/v1/sessions?${String(new URLSearchParams({ where: JSON.stringify({ id: { in: [a.id, b.id, bound.id] } }), ...query }))}`)
      ).items.map(({ title }) => title)
    expect(await list({})).toEqual(['Gamma', 'Beta', 'Alpha'])
    expect(await list({ order: 'title' })).toEqual(['Alpha', 'Beta', 'Gamma'])
    expect(await list({ status: 'waiting' })).toEqual(['Beta'])
    expect(await list({ tag: 'x', order: 'context.n' })).toEqual(['Beta', 'Alpha'])
    expect(await list({ workflow: flow.handle })).toEqual(['Gamma'])
    const page = await server.call<Page<Session>>(
      'GET',
      `/v1/sessions?${String(new URLSearchParams({ where: JSON.stringify({ 'context.topic': 'AI', id: a.id }), count: 'true', lineIds: 'true' }))}`,
    )
    expect(page).toMatchObject({ total: 1, items: [{ title: 'Alpha', lineIds: { messages: [], logs: [] } }] })
    expect((await refusal(list({ where: JSON.stringify({ seq: 1 }) }))).status).toBe(400)
  })
})

// ── made once ──────────────────────────────────────────────────────────────────────────────────────────────────────────

describe('a session with an id of its client', () => {
  test('is made once: who names it again gets it as it stands, its lines with it', async () => {
    const flow = await echo()
    const made = await create({ externalId: 'chat 1 ö', workflow: flow.id, title: 'First', metadata: { user: 'u_1' } })
    expect(made).toMatchObject({ externalId: 'chat 1 ö', title: 'First' })
    await send(made.id, 'Hello')
    await ended(made)
    const again = await create({ externalId: 'chat 1 ö', workflow: flow.handle, title: 'Second', messages: 10 })
    expect(again).toMatchObject({ id: made.id, title: 'First', messages: [{ role: 'user', text: 'Hello' }, { role: 'assistant' }] })
    expect((await create({ title: 'Without' })).externalId).toBeNull()
    const { items } = await server.call<Page<Session>>('GET', `/v1/sessions?${String(new URLSearchParams({ where: JSON.stringify({ externalId: 'chat 1 ö' }) }))}`)
    expect(items.map(({ id }) => id)).toEqual([made.id])
  })

  test('is refused to another workflow and to another id, and says which one has it', async () => {
    const [one, two] = [await echo(), await echo()]
    const made = await create({ externalId: 'chat-2', workflow: one.id })
    const others: JsonObject[] = [{ workflow: two.id }, {}, { workflow: one.id, id: 'abcdefghijklmn7' }]
    for (const body of others) expect(await refusal(create({ externalId: 'chat-2', ...body }))).toMatchObject({ status: 409, code: 'id_taken', details: { sessionId: made.id } })
    expect(await refusal(create({ externalId: 'chat-2', workflow: 'nowhere' }))).toMatchObject({ code: 'workflow_missing' })
    expect((await refusal(create({ externalId: '' }))).status).toBe(400)
    expect((await refusal(create({ externalId: 'x'.repeat(201) }))).status).toBe(400)
  })

  test("is its owner's alone: another person and another workspace have theirs of the same id", async () => {
    const ids = [
      await create({ externalId: 'chat-3' }),
      await create({ externalId: 'chat-3' }, { as: other.token }),
      await create({ externalId: 'chat-3' }, { as: stranger.token }),
    ].map(({ id }) => id)
    expect(new Set(ids).size).toBe(3)
    expect((await create({ externalId: 'chat-3', user: other.id })).id).toBe(ids[1])
    await remove({ id: ids[0]! })
    expect((await create({ externalId: 'chat-3' })).id).not.toBe(ids[0])
  })

  test('is one, however many make it at once, on two servers; and starts one round', async () => {
    const flow = await echo()
    await using second = await server.another()
    for (const status of ['idle', 'running']) {
      const made = await Promise.all(
        Array.from({ length: 12 }, (_, n) => (n % 2 ? second : server).call<Session>('POST', '/v1/sessions', { externalId: `race-${status}`, workflow: flow.id, status })),
      )
      expect(new Set(made.map(({ id }) => id)).size).toBe(1)
      expect(await rounds(made[0]!)).toHaveLength(status === 'idle' ? 0 : 1)
    }
  })
})

describe('an empty session', () => {
  const anew = (body: JsonObject, options?: As) => create({ reuse: 'empty', ...body }, options)

  test('is used again, until something is said or done in it', async () => {
    const flow = await slow()
    const first = await anew({ workflow: flow.id })
    expect((await anew({ workflow: flow.handle })).id).toBe(first.id)
    await server.start(flow.id, { sessionId: first.id })
    const second = await anew({ workflow: flow.id })
    expect(second.id).not.toBe(first.id)
    await send(second.id, 'Hello')
    const third = await anew({ workflow: flow.id })
    expect([first.id, second.id]).not.toContain(third.id)
    expect((await anew({ workflow: flow.id })).id).toBe(third.id)
  })

  test('is the newest of its owner, workflow, subject and metadata, and none that its client has an id for', async () => {
    const [flow, another] = [await echo(), await echo()]
    const first = await anew({ workflow: flow.id })
    const apart = [
      await anew({ workflow: another.id }),
      await anew({}),
      await anew({ workflow: flow.id, metadata: { user: 'u_1' } }),
      await anew({ workflow: flow.id, subject: 'u_1' }),
      await anew({ workflow: flow.id }, { as: other.token }),
      await create({ workflow: flow.id, externalId: 'mine' }),
    ]
    expect(new Set([first, ...apart].map(({ id }) => id)).size).toBe(7)
    expect((await anew({ workflow: flow.id, metadata: { user: 'u_1' } })).id).toBe(apart[2]!.id)
    expect((await anew({ workflow: flow.id })).id).toBe(first.id)
    // The newest has been used: an older one that is empty is not taken up again.
    const newer = await create({ workflow: flow.id })
    await send(newer.id, 'Hello')
    expect([first.id, newer.id]).not.toContain((await anew({ workflow: flow.id })).id)
  })

  test('of a workflow is found by an index, among however many others', async () => {
    const [few, many] = [await echo(), await echo()]
    const { id, user } = await anew({ workflow: few.id })
    const { database } = server.db
    const [like] = await database.query<SessionRow & Record<string, unknown>>('select * from sessions where id = $1', [id])
    let planned = ''
    const explained = database.transaction(async (tx) => {
      const others = "select (jsonb_populate_record(sessions, jsonb_build_object('id', n, 'workflow_id', $2::text))).* from sessions, generate_series(1, 20000) as n where id = $1"
      await tx.query(`insert into sessions ${others}`, [id, many.id])
      await tx.query('analyze sessions')
      const explaining: Tx = {
        async query<R>(...[statement, given]: Parameters<Tx['query']>) {
          if (typeof statement !== 'string' && statement.text.includes('from sessions')) planned = JSON.stringify(await tx.query(`explain ${statement.text}`, given))
          return (await tx.query(statement, given)) as R[]
        },
      }
      expect(await emptySession(explaining, { ...like!, user_id: user, subject: 'null', metadata: '{}' }, few.id)).toBe(id)
      throw new Error('Nobody else is to see them')
    })
    await expect(explained).rejects.toThrow('Nobody else')
    expect(planned).toContain('Index Cond: (workflow_id =')
  })

  test('is one for all who ask at once', async () => {
    const flow = await echo()
    await using second = await server.another()
    for (const body of [{ workflow: flow.id }, { metadata: { user: 'u_2' } }]) {
      const made = await Promise.all(Array.from({ length: 8 }, (_, n) => (n % 2 ? second : server).call<Session>('POST', '/v1/sessions', { reuse: 'empty', ...body })))
      expect(new Set(made.map(({ id }) => id)).size).toBe(1)
    }
  })

  test('has no id that its client gives, and no round', async () => {
    const flow = await echo()
    const others: JsonObject[] = [{ externalId: 'x' }, { id: 'abcdefghijklmn8' }, { status: 'running' }]
    for (const body of others) expect(await refusal(anew({ workflow: flow.id, ...body }))).toMatchObject({ status: 400, issues: [{ path: ['reuse'] }] })
  })
})

describe('a session with its messages', () => {
  test('has the newest, oldest first, and only when they are asked for', async () => {
    const flow = await echo()
    const { session } = await send(flow.id, 'one')
    await ended(session)
    for (const text of ['two', 'three']) {
      await send(session.id, text)
      await once(session, ({ status }) => status === 'completed')
    }
    const all = await lines(session, 'message')
    expect((await server.call<Session>('GET', `/v1/sessions/${session.id}?messages=1000`)).messages).toEqual(all)
    expect((await server.call<Session>('GET', `/v1/sessions/${session.id}?messages=3`)).messages).toEqual(all.slice(-3))
    expect((await update(session, { title: 'x', messages: 1 })).messages).toEqual(all.slice(-1))
    expect(await get(session)).not.toHaveProperty('messages')
    for (const n of ['0', '1001', 'all']) expect((await refusal(server.call('GET', `/v1/sessions/${session.id}?messages=${n}`))).status).toBe(400)
  })

  test('fills an answer from the newest message of each down, so that a large one takes no room from the others', async () => {
    const [first, large, last] = [await create({ title: 'A' }), await create({ title: 'B' }), await create({ title: 'C' })]
    await server.db.database.query(
      `insert into lines (session_id, number, id, at, kind, data)
       select $1, n, 'message' || lpad(n::text, 8, '0'), now(), 'message', json_build_object('role', 'user', 'text', repeat('x', 200000), 'metadata', json_build_object(), 'files', json_build_array()) from generate_series(1, 100) n`,
      [large.id],
    )
    for (const text of ['a', 'b', 'c']) for (const small of [first, last]) await send(small.id, text)
    const where = JSON.stringify({ id: { in: [first.id, large.id, last.id] } })
    const { items } = await server.call<Page<Session>>('GET', `/v1/sessions?${String(new URLSearchParams({ where, order: 'title', messages: '1000' }))}`)
    const [ofFirst, ofLarge, ofLast] = items.map(({ messages }) => messages!)
    for (const small of [ofFirst, ofLast]) expect(small!.map(({ text }) => text)).toEqual(['a', 'b', 'c'])
    expect(ofLarge!.at(-1)!.number).toBe(100)
    expect(ofLarge!.map(({ number }) => number)).toEqual(Array.from({ length: ofLarge!.length }, (_, n) => 101 - ofLarge!.length + n))
    expect(JSON.stringify(items).length).toBeLessThan(16 * 1024 * 1024)
    expect(ofLarge!.length).toBeGreaterThan(20)
  })
})

// ── ends ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

describe('a deletion', () => {
  test('of a session is real: it takes its lines, its events and its rounds with their children; a live one is cancelled first', async () => {
    const child = await workflow({ v: values({ a: 1 }) })
    const flow = await workflow({ in: 'input', sub: subworkflow(child.id), call: post(`${server.toy.url}/hang/hold-delete`) }, ['in > sub > call'])
    const { session, runId } = await send(flow.id, 'Go')
    await server.toy.came('hold-delete')
    await remove(session)
    await server.toy.left('hold-delete')
    expect((await refusal(get(session))).code).toBe('session_missing')
    expect((await refusal(server.get(runId!))).code).toBe('run_missing')
    const left = await server.db.database.query(
      `select 'run' as what from runs where session_id = $1 or id = $2 or parent_run_id = $2 union all select 'line' from lines where session_id = $1
       union all select type from events where subject_id in ($1, $2) union all select 'step' from steps where run_id = $2`,
      [session.id, runId],
    )
    expect(left).toEqual([{ what: 'deleted' }])
  })

  test('of a session is its end: nobody has its id, and what is told of it, while that is told', async () => {
    const id = 'abcdefghijklmn9'
    await create({ id, context: { mine: true } })
    await remove({ id })
    expect(await refusal(create({ id }))).toMatchObject({ status: 409, code: 'id_taken' })
    expect((await refusal(server.call('PUT', `/v1/sessions/${id}`, { title: 'Again' }))).code).toBe('id_taken')
    for (const as of [other.token, stranger.token]) expect((await refusal(create({ id }, { as }))).code).toBe('id_taken')
    await server.db.database.query('delete from events where subject_id = $1', [id])
    expect((await events(await create({ id }))).map(({ seq, type }) => [seq, type])).toEqual([[1, 'created']])
  })

  test('of a session whose round still ends takes the round when it has', async () => {
    const child = await workflow({ call: post(`${server.toy.url}/hang/hold-late`) })
    const { session, runId } = await send((await workflow({ in: 'input', sub: subworkflow(child.id) }, ['in > sub'])).id, 'Go')
    await server.toy.came('hold-late')
    await remove(session)
    await expect.poll(async () => server.db.database.query('select id from runs where id = $1 or parent_run_id = $1', [runId]), { timeout: 20_000 }).toEqual([])
  })

  test('of a workflow unbinds its sessions with the cancel of their rounds: they are their clients’ own from then on', async () => {
    const flow = await slow()
    const { session, runId } = await send(flow.id, 'Go')
    const quiet = await create({ workflow: flow.id })
    await parked(runId!)
    await server.call('DELETE', `/v1/workflows/${flow.id}`)
    expect(await get(session)).toMatchObject({ workflowId: null, status: 'stopped' })
    expect(await get(quiet)).toMatchObject({ workflowId: null, status: 'idle' })
    expect((await events(session)).at(-1)).toMatchObject({ type: 'updated', record: { workflowId: null } })
    expect(await update(session, { status: 'completed', currentStepId: 'mine' })).toMatchObject({ status: 'completed', currentStepId: 'mine' })
    expect(await said(session)).toEqual(['user: Go'])
  })

  test('of a session against its round, of many at once: nothing is left of any', async () => {
    const flow = await workflow({ in: 'input', each: map('input.list'), v: { type: 'static-value', in: 'each', config: { values: { a: '{{ item }}' } } } }, ['in > each'])
    const made = await Promise.all(Array.from({ length: 8 }, () => create({ workflow: flow.id, status: 'running', context: { list: [1, 2, 3] } })))
    await Promise.all(made.map((each, index) => new Promise((resolve) => setTimeout(resolve, index * 7)).then(() => remove(each))))
    await expect.poll(async () => server.db.database.query('select id from runs where session_id = any($1)', [made.map(({ id }) => id)]), { timeout: 20_000 }).toEqual([])
  })
})
