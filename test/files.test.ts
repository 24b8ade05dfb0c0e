import { createHash, randomBytes } from 'node:crypto'
import type { StoredFile } from '@sluice/schema'
import { expect, test } from 'vitest'
import { testServer, type Served } from './support/server.ts'

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
