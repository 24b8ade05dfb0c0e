import { randomBytes } from 'node:crypto'
import { ConflictError, createClient, InvalidError, NotFoundError, type Sluice } from '@sluice/client'
import { expect, test } from 'vitest'
import { type Served, testServer } from '../support/server.ts'

const clientOf = (server: Served, more: { fetch?: typeof fetch } = {}): Sluice => createClient({ url: server.url, token: server.token, backoffMs: 10, ...more })

test('whatever has bytes is stored under its name and type, and comes back as it was', async () => {
  await using server = await testServer()
  const sluice = clientOf(server)
  const bytes = new Uint8Array(randomBytes(300_000))
  const stream = (): ReadableStream<Uint8Array<ArrayBuffer>> => new Blob([bytes]).stream()
  const stored = [
    [await sluice.files.upload(new File([bytes], 'März «1».csv', { type: 'text/csv' })), 'März «1».csv', 'text/csv'],
    [await sluice.files.upload(new Blob([bytes], { type: 'image/png' })), 'file', 'image/png'],
    [await sluice.files.upload(bytes, { name: 'a.bin' }), 'a.bin', 'application/octet-stream'],
    [await sluice.files.upload(stream(), { name: 'b.bin', contentType: 'audio/ogg' }), 'b.bin', 'audio/ogg'],
  ] as const
  for (const [file, name, contentType] of stored) {
    expect(file).toMatchObject({ name, contentType, bytes: bytes.byteLength })
    expect(await sluice.files.get({ id: file.id })).toEqual(file)
    const content = await sluice.files.content({ id: file.id })
    expect(content.headers.get('content-type')).toBe(contentType)
    expect(new Uint8Array(await content.arrayBuffer())).toEqual(bytes)
  }
  expect((await sluice.files.list({ limit: 2 })).items.map(({ name }) => name)).toEqual(['b.bin', 'a.bin'])
  const part = await sluice.files.content({ id: stored[0][0].id }, { range: { start: 1_000, end: 1_999 } })
  expect(new Uint8Array(await part.arrayBuffer())).toEqual(bytes.subarray(1_000, 2_000))
  const [first] = stored[0]
  await sluice.files.delete({ id: first.id })
  await expect(sluice.files.content({ id: first.id })).rejects.toThrow(NotFoundError)
  await expect(sluice.files.content({ id: stored[1][0].id }, { range: { start: 900_000 } })).rejects.toThrow(InvalidError)
})

test('a used file is not deleted, and its error says what uses it', async () => {
  await using server = await testServer()
  const sluice = clientOf(server)
  const file = await sluice.files.upload(new Blob(['x']))
  await server.db.database.query(`insert into file_uses values ($1, 'session', '00example000001')`, [file.id])
  await server.db.database.query('update files set unused_at = null where id = $1', [file.id])
  const refused = await sluice.files.delete({ id: file.id }).catch((error: unknown) => error)
  expect(refused).toBeInstanceOf(ConflictError)
  expect(refused).toMatchObject({ code: 'file_in_use', details: { uses: [{ kind: 'session', id: '00example000001' }] } })
})

test('a file of a draft is in use, and of an unknown workflow is not kept', async () => {
  await using server = await testServer()
  const sluice = clientOf(server)
  const { handle } = await sluice.workflows.create({ name: 'Invoice' })
  expect(await sluice.files.upload(new Blob(['a,b']), { name: 'a.csv', workflow: handle })).toMatchObject({ name: 'a.csv', unusedSince: null })
  await expect(sluice.files.upload(new Blob(['a,b']), { workflow: 'unknown' })).rejects.toMatchObject({ code: 'workflow_missing', constructor: NotFoundError })
  expect(await sluice.files.list()).toMatchObject({ items: [{ name: 'a.csv' }] })
})

test('a node of a draft has files under keys, which whoever reads the draft may read; what is refused is not kept', async () => {
  await using server = await testServer()
  const sluice = clientOf(server)
  const { handle: workflow } = await sluice.workflows.create({ name: 'Invoice', definition: { nodes: [{ id: 'a/ä', type: 'merge' }], links: [] } })
  const node = { workflow, nodeId: 'a/ä' }
  const made = await sluice.nodeFiles.add({ ...node, key: 'letter head' }, new File(['one'], 'März.txt', { type: 'text/plain' }))
  expect(made).toMatchObject({ nodeId: 'a/ä', key: 'letter head', file: { name: 'März.txt', contentType: 'text/plain', bytes: 3 } })
  await expect(sluice.nodeFiles.add({ ...node, key: 'letter head' }, new Blob(['two']))).rejects.toMatchObject({ code: 'key_taken', constructor: ConflictError })
  const changed = await sluice.nodeFiles.change({ ...node, id: made.id, key: 'foot' }, new Blob(['three']), { name: 'b.txt' })
  expect(changed).toMatchObject({ id: made.id, key: 'foot', file: { name: 'b.txt' } })
  expect(await sluice.nodeFiles.list({ ...node, count: true })).toMatchObject({ items: [changed], total: 1 })
  const key = await sluice.keys.create({ name: 'reader', scopes: ['workflows.read', 'files.read'] })
  const reader = createClient({ url: server.url, apiKey: key.secret, retries: 0 })
  expect(await (await reader.files.content({ id: changed.file.id })).text()).toBe('three')
  expect(await reader.nodeFiles.get({ ...node, id: made.id })).toEqual(changed)
  await expect(reader.nodeFiles.add({ ...node, key: 'x' }, new Blob(['x']))).rejects.toMatchObject({ code: 'permission_denied' })
  await sluice.nodeFiles.delete({ ...node, id: made.id })
  expect(await server.db.database.query('select id from files')).toEqual([])
})

test('an upload is sent again only when it surely was not taken', async () => {
  await using server = await testServer()
  const tries: string[] = []
  const failing = (error: () => Error): Sluice =>
    clientOf(server, {
      fetch: async (target, init) => {
        tries.push(target instanceof Request ? target.url : target.toString())
        if (tries.length === 1) throw error()
        return fetch(target, init)
      },
    })
  const refused = () => new TypeError('fetch failed', { cause: Object.assign(new Error('nobody listens'), { code: 'ECONNREFUSED' }) })
  expect(await failing(refused).files.upload(new Blob(['once']))).toMatchObject({ bytes: 4 })
  expect(tries).toHaveLength(2)
  tries.length = 0
  await expect(failing(() => new TypeError('the answer was lost')).files.upload(new Blob(['once']))).rejects.toThrow('the answer was lost')
  expect(tries).toHaveLength(1)
})

test('a signal ends a download in its middle', async () => {
  await using server = await testServer()
  const sluice = clientOf(server)
  const { id } = await sluice.files.upload(new Uint8Array(randomBytes(8 * 1024 * 1024)))
  const leaving = new AbortController()
  const content = await sluice.files.content({ id }, { signal: leaving.signal })
  const reader = content.body!.getReader()
  await reader.read()
  leaving.abort(new Error('enough'))
  await expect(
    (async () => {
      while (!(await reader.read()).done);
    })(),
  ).rejects.toThrow('enough')
})
