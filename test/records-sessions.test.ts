import { Fault, type JsonObject, type Record as RecordOf, type Session } from '@sluice/schema'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Principal } from '../packages/server/src/access/principal.ts'
import { createCollections } from '../packages/server/src/collections/collections.ts'
import { coreCollections } from '../packages/server/src/collections/core.ts'
import { createEngine, createQueue } from '../packages/server/src/engine/index.ts'
import { createDoorbell } from '../packages/server/src/events/doorbell.ts'
import { createFiles } from '../packages/server/src/files/files.ts'
import { createModels } from '../packages/server/src/models/models.ts'
import { createModes } from '../packages/server/src/modes/modes.ts'
import { createCatalogue } from '../packages/server/src/nodes/catalogue.ts'
import { createOutside } from '../packages/server/src/outside/outside.ts'
import { createBatch } from '../packages/server/src/records/batch.ts'
import { sessionWriter } from '../packages/server/src/records/sessions.ts'
import type { Asking, Writing } from '../packages/server/src/records/writer.ts'
import { createSandbox } from '../packages/server/src/sandbox/sandbox.ts'
import { alone, type Rooms } from '../packages/server/src/sessions/within.ts'
import { openDatabase } from '../packages/server/src/store/database.ts'
import { createLog } from '../packages/server/src/telemetry.ts'
import { createPlans } from '../packages/server/src/workflows/plans.ts'
import { createWorkflows } from '../packages/server/src/workflows/workflows.ts'
import { external, flow } from './support/flow.ts'
import { type TestServer, testServer } from './support/server.ts'

const collection = coreCollections.find(({ name }) => name === 'workflow_sessions')!

let server: TestServer
let rooms: Rooms
let me: Asking
let admin: Asking
const closing: (() => Promise<unknown>)[] = []
beforeAll(async () => {
  server = await testServer()
  rooms = beside(server)
  const { user, workspace } = await server.call<{ user: { id: string }; workspace: { id: string } }>('GET', '/v1/auth/me')
  const { userId } = await server.call<{ userId: string }>('POST', '/v1/members', { email: 'somebody@example.com', role: 'operator' })
  me = asking(userId, workspace.id, 'operator')
  admin = asking(user.id, workspace.id, 'owner')
})
afterAll(async () => {
  for (const close of closing) await close()
  await server[Symbol.asyncDispose]()
})

/** What writes sessions, next to a server that takes their rounds up. */
function beside(house: TestServer): Rooms {
  const database = openDatabase({ url: house.db.url, max: 4 })
  const doorbell = createDoorbell(database)
  const queue = createQueue(database, { supervise: false, onError: () => {} })
  const [outside, sandbox] = [createOutside({ allow: [] }), createSandbox()]
  const catalogue = createCatalogue({ outside, sandbox, models: createModels({ configured: null, outside }) })
  const workflows = createWorkflows({ database, catalogue })
  const log = createLog({ level: 'error', write: (line) => void process.stderr.write(line) })
  const parts = { database, writer: database, doorbell, queue, catalogue, plans: createPlans(catalogue), workflows, log }
  const { rounds } = createEngine({ ...parts, secret: async () => '', writeFile: () => Promise.reject(new Error('no files here')) })
  closing.push(
    () => doorbell.close(),
    () => Promise.all([outside.close(), sandbox.close()]),
    () => database.close(),
  )
  return { database, doorbell, rounds, modes: createModes({ workflows }), files: createFiles({ database }) }
}

const asking = (userId: string, workspaceId: string, role: Principal['role']): Asking => ({
  principal: { id: userId, userId, workspaceId, role, scopes: null, credential: 'token', email: '', name: '' },
  asker: { userId, superuser: role === 'owner', auth: { id: userId } },
  now: new Date(),
})

// ── small calls ────────────────────────────────────────────────────────────────────────────────────────────────────────

const within = <T>(work: (each: Writing) => Promise<T>): Promise<T> => alone(rooms, work)
const plain = () => ({ title: 'A', status: 'idle', currentStepId: 'a', steps: [], context: null, user: me.principal.userId, workflow: '' })
const create = (more: JsonObject = {}, as = me): Promise<string> => within((each) => sessionWriter.create(each, as, collection, { ...plain(), ...more }))
const update = (id: string, values: JsonObject, as = me): Promise<void> => within((each) => sessionWriter.update(each, as, collection, id, values))
const remove = (id: string, as = me): Promise<void> => within((each) => sessionWriter.delete(each, as, collection, id))
const get = (id: string): Promise<Session> => server.call('GET', `/v1/sessions/${id}`)
const runsOf = (id: string) => rooms.database.query<{ id: string; status: string }>('select id, status from runs where session_id = $1 order by id', [id])
const slow = async (): Promise<string> => (await server.workflow(flow({ in: 'input', work: external() }, ['in > work']))).id

async function refusal(call: Promise<unknown>): Promise<Fault> {
  const error = await call.catch((thrown: unknown) => thrown)
  if (error instanceof Fault) return error
  throw error instanceof Error ? error : new Error(`not refused: ${JSON.stringify(error)}`)
}
const issue = async (call: Promise<unknown>) => {
  const { code, issues } = await refusal(call)
  return { fault: code, field: issues[0]?.path?.[0], code: issues[0]?.code }
}

// ── what holds ─────────────────────────────────────────────────────────────────────────────────────────────────────────

test('a session without a workflow is as its client wrote it, and stays its own', async () => {
  const id = await create({ context: { a: 1 }, status: 'waiting', steps: [{ id: 'a' }] })
  expect(await get(id)).toMatchObject({ title: 'A', status: 'waiting', currentStepId: 'a', steps: [{ id: 'a' }], context: { a: 1 }, user: me.principal.userId, workflowId: null })
  await update(id, { context: { b: 2 }, status: 'completed' })
  expect(await get(id)).toMatchObject({ title: 'A', status: 'completed', context: { b: 2 } })
  expect(await issue(update(id, { user: admin.principal.userId }, admin))).toEqual({ fault: 'record_invalid', field: 'user', code: 'invalid_value' })
  await update(id, { user: me.principal.userId, workflow: '' })
  await remove(id)
  for (const call of [update(id, {}), remove(id)]) expect((await refusal(call)).code).toBe('record_missing')
})

test('an update counts as a change, though it says nothing new', async () => {
  const id = await create()
  const before = await get(id)
  await update(id, {})
  const { updated, ...after } = await get(id)
  expect({ ...after, updated: before.updated }).toEqual(before)
  expect(updated > before.updated).toBe(true)
  const { items } = await server.call<{ items: { type: string }[] }>('GET', `/v1/sessions/${id}/events`)
  expect(items.map(({ type }) => type)).toEqual(['created', 'updated'])
})

test('an id is given once, and also not soon after it was deleted', async () => {
  const id = 'given0000000001'
  expect(await create({ id })).toBe(id)
  const taken = { fault: 'record_invalid', field: 'id', code: 'not_unique' }
  expect(await issue(create({ id }))).toEqual(taken)
  expect(await issue(create({ id, workflow: await slow(), status: 'running' }))).toEqual(taken)
  await remove(id)
  expect(await issue(create({ id }))).toEqual(taken)
})

test('a session of others is for superusers to make, and of members alone', async () => {
  expect((await refusal(create({ user: admin.principal.userId }))).code).toBe('record_refused')
  expect((await get(await create({}, admin))).user).toBe(me.principal.userId)
  expect(await issue(create({ user: '01k2v9m3h5rj6tx' }, admin))).toEqual({ fault: 'record_invalid', field: 'user', code: 'missing_records' })
})

test('what was stopped stays so when it is sent back as records tell it', async () => {
  const id = await create({ status: 'running' })
  await server.call('POST', `/v1/sessions/${id}/stop`, {})
  const { stoppedAt } = await get(id)
  await update(id, { status: 'idle', title: 'B' })
  expect(await get(id)).toMatchObject({ title: 'B', status: 'stopped', stoppedAt })
  await update(id, { status: 'failed' })
  expect(await get(id)).toMatchObject({ status: 'failed', stoppedAt: null })
})

test('the status of a bound session is a command: running starts, once, and idle cancels at once', async () => {
  const workflow = await slow()
  const id = await create({ workflow, context: { n: 1 }, currentStepId: '', steps: null })
  expect(await get(id)).toMatchObject({ workflowId: workflow, status: 'idle', currentStepId: null })
  await update(id, { status: 'running', context: { n: 2 } })
  await update(id, { status: 'running', currentStepId: 'mine', steps: [1] })
  const [run, ...others] = await runsOf(id)
  expect(others).toEqual([])
  expect((await server.wait(run!.id, (now) => now.status === 'waiting')).input).toEqual({ n: 2 })
  expect(await get(id)).toMatchObject({ status: 'waiting', currentStepId: 'work', context: { n: 2 } })
  for (const status of ['completed', 'failed']) expect(await issue(update(id, { status }))).toEqual({ fault: 'record_invalid', field: 'status', code: 'invalid_value' })
  await update(id, { status: 'idle' })
  expect(await get(id)).toMatchObject({ status: 'stopped' })
  expect((await server.wait(run!.id)).status).toBe('cancelled')
})

test('a bound session is made with its round, or not at all', async () => {
  const id = await create({ workflow: await slow(), status: 'running' })
  expect(await runsOf(id)).toHaveLength(1)
  await remove(id)
  expect(await runsOf(id)).toEqual([])
  const strict = await server.workflow(flow({ in: { type: 'input', config: { schema: { type: 'object', required: ['name'] } } } }))
  expect(await issue(create({ id: 'strict000000001', workflow: strict.id, status: 'running', context: {} }))).toEqual({
    fault: 'record_invalid',
    field: 'context',
    code: 'invalid_value',
  })
  expect(await create({ id: 'strict000000001', workflow: strict.id, status: 'running', context: { name: 'A' } })).toBe('strict000000001')
  expect(await issue(create({ workflow: strict.id, status: 'completed' }))).toEqual({ fault: 'record_invalid', field: 'status', code: 'invalid_value' })
  expect(await issue(create({ workflow: '01k2v9m3h5rj6tx' }))).toEqual({ fault: 'record_invalid', field: 'workflow', code: 'missing_records' })
})

test('what a session is bound to is for good', async () => {
  const [one, two] = [await slow(), await slow()]
  const id = await create({ workflow: one })
  await update(id, { workflow: one })
  for (const workflow of [two, '']) expect(await issue(update(id, { workflow }))).toEqual({ fault: 'record_invalid', field: 'workflow', code: 'invalid_value' })
  expect(await issue(update(await create(), { workflow: one }))).toEqual({ fault: 'record_invalid', field: 'workflow', code: 'invalid_value' })
})

test('a round goes back with the transaction that started it', async () => {
  const id = await create({ workflow: await slow() })
  const undone = within(async (each) => {
    await sessionWriter.update(each, me, collection, id, { status: 'running' })
    expect(await each.tx.query('select from runs where session_id = $1', [id])).toHaveLength(1)
    throw new Fault('batch_failed')
  })
  expect((await refusal(undone)).code).toBe('batch_failed')
  expect(await runsOf(id)).toEqual([])
  expect(await get(id)).toMatchObject({ status: 'idle' })
})

test('two that start the same session at once start one round', async () => {
  const id = await create({ workflow: await slow() })
  await Promise.all(Array.from({ length: 6 }, () => update(id, { status: 'running' })))
  expect(await runsOf(id)).toHaveLength(1)
})

test('of a bound session the steps and the step under way need not be said', () => {
  const required = (values: JsonObject) => sessionWriter.as!(collection, values).fields.flatMap(({ name, required: is, system }) => (is && !system ? [name] : []))
  expect(required({ workflow: '' })).toEqual(['title', 'status', 'currentStepId', 'steps', 'user'])
  expect(required({ workflow: '01k2v9m3h5rj6tx' })).toEqual(['title', 'status', 'user'])
})

test('a batch that is refused undoes the rounds that it has started: no session, no run, no event, no job; one that is not starts them', async () => {
  const workflow = await slow()
  const shown = async ({ tx }: Writing, id: string): Promise<RecordOf> => {
    const [row] = await tx.query<{ title: string }>('select title from sessions where id = $1', [id])
    return { collection: { id: collection.id, name: collection.name }, id, values: { title: row!.title }, instants: [] }
  }
  const batch = createBatch(
    rooms,
    { collections: createCollections(), writerOf: () => sessionWriter },
    {
      create: async (each, as, { values }) => shown(each, await sessionWriter.create(each, as, collection, { ...plain(), ...values })),
      update: async (each, as, { id, values }) => (await sessionWriter.update(each, as, collection, id, values), shown(each, id)),
      delete: (each, as, { id }) => sessionWriter.delete(each, as, collection, id),
      has: async () => false,
    },
  )
  const known = await create({ workflow })
  const start = { do: 'create' as const, collection: collection.name, values: { workflow, status: 'running' } }
  const starting = [start, start, { do: 'update' as const, collection: collection.name, id: known, values: { status: 'running' } }]
  const left = () =>
    rooms.database.query(
      "select (select count(*) from runs) as runs, (select count(*) from events) as events, (select count(*) from sluice_jobs.job where name = 'runs') as jobs, (select count(*) from sessions) as sessions",
    )
  // What was started before has come to rest.
  await expect.poll(() => rooms.database.query("select id from runs where status in ('queued', 'running', 'cancelling')"), { timeout: 20_000 }).toEqual([])
  const before = await left()
  const refused = await refusal(batch(me, { requests: [...starting, { do: 'delete', collection: collection.name, id: 'nosuchrecord123' }] }))
  expect([refused.code, refused.details]).toMatchObject(['batch_failed', { index: 3, do: 'delete', problem: { code: 'record_missing' } }])
  // Longer than a server takes to find work.
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  expect(await left()).toEqual(before)
  const { records } = await batch(me, { requests: starting })
  for (const each of records) expect(await runsOf(each!.id)).toHaveLength(1)
  for (const each of records) await server.wait((await runsOf(each!.id))[0]!.id, 'parked')
})
