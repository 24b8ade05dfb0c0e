import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { anonymousId } from '../../../packages/server/src/access/principal.ts'
import { here } from '../../support/processes.ts'
import { testServer } from '../../support/server.ts'
import { type PocketBaseServer, pocketbaseServer, type Row } from './sdk.ts'
import { exampleList, exampleRecord, snippets } from './snippets.ts'

const sessions = 'workflow_sessions'
const instant = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z$/
const [, address] = /new PocketBase\('(.+)'\)/.exec(snippets.list)!
const connected = `const pb = new PocketBase('${address}');\n`

let base: PocketBaseServer
beforeAll(async () => {
  base = await pocketbaseServer()
})
afterAll(() => base[Symbol.asyncDispose]())

const made = (more: object = {}): Promise<Row> =>
  base.pb.collection(sessions).create({ title: 'My test', status: 'idle', currentStepId: 'topic-discovery', steps: [], context: {}, user: base.me, ...more })

/** A block of its own: the names of one snippet are not in the way of the next. */
const block = (code: string): string => `{\n${code}\n}\n`
/** The snippets as a program, at this server's address; whoever runs it has logged in, unless there is no token. Resolves to what it told, by name. */
async function run(program: string, { url, token } = { url: base.server.url, token: base.pb.authStore.token }): Promise<{ [name: string]: Row }> {
  const begins = `
    import { EventSource } from 'eventsource';
    globalThis.EventSource = EventSource;
    const tell = (name, value) => process.stdout.write(JSON.stringify({ name, value }) + '\\n');
  `
  const loggedIn = token === '' ? '' : `pb.authStore.save('${token}');\n`
  const whole = begins + program.replace(connected, (line) => line + loggedIn).replaceAll(address!, url)
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', whole], { cwd: here('..'), timeout: 30_000 })
  const told = stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as { name: string; value: Row }]))
  return Object.fromEntries(told.map(({ name, value }) => [name, value]))
}

test('the calls of the document run as they are published, but for the address and the ids', async () => {
  const running = await made({ status: 'running' })
  const stays = await made()
  const goes = await made()
  const changes = await made()
  const ids = (code: string, id: string): string => code.replaceAll('RECORD_ID', id).replaceAll('USER_ID', base.me)

  const told = await run(`
    ${snippets.list}
    tell('list', resultList); tell('all', records); tell('first', record);
    ${block(`${ids(snippets.view, stays.id)}\ntell('view', record)`)}
    ${block(`${ids(snippets.create, '')}\ntell('create', record)`)}
    ${block(`${ids(snippets.update, changes.id)}\ntell('update', record)`)}
    ${block(ids(snippets.delete, goes.id))}
    tell('gone', await pb.collection('workflow_sessions').getOne('${goes.id}').catch(({ status }) => status));
  `)

  expect(told['list']).toMatchObject({ page: 1, perPage: 50, totalItems: 1, totalPages: 1, items: [{ id: running.id }] })
  const all = told['all']! as unknown as Row[]
  expect(all.map(({ id }) => id)).toEqual([changes, goes, stays, running].map(({ id }) => id))
  expect(told['first']).toMatchObject({ title: 'My test', user: base.me, expand: { user: { id: base.me, collectionName: 'users' } } })
  expect(told['view']).toMatchObject({ id: stays.id, expand: { user: { id: base.me } } })
  expect(told['create']).toMatchObject({ title: 'New Session', status: 'idle', currentStepId: 'topic-discovery', steps: [], context: {}, user: base.me })
  expect(told['update']).toMatchObject({ id: changes.id, status: 'running', context: { topic: 'AI' }, title: 'My test' })
  expect(told['gone']).toBe(404)
})

test('they need no login where the server takes whoever comes', async () => {
  await using open = await testServer({ SLUICE_ANONYMOUS_ROLE: 'operator' })
  const create = block(`${snippets.create.replace('USER_ID', anonymousId)}\nglobalThis.made = record`)
  const program = `import PocketBase from 'pocketbase';\n${connected}${create}${snippets.view.replace("'RECORD_ID'", 'made.id')}\ntell('view', record);`
  const { view } = await run(program, { url: open.url, token: '' })
  expect(view).toMatchObject({ title: 'New Session', user: anonymousId })
})

test('its batch is one transaction: what it left out is filled in', async () => {
  const [changes, goes] = [await made(), await made()]
  const [create, update] = [`{ title: 'Batched', status: 'idle', currentStepId: 'a', steps: [], user: '${base.me}' }`, `{ title: 'Changed' }`]
  const batch = snippets.batch
    .replace('create({ ... })', `create(${create})`)
    .replace("update('RECORD_ID', { ... })", `update('${changes.id}', ${update})`)
    .replace("delete('RECORD_ID')", `delete('${goes.id}')`)
  const { result } = await run(`import PocketBase from 'pocketbase';\n${connected}${batch}\ntell('result', result);`)
  expect(result).toEqual([
    { status: 200, body: expect.objectContaining({ title: 'Batched' }) },
    { status: 200, body: expect.objectContaining({ id: changes.id, title: 'Changed' }) },
    { status: 204, body: null },
  ])
  await expect(base.pb.collection(sessions).getOne(goes.id)).rejects.toMatchObject({ status: 404 })
})

test('its subscription is told of what is created, updated and deleted, and ends when it is taken back', async () => {
  const [subscribe = '', unsubscribe = ''] = snippets.realtime.split('// Unsubscribe')
  const told = await run(`
    import PocketBase from 'pocketbase';
    ${connected}
    const said = [];
    console.log = (value) => said.push(value);
    const until = async (holds) => {
      for (const end = Date.now() + 15000; !holds(); ) {
        if (Date.now() > end) throw new Error('not within 15 s: ' + holds);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    ${subscribe}
    // It does not wait for its subscription: here that is done.
    await pb.collection('workflow_sessions').subscribe('*', () => {}).then((stop) => stop());
    ${block(`${snippets.create.replace('USER_ID', base.me)}\nglobalThis.made = record`)}
    await until(() => said.length === 2);
    await pb.collection('workflow_sessions').update(made.id, { title: 'Changed' });
    await until(() => said.length === 4);
    await pb.collection('workflow_sessions').delete(made.id);
    await until(() => said.length === 6);
    ${unsubscribe}
    tell('actions', said.filter((value) => typeof value === 'string'));
    tell('records', said.filter((value) => typeof value !== 'string'));
  `)
  expect(told['actions']).toEqual(['create', 'update', 'delete'])
  const records = told['records']! as unknown as Row[]
  expect(records.map(({ title }) => title)).toEqual(['New Session', 'Changed', 'Changed'])
  for (const record of records) expect(Object.keys(record).toSorted()).toEqual(Object.keys(exampleRecord).toSorted())
})

describe('what it says of answers', () => {
  const records = `/api/collections/${sessions}/records`
  const asked = async (method: string, path: string, body?: object): Promise<{ status: number; text: string }> => {
    const headers = { authorization: base.pb.authStore.token, ...(body && { 'content-type': 'application/json' }) }
    const response = await fetch(base.server.url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) })
    return { status: response.status, text: await response.text() }
  }
  const keysOf = (value: object): string[] => Object.keys(value).toSorted()
  /** The text that a record is answered with, of which all but the instants is known. */
  const wireOf = ({ id, created, updated, ...more }: Row): string =>
    JSON.stringify({
      collectionId: exampleRecord.collectionId,
      collectionName: sessions,
      context: more['context'],
      created,
      currentStepId: more['currentStepId'],
      id,
      status: more['status'],
      steps: more['steps'],
      title: more['title'],
      updated,
      user: base.me,
    })

  test('a record has the keys of the example and no others, in the order of their names, to the letter', async () => {
    const sent = { title: 'Größe – 1', status: 'waiting', currentStepId: 'a', steps: [{ id: 'a', n: 1.5, none: null }], context: { b: 'ü', a: [true] }, user: base.me }
    const { status, text } = await asked('POST', records, sent)
    expect(status).toBe(200)
    const record = JSON.parse(text) as Row
    expect(keysOf(record)).toEqual(keysOf(exampleRecord))
    for (const key of ['created', 'updated']) expect(record[key]).toMatch(instant)
    expect(record).toMatchObject({ ...sent, collectionId: exampleRecord.collectionId, collectionName: sessions })
    expect(record.id).toMatch(/^[a-z0-9]{15}$/)
    expect(text.trimEnd()).toBe(wireOf({ ...record, context: record['context'] as object }))
    expect((await asked('GET', `${records}/${record.id}`)).text).toBe(text)
    for (const [key, value] of Object.entries(exampleRecord)) expect(typeof record[key]).toBe(typeof value)
  })

  test('a context that was not given is null', async () => {
    const { text } = await asked('POST', records, { title: 'A', status: 'idle', currentStepId: 'a', steps: [], user: base.me })
    const record = JSON.parse(text) as Row
    expect(text.trimEnd()).toBe(wireOf({ ...record, context: null, steps: [] }))
  })

  test('a list has the keys of the example', async () => {
    const { text } = await asked('GET', `${records}?page=1&perPage=30`)
    const list = JSON.parse(text) as Row
    expect(keysOf(list)).toEqual(keysOf(exampleList))
    expect(list).toMatchObject({ page: 1, perPage: 30, totalPages: 1 })
    expect(list['totalItems']).toBe(list['items'].length)
    for (const item of list['items']) expect(keysOf(item)).toEqual(keysOf(exampleRecord))
  })

  test('each of its parameters does what it says', async () => {
    const of = async (query: string): Promise<Row> => JSON.parse((await asked('GET', `${records}?${query}`)).text) as Row
    const { items } = await of('')
    for (const field of ['id', 'title', 'status', 'currentStepId', 'created']) {
      for (const sign of ['', '-']) {
        const sorted = (await of(`sort=${sign}${field}`))['items'].map((item: Row) => item[field])
        const wanted = items.map((item: Row) => item[field]).toSorted((a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0))
        expect(sorted, `${sign}${field}`).toEqual(sign === '' ? wanted : wanted.toReversed())
      }
    }
    expect(await of('perPage=1&page=2')).toMatchObject({ page: 2, perPage: 1, totalItems: items.length, totalPages: items.length })
    expect((await of(`filter=${encodeURIComponent("status='waiting'")}`))['items']).toHaveLength(1)
    expect((await of('expand=user'))['items'][0].expand.user).toMatchObject({ id: base.me })
    expect((await of('fields=id,title'))['items'].map(keysOf)).toEqual(items.map(() => ['id', 'title']))
  })

  test('what is required is missed by its name: steps may be empty, and not absent', async () => {
    const { status, text } = await asked('POST', records, {})
    expect(status).toBe(400)
    const required = { code: 'validation_required', message: 'Cannot be blank.' }
    const error = JSON.parse(text) as Row
    expect(error).toMatchObject({ status: 400, message: 'Failed to create record.', data: { title: required, status: required, currentStepId: required, steps: required } })
    expect(JSON.parse((await asked('POST', records, { title: 'A', status: 'idle', currentStepId: 'a', user: base.me })).text)).toMatchObject({ data: { steps: required } })
    expect((await asked('POST', records, { title: 'A', status: 'stopped', currentStepId: 'a', steps: [], user: base.me })).status).toBe(400)
  })

  test('what is deleted is answered with nothing', async () => {
    const { id } = await made()
    expect(await asked('DELETE', `${records}/${id}`)).toEqual({ status: 204, text: '' })
    expect((await asked('GET', `${records}/${id}`)).status).toBe(404)
  })
})
