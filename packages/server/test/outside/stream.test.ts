import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { afterAll, expect, test } from 'vitest'
import { createOutside } from '../../src/outside/outside.ts'
import type { StreamRequest, StreamedAnswer } from '../../src/outside/stream.ts'
import { serve } from './service.ts'

const outside = createOutside({ allow: ['127.0.0.1'] })
afterAll(() => outside.close())
const open = (url: string, more: Partial<StreamRequest> = {}) => outside.open({ method: 'GET', url, timeoutMs: 10_000, idleMs: 10_000, maxBytes: 1000, ...more })
const failure = (work: Promise<unknown>) =>
  work.then(
    () => null,
    (error: unknown) => error,
  )

async function read({ body }: StreamedAnswer): Promise<string> {
  const chunks: Uint8Array[] = []
  for (let next = await body.next(); !next.done; next = await body.next()) chunks.push(next.value)
  return Buffer.concat(chunks).toString()
}

test('an answer is read while it comes', async () => {
  const { promise: seen, resolve: go } = Promise.withResolvers<void>()
  await using service = await serve(async (_, response) => {
    response.writeHead(201, { 'x-a': 'b' }).write('first')
    await seen
    response.end(' second')
  })
  const answer = await open(service.url)
  expect(answer).toMatchObject({ status: 201, headers: { 'x-a': 'b' } })
  expect(Buffer.from((await answer.body.next()).value!).toString()).toBe('first')
  go()
  expect(await read(answer)).toBe(' second')
})

test.each([
  [
    'aborted',
    async (answer: StreamedAnswer, abort: AbortController) => (abort.abort(new Error('enough')), expect(await failure(read(answer))).toMatchObject({ message: 'enough' })),
  ],
  ['closed before it was read', async (answer: StreamedAnswer) => answer.close()],
  ['left in the middle', async (answer: StreamedAnswer) => void (await answer.body.next(), await answer.body.return!())],
])('an exchange that is %s closes its connection', async (_, leave) => {
  const gone = Promise.withResolvers<void>()
  await using service = await serve((request, response) => void (request.socket.on('close', gone.resolve), response.writeHead(200).write('first')))
  const abort = new AbortController()
  await leave(await open(service.url, { signal: abort.signal }), abort)
  await gone.promise
})

test('silence and slowness end it, before the first byte and after', async () => {
  await using service = await serve(async ({ url }, response) => {
    if (url === '/mute') return
    response.writeHead(200)
    for (let each = 0; each < 200 && !response.destroyed; each++) {
      response.write('.')
      await sleep(url === '/drip' ? 20 : 5_000)
    }
  })
  expect(await failure(open(`${service.url}/mute`, { idleMs: 100 }))).toMatchObject({ code: 'timed_out' })
  expect(await failure(read(await open(`${service.url}/stall`, { idleMs: 200 })))).toMatchObject({ code: 'timed_out', message: expect.stringContaining('sign of life') })
  expect(await failure(read(await open(`${service.url}/drip`, { idleMs: 5_000, timeoutMs: 500 })))).toMatchObject({
    code: 'timed_out',
    message: expect.stringContaining('whole answer'),
  })
})

test('what is too large, compressed, or breaks off is an error; a private address is refused', async () => {
  await using service = await serve(({ url }, response) => {
    if (url === '/large') return void response.end('x'.repeat(1_001))
    if (url === '/gzip') return void response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('x'))
    response.writeHead(200, { 'content-length': '100' }).write('half')
    setTimeout(() => response.destroy(), 50)
  })
  expect(await failure(read(await open(`${service.url}/large`)))).toMatchObject({ code: 'too_large' })
  expect(await failure(open(`${service.url}/gzip`))).toMatchObject({ code: 'network' })
  expect(await failure(read(await open(`${service.url}/cut`)))).toMatchObject({ name: 'OutsideError', code: 'network' })
  const guarded = createOutside({ allow: [] })
  expect(await failure(guarded.open({ method: 'GET', url: service.url, timeoutMs: 5_000, idleMs: 5_000, maxBytes: 1 }))).toMatchObject({ code: 'refused_address' })
  await guarded.close()
})
