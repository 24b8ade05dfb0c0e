import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { flow } from '../support/flow.ts'
import { inTurn, refusal, type TestServer, testServer } from '../support/server.ts'

/** What requests of no sense have found, each as a test of its own. */
describe('what fuzzing has found', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await testServer()
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
  })

  /** The answer to these lines, as it came. */
  const bare = (lines: readonly string[]): Promise<string> =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(server.url)
      let text = ''
      const socket = connect(Number(port), hostname, () => socket.write(`${lines.join('\r\n')}\r\n\r\n`))
      socket.on('data', (piece: Buffer) => (text += piece.toString()))
      socket.on('error', reject)
      socket.on('close', () => resolve(text))
    })

  test('a request that names no host is refused in a form, with the id of the request', async () => {
    const answer = await bare(['GET /v1/workflows HTTP/1.1', 'connection: close'])
    expect(answer).toMatch(/^HTTP\/1\.1 400 /)
    expect(answer).toMatch(/^x-request-id: /m)
    expect(answer).toContain('"code":"input_invalid"')
  })

  test('what a request expects of us that we do not know is passed over', async () => {
    const answer = await bare(['GET /health HTTP/1.1', 'host: localhost', 'expect: 200-maybe', 'connection: close'])
    expect(answer).toMatch(/^HTTP\/1\.1 200 /)
    expect(answer).toMatch(/^x-request-id: /m)
  })

  test('what tRPC cannot read of a batch it says as JSON', async () => {
    const eleven = Array.from({ length: 11 }, () => 'auth.me').join()
    const response = await fetch(`${server.url}/trpc/${eleven}?batch=1&input=%7B%7D`, { headers: { authorization: `Bearer ${server.token}` } })
    expect(response.status).toBe(400)
    expect(response.headers.get('content-type')).toMatch(/^application\/json\b/)
    expect(await response.json()).toMatchObject({ error: { data: { code: 'input_invalid' } } })
  })

  test('frames that are none end their socket, and are no bug of the server', async () => {
    const before = server.lines.length
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/trpc`, { headers: { authorization: `Bearer ${server.token}` } })
    await new Promise((resolve) => socket.on('open', resolve))
    const closed = new Promise<number>((resolve) => socket.on('close', resolve))
    socket.on('error', () => {})
    // Text that is no UTF-8, as a frame whose head says that it is text.
    ;(socket as unknown as { _socket: { write(bytes: Buffer): void } })._socket.write(Buffer.from([0x81, 0x83, 0, 0, 0, 0, 0xff, 0xfe, 0xc0]))
    expect(await closed).toBe(1007)
    expect(server.lines.slice(before).filter((line) => line.includes('"level":"error"'))).toEqual([])
  })

  test('in the words of PySpur a run that cannot be there has no children, like one that is not', async () => {
    for (const run of ['000000000000000', '(a+)+$']) expect(await server.call('GET', `/run/${encodeURIComponent(run)}/children/`)).toEqual([])
  })

  test('a template that is nested too deeply is told to be that', async () => {
    const text = `${'{% if true %}'.repeat(2_000)}x${'{% endif %}'.repeat(2_000)}`
    const refused = await refusal(server.call('POST', '/v1/node-types/template/try', { config: { text } }))
    expect([refused.status, refused.issues.map(({ message }) => message.replace(/ \(at .*/, ''))]).toEqual([400, ['The template is nested too deeply or makes too much']])
  })

  test('a copy is made of a workflow while the file of one of its nodes goes: it has the file, or has none', async () => {
    const { id } = await server.workflow(flow({ a: 'input' }))
    const add = async (key: string): Promise<string> => {
      const form = new FormData()
      form.append('file', new Blob([key]), 'a.txt')
      const response = await fetch(`${server.url}/v1/workflows/${id}/nodes/a/files?key=${key}`, {
        method: 'POST',
        body: form,
        headers: { authorization: `Bearer ${server.token}` },
      })
      return ((await response.json()) as { id: string }).id
    }
    await inTurn(
      Array.from({ length: 6 }, (_, at) => `k${at}`),
      async (key) => {
        const file = await add(key)
        const copies = Array.from({ length: 3 }, () => server.call<{ id: string }>('POST', `/v1/workflows/${id}/duplicate`, {}))
        await Promise.all([...copies, server.call('DELETE', `/v1/workflows/${id}/nodes/a/files/${file}`)])
        for (const copy of await Promise.all(copies)) {
          const { items } = await server.call<{ items: { file: { id: string } }[] }>('GET', `/v1/workflows/${copy.id}/nodes/a/files`)
          for (const { file: kept } of items) await server.call('GET', `/v1/files/${kept.id}`)
        }
      },
    )
  })

  test('a file that goes while it is read: there is none, or it breaks off, and neither is a bug of the server', async () => {
    const headers = { authorization: `Bearer ${server.token}`, 'content-type': 'application/octet-stream' }
    const sent = await fetch(`${server.url}/v1/files?name=a.bin`, { method: 'POST', headers, body: new Uint8Array(600_000) })
    const { files } = (await sent.json()) as { files: { id: string }[] }
    const { id } = files[0]!
    const read = (): Promise<Response> => fetch(`${server.url}/v1/files/${id}/content`, { headers: { authorization: headers.authorization } })
    const before = server.lines.length
    await server.db.database.query('delete from file_chunks where file_id = $1 and number > 0', [id])
    const broken = await read()
    expect(broken.status).toBe(200)
    await expect(broken.arrayBuffer()).rejects.toThrow('terminated')
    await server.db.database.query('delete from file_chunks where file_id = $1', [id])
    const gone = await read()
    expect([gone.status, gone.headers.get('etag')]).toEqual([404, null])
    expect(await gone.json()).toMatchObject({ error: { code: 'file_missing' } })
    expect(server.lines.slice(before).filter((line) => line.includes('"level":"error"'))).toEqual([])
  })
})
