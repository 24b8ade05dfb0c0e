import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { type FileSubject, limits, type StoredFile } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { createFiles } from '../packages/server/src/files/files.ts'
import { createRig } from './support/rig.ts'
import { admin, refusal, type Served, type TestServer, testServer } from './support/server.ts'

const MiB = 1024 * 1024

/** A request with the admin's token; the answer as it came. */
async function ask(server: Served, method: string, path: string, body?: RequestInit['body'], headers: Record<string, string> = {}): Promise<Response> {
  return fetch(server.url + path, { method, headers: { authorization: `Bearer ${server.token}`, ...headers }, ...(body !== undefined && { body }) })
}

const formOf = (...files: [name: string, bytes: string | Buffer<ArrayBuffer>, type?: string][]): FormData => {
  const form = new FormData()
  for (const [name, bytes, type = ''] of files) form.append('file', new Blob([bytes], { type }), name)
  return form
}

async function upload(server: Served, body: RequestInit['body'], headers?: Record<string, string>, query = ''): Promise<StoredFile[]> {
  const response = await ask(server, 'POST', `/v1/files${query}`, body, headers)
  const text = await response.text()
  expect(response.status, text).toBe(201)
  return (JSON.parse(text) as { files: StoredFile[] }).files
}

const contentOf = async (server: Served, { id }: { id: string }) => Buffer.from(await (await ask(server, 'GET', `/v1/files/${id}/content`)).arrayBuffer())

test('what goes in comes out, byte for byte, whichever way it came', async () => {
  await using server = await testServer()
  for (const size of [0, 1, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 3 * MiB + 17]) {
    const bytes = randomBytes(size)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const [formed] = await upload(server, formOf(['a.bin', bytes]))
    const [raw] = await upload(server, bytes, { 'content-type': 'application/octet-stream' }, '?name=a.bin')
    for (const file of [formed!, raw!]) {
      expect(file).toMatchObject({ name: 'a.bin', contentType: 'application/octet-stream', bytes: size, sha256 })
      expect((await contentOf(server, file)).equals(bytes)).toBe(true)
    }
  }
})

const rowsOf = async (server: TestServer, table: string): Promise<number> => (await server.db.database.query<{ count: number }>(`select count(*) as count from ${table}`))[0]!.count

/** Nothing is left of what was refused: no row, no chunk. */
const leftIn = async (server: TestServer) => [await rowsOf(server, 'files'), await rowsOf(server, 'file_chunks')]

async function until(what: string, holds: () => Promise<boolean>, ms = 20_000): Promise<void> {
  const end = Date.now() + ms
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`it did not come to be: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** A form, byte by byte as it is given. */
const rawForm = (...parts: string[]): Buffer<ArrayBuffer> => Buffer.from([...parts.map((part) => `--xx\r\n${part}\r\n`), '--xx--\r\n'].join(''), 'latin1')
const part = (name: string, content = 'hello', field = 'file'): string =>
  `Content-Disposition: form-data; name="${field}"; filename="${name}"\r\nContent-Type: text/plain\r\n\r\n${content}`
const asForm = { 'content-type': 'multipart/form-data; boundary=xx' }

async function refused(server: Served, body: RequestInit['body'], headers?: Record<string, string>): Promise<[number, string]> {
  const answer = await ask(server, 'POST', '/v1/files', body, headers)
  const said = (await answer.json()) as { error?: { code: string } }
  return [answer.status, said.error?.code ?? JSON.stringify(said)]
}

describe('a name', () => {
  test.for([
    ['../../etc/passwd', 'passwd'],
    ['C:\\\\temp\\\\..\\\\boot.ini', 'boot.ini'],
    ['..', 'file'],
    ['a\u0000b.txt', 'ab.txt'],
    ['tab\there  and   there.txt', 'tabhere and there.txt'],
    ['%2e%2e%2fx.txt', '%2e%2e%2fx.txt'],
    ['<script>alert(1)</script>.html', 'script>.html'],
  ] as const)('%j is kept as %j and means nothing to the server', async ([given, kept], { expect: that }) => {
    await using server = await testServer()
    const [file] = await upload(server, rawForm(part(given)), asForm)
    that(file!.name).toBe(kept)
    const answer = await ask(server, 'GET', `/v1/files/${file!.id}/content`)
    that(await answer.text()).toBe('hello')
    that(answer.headers.get('content-disposition')).toMatch(/^attachment; filename="[ !#-[\]-~]*"; filename\*=UTF-8''[\w.~!%-]*$/)
  })

  test('of any language is kept whole, and what turns its letters around is not', async () => {
    await using server = await testServer()
    const [file, turned] = await upload(server, formOf(['Übersicht – 概要 🎉.txt', 'x'], ['invoice\u202Efdp.exe', 'x']))
    expect([file!.name, turned!.name]).toEqual(['Übersicht – 概要 🎉.txt', 'invoicefdp.exe'])
    const answer = await ask(server, 'HEAD', `/v1/files/${file!.id}/content`)
    expect(decodeURIComponent(answer.headers.get('content-disposition')!.split("''")[1]!)).toBe(file!.name)
  })

  test('of a megabyte costs nothing and breaks nothing', async () => {
    await using server = await testServer()
    const [status] = await refused(server, rawForm(part(`${'n'.repeat(1024 * 1024)}.txt`)), asForm)
    expect([201, 400, 413]).toContain(status)
    const [named] = await upload(server, rawForm(part(`${'n'.repeat(4_000)}.tar`)), asForm)
    expect(named!.name).toMatch(/^n{196}\.tar$/)
    expect((await refusal(server.call('POST', `/v1/files?name=${'n'.repeat(5_000)}`, {}))).status).toBe(400)
  })
})

describe('a body', () => {
  test('is read by its normalised type and by nothing else', async () => {
    await using server = await testServer()
    const bytes = rawForm(part('a.txt'))
    for (const type of ['text/plain', 'image/png', 'application/x-www-form-urlencoded', 'multipart/mixed; boundary=xx', 'multipart/form-data-x; boundary=xx'])
      expect(await refused(server, bytes, { 'content-type': type }), type).toEqual([415, 'media_unsupported'])
    for (const type of ['application/json; multipart/form-data; boundary=xx', 'application/json;x="multipart/form-data; boundary=xx"'])
      expect(await refused(server, bytes, { 'content-type': type }), type).toEqual([400, 'json_malformed'])
    expect(await refused(server, bytes, { 'content-type': 'multipart/form-data' })).toEqual([400, 'input_invalid'])
    expect((await upload(server, bytes, { 'content-type': 'Multipart/Form-Data; BOUNDARY="xx"' }))[0]).toMatchObject({ name: 'a.txt', bytes: 5 })
    expect((await ask(server, 'POST', '/v1/workflows', bytes, asForm)).status).toBe(415)
    expect((await ask(server, 'POST', '/trpc/files.upload', bytes, asForm)).status).toBe(415)
    expect(await rowsOf(server, 'files')).toBe(1)
  })

  test('of JSON is never a file, whatever it says of itself', async () => {
    await using server = await testServer()
    const [real] = await upload(server, formOf(['a.txt', 'hello']))
    const pretended = [
      { file: [real] },
      { file: real },
      { file: [{ ...real, type: 'file', fieldname: 'file', mimetype: 'text/plain', file: {}, toBuffer: null }] },
      { files: [real] },
    ]
    for (const body of pretended) {
      expect((await refusal(server.call('POST', '/v1/files', body))).code).toBe('input_invalid')
      const answer = await ask(server, 'POST', '/trpc/files.upload', JSON.stringify(body), { 'content-type': 'application/json' })
      expect(answer.status).toBe(400)
    }
    const form = new FormData()
    form.append('file', JSON.stringify(real))
    expect(await refused(server, form)).toEqual([400, 'input_invalid'])
    expect(await refused(server, rawForm(`Content-Disposition: form-data; name="file"\r\nContent-Type: application/json\r\n\r\n[${JSON.stringify(real)}]`), asForm)).toEqual([
      400,
      'input_invalid',
    ])
    expect(await rowsOf(server, 'files')).toBe(1)
  })

  test.for<[string, Buffer<ArrayBuffer> | string, number]>([
    ['no part at all', rawForm(), 400],
    ['nothing', '', 400],
    ['no end', rawForm(part('a.txt')).subarray(0, -8), 400],
    ['its end in the middle of a file', Buffer.concat([rawForm(part('a.txt', 'half')).subarray(0, -14)]), 400],
    ['another boundary', Buffer.from('--yy\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n--yy--\r\n'), 400],
    ['a part without a name', rawForm('Content-Disposition: form-data; filename="a.txt"\r\n\r\nx'), 400],
    ['a part that names a prototype', rawForm(part('a.txt', 'x', '__proto__')), 400],
    ['a part that names a constructor', rawForm(part('a.txt', 'x', 'constructor')), 400],
    ['a file under a name that is not asked for', rawForm(part('a.txt', 'x', 'avatar')), 400],
    ['a file beside one that is not asked for', rawForm(part('a.txt'), part('b.txt', 'x', 'avatar')), 400],
    ['a field that is not known', rawForm(part('a.txt'), 'Content-Disposition: form-data; name="owner"\r\n\r\nme'), 400],
    ['a NUL in a field', rawForm(part('a.txt'), 'Content-Disposition: form-data; name="name"\r\n\r\na\0b'), 400],
    ['two names for two files', rawForm(part('a.txt'), part('b.txt'), 'Content-Disposition: form-data; name="name"\r\n\r\none'), 400],
    ['JSON that nests without end', rawForm(part('a.txt'), `Content-Disposition: form-data; name="name"\r\nContent-Type: application/json\r\n\r\n${'['.repeat(200_000)}`), 400],
    ['eleven files', rawForm(...Array.from({ length: 11 }, (_, n) => part(`${n}.txt`))), 413],
    ['a thousand fields', rawForm(part('a.txt'), ...Array.from({ length: 1_000 }, (_, n) => `Content-Disposition: form-data; name="f${n}"\r\n\r\nx`)), 413],
    ['two megabytes of fields', rawForm(part('a.txt'), ...Array.from({ length: 4 }, (_, n) => `Content-Disposition: form-data; name="f${n}"\r\n\r\n${'x'.repeat(MiB / 2)}`)), 413],
  ])('with %s is refused, and nothing is kept', async ([, body, status], { expect: that }) => {
    await using server = await testServer()
    const [answered, code] = await refused(server, body, asForm)
    that(answered, code).toBe(status)
    that(await leftIn(server)).toEqual([0, 0])
  })

  test('with a boundary in a file, text before and after it, and ten files is taken', async () => {
    await using server = await testServer()
    const tricky = 'a\r\n--x\r\n -xx\r\n--yxx--\r\n\r\n--\r\nxx--\r\n-'
    const body = Buffer.concat([Buffer.from('this is for no one\r\n'), rawForm(...Array.from({ length: 10 }, (_, n) => part(`${n}.txt`, tricky))), Buffer.from('nor is this')])
    const files = await upload(server, body, asForm)
    expect(files.map(({ name }) => name)).toEqual(Array.from({ length: 10 }, (_, n) => `${n}.txt`))
    for (const file of files) expect((await contentOf(server, file)).toString()).toBe(tricky)
  })

  test('of 32 MiB is taken, of a byte more refused with a 413 that arrives, and nothing of it is kept', async () => {
    await using server = await testServer()
    const whole = randomBytes(limits.uploadBytes)
    const [file] = await upload(server, whole, { 'content-type': 'application/octet-stream' })
    expect(
      createHash('sha256')
        .update(await contentOf(server, file!))
        .digest('hex'),
    ).toBe(file!.sha256)
    await server.call('DELETE', `/v1/files/${file!.id}`)
    const more = Buffer.concat([whole, Buffer.from('!')])
    expect(await refused(server, more, { 'content-type': 'application/octet-stream' })).toEqual([413, 'file_too_large'])
    expect(await refused(server, formOf(['small.txt', 'x'], ['big.bin', more]))).toEqual([413, 'file_too_large'])
    expect(await leftIn(server)).toEqual([0, 0])
  })

  test('without end is cut off, whatever of it nobody would ever see; one that says so is told before', { timeout: 60_000 }, async () => {
    await using server = await testServer()
    const headers = { authorization: `Bearer ${server.token}`, ...asForm }
    const most = limits.filesPerUpload * limits.uploadBytes + 8 * MiB
    for (const start of ['', '--xx\r\nContent-Disposition: form-data; name="name"\r\n\r\n', '--xx\r\nX-Header: ']) {
      let sent = 0
      const piece = Buffer.alloc(MiB, 'x')
      const going = request(`${server.url}/v1/files`, { method: 'POST', headers: { ...headers, 'transfer-encoding': 'chunked' } })
      const ended = new Promise((resolve) => going.on('error', resolve).on('response', resolve))
      let isOver = false
      void ended.then(() => (isOver = true))
      going.write(start)
      while (!isOver && sent < 3 * most) {
        sent += piece.byteLength
        if (!going.write(piece)) await Promise.race([ended, new Promise((resolve) => going.once('drain', resolve))])
      }
      going.destroy()
      expect(sent, start).toBeLessThan(most + 64 * MiB)
    }
    const told = request(`${server.url}/v1/files`, { method: 'POST', headers: { ...headers, 'content-length': String(3 * most) } })
    told.on('error', () => {})
    told.write('--xx\r\n')
    const status = await new Promise((resolve, reject) => {
      told.once('response', (answer) => resolve(answer.statusCode))
      setTimeout(reject, 20_000, new Error('it is not told')).unref()
    })
    told.destroy()
    expect(status).toBe(413)
    expect(await leftIn(server)).toEqual([0, 0])
  })

  test('that is compressed is refused, not stored as if it were not', async () => {
    await using server = await testServer()
    for (const type of ['application/octet-stream', 'multipart/form-data; boundary=xx'])
      expect(await refused(server, rawForm(part('a.txt')), { 'content-type': type, 'content-encoding': 'gzip' })).toEqual([415, 'media_unsupported'])
  })

  test('that is broken off leaves nothing; while it comes, nobody sees it', async () => {
    await using server = await testServer()
    const headers = { authorization: `Bearer ${server.token}`, ...asForm, 'transfer-encoding': 'chunked' }
    const going = request(`${server.url}/v1/files`, { method: 'POST', headers })
    going.on('error', () => {})
    going.write(rawForm(part('first.txt')).subarray(0, -8))
    going.write(`\r\n--xx\r\n${part('second.txt', 'x'.repeat(MiB))}`)
    await until('a chunk has come', async () => (await rowsOf(server, 'file_chunks')) > 1)
    expect((await server.call<{ items: unknown[] }>('GET', '/v1/files')).items).toEqual([])
    for (const { id } of await server.db.database.query<{ id: string }>('select id from files'))
      for (const path of ['', '/content']) expect((await refusal(server.call('GET', `/v1/files/${id}${path}`))).code).toBe('file_missing')
    going.destroy()
    await until('nothing is left', async () => (await leftIn(server)).every((count) => count === 0))
  })

  test('is not taken in from who may not upload', async () => {
    await using server = await testServer()
    const viewer = await member(server, 'viewer')
    for (const [token, status] of [
      ['', 401],
      [viewer, 403],
    ] as const) {
      const answer = await fetch(`${server.url}/v1/files`, { method: 'POST', body: formOf(['a', 'x'.repeat(1_000)]), headers: token ? { authorization: `Bearer ${token}` } : {} })
      expect(answer.status).toBe(status)
    }
    // The answer comes before the body has: none of it was waited for.
    const sending = request(`${server.url}/v1/files`, { method: 'POST', headers: { authorization: `Bearer ${viewer}`, ...asForm, 'transfer-encoding': 'chunked' } })
    sending.on('error', () => {})
    sending.write(rawForm(part('a.txt', 'x'.repeat(MiB))))
    const status = await new Promise((resolve, reject) => {
      sending.once('response', (answer) => resolve(answer.statusCode))
      setTimeout(reject, 10_000, new Error('the answer waits for the body')).unref()
    })
    sending.destroy()
    expect(status).toBe(403)
    expect(await leftIn(server)).toEqual([0, 0])
  })
})

async function member(server: Served, role: string): Promise<string> {
  const email = `${role}-${randomBytes(4).toString('hex')}@example.com`
  await server.call('POST', '/v1/members', { email, role, password: admin.password })
  return (await server.call<{ token: string }>('POST', '/v1/auth/login', { email, password: admin.password }, { as: '' })).token
}

describe('content', () => {
  test('comes as an attachment in a sandbox, of the type it was stored with', async () => {
    await using server = await testServer()
    const [file] = await upload(server, formOf(['page.html', '<script>alert(1)</script>', 'Text/HTML; charset=utf-8']))
    const answer = await ask(server, 'GET', `/v1/files/${file!.id}/content`)
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'text/html',
      'content-length': '25',
      'content-disposition': `attachment; filename="page.html"; filename*=UTF-8''page.html`,
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringContaining('sandbox') as string,
      'accept-ranges': 'bytes',
      etag: `"${file!.sha256}"`,
    })
    const [strange] = await upload(server, rawForm('Content-Disposition: form-data; name="file"; filename="x"\r\nContent-Type: text/html\x01<script>\r\n\r\nx'), asForm)
    expect(strange!.contentType).toBe('application/octet-stream')
  })

  test('is told apart from what a reader has, and has a HEAD', async () => {
    await using server = await testServer()
    const [file] = await upload(server, formOf(['a.txt', 'hello']))
    const path = `/v1/files/${file!.id}/content`
    for (const known of [`"${file!.sha256}"`, `"other", W/"${file!.sha256}"`, '*']) {
      const answer = await ask(server, 'GET', path, undefined, { 'if-none-match': known })
      expect([answer.status, await answer.text()]).toEqual([304, ''])
    }
    expect((await ask(server, 'GET', path, undefined, { 'if-none-match': '"other"' })).status).toBe(200)
    const head = await ask(server, 'HEAD', path)
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '5', ''])
  })

  test('is given in parts: one range, over the borders of chunks too', async () => {
    await using server = await testServer()
    const bytes = randomBytes(600_000)
    const [file] = await upload(server, formOf(['a.bin', bytes]))
    const etag = `"${file!.sha256}"`
    const get = (headers: Record<string, string>) => ask(server, 'GET', `/v1/files/${file!.id}/content`, undefined, headers)
    const ranges: [string, number, number][] = [
      ['bytes=0-0', 0, 0],
      ['bytes=262143-262144', 262_143, 262_144],
      ['bytes=100000-599999', 100_000, 599_999],
      ['bytes=599999-', 599_999, 599_999],
      ['bytes=500000-900000', 500_000, 599_999],
      ['bytes=-10', 599_990, 599_999],
      ['bytes=-900000', 0, 599_999],
    ]
    for (const [range, start, end] of ranges) {
      const answer = await get({ range })
      expect([answer.status, answer.headers.get('content-range'), answer.headers.get('content-length')], range).toEqual([
        206,
        `bytes ${start}-${end}/600000`,
        String(end - start + 1),
      ])
      expect(Buffer.from(await answer.arrayBuffer()).equals(bytes.subarray(start, end + 1)), range).toBe(true)
    }
    expect((await get({ range: 'bytes=0-1', 'if-range': etag })).status).toBe(206)
    const head = await ask(server, 'HEAD', `/v1/files/${file!.id}/content`, undefined, { range: 'bytes=0-0' })
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '600000'])
    const whole: Record<string, string>[] = [
      { range: 'bytes=0-1,5-6' },
      { range: 'bytes=9-3' },
      { range: 'items=0-1' },
      { range: 'bytes=-' },
      { range: 'bytes=0-1', 'if-range': '"other"' },
    ]
    for (const headers of whole) {
      const answer = await get(headers)
      expect([answer.status, (await answer.arrayBuffer()).byteLength], JSON.stringify(headers)).toEqual([200, 600_000])
    }
    for (const range of ['bytes=600000-', 'bytes=900000-900001', 'bytes=-0']) {
      const answer = await get({ range })
      expect([answer.status, answer.headers.get('content-range')], range).toEqual([416, 'bytes */600000'])
      expect(await answer.json()).toMatchObject({ error: { code: 'input_invalid' } })
    }
  })
})

test('files are seen by their owner and by admins; to all others they are not there', async () => {
  await using server = await testServer()
  const [one, other] = [await member(server, 'operator'), await member(server, 'operator')]
  const uploaded = await fetch(`${server.url}/v1/files`, { method: 'POST', body: formOf(['mine.txt', 'x']), headers: { authorization: `Bearer ${one}` } })
  const [mine] = ((await uploaded.json()) as { files: StoredFile[] }).files
  const listed = async (as: string) => (await server.call<{ items: StoredFile[]; total: number }>('GET', '/v1/files?count=true', undefined, { as })).items.map(({ id }) => id)
  expect([await listed(one), await listed(other), await listed(server.token)]).toEqual([[mine!.id], [], [mine!.id]])
  for (const [method, path] of [
    ['GET', ''],
    ['GET', '/content'],
    ['DELETE', ''],
  ] as const)
    expect((await refusal(server.call(method, `/v1/files/${mine!.id}${path}`, undefined, { as: other }))).code).toBe('file_missing')
  expect((await refusal(server.call('GET', `/v1/files?userId=${mine!.userId}`, undefined, { as: other }))).code).toBe('user_missing')
  expect(await server.call<{ items: StoredFile[] }>('GET', `/v1/files?userId=${mine!.userId}`)).toMatchObject({ items: [{ id: mine!.id }] })
  await server.call('DELETE', `/v1/files/${mine!.id}`)
  expect(await leftIn(server)).toEqual([0, 0])
})

test('the room of a workspace is bounded, and what is still coming takes its part', async () => {
  await using server = await testServer()
  const fill = `insert into files (id, workspace_id, owner_id, name, content_type, bytes, stored_at) select '00fill000000000', id, 'o', 'n', 't', $1, now() from workspaces limit 1`
  await server.db.database.query(fill, [limits.workspaceFileBytes - 1_000])
  expect(await refused(server, Buffer.alloc(2_000), { 'content-type': 'application/octet-stream' })).toEqual([422, 'files_full'])
  expect(await upload(server, Buffer.alloc(500), { 'content-type': 'application/octet-stream' })).toMatchObject([{ bytes: 500 }])
  expect(await rowsOf(server, 'files')).toBe(2)
})

describe('a disk that is full', () => {
  /** PostgreSQL's own error, for the rows of a table that are so. */
  const fillUp = (server: TestServer, table: string, when: string, condition = 'true') =>
    server.db.database.query(
      `create function full_up() returns trigger language plpgsql as $$ begin
         if ${condition} then raise exception 'could not extend file: No space left on device' using errcode = '53100'; end if;
         return new;
       end $$;
       create trigger full_up before ${when} on ${table} for each row execute function full_up()`,
    )

  test.for<[string, string, string, string?]>([
    ['as a file begins', 'files', 'insert'],
    ['in the middle of a file', 'file_chunks', 'insert', 'new.number = 2'],
    ['when all of it has come', 'files', 'update'],
  ])('%s is a 507, nothing half-written is left, and the next upload after it is taken', async ([, table, when, condition], { expect: that }) => {
    await using server = await testServer()
    await fillUp(server, table, when, condition)
    const bytes = randomBytes(MiB)
    // Large enough that it is still coming when it is refused: the refusal arrives all the same.
    for (const size of [1, 2, 3, 5, 8].map((times) => Buffer.alloc(times * MiB, bytes))) {
      that(await refused(server, size, { 'content-type': 'application/octet-stream' })).toEqual([507, 'storage_full'])
      that(await refused(server, formOf(['small.txt', 'x'], ['large.bin', size]))).toEqual([507, 'storage_full'])
    }
    that(await leftIn(server)).toEqual([0, 0])
    await server.db.database.query(`drop trigger full_up on ${table}`)
    that(await upload(server, formOf(['large.bin', bytes]))).toMatchObject([{ bytes: MiB }])
  })
})

test('an upload into a workspace that another server has just deleted is refused like its credential', async () => {
  await using server = await testServer()
  const { id } = await server.call<{ id: string }>('POST', '/v1/workspaces', { name: 'Elsewhere' })
  const { token } = await server.call<{ token: string }>('POST', '/v1/auth/switch', { workspace: id })
  await server.call('GET', '/v1/files', undefined, { as: token })
  await server.db.database.query('delete from workspaces where id = $1', [id])
  expect(await refused({ ...server, token }, formOf(['a.txt', 'x']))).toEqual([401, 'credential_invalid'])
})

test('readers who do not read hold no connection to PostgreSQL: more of them than there are, and others are answered', async () => {
  await using server = await testServer()
  const [file] = await upload(server, randomBytes(4 * MiB), { 'content-type': 'application/octet-stream' })
  const readers = await Promise.all(Array.from({ length: 40 }, () => ask(server, 'GET', `/v1/files/${file!.id}/content`)))
  const asked = Date.now()
  expect(await server.call<{ items: unknown[] }>('GET', '/v1/files')).toMatchObject({ items: [{ id: file!.id }] })
  expect(await upload(server, formOf(['a.txt', 'x']))).toHaveLength(1)
  expect(Date.now() - asked).toBeLessThan(10_000)
  const idle = async () =>
    (await server.db.database.query<{ count: number }>(`select count(*) as count from pg_stat_activity where datname = current_database() and state like 'idle in%'`))[0]!.count
  // The server has transactions of its own, for a moment each.
  await expect.poll(idle, { timeout: 10_000 }).toBe(0)
  for (const reader of readers) await reader.body!.cancel()
})

describe('what uses a file', () => {
  const session = (id: string): FileSubject => ({ kind: 'session', id })

  test('keeps it: it is not deleted, and of two who let go at once the last one lets it go', async () => {
    await using server = await testServer()
    const { database } = server.db
    const files = createFiles({ database })
    const [file] = await upload(server, formOf(['a.txt', 'x']))
    const user = { workspaceId: (await database.query<{ id: string }>('select workspace_id as id from files'))[0]!.id, userId: file!.userId }
    const unused = async () => (await files.get(user, file!)).unusedSince !== null
    for (const each of ['a', 'b', 'a']) await database.transaction((tx) => files.attach(tx, user, [file!.id], session(each)))
    expect(await unused()).toBe(false)
    const refusedWith = await refusal(server.call('DELETE', `/v1/files/${file!.id}`))
    expect([refusedWith.status, refusedWith.code, refusedWith.details]).toEqual([
      409,
      'file_in_use',
      {
        uses: [
          { kind: 'session', id: 'a' },
          { kind: 'session', id: 'b' },
        ],
      },
    ])
    expect((await files.of(database, session('a'))).map(({ id }) => id)).toEqual([file!.id])
    const released = Promise.withResolvers<void>()
    const both = Promise.withResolvers<void>()
    const first = database.transaction(async (tx) => {
      await files.release(tx, session('a'))
      released.resolve()
      await both.promise
    })
    await released.promise
    const second = database.transaction((tx) => files.detach(tx, [file!.id], session('b')))
    await new Promise((resolve) => setTimeout(resolve, 300))
    both.resolve()
    await Promise.all([first, second])
    expect(await unused()).toBe(true)
    await database.transaction((tx) => files.attach(tx, user, [file!.id], session('c')))
    await database.transaction((tx) => files.release(tx, session('c'), { atOnce: true }))
    expect(await leftIn(server)).toEqual([0, 0])
  })

  test('takes all of what it asks for, or nothing: what is not there, not theirs or still coming is named', async () => {
    await using server = await testServer()
    const { database } = server.db
    const files = createFiles({ database })
    const [file] = await upload(server, formOf(['a.txt', 'x']))
    const [{ id: workspaceId }] = (await database.query<{ id: string }>('select id from workspaces')) as [{ id: string }]
    const attach = (userId: string, others: boolean) => database.transaction((tx) => files.attach(tx, { workspaceId, userId, others }, [file!.id, '00nothing000000'], session('a')))
    await expect(attach(file!.userId, false)).rejects.toMatchObject({ code: 'file_missing', details: { files: ['00nothing000000'] } })
    await expect(attach('someone else', false)).rejects.toMatchObject({ details: { files: [file!.id, '00nothing000000'] } })
    await expect(attach('someone else', true)).rejects.toMatchObject({ details: { files: ['00nothing000000'] } })
    expect(await rowsOf(server, 'file_uses')).toBe(0)
    expect((await files.get({ workspaceId, userId: file!.userId }, file!)).unusedSince).not.toBeNull()
  })

  test('and who deletes it meet: one of them wins, and the other is told', async () => {
    await using server = await testServer()
    const { database } = server.db
    const files = createFiles({ database })
    const [{ id: workspaceId }] = (await database.query<{ id: string }>('select id from workspaces')) as [{ id: string }]
    for (let round = 0; round < 10; round++) {
      const [file] = await upload(server, formOf(['a.txt', 'x']))
      const user = { workspaceId, userId: file!.userId }
      const [used, deleted] = await Promise.allSettled([database.transaction((tx) => files.attach(tx, user, [file!.id], session(String(round)))), files.delete(user, file!)])
      expect([used.status, deleted.status].sort()).toEqual(['fulfilled', 'rejected'])
      expect(await files.of(database, session(String(round)))).toHaveLength(used.status === 'fulfilled' ? 1 : 0)
    }
  })
})

/** A body of random bytes that is made as it is sent. */
function randomStream(bytes: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  let left = bytes
  return new ReadableStream({
    pull(controller) {
      const size = Math.min(left, 64 * 1024)
      if (size > 0) controller.enqueue(new Uint8Array(randomBytes(size)))
      left -= size
      if (left === 0) controller.close()
    },
  })
}

describe('files of a draft', () => {
  const workflow = (server: Served, name = 'Invoice') => server.call<{ id: string; handle: string }>('POST', '/v1/workflows', { name })
  const asBytes = { 'content-type': 'application/octet-stream' }

  async function uploadAs(server: Served, token: string, ref: string, body = formOf(['a.csv', 'a,b'])): Promise<Response> {
    body.append('workflow', ref)
    return fetch(`${server.url}/v1/files`, { method: 'POST', body, headers: { authorization: `Bearer ${token}` } })
  }

  const readBy = async (server: Served, { id }: StoredFile, as: string) =>
    Promise.all(
      ['', '/content'].map(async (path) => {
        const answer = await fetch(`${server.url}/v1/files/${id}${path}`, { headers: { authorization: `Bearer ${as}` } })
        return answer.status === 200 ? 200 : ((await answer.json()) as { error: { code: string } }).error.code
      }),
    )

  test('are in use from the start, and read by whoever may read the workflow, though they are of another user', async () => {
    await using server = await testServer()
    const { id, handle } = await workflow(server)
    const [editor, operator, viewer] = [await member(server, 'editor'), await member(server, 'operator'), await member(server, 'viewer')]
    const answer = await uploadAs(server, editor, handle, formOf(['a.csv', 'a,b'], ['b.csv', 'c,d']))
    expect(answer.status).toBe(201)
    const { files } = (await answer.json()) as { files: StoredFile[] }
    const [raw] = await upload(server, 'e,f', asBytes, `?workflow=${id}`)
    for (const file of [...files, raw!]) expect(file.unusedSince).toBeNull()
    for (const as of [editor, operator, viewer, server.token]) expect(await readBy(server, files[1]!, as)).toEqual([200, 200])
    expect((await contentOf(server, files[1]!)).toString()).toBe('c,d')
    const listed = async (as: string) => (await server.call<{ items: StoredFile[] }>('GET', '/v1/files', undefined, { as })).items.length
    expect([await listed(editor), await listed(operator), await listed(viewer)]).toEqual([2, 0, 0])
    const secretOf = async (...scopes: string[]) => (await server.call<{ secret: string }>('POST', '/v1/keys', { name: 'k', scopes }, { as: operator })).secret
    expect(await readBy(server, files[0]!, await secretOf('files.read', 'workflows.read'))).toEqual([200, 200])
    expect(await readBy(server, files[0]!, await secretOf('files'))).toEqual(['file_missing', 'file_missing'])
    expect(await readBy(server, files[0]!, await secretOf('workflows'))).toEqual(['permission_denied', 'permission_denied'])
    const unused = await fetch(`${server.url}/v1/files`, { method: 'POST', body: formOf(['mine.csv', 'x']), headers: { authorization: `Bearer ${editor}` } })
    expect(await readBy(server, ((await unused.json()) as { files: StoredFile[] }).files[0]!, operator)).toEqual(['file_missing', 'file_missing'])
  })

  test('are deleted by nobody while the workflow is there, and go with it, but for one that something else uses', async () => {
    await using server = await testServer()
    const { database } = server.db
    const { id } = await workflow(server)
    const [editor, operator, viewer] = [await member(server, 'editor'), await member(server, 'operator'), await member(server, 'viewer')]
    const { files: stored } = (await (await uploadAs(server, editor, id, formOf(['a.csv', 'a'], ['b.csv', 'b']))).json()) as { files: StoredFile[] }
    for (const as of [editor, operator, server.token]) {
      const refusedWith = await refusal(server.call('DELETE', `/v1/files/${stored[0]!.id}`, undefined, { as }))
      expect([refusedWith.code, refusedWith.details]).toEqual(['file_in_use', { uses: [{ kind: 'workflow', id }] }])
    }
    expect((await refusal(server.call('DELETE', `/v1/files/${stored[0]!.id}`, undefined, { as: viewer }))).code).toBe('permission_denied')
    const [{ workspace_id: workspaceId }] = (await database.query<{ workspace_id: string }>('select workspace_id from files limit 1')) as [{ workspace_id: string }]
    const files = createFiles({ database })
    const attached = (user: string) => database.transaction((tx) => files.attach(tx, { workspaceId, userId: user, drafts: true }, [stored[1]!.id], { kind: 'session', id: 's' }))
    // To read another's file is not to hand it on.
    await expect(attached('someone')).rejects.toMatchObject({ code: 'file_missing' })
    await attached(stored[1]!.userId)
    await server.call('POST', `/v1/workflows/${id}/reset`, {})
    expect(await readBy(server, stored[0]!, operator)).toEqual([200, 200])
    await server.call('DELETE', `/v1/workflows/${id}`)
    expect(await database.query('select id, unused_at from files')).toEqual([{ id: stored[1]!.id, unused_at: null }])
    expect(await rowsOf(server, 'file_chunks')).toBe(1)
    expect(await readBy(server, stored[1]!, operator)).toEqual(['file_missing', 'file_missing'])
  })

  test('are those of its copies too, and stay as long as one of them does', async () => {
    await using server = await testServer()
    const { id } = await workflow(server)
    const operator = await member(server, 'operator')
    const [file] = await upload(server, 'e,f', asBytes, `?workflow=${id}`)
    const copy = await server.call<{ id: string }>('POST', `/v1/workflows/${id}/duplicate`, {})
    await server.call('DELETE', `/v1/workflows/${id}`)
    expect(await readBy(server, file!, operator)).toEqual([200, 200])
    await server.call('DELETE', `/v1/workflows/${copy.id}`)
    expect(await readBy(server, file!, operator)).toEqual(['file_missing', 'file_missing'])
    expect(await leftIn(server)).toEqual([0, 0])
  })

  test('of an unknown workflow are not kept, nor of one that they who send them may not edit', async () => {
    await using server = await testServer()
    const { id, handle } = await workflow(server)
    const operator = await member(server, 'operator')
    await upload(server, 'x', asBytes)
    const before = await leftIn(server)
    for (const ref of ['unknown', '']) {
      const answer = await uploadAs(server, server.token, ref)
      expect([answer.status, ((await answer.json()) as { error: { code: string } }).error.code]).toEqual(ref === '' ? [400, 'input_invalid'] : [404, 'workflow_missing'])
    }
    const denied = await uploadAs(server, operator, handle)
    expect([denied.status, ((await denied.json()) as { error: { code: string } }).error.code]).toEqual([403, 'permission_denied'])
    await server.call('DELETE', `/v1/workflows/${id}`)
    expect((await uploadAs(server, server.token, id)).status).toBe(404)
    expect(await leftIn(server)).toEqual(before)
  })

  test('are not there for another workspace, which cannot add to them either', async () => {
    await using server = await testServer()
    const { id, handle } = await workflow(server)
    const [file] = await upload(server, 'x', asBytes, `?workflow=${handle}`)
    const other = await server.call<{ id: string }>('POST', '/v1/workspaces', { name: 'Elsewhere' })
    const { token: stranger } = await server.call<{ token: string }>('POST', '/v1/auth/switch', { workspace: other.id })
    expect(await readBy(server, file!, stranger)).toEqual(['file_missing', 'file_missing'])
    expect((await refusal(server.call('DELETE', `/v1/files/${file!.id}`, undefined, { as: stranger }))).code).toBe('file_missing')
    for (const ref of [id, handle]) expect((await uploadAs(server, stranger, ref)).status).toBe(404)
    expect(await rowsOf(server, 'files')).toBe(1)
  })

  test('that come while the workflow goes are refused, or go with it', { timeout: 60_000 }, async () => {
    await using server = await testServer()
    const ends = new Set<number>()
    for (let round = 0; round < 12; round++) {
      const { id } = await workflow(server)
      const going = new Promise((resolve) => setTimeout(resolve, round)).then(() => server.call('DELETE', `/v1/workflows/${id}`))
      const answers = await Promise.all([uploadAs(server, server.token, id), uploadAs(server, server.token, id), going.then(() => null)])
      for (const answer of answers) if (answer) ends.add(answer.status)
      expect(await leftIn(server)).toEqual([0, 0])
    }
    for (const status of ends) expect([201, 404]).toContain(status)
  })
})

test('twenty uploads at once, and twenty readers who do not read, cost a server little memory', { timeout: 120_000 }, async () => {
  await using rig = await createRig()
  const server = await rig.serve()
  const headers = { authorization: `Bearer ${server.token}` }
  const residentMiB = (): number => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server.program.pid}/status`, 'utf8'))![1]) / 1024
  let most = 0
  const watching = setInterval(() => (most = Math.max(most, residentMiB())), 25)
  const store = async (): Promise<string> => {
    const sent = { body: randomStream(8 * MiB), duplex: 'half' } as const
    const answer = await fetch(`${server.url}/v1/files`, { method: 'POST', headers: { ...headers, 'content-type': 'application/octet-stream' }, ...sent })
    return ((await answer.json()) as { files: StoredFile[] }).files[0]!.id
  }
  try {
    await store()
    const before = residentMiB()
    const ids = await Promise.all(Array.from({ length: 20 }, store))
    expect(new Set(ids).size).toBe(20)
    // 160 MiB went through.
    expect(most - before).toBeLessThan(110)
    most = 0
    const idle = residentMiB()
    const readers = await Promise.all(ids.map((id) => fetch(`${server.url}/v1/files/${id}/content`, { headers })))
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    // 160 MiB lie there for them; what a few megabytes that each has taken leave behind is not collected at once.
    expect(most - idle).toBeLessThan(110)
    for (const reader of readers) await reader.body!.cancel()
  } finally {
    clearInterval(watching)
  }
})
