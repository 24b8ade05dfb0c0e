import { once } from 'node:events'
import { connect } from 'node:net'
import PocketBase, { type BatchRequestResult, type BatchService } from 'pocketbase'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deadline } from '../../support/deadline.ts'
import { external, flow } from '../../support/flow.ts'
import { eventually } from '../../support/processes.ts'
import { createRig } from '../../support/rig.ts'
import { member, type PocketBaseServer, pocketbaseServer, type Row, sdkOf } from './sdk.ts'

const sessions = 'workflow_sessions'
const at = `/api/collections/${sessions}/records`

let base: PocketBaseServer
let pb: PocketBase
beforeAll(async () => {
  base = await pocketbaseServer()
  pb = base.pb
})
afterAll(() => base[Symbol.asyncDispose]())

const plain = (title: string, more: object = {}): object => ({ title, status: 'idle', currentStepId: 'a', steps: [], user: base.me, ...more })
const create = (title: string, more: object = {}): Promise<Row> => pb.collection(sessions).create(plain(title, more))
const get = (id: string): Promise<Row> => pb.collection(sessions).getOne(id)
const titled = async (title: string): Promise<number> => (await pb.collection(sessions).getList(1, 1, { filter: pb.filter('title = {:title}', { title }) })).totalItems
const send = async (...fill: ((batch: BatchService) => void)[]): Promise<BatchRequestResult[]> => {
  const batch = pb.createBatch()
  for (const each of fill) each(batch)
  return batch.send()
}

/** A call as it goes over the wire. */
async function ask(
  method: string,
  path: string,
  body?: RequestInit['body'],
  type?: string,
  token = pb.authStore.token,
): Promise<{ status: number; text: string; body: Row; headers: Headers }> {
  const reply = await fetch(base.server.url + path, {
    method,
    headers: { authorization: token, ...(type !== undefined && { 'content-type': type }) },
    ...(body !== undefined && { body }),
  })
  const text = await reply.text()
  return { status: reply.status, text, body: text === '' ? null : JSON.parse(text), headers: reply.headers }
}
const json = (method: string, path: string, body: unknown, token?: string) => ask(method, path, JSON.stringify(body), 'application/json', token)
const post = (requests: unknown, token?: string) => json('POST', '/api/batch', { requests }, token)

/** How many of all that a batch could leave behind there are. */
async function left(): Promise<Row> {
  const [row] = await base.server.db.database.query<Row>(
    "select (select count(*) from runs) as runs, (select count(*) from events) as events, (select count(*) from sluice_jobs.job where name = 'runs') as jobs, (select count(*) from sessions) as sessions",
  )
  return row!
}

const refusal = (sent: Promise<unknown>): Promise<{ status: number; response: Row }> =>
  sent.then(
    (value) => Promise.reject(new Error(`not refused: ${JSON.stringify(value)}`)),
    (error: { status: number; response: Row }) => error,
  )

describe('a batch', () => {
  test('creates, changes and deletes as the document has it, each answered right after its own write', async () => {
    const [known, old] = [await create('known'), await create('old')]
    const batch = pb.createBatch()
    batch.collection(sessions).create(plain('new'), { expand: 'user', fields: 'title,expand.user.id' })
    batch.collection(sessions).update(known.id, { title: 'once' })
    batch.collection(sessions).update(known.id, { title: 'twice' })
    batch.collection(sessions).delete(old.id)
    const result = await batch.send()
    expect(result.map(({ status }) => status)).toEqual([200, 200, 200, 204])
    expect(result[0]!.body).toEqual({ title: 'new', expand: { user: { id: base.me } } })
    expect(result.slice(1).map(({ body }) => (body as Row | null)?.['title'])).toEqual(['once', 'twice', undefined])
    expect(result[3]!.body).toBe(null)
    expect([(await get(known.id))['title'], await titled('new'), await titled('old')]).toEqual(['twice', 1, 0])
  })

  test('is answered with what each call alone would have been answered with', async () => {
    const made = await post([{ method: 'POST', url: at, body: plain('alike') }])
    const [{ body }] = made.body as unknown as [{ body: Row }]
    expect(JSON.stringify(body)).toBe((await ask('GET', `${at}/${body.id}`)).text)
    expect(made.text).toBe(`[{"body":${JSON.stringify(body)},"status":200}]`)
  })

  test('sees in each request what those before it wrote', async () => {
    const id = 'samerecord12345'
    const [, second] = await send(
      (batch) => batch.collection(sessions).create(plain('first', { id })),
      (batch) => batch.collection(sessions).update(id, { title: 'second' }),
    )
    expect([second!.body['title'], (await get(id))['title']]).toEqual(['second', 'second'])
  })

  test('makes or changes by an upsert, whether its id is given, taken or none', async () => {
    const known = await create('known')
    const id = 'upserted1234567'
    const result = await send(
      (batch) => batch.collection(sessions).upsert({ id: known.id, title: 'changed' }),
      (batch) => batch.collection(sessions).upsert(plain('made', { id })),
      (batch) => batch.collection(sessions).upsert(plain('drawn')),
      (batch) => batch.collection(sessions).upsert({ id, title: 'changed too' }),
    )
    expect(result.map(({ status }) => status)).toEqual(Array(4).fill(200))
    expect(result.map((each) => each.body['title'])).toEqual(['changed', 'made', 'drawn', 'changed too'])
    expect(await get(known.id)).toMatchObject({ title: 'changed', currentStepId: 'a' })
  })

  test('comes as multipart with its JSON among the fields, and as JSON; with a file it is refused', async () => {
    const form = new FormData()
    form.append('@jsonPayload', JSON.stringify({ requests: [{ method: 'POST', url: at, body: plain('by form') }] }))
    expect((await ask('POST', '/api/batch', form)).status).toBe(200)
    form.append('requests.0.avatar', new File(['x'], 'x.png'))
    expect((await ask('POST', '/api/batch', form)).status).toBe(400)
    expect(await titled('by form')).toBe(1)
  })
})

describe('a batch that is refused', () => {
  test('leaves nothing: no record, no run, no event, no job', async () => {
    const workflow = await base.server.workflow(flow({ in: 'input', work: external() }, ['in > work']))
    const known = await create('stays')
    const before = await left()
    const { status, response } = await refusal(
      send(
        (batch) => batch.collection(sessions).create(plain('gone', { workflow: workflow.id, status: 'running' })),
        (batch) => batch.collection(sessions).create(plain('gone', { workflow: workflow.id, status: 'running' })),
        (batch) => batch.collection(sessions).update(known.id, { title: 'gone' }),
        (batch) => batch.collection(sessions).create({ title: '' }),
        (batch) => batch.collection(sessions).create(plain('never')),
      ),
    )
    expect([status, Object.keys(response['data'].requests)]).toEqual([400, ['3']])
    expect(await left()).toEqual(before)
    expect(await titled('gone')).toBe(0)
    // And what it would have started is not under way anywhere.
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(await left()).toEqual(before)
  })

  test('tells of the one that failed what it alone would have been told', async () => {
    const alone = await json('POST', at, { title: '' })
    const { status, body, text } = await post([
      { method: 'POST', url: at, body: plain('x') },
      { method: 'POST', url: at, body: { title: '' } },
    ])
    expect(alone.status).toBe(400)
    expect([status, body['message'], body['status']]).toEqual([400, 'Batch transaction failed.', 400])
    expect(body['data']).toEqual({ requests: { 1: { code: 'batch_request_failed', message: 'Batch request failed.', response: alone.body } } })
    expect(text).toContain(`"response":${alone.text.trim()}`)
  })

  test.each([
    ['PATCH', `${at}/nosuchrecord123`, { title: 'a' }, 404],
    ['DELETE', `${at}/nosuchrecord123`, undefined, 404],
    ['POST', '/api/collections/nosuch/records', {}, 404],
    ['POST', '/api/collections/runs/records', {}, undefined],
    ['POST', `${at}?fields=title:excerpt(`, { title: 'x' }, 400],
  ])('%s %s fails as it does alone', async (method, url, body, expected) => {
    const alone = await json(method, url, body)
    const { body: told } = await post([{ method, url, body }])
    if (expected !== undefined) expect(alone.status).toBe(expected)
    expect(told['data'].requests[0].response).toEqual(alone.body)
  })

  test.each([
    ['GET', at],
    ['GET', '/api/health'],
    ['POST', 'AT'],
    ['PUT', `${at}/nosuchrecord123`],
    ['DELETE', at],
  ])('%s %s is none of its requests', async (method, url) => {
    const { status, body } = await post([
      { method: 'POST', url: at, body: plain('never') },
      { method, url: url === 'AT' ? base.server.url + at : url },
    ])
    expect([status, body['data'].requests[1].code, body['data'].requests[1].response]).toEqual([
      400,
      'batch_request_failed',
      { data: {}, message: 'Something went wrong while processing your request.', status: 400 },
    ])
    expect(await titled('never')).toBe(0)
  })

  test('is told by the request that does not fit, before any is done: none, 51, no method, a long address', async () => {
    expect((await post([])).body).toEqual({ data: { requests: { code: 'validation_required', message: 'Cannot be blank.' } }, message: 'Invalid batch request data.', status: 400 })
    expect((await post(Array(51).fill({ method: 'POST', url: at, body: plain('never') }))).body['data'].requests.code).toBe('validation_length_too_long')
    const { body } = await post([{}, { method: 'POST', url: at, body: plain('never') }, { method: 'HEAD', url: at }, { method: 'POST', url: 'a'.repeat(2_001) }])
    expect(Object.keys(body['data'].requests)).toEqual(['0', '2', '3'])
    expect(await titled('never')).toBe(0)
    expect((await post(Array.from({ length: 50 }, () => ({ method: 'POST', url: at, body: plain('fifty') })))).status).toBe(200)
    expect(await titled('fifty')).toBe(50)
  })

  test('holds each request to who sends it, whatever its headers say', async () => {
    const other = await member(base.server, 'batch-other@example.com')
    const theirs = await sdkOf(base.server.url, other)
    const record: Row = await theirs.collection(sessions).create({ ...plain('theirs'), user: other.id })
    const headers = { Authorization: theirs.authStore.token }
    for (const request of [
      { method: 'PATCH', url: `${at}/${record.id}`, body: { title: 'mine' }, headers },
      { method: 'DELETE', url: `${at}/${record.id}`, headers },
      { method: 'PUT', url: at, body: { id: record.id, title: 'mine' }, headers },
      { method: 'POST', url: at, body: { ...plain('theirs'), user: other.id }, headers },
    ]) {
      const { status, body } = await post([{ method: 'POST', url: at, body: plain('mine') }, request])
      expect([status, Object.keys(body['data'].requests)]).toEqual([400, ['1']])
    }
    expect([(await theirs.collection(sessions).getOne(record.id))['title'], await titled('mine')]).toEqual(['theirs', 0])
    expect((await post([{ method: 'POST', url: at, body: plain('mine') }], '')).status).toBe(401)
  })

  test('has no records of users in it', async () => {
    const { status, body } = await post([{ method: 'PATCH', url: `/api/collections/users/records/${base.me}`, body: { name: 'Anna' } }])
    expect([status, body['data'].requests[0].code]).toEqual([400, 'batch_request_failed'])
  })
})

describe('what happens beside a batch', () => {
  test('its events are told when it is committed, and none of one that is not', async () => {
    const titles: string[] = []
    await pb.collection(sessions).subscribe('*', ({ record }) => void titles.push((record as Row)['title']))
    await refusal(
      send(...['no 1', 'no 2'].map((title) => (batch: BatchService) => batch.collection(sessions).create(plain(title))), (batch) =>
        batch.collection(sessions).delete('nosuchrecord123'),
      ),
    )
    await send(...['yes 1', 'yes 2'].map((title) => (batch: BatchService) => batch.collection(sessions).create(plain(title))))
    await deadline('both are told', (done) => {
      const look = setInterval(() => titles.length >= 2 && (clearInterval(look), done()), 20)
    })
    await pb.collection(sessions).unsubscribe('*')
    expect(titles).toEqual(['yes 1', 'yes 2'])
  })

  test('two that cross both happen, or one is told to come again; neither happens by half', async () => {
    const [a, b] = [await create('0'), await create('0')]
    const pair = async (first: Row, second: Row, title: string): Promise<number> => {
      const { status, headers } = await post([first, second].map(({ id }) => ({ method: 'PATCH', url: `${at}/${id}`, body: { title } })))
      if (status !== 200) expect([status, headers.get('retry-after')]).toEqual([503, expect.stringMatching(/^\d+$/)])
      return status
    }
    for (let round = 0; round < 3; round++) {
      const statuses = await Promise.all([pair(a, b, `x${round}`), pair(b, a, `y${round}`)])
      expect(statuses).toContain(200)
      const titles = await Promise.all([a, b].map(async ({ id }) => (await get(id))['title']))
      expect(titles[0]).toBe(titles[1])
    }
  })

  test('who goes in the middle of it has changed nothing', async () => {
    const held = await create('held')
    const { database } = base.server.db
    await database.transaction(async (tx) => {
      await tx.query('select from sessions where id = $1 for update', [held.id])
      const body = JSON.stringify({
        requests: [
          { method: 'POST', url: at, body: plain('left alone') },
          { method: 'PATCH', url: `${at}/${held.id}`, body: { title: 'left alone' } },
        ],
      })
      const { hostname, port } = new URL(base.server.url)
      const socket = connect(Number(port), hostname)
      socket.write(
        `POST /api/batch HTTP/1.1\r\nhost: x\r\nauthorization: ${pb.authStore.token}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      )
      await eventually('it waits', async () => (await database.query("select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()")).length > 0)
      socket.destroy()
      await once(socket, 'close')
      await new Promise((resolve) => setTimeout(resolve, 300))
    })
    await eventually('it has ended', async () => (await database.query("select from pg_stat_activity where state like 'idle in%' and datname = current_database()")).length === 0)
    expect([await titled('left alone'), (await get(held.id))['title']]).toEqual([0, 'held'])
  })
})

test('after kill -9 in the middle of a batch none of it is there', async () => {
  await using rig = await createRig()
  const server = await rig.serve()
  const sdk = new PocketBase(server.url)
  sdk.autoCancellation(false)
  sdk.authStore.save(server.token)
  const { body: held } = await server.call<{ id: string }>('POST', '/v1/sessions', { title: 'held' })
  const { body: me } = await server.call<{ user: { id: string } }>('GET', '/v1/auth/me')
  await rig.database.transaction(async (tx) => {
    await tx.query('select from sessions where id = $1 for update', [held.id])
    const batch = sdk.createBatch()
    for (let n = 0; n < 20; n++) batch.collection(sessions).create({ title: `n ${n}`, status: 'idle', currentStepId: 'a', steps: [], user: me.user.id })
    batch.collection(sessions).update(held.id, { title: 'changed' })
    const sent = batch.send().catch(() => null)
    await eventually('it waits', async () => (await rig.database.query("select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()")).length > 0)
    await server.kill()
    expect(await sent).toBe(null)
  })
  await eventually('it has ended', async () => (await rig.database.query("select from pg_stat_activity where state like 'idle in%' and datname = current_database()")).length === 0)
  expect(await rig.database.query('select title from sessions')).toEqual([{ title: 'held' }])
})

test('each request of a batch counts as a call, and who has made too many is told when to come again', async () => {
  await using other = await pocketbaseServer({ SLUICE_RATE_LIMIT: 'api=60' })
  const requests = Array.from({ length: 40 }, () => ({ method: 'POST', url: at, body: { title: 'a', status: 'idle', currentStepId: 'a', steps: [], user: other.me } }))
  const sent = () =>
    fetch(`${other.server.url}/api/batch`, {
      method: 'POST',
      headers: { authorization: other.pb.authStore.token, 'content-type': 'application/json' },
      body: JSON.stringify({ requests }),
    })
  expect((await sent()).status).toBe(200)
  const refused = await sent()
  expect([refused.status, Number(refused.headers.get('retry-after')) > 0]).toEqual([429, true])
  expect(await refused.json()).toEqual({ data: {}, message: 'Too Many Requests.', status: 429 })
})

describe('the same record, as JSON and as a form', () => {
  const values = { title: 'Formed', status: 'idle', currentStepId: 'a', steps: '[{"id":"s"}]', context: '{"n":1}' }
  const pairs = () => Object.entries({ ...values, user: base.me })
  const multipart = (): FormData => pairs().reduce((form, [name, value]) => (form.append(name, value), form), new FormData())
  const shown = { title: 'Formed', status: 'idle', currentStepId: 'a', steps: [{ id: 's' }], context: { n: 1 } }

  test('is made and changed alike', async () => {
    for (const made of [await json('POST', at, { ...values, user: base.me }), await ask('POST', at, multipart()), await ask('POST', at, new URLSearchParams(pairs()))]) {
      expect([made.status, made.body]).toMatchObject([200, shown])
      const url = `${at}/${made.body.id}`
      const form = new FormData()
      form.append('@jsonPayload', '{"title":"B","context":{"n":2}}')
      for (const changed of [
        await ask('PATCH', url, form),
        await ask('PATCH', url, new URLSearchParams({ title: 'B', context: '{"n":2}' })),
        await json('PATCH', url, { title: 'B', context: { n: 2 } }),
      ])
        expect([changed.status, changed.body]).toMatchObject([200, { title: 'B', context: { n: 2 } }])
      expect((await ask('PATCH', url)).status).toBe(200)
    }
  })

  test('is refused in one form when its body is of no such type, brings a file, or cannot be read', async () => {
    expect((await ask('POST', at, '<a/>', 'text/xml')).body).toEqual({ data: {}, message: 'Unsupported Content-Type.', status: 400 })
    const form = multipart()
    form.append('avatar', new File(['x'], 'x.png'))
    const file = await ask('POST', at, form)
    expect([file.status, file.body['status'], Object.keys(file.body['data'])]).toEqual([400, 400, ['avatar']])
    for (const refused of [await ask('POST', at, '{"title":', 'application/json'), await ask('POST', at, '--b', 'multipart/form-data; boundary=b')])
      expect([refused.status, refused.body['status'], refused.body['data']]).toEqual([400, 400, {}])
    const { body } = await ask('POST', at, JSON.stringify({ ...plain('P'), __proto__: undefined }).replace('{', '{"__proto__":{"polluted":1},'), 'application/json')
    expect([body['title'], Object.hasOwn(Object.prototype, 'polluted')]).toEqual(['P', false])
  })
})
