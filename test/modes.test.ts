import { type JsonObject, type Line, type Mode, type Page, type SentMessage, Session, type SessionEvent, type SessionTool, type Workflow } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { external, flow, type FlowNode, loop, map, template } from './support/flow.ts'
import { refusal, type TestServer, testServer } from './support/server.ts'
import { say, toyModel } from './support/toy-model.ts'

/** What a session is bound to by its mode, and what its rounds tell it: of loops and maps, over a rebinding, over a stop. */

let server: TestServer

beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const create = (body: JsonObject = {}) => server.call<Session>('POST', '/v1/sessions', body)
const get = ({ id }: { id: string }) => server.call<Session>('GET', `/v1/sessions/${id}`)
const update = ({ id }: { id: string }, body: JsonObject) => server.call<Session>('PATCH', `/v1/sessions/${id}`, body)
const stop = ({ id }: { id: string }, at = server as Pick<TestServer, 'call'>) => at.call<Session>('POST', `/v1/sessions/${id}/stop`, {})
const send = (to: string | undefined, more: JsonObject = {}, at = server as Pick<TestServer, 'call'>) =>
  at.call<SentMessage>('POST', '/v1/sessions/send', { ...(to !== undefined && { to }), text: 'Hello', ...more })
const lines = async ({ id }: { id: string }) => (await server.call<Page<Line>>('GET', `/v1/sessions/${id}/lines?limit=10000`)).items
const logged = (all: Line[]) => all.flatMap((line) => (line.kind === 'log' ? [`${line.level}: ${line.message}`] : []))
const own = () => server.workflow(flow({ in: 'input', answer: template('You said {{ input.text }}') }, ['in > answer']))
const slow = () => server.workflow(flow({ in: 'input', work: external() }, ['in > work']))
const report = (runId: string, step: string) => server.call('POST', '/v1/steps/report', { run: { id: runId }, step, outcome: 'completed', output: null })

/** What a workflow stands for: a mode, or somebody's own. */
async function kindOf(id: string | null): Promise<string | null> {
  if (id === null) return null
  const [row] = await server.db.database.query<{ mode: string | null }>('select mode from workflows where id = $1', [id])
  return row!.mode ?? 'own'
}

async function rounds({ id }: { id: string }): Promise<string[]> {
  const rows = await server.db.database.query<{ kind: string }>(
    `select coalesce(workflows.mode, 'own') as kind from runs join workflows on workflows.id = workflow_id where session_id = $1 order by runs.id`,
    [id],
  )
  return rows.map(({ kind }) => kind)
}

const rested = ({ id }: { id: string }) =>
  expect
    .poll(async () => (await server.db.database.query('select id from runs where session_id = $1 and ended_at is null', [id])).length, { timeout: 30_000, interval: 20 })
    .toBe(0)

const modes: readonly Mode[] = ['Actionplan', 'React']
const isMode = (text: unknown): text is Mode => text === 'Actionplan' || text === 'React'

// ── the rules ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The rules of binding, told once more. */
class Expected {
  bound: string | null = null
  mode: string | null = null
  rounds: string[] = []

  create(mode: string | null, workflow: 'own' | null): this {
    this.mode = mode
    this.bound = workflow ?? (isMode(mode) ? mode : null)
    return this
  }

  write(mode: string | null, isRun: boolean): void {
    if (isMode(this.bound) && isMode(mode)) this.bound = mode
    this.mode = mode
    if (isRun && this.bound !== null) this.rounds.push(this.bound)
  }

  send(mode: string | undefined, orMode: Mode | undefined): void {
    const wanted = isMode(mode) ? mode : orMode && (isMode(this.mode) ? this.mode : orMode)
    if (this.bound === null && wanted) this.mode = this.bound = wanted
    else this.mode = mode ?? this.mode
    if (isMode(this.bound) && isMode(mode)) this.bound = mode
    if (this.bound !== null) this.rounds.push(this.bound)
  }
}

function chance(seed: number) {
  let state = seed * 2_654_435_769
  const next = (): number => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 1_013_904_223) | 0
    return (state >>> 0) / 2 ** 32
  }
  return <T>(of: readonly T[]): T => of[Math.floor(next() * of.length)]!
}

const texts = [undefined, undefined, 'React', 'Actionplan', 'react', 'guided'] as const

describe('what a session is bound to', () => {
  test.each([1, 2, 3, 4, 5, 6])('follows the rules, whatever is done to sessions in whatever order (%i)', { timeout: 120_000 }, async (seed) => {
    const pick = chance(seed)
    const mine = await own()
    const sessions = new Map<string, Expected>()
    const done: string[] = []
    const make = async () => {
      const [mode, workflow] = [pick(texts), pick([null, null, 'own'] as const)]
      done.push(`create ${mode} ${workflow}`)
      const { id } = await create({ ...(mode !== undefined && { mode }), ...(workflow && { workflow: mine.id }) })
      sessions.set(id, new Expected().create(mode ?? null, workflow))
    }
    const sent = async (id: string | undefined) => {
      const [mode, orMode] = [pick(texts), pick([undefined, ...modes])]
      const { session } = await send(id, { ...(mode !== undefined && { mode }), ...(orMode && { orMode }) })
      const expected = sessions.get(session.id) ?? new Expected()
      done.push(`send ${id ? 'to it' : ''} ${mode} or ${orMode}`)
      expected.send(mode, orMode)
      sessions.set(session.id, expected)
    }
    await make()
    for (let step = 0; step < 25; step++) {
      const id = pick([...sessions.keys()])
      const expected = sessions.get(id)
      const act = pick(['create', 'send', 'send', 'send', 'anew', 'update', 'update', 'run', 'put', 'stop', 'delete', 'unmake'] as const)
      const mode = pick([...texts.slice(1), null])
      if (!expected || act === 'create') await make()
      else if (act === 'send') await sent(id)
      else if (act === 'anew') await sent(undefined)
      else if (act === 'update' || act === 'run') {
        const isRun = act === 'run' && expected.bound !== null
        done.push(`${act} ${mode}`)
        await update({ id }, { ...(mode !== undefined && { mode }), ...(isRun && { status: 'running' }) })
        expected.write(mode === undefined ? expected.mode : mode, isRun)
      } else if (act === 'put') {
        done.push(`put ${mode}`)
        await server.call('PUT', `/v1/sessions/${id}`, { mode: mode ?? null })
        expected.write(mode ?? null, false)
      } else if (act === 'stop') await stop({ id })
      else if (act === 'delete') {
        await server.call('DELETE', `/v1/sessions/${id}`)
        sessions.delete(id)
      } else {
        const gone = pick(modes)
        const [row] = await server.db.database.query<{ id: string }>('select id from workflows where mode = $1 and deleted_at is null', [gone])
        if (row) await server.call('DELETE', `/v1/workflows/${row.id}`)
        done.push(`delete the workflow of ${gone}`)
        for (const each of sessions.values()) if (row && each.bound === gone) each.bound = null
      }
      for (const [each, { bound, mode: label, rounds: of }] of sessions) {
        await rested({ id: each })
        const now = await get({ id: each })
        expect({ bound: await kindOf(now.workflowId), mode: now.mode, rounds: await rounds(now) }, done.join('\n')).toEqual({ bound, mode: label, rounds: of })
      }
    }
  })

  test('is one mode, however many first messages come at once on two servers, and every round is of it', async () => {
    await using other = await server.another()
    for (let time = 0; time < 4; time++) {
      const session = await create()
      const orModes = [...modes, ...modes, ...modes]
      await Promise.all(orModes.map((orMode, index) => send(session.id, { orMode }, index % 2 ? server : other)))
      const { workflowId, mode } = await get(session)
      expect(mode).toBe(await kindOf(workflowId))
      expect(new Set(await rounds(session))).toEqual(new Set([mode]))
      expect(await rounds(session)).toHaveLength(orModes.length)
      await stop(session)
    }
  })

  test('and its label are of the message that was accepted last, when messages name modes at once on two servers', async () => {
    await using other = await server.another()
    const session = await create({ mode: 'React' })
    for (let time = 0; time < 4; time++) {
      await Promise.all([...modes, ...modes].map((mode, index) => send(session.id, { mode }, index % 2 ? server : other)))
      await Promise.all([...modes, ...modes].map((mode, index) => (index % 2 ? update(session, { mode }) : send(session.id, { text: 'once more' }, other))))
      const now = await get(session)
      expect(now.mode).toBe(await kindOf(now.workflowId))
      await stop(session)
    }
  })

  test('may change while a round goes on, which goes on to its end and is told of; the next one is of the new mode', async () => {
    const { session, runId } = await send(undefined, { mode: 'React', text: 'Hello' })
    await server.wait(runId!, 'finished')
    // As a person may: the workflow of a mode is edited like any other.
    const { id, draft } = await server.call<Workflow>('GET', `/v1/workflows/${session.workflowId}`)
    const definition = { ...draft, nodes: [...draft.nodes, { id: 'hold', type: 'external' }], links: [...draft.links, { source: 'answer', target: 'hold' }] }
    await server.call('PATCH', `/v1/workflows/${id}`, { definition })
    const held = await send(session.id)
    await server.wait(held.runId!, 'parked')
    const next = await send(session.id, { mode: 'Actionplan' })
    expect(next.session).toMatchObject({ mode: 'Actionplan', status: 'waiting' })
    expect(await kindOf(next.session.workflowId)).toBe('Actionplan')
    await report(held.runId!, 'hold')
    await server.wait(next.runId!, 'finished')
    const all = await lines(session)
    expect(logged(all.filter((line) => line.runId === held.runId)).at(-1)).toBe('info: The round was completed')
    expect(logged(all.filter((line) => line.runId === next.runId)).at(-1)).toBe('info: The round was completed')
    expect(await rounds(session)).toEqual(['React', 'React', 'Actionplan'])
    expect(await get(session)).toMatchObject({ status: 'completed', progress: 100 })

    // What the session is bound to goes: with it goes the round under way, though it is of another workflow.
    await update(session, { mode: 'React' })
    const last = await send(session.id)
    await server.wait(last.runId!, 'parked')
    const { workflowId } = await update(session, { mode: 'Actionplan' })
    await server.call('DELETE', `/v1/workflows/${workflowId}`)
    expect((await server.wait(last.runId!, 'finished')).status).toBe('cancelled')
    expect(await get(session)).toMatchObject({ workflowId: null, status: 'stopped' })
    await server.call('DELETE', `/v1/workflows/${session.workflowId}`)
  })

  test('is what a message says that answers a question: the round that asked goes on, the next one is of the new mode', async () => {
    const session = await create({ mode: 'React' })
    const { id, draft } = await server.call<Workflow>('GET', `/v1/workflows/${session.workflowId}`)
    const ask = { id: 'which', type: 'human', config: { kind: 'question', message: 'Which?' } }
    const definition = { ...draft, nodes: [...draft.nodes, ask], links: [...draft.links, { source: 'input', target: 'which' }] }
    await server.call('PATCH', `/v1/workflows/${id}`, { definition })
    const first = await send(session.id)
    await expect.poll(async () => (await server.pauses(first.runId!)).length, { timeout: 20_000 }).toBe(1)
    const answer = await send(session.id, { mode: 'Actionplan', text: 'That one' })
    expect(answer).toMatchObject({ runId: first.runId, session: { mode: 'Actionplan' } })
    expect(answer.pauseId).not.toBeNull()
    await server.wait(first.runId!, 'finished')
    const next = await send(session.id)
    await server.wait(next.runId!, 'finished')
    expect(await rounds(session)).toEqual(['React', 'Actionplan'])
    expect(await get(session)).toMatchObject({ status: 'completed', mode: 'Actionplan' })
    await server.call('DELETE', `/v1/workflows/${id}`)
  })

  test('is asked for with an external id once: the session is the same after it went over to another mode, and never one of a workflow of its own', async () => {
    const made = await create({ externalId: 'by mode', mode: 'React' })
    await update(made, { mode: 'Actionplan' })
    expect(await create({ externalId: 'by mode', mode: 'React' })).toMatchObject({ id: made.id, mode: 'Actionplan' })
    const mine = await own()
    expect((await refusal(create({ externalId: 'by mode', workflow: mine.id }))).code).toBe('id_taken')
    await create({ externalId: 'by workflow', workflow: mine.id })
    expect((await refusal(create({ externalId: 'by workflow', mode: 'React' }))).code).toBe('id_taken')
  })

  test('goes by names that are written as they are: another case is a label, and of orMode a mistake', async () => {
    expect(await create({ mode: 'react' })).toMatchObject({ mode: 'react', workflowId: null })
    expect((await send(undefined, { mode: 'REACT' })).runId).toBeNull()
    expect(await refusal(send(undefined, { orMode: 'react' }))).toMatchObject({ status: 400, issues: [{ path: ['orMode'] }] })
  })
})

// ── what was said before, and what may be called ───────────────────────────────────────────────────────────────────────

describe('what was said before', () => {
  const history = [
    { role: 'system', text: 'Be brief' },
    { role: 'user', text: 'One?' },
    { role: 'assistant', text: 'One.' },
  ]

  test('stands in a new session before its message, at times before it, and is given to the round', async () => {
    const bot = await server.workflow({ ...flow({ in: 'input', answer: template('{{ input.history | json }}') }, ['in > answer']), kind: 'chatbot' })
    const { session, message, runId } = await send(bot.id, { history })
    await server.wait(runId!, 'finished')
    const [a, b, c, mine, ...rest] = await lines(session)
    expect([a, b, c]).toMatchObject(history.map((each, index) => ({ ...each, kind: 'message', number: index + 1, runId: null })))
    expect(mine).toEqual(message)
    const times = [a, b, c, mine].map((line) => line!.at)
    expect(times).toEqual([...new Set(times)].sort())
    const answer = rest.find((line) => line.kind === 'message')
    expect(JSON.parse(answer?.kind === 'message' ? answer.text : '')).toEqual(history.map(({ role, text }) => ({ role, content: text })))
    // Of one that is there its lines are what was said.
    const again = await send(session.id, { history: [{ role: 'user', text: 'Forged' }] })
    await server.wait(again.runId!, 'finished')
    expect(JSON.stringify(await lines(session))).not.toContain('Forged')
    const { session: unbound } = await send(undefined, { history })
    expect((await lines(unbound)).map((line) => (line.kind === 'message' ? line.text : line.kind))).toEqual(['Be brief', 'One?', 'One.', 'Hello'])
  })

  test('is at most 200 messages of together 1 MiB, and else nothing is kept', async () => {
    const before = (await server.call<Page<Session>>('GET', '/v1/sessions?count=true')).total
    const many = Array.from({ length: 201 }, () => ({ role: 'user', text: 'x' }))
    expect((await refusal(send(undefined, { history: many }))).issues).toMatchObject([{ path: ['history'] }])
    expect((await server.call<Page<Session>>('GET', '/v1/sessions?count=true')).total).toBe(before)
    const { session } = await send(undefined, { history: many.slice(1) })
    expect(await lines(session)).toHaveLength(201)
  })
})

test('what may be called in a session is what was said last of it, and the functions of a sender are kept with their message', async () => {
  const tools: SessionTool[] = [{ name: 'http_request', approval: false }, { name: 'workflow_invoice' }]
  const made = await server.call<Session>('POST', '/v1/sessions', { tools })
  expect((await get(made)).tools).toEqual(tools)
  expect((await send(made.id, { tools: null })).session.tools).toBeNull()
  expect((await send(made.id, { tools: [] })).session.tools).toEqual([])
  expect((await send(made.id)).session.tools).toEqual([])
  expect((await update(made, { tools: [{ name: '*' }] })).tools).toEqual([{ name: '*' }])
  const clientTools = [{ name: 'look_up', description: 'Looks', parameters: { type: 'object' } }]
  const { message } = await send(made.id, { metadata: { from: 'phone' }, clientTools })
  expect(message).toMatchObject({ metadata: { from: 'phone', clientTools } })
  for (const name of ['', 'with space', 'x'.repeat(65)]) expect((await refusal(send(made.id, { clientTools: [{ name }] }))).status).toBe(400)
})

test('an own list of sessions is asked for as that of me', async () => {
  const { items } = await server.call<Page<Session>>('GET', '/v1/sessions?user=me')
  const { user } = await create()
  expect(items.length).toBeGreaterThan(0)
  expect(new Set(items.map((each) => each.user))).toEqual(new Set([user]))
})

// ── rounds ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

test('of many messages at once on two servers eleven are taken, the rest are told that it is full, and there is one round at a time', async () => {
  await using other = await server.another()
  const session = await create({ workflow: (await slow()).id })
  const answers = await Promise.all(Array.from({ length: 30 }, (_, index) => send(session.id, {}, index % 2 ? server : other).catch((error: unknown) => error as { code: string })))
  const taken = answers.flatMap((answer) => ('runId' in answer ? [answer.runId!] : []))
  expect(taken).toHaveLength(11)
  expect(new Set(answers.flatMap((answer) => ('code' in answer ? [answer.code] : [])))).toEqual(new Set(['lane_full']))
  for (const id of taken.toSorted()) {
    await server.wait(id, 'parked')
    await report(id, 'work')
    await server.wait(id, 'finished')
  }
  const spans = await server.db.database.query<{ started_at: Date; ended_at: Date }>('select started_at, ended_at from runs where session_id = $1 order by started_at', [
    session.id,
  ])
  for (const [index, { started_at: started }] of spans.entries()) if (index > 0) expect(started.getTime()).toBeGreaterThanOrEqual(spans[index - 1]!.ended_at.getTime())
  const all = await lines(session)
  expect(all.map(({ number }) => number)).toEqual(all.map((_, index) => index + 1))
  expect(all.map(({ at }) => at)).toEqual([...new Set(all.map(({ at }) => at))].sort())
})

describe('a round of loops and maps', () => {
  const nested = (more: Record<string, FlowNode> = {}, links: string[] = []) =>
    server.workflow(
      flow(
        {
          in: 'input',
          work: loop({ while: 'count < 3', max: 5, start: 0 }),
          each: { type: 'map', config: { items: '[1, 2, 3]', concurrency: 2 }, in: 'work' },
          one: { type: 'http-request', config: { method: 'GET', url: `${server.toy.url}/ok/item` }, in: 'each' },
          after: template('Done'),
          ...more,
        },
        ['in > work > after', ...links],
      ),
    )

  async function told(session: { id: string }): Promise<Session[]> {
    const all: SessionEvent[] = []
    for (;;) {
      const { items } = await server.call<Page<SessionEvent>>('GET', `/v1/sessions/${session.id}/events?after=${all.at(-1)?.seq ?? 0}&limit=100`)
      all.push(...items)
      if (items.length < 100) return all.flatMap((event) => (event.type === 'updated' ? [Session.parse(event.record)] : []))
    }
  }

  test('has a progress that never falls and is 100 when it is completed alone, and a current step at the top', async () => {
    const { session, runId } = await send((await nested()).id)
    await server.wait(runId!, 'finished')
    const all = await told(session)
    const progress = all.map((each) => each.progress)
    expect(progress).toEqual([...progress].sort((a, b) => a - b))
    for (const each of all) {
      expect(each.progress === 100).toBe(each.status === 'completed')
      expect([null, 'in', 'work', 'after']).toContain(each.currentStepId)
    }
    expect(all.at(-1)).toMatchObject({ status: 'completed', progress: 100 })
    expect(all.map(({ currentStepId }) => currentStepId)).toContain('work')
    expect(logged(await lines(session))).toEqual(['info: The round began', 'info: in began', 'info: work began', 'info: after began', 'info: The round was completed'])
  })

  test('that fails in an item says which, and is never at 100', async () => {
    const broken = await nested({ one: { type: 'http-request', config: { method: 'GET', url: `${server.toy.url}/refuse/never` }, in: 'each' } })
    const { session, runId } = await send(broken.id)
    await server.wait(runId!, 'finished')
    expect((await told(session)).some(({ progress }) => progress === 100)).toBe(false)
    expect(await get(session)).toMatchObject({ status: 'failed', currentStepId: 'work' })
    expect(logged(await lines(session)).find((line) => line.startsWith('error: one'))).toMatch(/^error: one \(1\.[12]\) failed: /)
  })
})

test('a stop ends all calls of a model at once, from another server too, and no line comes after it but what stands before stoppedAt', { timeout: 90_000 }, async () => {
  await using model = await toyModel()
  await using first = await testServer({ SLUICE_MODEL_URL: model.url, SLUICE_MODEL: 'slow', SLUICE_HTTP_ALLOW: model.host })
  await using second = await first.another()
  let asked = 0
  const open = new Set<object>()
  // Some answer while the stop comes, and some hang.
  model.on('slow', async (answer, each) => {
    open.add(answer)
    answer.on('close', () => open.delete(answer))
    if (++asked % 3 === 0) return
    await new Promise((resolve) => setTimeout(resolve, 30 + (asked % 5) * 20))
    await say('Yes')(answer, each)
  })
  const flow_ = await first.workflow(
    flow({ in: 'input', each: map('[1,2,3,4,5,6,7,8,9,10,11,12]', { concurrency: 6 }), think: { type: 'llm', config: { prompt: 'Number {{ item }}' }, in: 'each' } }, [
      'in > each',
    ]),
  )
  const read = async ({ id }: { id: string }) => (await first.call<Page<Line>>('GET', `/v1/sessions/${id}/lines?limit=10000`)).items
  for (let time = 0; time < 4; time++) {
    const { session, runId } = await send(flow_.id, {}, time % 2 ? first : second)
    await expect.poll(async () => (await read(session)).length, { timeout: 20_000, interval: 10 }).toBeGreaterThan(8 + time)
    const since = performance.now()
    const stopped = await stop(session, time % 2 ? second : first)
    expect(stopped.status).toBe('stopped')
    const before = await read(session)
    await expect.poll(() => open.size, { timeout: 10_000, interval: 5 }).toBe(0)
    expect(performance.now() - since).toBeLessThan(6_000)
    await new Promise((resolve) => setTimeout(resolve, 500))
    const after = await read(session)
    expect(after).toEqual(before)
    expect(logged(after).at(-1)).toBe('info: The round was stopped')
    expect(after.at(-1)!.kind).toBe('log')
    for (const { at } of after) expect(at.slice(0, 23) <= stopped.stoppedAt!.slice(0, 23)).toBe(true)
    expect((await first.call<{ status: string }>('GET', `/v1/runs/${runId}`)).status).toBe('cancelled')
    expect(await second.call<Session>('GET', `/v1/sessions/${session.id}`)).toEqual(stopped)
  }
})

test('lines beyond a page are all there, page by page, and after one that was deleted everything is', async () => {
  const { session, message } = await send(undefined)
  await server.db.database.query(
    `with added as (
       insert into lines (session_id, number, id, at, kind, data)
       select $1, n, 'log' || lpad(n::text, 12, '0'), now() + n * interval '1 microsecond', 'log', json_build_object('level', 'info', 'message', n::text, 'nodeId', null, 'step', null) from generate_series(2, 2500) n
     ) update sessions set lines = 2500, line_at = (extract(epoch from now()) * 1000000)::bigint + 3000 where id = $1`,
    [session.id],
  )
  const paged: number[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const page: Page<Line> = await server.call('GET', `/v1/sessions/${session.id}/lines?limit=1000${cursor && `&cursor=${cursor}`}`)
    paged.push(...page.items.map(({ number }) => number))
    cursor = page.nextCursor
  }
  expect(paged).toEqual(Array.from({ length: 2_500 }, (_, index) => index + 1))
  const afterId = async (id: string) => (await server.call<Page<Line>>('GET', `/v1/sessions/${session.id}/lines?limit=10000&afterId=${id}`)).items.length
  expect(await afterId(message.id)).toBe(2_499)
  await server.call('DELETE', `/v1/sessions/${session.id}/messages/${message.id}`)
  expect(await afterId(message.id)).toBe(2_499)
  expect(await afterId('log000000002000')).toBe(500)
})
