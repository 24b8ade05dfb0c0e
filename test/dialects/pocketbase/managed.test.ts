import type PocketBase from 'pocketbase'
import { createClient } from '@sluice/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { approval, external, flow, template, values } from '../../support/flow.ts'
import { deadline } from '../../support/deadline.ts'
import { member, type PocketBaseServer, pocketbaseServer, type Row, sdkOf } from './sdk.ts'

const sessions = 'workflow_sessions'

let base: PocketBaseServer
let pb: PocketBase
beforeAll(async () => {
  base = await pocketbaseServer()
  pb = base.pb
})
afterAll(() => base[Symbol.asyncDispose]())

const records = () => pb.collection(sessions)
const plain = { title: 'A', status: 'idle', currentStepId: 'a', steps: [] as object[] }
const unbound = (more: object = {}): Promise<Row> => records().create({ ...plain, user: base.me, ...more })
const bound = (workflow: { id: string }, more: object = {}): Promise<Row> => records().create({ title: 'A', status: 'idle', user: base.me, workflow: workflow.id, ...more })
const change = ({ id }: Row, values: object): Promise<Row> => records().update(id, values)
const get = ({ id }: Row, options?: object): Promise<Row> => records().getOne(id, options)
const runsOf = ({ id }: Row) => base.server.db.database.query<{ id: string; status: string }>('select id, status from runs where session_id = $1 order by id', [id])

/** What a call is refused with: its status, and what is said of each field. */
async function refusal(call: Promise<unknown>): Promise<{ status: number; data: Row; message: string }> {
  const error = await call.then(
    (value) => Promise.reject(new Error(`not refused: ${JSON.stringify(value)}`)),
    (thrown: { status: number; response: { data: Row; message: string } }) => thrown,
  )
  return { status: error.status, ...error.response }
}

/** The record once it is so. */
async function once(record: Row, holds: (record: Row) => boolean): Promise<Row> {
  const end = Date.now() + 20_000
  for (;;) {
    const now = await get(record)
    if (holds(now)) return now
    if (Date.now() > end) throw new Error(`not within 20 s: ${JSON.stringify(now)}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
const shows = (record: Row, status: string): Promise<Row> => once(record, (now) => now['status'] === status)

/** Greets whom the context names, once somebody has agreed. */
const greeting = () =>
  base.server.workflow(
    flow({ in: 'input', ask: approval(), greet: template('Hello {{ input.name }}'), out: { type: 'output', config: { map: { text: '{{ greet.text }}' } } } }, [
      'in > ask > greet > out',
    ]),
  )
/** Waits for a report, for as long as nobody sends one. */
const slow = () => base.server.workflow(flow({ in: 'input', work: external() }, ['in > work']))
const quick = () => base.server.workflow(flow({ a: values({ a: 1 }) }))

describe('a session that is bound to a workflow', () => {
  test('follows its round as it moves, live: it waits for who decides, goes on, and completes', async () => {
    const flowOf = await greeting()
    const session = await bound(flowOf, { status: 'running', context: { name: 'Ann' } })
    expect(session).toMatchObject({ workflow: flowOf.id, context: { name: 'Ann' }, user: base.me })
    const told: Row[] = []
    const stop = await records().subscribe(session.id, ({ record }) => void told.push(record as Row))

    const waiting = await shows(session, 'waiting')
    expect(waiting).toMatchObject({ currentStepId: 'ask' })
    const states = (record: Row) => Object.fromEntries(record['steps'].map(({ id, status }: { id: string; status: string }) => [id, status]))
    expect(states(waiting)).toEqual({ in: 'completed', ask: 'waiting', greet: 'pending', out: 'pending' })
    expect((await records().getList(1, 30, { filter: pb.filter('workflow = {:of} && status = "waiting"', { of: flowOf.id }) })).items).toMatchObject([{ id: session.id }])

    const [run] = await runsOf(session)
    const [pause] = await base.server.pauses(run!)
    const [seen] = await pb.collection('pauses').getFullList({ filter: `run.session = "${session.id}" && status = "open"`, expand: 'run' })
    expect(seen).toMatchObject({ id: pause!.id, expand: { run: { id: run!.id, session: session.id } } })
    const client = createClient({ url: base.server.url, token: base.server.token })
    await client.pauses.approve(pause!.id)

    const completed = await shows(session, 'completed')
    expect(states(completed)).toEqual({ in: 'completed', ask: 'completed', greet: 'completed', out: 'completed' })
    await deadline('the last change is told', (done) => {
      const look = setInterval(() => told.at(-1)?.['status'] === 'completed' && done(), 20)
      return () => clearInterval(look)
    })
    await stop()
    // The one that is told last is the one that stands there: nothing is told ahead of its time.
    expect(told.at(-1)).toEqual(completed)
    expect(await pb.collection('runs').getOne(run!.id)).toMatchObject({ status: 'completed', output: { text: 'Hello Ann' }, session: session.id })
  })

  test('starts when it is told to run, with its context as the input, and does nothing while it runs', async () => {
    const session = await bound(await slow(), { context: { n: 1 } })
    expect(session).toMatchObject({ status: 'idle' })
    expect(await runsOf(session)).toEqual([])
    expect(await change(session, { status: 'running', context: { n: 2 } })).toMatchObject({ context: { n: 2 } })
    const [run, ...others] = await runsOf(session)
    expect(others).toEqual([])
    expect((await base.server.get(run!)).input).toEqual({ n: 2 })
    await shows(session, 'waiting')
    expect(await change(session, { status: 'running' })).toMatchObject({ status: 'waiting' })
    expect(await change(session, { title: 'B', context: { n: 3 } })).toMatchObject({ status: 'waiting', title: 'B', context: { n: 3 } })
    expect(await runsOf(session)).toHaveLength(1)
  })

  test('is cancelled when it is told to be idle, and shows so at once; a round of it can be started again', async () => {
    const session = await bound(await slow(), { status: 'running' })
    const [run] = await runsOf(session)
    expect(await change(session, { status: 'idle' })).toMatchObject({ status: 'idle' })
    expect((await base.server.wait(run!)).status).toBe('cancelled')
    expect(await get(session)).toMatchObject({ status: 'idle' })
    expect((await records().getList(1, 1, { filter: `id = "${session.id}" && status = "idle"` })).totalItems).toBe(1)
    // It says so again, as a client does that sends back what it has read.
    expect(await change(session, { status: 'idle' })).toMatchObject({ status: 'idle' })
    await change(session, { status: 'running' })
    expect(await runsOf(session)).toHaveLength(2)
  })

  test('shows that its round has failed', async () => {
    const failing = await base.server.workflow(flow({ a: { type: 'code', config: { source: 'throw new Error("no")' } } }))
    const failed = await shows(await bound(failing, { status: 'running' }), 'failed')
    expect(failed['steps']).toMatchObject([{ id: 'a', status: 'failed' }])
  })

  test('keeps its steps and the step under way, whoever sends others, and takes no other status', async () => {
    const session = await bound(await slow(), { status: 'running', currentStepId: 'mine', steps: [{ id: 'mine' }] })
    const running = await shows(session, 'waiting')
    expect(running).toMatchObject({ currentStepId: 'work' })
    expect(await change(session, { currentStepId: 'mine', steps: [] })).toMatchObject({ currentStepId: 'work', steps: running['steps'] })
    for (const status of ['completed', 'failed']) {
      expect(await refusal(change(session, { status }))).toMatchObject({ status: 400, message: 'Failed to update record.', data: { status: { code: 'validation_invalid_value' } } })
    }
    expect(await refusal(bound(await quick(), { status: 'completed' }))).toMatchObject({ status: 400, data: { status: { code: 'validation_invalid_value' } } })
    expect(await get(session)).toMatchObject({ status: 'waiting' })
  })

  test('stays bound to what it was made with, which has to be there', async () => {
    const [one, two] = [await quick(), await quick()]
    const session = await bound(one)
    expect(await change(session, { workflow: one.id })).toMatchObject({ workflow: one.id })
    for (const workflow of [two.id, '']) expect(await refusal(change(session, { workflow }))).toMatchObject({ status: 400, data: { workflow: {} } })
    expect(await refusal(change(await unbound(), { workflow: one.id }))).toMatchObject({ status: 400, data: { workflow: {} } })
    expect(await refusal(bound({ id: '01k2v9m3h5rj6tx' }))).toMatchObject({ status: 400, data: { workflow: { code: 'validation_missing_rel_records' } } })
  })

  test('refuses a context that does not do as the input of its round, and is not made', async () => {
    const strict = await base.server.workflow(flow({ in: { type: 'input', config: { schema: { type: 'object', required: ['name'], properties: { name: { type: 'string' } } } } } }))
    const before = (await records().getList(1, 1)).totalItems
    expect(await refusal(bound(strict, { status: 'running', context: {} }))).toMatchObject({ status: 400, data: { context: { code: 'validation_invalid_value' } } })
    expect((await records().getList(1, 1)).totalItems).toBe(before)
    const session = await bound(strict)
    expect(await refusal(change(session, { status: 'running', title: 'B' }))).toMatchObject({ status: 400, data: { context: {} } })
    expect(await get(session)).toMatchObject({ title: 'A', status: 'idle' })
    expect(await change(session, { status: 'running', context: { name: 'Ann' } })).toMatchObject({ context: { name: 'Ann' } })
  })

  test('is told with its user, its workflow and its runs when they are asked for', async () => {
    const workflow = await quick()
    const session = await shows(await bound(workflow, { status: 'running' }), 'completed')
    const [run] = await runsOf(session)
    const { expand } = await get(session, { expand: 'user,workflow,runs_via_session.workflow' })
    expect(expand).toMatchObject({
      user: { id: base.me },
      workflow: { id: workflow.id, name: 'Flow' },
      runs_via_session: [{ id: run!.id, status: 'completed', expand: { workflow: { id: workflow.id } } }],
    })
    const filter = `runs_via_session.status ?= "completed" && workflow = "${workflow.id}"`
    expect((await records().getFullList({ filter })).map(({ id }) => id)).toEqual([session.id])
  })

  test('takes its live round with it when it is deleted', async () => {
    const session = await bound(await slow(), { status: 'running' })
    await records().delete(session.id)
    expect(await refusal(get(session))).toMatchObject({ status: 404 })
    const [run] = await runsOf(session)
    if (run) expect((await base.server.wait(run)).status).toBe('cancelled')
  })

  test('starts nothing in a batch that is refused', async () => {
    const session = await bound(await slow())
    const batch = pb.createBatch()
    batch.collection(sessions).update(session.id, { status: 'running' })
    batch.collection(sessions).create({ title: '' })
    expect(await refusal(batch.send())).toMatchObject({ status: 400, data: { requests: { 1: { code: 'batch_request_failed' } } } })
    expect(await runsOf(session)).toEqual([])
    expect(await get(session)).toMatchObject({ status: 'idle' })
  })
})

describe('a session of no workflow', () => {
  test('is what its client says: any status, steps, step under way, and a context that is replaced as a whole', async () => {
    const session = await unbound({ context: { a: 1, b: 2 } })
    expect(session).not.toHaveProperty('workflow')
    for (const status of ['running', 'waiting', 'completed', 'failed', 'idle']) expect(await change(session, { status })).toMatchObject({ status })
    const changed = await change(session, { steps: [{ id: 'b' }], currentStepId: 'b', context: { c: 3 } })
    expect(changed).toMatchObject({ steps: [{ id: 'b' }], currentStepId: 'b', context: { c: 3 } })
    expect(await get(session)).toEqual(changed)
    expect(await refusal(change(session, { status: 'stopped' }))).toMatchObject({ status: 400, data: { status: { code: 'validation_invalid_value' } } })
    expect(await refusal(change(session, { title: '', steps: null }))).toMatchObject({
      status: 400,
      data: { title: { code: 'validation_required' }, steps: { code: 'validation_required' } },
    })
  })

  test('counts as changed when it is sent as it stands, and whoever follows it is told', async () => {
    const session = await unbound()
    const told: Row[] = []
    const stop = await records().subscribe(session.id, ({ record }) => void told.push(record as Row))
    const { created, updated, ...changed } = await change(session, {})
    expect(changed).toEqual(Object.fromEntries(Object.entries(session).filter(([key]) => key !== 'created' && key !== 'updated')))
    expect(created).toBe(session['created'])
    expect(updated > session['updated']).toBe(true)
    await deadline('it is told', (done) => {
      const look = setInterval(() => told.length > 0 && done(), 20)
      return () => clearInterval(look)
    })
    expect(told[0]).toMatchObject({ id: session.id, updated })
    await stop()
  })

  test('has the id that its client gives, once, and also not soon after it was deleted', async () => {
    const id = `mine${Date.now().toString(36).padStart(11, '0')}`
    expect(await unbound({ id })).toMatchObject({ id })
    const taken = { status: 400, message: 'Failed to create record.', data: { id: { code: 'validation_not_unique', message: 'Value must be unique.' } } }
    expect(await refusal(unbound({ id }))).toEqual(expect.objectContaining(taken))
    await records().delete(id)
    expect(await refusal(unbound({ id }))).toMatchObject({
      status: 400,
      data: { id: { code: 'validation_not_unique', message: expect.stringContaining('a day after that it is free') } },
    })
    const codes = { short: 'min_text_constraint', muchlongerthanany: 'max_text_constraint', 'UPPERCASE-NOT-A': 'invalid_format' }
    for (const [wrong, code] of Object.entries(codes)) expect(await refusal(unbound({ id: wrong }))).toMatchObject({ status: 400, data: { id: { code: `validation_${code}` } } })
    expect(await refusal(change(await unbound(), { id: 'mine00000000000' }))).toMatchObject({ status: 400, data: { id: { code: 'validation_pk_change' } } })
  })

  test('is its owner’s: others do not learn of it, make none in their name, and hand none over; superusers do', async () => {
    const other = await member(base.server, `other${Date.now()}@example.com`)
    const theirs = await sdkOf(base.server.url, other)
    const session = await unbound()
    const foreign = theirs.collection(sessions)
    expect((await foreign.getList(1, 30)).items).toEqual([])
    const calls = [() => foreign.getOne(session.id), () => foreign.update(session.id, { title: 'B' }), () => foreign.delete(session.id)]
    for (const call of calls) expect(await refusal(call())).toMatchObject({ status: 404 })
    expect(await refusal(unbound({ user: other.id }))).toMatchObject({ status: 400, message: 'Failed to create record.', data: {} })
    expect(await refusal(change(session, { user: other.id }))).toMatchObject({ status: 400, data: { user: {} } })

    const all = base.superuser.collection(sessions)
    const given: Row = await all.create({ ...plain, user: other.id })
    expect(await foreign.getOne(given.id)).toMatchObject({ user: other.id })
    expect(await all.update(session.id, { title: 'By an admin' })).toMatchObject({ user: base.me, title: 'By an admin' })
    expect(await refusal(all.create({ ...plain, user: '01k2v9m3h5rj6tx' }))).toMatchObject({ status: 400, data: { user: { code: 'validation_missing_rel_records' } } })
    expect(await refusal(all.update(session.id, { user: other.id }))).toMatchObject({ status: 400, data: { user: {} } })
  })

  test('says what is too large', async () => {
    const context = { text: 'x'.repeat(1_048_576) }
    expect(await refusal(unbound({ context }))).toMatchObject({ status: 413, message: 'Request entity too large.' })
  })
})

describe('the same session on other faces', () => {
  const native = () => createClient({ url: base.server.url, token: pb.authStore.token })

  test('is what the typed SDK reads and writes, and a record again', async () => {
    const session = await unbound({ context: { a: 1 } })
    const told = await native().sessions.get({ id: session.id })
    expect(told).toMatchObject({ id: session.id, title: 'A', status: 'idle', currentStepId: 'a', steps: [], context: { a: 1 }, user: base.me, workflowId: null })
    await native().sessions.update({ id: session.id, context: { a: 2 }, status: 'stopped' })
    expect(await get(session)).toMatchObject({ context: { a: 2 }, status: 'idle' })
    expect((await records().getList(1, 1, { filter: `id = "${session.id}" && status = "idle"` })).totalItems).toBe(1)
    // What it was stopped as, it stays: to send it back as it is told is no change of its status.
    await change(session, { status: 'idle', title: 'B' })
    expect(await native().sessions.get({ id: session.id })).toMatchObject({ title: 'B', status: 'stopped', stoppedAt: expect.any(String) })
    await change(session, { status: 'running' })
    expect(await native().sessions.get({ id: session.id })).toMatchObject({ status: 'running', stoppedAt: null })
  })

  test('is a record when a chat has made it, with its messages', async () => {
    const echo = await base.server.workflow(flow({ in: 'input', answer: template('You said {{ input.text }}') }, ['in > answer']))
    const { session } = await native().sessions.send({ to: echo.id, text: 'Hello' })
    const record = await shows(session, 'completed')
    expect(record).toMatchObject({ title: 'Hello', workflow: echo.id, user: base.me })
    expect(await pb.collection('messages').getFullList({ filter: `session = "${session.id}"`, sort: 'number' })).toMatchObject([
      { role: 'user', text: 'Hello' },
      { role: 'assistant', text: 'You said Hello' },
    ])
  })

  test('has the round that PySpur lists among the runs of its workflow', async () => {
    const workflow = await quick()
    const session = await shows(await bound(workflow, { status: 'running' }), 'completed')
    const [run] = await runsOf(session)
    expect(await base.server.call('GET', `/wf/${workflow.id}/runs/`)).toMatchObject([{ id: run!.id, status: 'COMPLETED' }])
    expect(await base.server.call('GET', `/session/${session.id}/`)).toMatchObject({ id: session.id, workflow_id: workflow.id })
  })
})
