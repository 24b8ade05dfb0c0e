import type { Definition, JsonObject, ModelSettings, Run } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { flow } from './support/flow.ts'
import { refusal, testServer, type TestServer } from './support/server.ts'
import { refuse, say, type ToyModel, toyModel } from './support/toy-model.ts'

const key = 'sk-of-the-workspace/7'
let operators: ToyModel
let own: ToyModel
let server: TestServer
beforeAll(async () => {
  operators = await toyModel()
  own = await toyModel()
  for (const [toy, said] of [
    [operators, 'the operator'],
    [own, 'the workspace'],
  ] as const)
    for (const model of ['usual', 'mine', 'other']) toy.on(model, say(said))
  server = await testServer({ SLUICE_MODEL_URL: operators.url, SLUICE_MODEL_KEY: 'sk-of-the-operator', SLUICE_MODEL: 'usual', SLUICE_HTTP_ALLOW: own.host })
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await operators[Symbol.asyncDispose]()
  await own[Symbol.asyncDispose]()
})

const asking = (config: JsonObject = {}): Definition => flow({ ask: { type: 'llm', config: { prompt: 'Who are you?', ...config } } })
const said = (ended: Run): unknown => (ended.output as { ask?: JsonObject } | null)?.ask?.['text']
const set = (settings: JsonObject): Promise<ModelSettings> => server.call('PUT', '/v1/model', settings)
const get = (): Promise<ModelSettings> => server.call('GET', '/v1/model')
const authorizations = (toy: ToyModel): unknown[] => toy.asked().map(({ headers }) => headers.authorization)
const workspace = async (handle: string): Promise<string> => {
  await server.call('POST', '/v1/workspaces', { name: handle, handle })
  return (await server.call<{ token: string }>('POST', '/v1/auth/switch', { workspace: handle })).token
}

describe('the language model of a workspace', () => {
  test('stands in the place of that of the operator from when it is set until it is removed, on every server', async () => {
    expect(await get()).toEqual({ from: 'operator', url: null, model: 'usual', hasKey: false, updated: null })
    const workflow = await server.workflow(asking())
    const named = await server.workflow(asking({ model: 'other' }))
    const ask = async (which: { id: string }) => server.wait(await server.start(which))
    expect(said(await ask(workflow))).toBe('the operator')

    expect(await set({ url: `${own.url}/`, model: 'mine', key })).toEqual({ from: 'workspace', url: own.url, model: 'mine', hasKey: true, updated: expect.any(String) })
    await using second = await server.another({ SLUICE_ROLE: 'api' })
    expect(await second.call('GET', '/v1/model')).toEqual(await get())
    expect([said(await ask(workflow)), said(await ask(named))]).toEqual(['the workspace', 'the workspace'])
    expect(own.asked().map(({ body }) => body.model)).toEqual(['mine', 'other'])
    expect(new Set(authorizations(own))).toEqual(new Set([`Bearer ${key}`]))

    await second.call('PUT', '/v1/model', { url: own.url, model: 'usual' })
    expect(said(await ask(workflow))).toBe('the workspace')
    expect(own.asked('usual')).toMatchObject([{ headers: { authorization: `Bearer ${key}` } }])

    await second.call('PUT', '/v1/model', { url: own.url, model: 'usual', key: 'sk-the-next' })
    await ask(workflow)
    expect(own.asked('usual').at(-1)).toMatchObject({ headers: { authorization: 'Bearer sk-the-next' } })

    await second.call('PUT', '/v1/model', { url: own.url, model: 'usual', key: null })
    await ask(workflow)
    expect(own.asked('usual').at(-1)!.headers.authorization).toBeUndefined()

    await second.call('DELETE', '/v1/model')
    await second.call('DELETE', '/v1/model')
    expect(said(await ask(workflow))).toBe('the operator')
    expect(await get()).toMatchObject({ from: 'operator', hasKey: false })
    expect(JSON.stringify(authorizations(own))).not.toContain('operator')
    expect(new Set(authorizations(operators))).toEqual(new Set(['Bearer sk-of-the-operator']))
  })

  test('is of this workspace alone', async () => {
    const other = await workspace('elsewhere')
    await set({ url: own.url, model: 'mine', key })
    const theirs = { as: other }
    expect(await server.call('GET', '/v1/model', undefined, theirs)).toMatchObject({ from: 'operator', url: null })
    const made = await server.call<{ id: string }>('POST', '/v1/workflows', { name: 'Theirs', definition: asking() }, theirs)
    const started = await server.call<Run>('POST', '/v1/runs', { workflow: made.id, wait: { until: 'finished', ms: 20_000 } }, theirs)
    expect(said(started)).toBe('the operator')
    await server.call('DELETE', '/v1/model', undefined, theirs)
    expect(await get()).toMatchObject({ from: 'workspace', model: 'mine' })
  })

  test('is set by admins, seen by all, and its key by nobody', async () => {
    await set({ url: own.url, model: 'mine', key })
    own.on('parrot', refuse(401, { message: `Incorrect API key provided: ${key}` }))
    const ended = await server.run(asking({ model: 'parrot' }))
    expect((await server.step(ended, 'ask')).error).toMatchObject({ code: 'model_unauthorized', message: expect.stringContaining('[secret]') })
    const keys = await Promise.all(['model.read', 'model'].map((scope) => server.call<{ secret: string }>('POST', '/v1/keys', { name: scope, scopes: [scope] })))
    const [reader, manager] = keys.map(({ secret }) => ({ as: secret }))
    expect((await refusal(server.call('PUT', '/v1/model', { url: own.url, model: 'mine' }, reader))).code).toBe('permission_denied')
    expect((await refusal(server.call('DELETE', '/v1/model', undefined, reader))).code).toBe('permission_denied')
    const shown = [await server.call('GET', '/v1/model', undefined, reader), await server.call('PUT', '/v1/model', { url: own.url, model: 'mine' }, manager)]
    const audit = await server.call('GET', '/v1/audit?limit=100')
    const kept = await server.db.database.query('select key from model_settings')
    expect(kept).toMatchObject([{ key: expect.any(Buffer) }])
    const everything = JSON.stringify([shown, audit, ended, await server.steps(ended), await server.events(ended), server.lines]) + kept.map((row) => String(row['key'])).join()
    expect(everything).toContain('model.set')
    expect(everything).not.toContain(key)
  })

  test('sends its key to the address that it was given for, and to no other', async () => {
    await set({ url: own.url, model: 'mine', key })
    const moved = { url: `${own.url}/elsewhere`, model: 'mine' }
    expect((await refusal(set(moved))).issues).toMatchObject([{ path: ['key'] }])
    expect(await get()).toMatchObject({ url: own.url, hasKey: true })
    expect(await set({ ...moved, key: null })).toMatchObject({ url: moved.url, hasKey: false })
    await set({ url: own.url, model: 'mine', key })
    await server.db.database.query('update model_settings set url = $1', [moved.url])
    const ended = await server.run(asking())
    expect((await server.step(ended, 'ask')).error).toMatchObject({ code: 'model_unauthorized', message: expect.stringContaining('SLUICE_SECRET') })
  })

  test.each([
    ['an address that is none', { url: 'localhost' }, 'url'],
    ['another protocol', { url: 'file:///etc/passwd' }, 'url'],
    ['credentials in the address', { url: 'https://me:pass@a.example/v1' }, 'url'],
    ['a query', { url: 'https://a.example/v1?key=1' }, 'url'],
    ['a model without a name', { model: '' }, 'model'],
    ['the built-in model', { model: 'offline' }, 'model'],
    ['a key with a line break', { key: 'sk\r\nx-more: 1' }, 'key'],
    ['a key without characters', { key: '' }, 'key'],
  ])('is not %s', async (_, wrong, field) => {
    const refused = await refusal(set({ url: 'https://a.example/v1', model: 'm', key, ...wrong }))
    expect([refused.status, refused.issues[0]?.path]).toEqual([400, [field]])
    expect(JSON.stringify(refused)).not.toContain(key)
  })

  test('is not at a private address that steps may not reach, though the model of the operator is there', async () => {
    const asked = operators.asked().length
    await set({ url: operators.url, model: 'mine', key })
    const ended = await server.run(asking())
    expect((await server.step(ended, 'ask')).error).toMatchObject({ code: 'model_refused_address' })
    await set({ url: 'http://169.254.169.254/latest', model: 'mine', key })
    expect((await server.step(await server.run(asking()), 'ask')).error).toMatchObject({ code: 'model_refused_address' })
    expect(operators.asked()).toHaveLength(asked)
  })

  test('that is built in can be asked by its name all the same', async () => {
    await set({ url: own.url, model: 'mine', key })
    expect(await server.run(asking({ prompt: 'Total: 5\n\nWhat is the total?', model: 'offline' }))).toMatchObject({ output: { ask: { model: 'offline' } } })
  })
})
