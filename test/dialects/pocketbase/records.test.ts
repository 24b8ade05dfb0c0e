import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ClientResponseError } from 'pocketbase'
import { member, type PocketBaseServer, pocketbaseServer, type Row, sdkOf } from './sdk.ts'

/** Records over the published SDK: how pages, fields and errors look to it, and to who else asks. */

const sessions = 'workflow_sessions'
const general = 'Something went wrong while processing your request.'

let base: PocketBaseServer
beforeAll(async () => {
  base = await pocketbaseServer()
})
afterAll(() => base?.[Symbol.asyncDispose]())

const made = (more: object = {}): Promise<Row> => base.pb.collection(sessions).create({ title: 'A session', status: 'idle', currentStepId: 'a', steps: [], user: base.me, ...more })

/** What the SDK is refused with. */
const refusal = async (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    (value) => ({ taken: value }),
    ({ response }: ClientResponseError) => response,
  )

describe('pages', () => {
  const marked = { filter: 'title = "Paged"', sort: 'currentStepId' }
  beforeAll(async () => {
    for (const currentStepId of ['a', 'b', 'c', 'd', 'e']) await made({ title: 'Paged', currentStepId })
  })
  const listed = (page: number, perPage: number, more: object = {}) => base.pb.collection(sessions).getList<Row>(page, perPage, { ...marked, ...more })

  test('lie side by side, and say how many there are', async () => {
    const pages = await Promise.all([1, 2, 3].map((page) => listed(page, 2)))
    expect(pages.map(({ items }) => items.map(({ currentStepId }) => currentStepId))).toEqual([['a', 'b'], ['c', 'd'], ['e']])
    for (const page of pages) expect(page).toMatchObject({ perPage: 2, totalItems: 5, totalPages: 3 })
  })

  test('beyond the last are empty, and out of bounds are brought into them', async () => {
    expect(await listed(9, 2)).toMatchObject({ items: [], page: 9, totalItems: 5 })
    expect(await listed(0, 0)).toMatchObject({ page: 1, perPage: 30, totalItems: 5 })
    expect(await listed(-1, 5_000)).toMatchObject({ page: 1, perPage: 1_000 })
  })

  test('are not counted when it is not asked for', async () => {
    expect(await listed(1, 2, { skipTotal: true })).toMatchObject({ totalItems: -1, totalPages: -1, items: [{ currentStepId: 'a' }, { currentStepId: 'b' }] })
    expect(await base.pb.collection(sessions).getFullList({ ...marked, batch: 2 })).toHaveLength(5)
    expect(await base.pb.collection(sessions).getFirstListItem<Row>(marked.filter, { sort: '-currentStepId' })).toMatchObject({ currentStepId: 'e' })
  })

  test('are refused with the reason where the question cannot be read', async () => {
    const wrong = { data: { page: { code: 'validation_invalid_value', message: 'Invalid value.' } }, message: general, status: 400 }
    expect(await refusal(base.pb.send(`/api/collections/${sessions}/records`, { query: { page: 'x' } }))).toEqual(wrong)
    for (const [key, text] of [
      ['filter', 'nosuch = 1'],
      ['filter', 'title ='],
      ['fields', 'title:upper()'],
    ] as const)
      expect([text, await refusal(base.pb.collection(sessions).getList(1, 1, { [key]: text }))]).toEqual([
        text,
        { data: { [key]: expect.anything() }, message: general, status: 400 },
      ])
  })
})

test('of a record that is told what is asked for is told, beside whose it is', async () => {
  const { id } = await made({ title: 'A long title', context: { topic: 'AI', more: 1 } })
  const told = await base.pb.collection(sessions).getOne(id, { expand: 'user', fields: 'id,title:excerpt(6,true),context.topic,expand.user.id' })
  expect(told).toEqual({ id, title: 'A long...', context: { topic: 'AI' }, expand: { user: { id: base.me } } })
  expect(await base.pb.collection(sessions).update(id, { title: 'Short' }, { fields: 'title' })).toEqual({ title: 'Short' })
})

test('fields that cannot be read keep a record from being written', async () => {
  const body = { title: 'Never', status: 'idle', currentStepId: 'a', steps: [], user: base.me }
  expect(await refusal(base.pb.collection(sessions).create(body, { fields: 'title:upper()' }))).toMatchObject({ message: general, status: 400 })
  expect(await base.pb.collection(sessions).getFullList({ filter: 'title = "Never"' })).toEqual([])
})

describe('who is refused is told', () => {
  const missing = { data: {}, message: "The requested resource wasn't found.", status: 404 }

  test('by field what is wrong, by what was about to be done', async () => {
    expect(await refusal(base.pb.collection(sessions).create({ status: 'nosuch', steps: [], user: base.me }))).toEqual({
      data: {
        title: { code: 'validation_required', message: 'Cannot be blank.' },
        status: { code: 'validation_invalid_value', message: 'Invalid value nosuch.', params: { value: 'nosuch' } },
        currentStepId: { code: 'validation_required', message: 'Cannot be blank.' },
      },
      message: 'Failed to create record.',
      status: 400,
    })
    const { id } = await made()
    expect(await refusal(base.pb.collection(sessions).update(id, { title: '' }))).toEqual({
      data: { title: { code: 'validation_required', message: 'Cannot be blank.' } },
      message: 'Failed to update record.',
      status: 400,
    })
    expect(await refusal(made({ id }))).toEqual({
      data: { id: { code: 'validation_not_unique', message: 'Value must be unique.' } },
      message: 'Failed to create record.',
      status: 400,
    })
  })

  test('alike of what is not there and of what is somebody else’s, whom superusers are not', async () => {
    const other = await sdkOf(base.server.url, await member(base.server, 'other@example.com'))
    const { id } = await made({ title: 'Mine' })
    for (const [pb, at] of [
      [other, id],
      [base.pb, 'nosuchnosuchnos'],
      [base.pb, 'x'.repeat(300)],
    ] as const) {
      expect(await refusal(pb.collection(sessions).getOne(at))).toEqual(missing)
      expect(await refusal(pb.collection(sessions).update(at, { title: 'Taken' }))).toEqual(missing)
      expect(await refusal(pb.collection(sessions).delete(at))).toEqual(missing)
    }
    expect(await other.collection(sessions).getFullList({ filter: `id = "${id}"` })).toEqual([])
    expect(await base.superuser.collection(sessions).getOne(id)).toMatchObject({ title: 'Mine', user: base.me })
  })

  test('of a collection that is not there, of one that nobody writes, and of what superusers alone may', async () => {
    expect(await refusal(base.pb.collection('nosuch').getList())).toEqual({ data: {}, message: 'Missing collection context.', status: 404 })
    expect(await refusal(base.superuser.collection('runs').create({}))).toEqual({ data: {}, message: 'Unsupported collection type.', status: 400 })
    expect(await refusal(base.pb.collection(sessions).getList(1, 1, { filter: '@collection.users.id != ""' }))).toMatchObject({ status: 403, data: {} })
  })

  test('of a method that is not served, of a body that cannot be read, and of no credential', async () => {
    const at = `${base.server.url}/api/collections/${sessions}/records`
    const asked = async (init: RequestInit): Promise<unknown> => (await fetch(at, init)).json()
    const authorization = base.pb.authStore.token
    expect(await asked({ method: 'PUT', headers: { authorization } })).toMatchObject({ message: missing.message, status: 404 })
    expect(await asked({ method: 'POST', headers: { authorization, 'content-type': 'application/json' }, body: '{' })).toEqual({ data: {}, message: general, status: 400 })
    expect(await asked({})).toMatchObject({ data: {}, status: 401 })
  })
})

test('the health of the server is told to anybody', async () => {
  expect(await base.pb.health.check()).toEqual({ code: 200, data: {}, message: 'API is healthy.' })
  const at = `${base.server.url}/api/health`
  expect(await (await fetch(`${at}?fields=code`)).json()).toEqual({ code: 200 })
  expect((await fetch(at, { method: 'HEAD' })).status).toBe(200)
})
