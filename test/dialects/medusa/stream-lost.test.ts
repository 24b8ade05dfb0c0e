import { type AddressInfo, createServer, connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { EventSource } from 'eventsource'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type EventType, eventTypes, type WorkflowEvent } from '../../../packages/server/src/dialects/medusa/messages.ts'
import { deadline } from '../../support/deadline.ts'
import { trimEvents } from '../../support/events.ts'
import { delay, flow, post, values } from '../../support/flow.ts'
import { type TestServer, testServer } from '../../support/server.ts'

/** Streams whose connection is lost, on raw sockets and with a browser's EventSource: what is missed, and what is told twice, is nothing. */

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const at = (...path: string[]): string => `/admin/workflows-executions/${path.join('/')}/subscribe`
const headers = () => ({ authorization: `Bearer ${server.token}`, accept: 'text/event-stream' })

/** What comes over a plain connection. */
async function raw(path: string, more: Record<string, string> = {}): Promise<{ text(): string; came(what: string, pattern: RegExp): Promise<string>; socket: Socket }> {
  const { hostname, port } = new URL(server.url)
  const socket = connect(Number(port), hostname)
  onTestFinished(() => void socket.destroy())
  let text = ''
  const lookers = new Set<() => void>()
  socket.on('data', (piece) => {
    text += piece.toString()
    for (const look of lookers) look()
  })
  socket.on('error', () => {})
  const lines = Object.entries({ host: `${hostname}:${port}`, ...headers(), ...more }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`)
  return {
    socket,
    text: () => text,
    came: (what, pattern) =>
      deadline<string>(`${what}; it was sent ${text}`, (done) => {
        const look = () => {
          if (pattern.test(text)) done(text)
        }
        lookers.add(look)
        look()
        return () => void lookers.delete(look)
      }),
  }
}

interface Message {
  id: string
  data: WorkflowEvent
}

/** Once its head has come. */
async function open(path: string, lastEventId?: string): Promise<Response> {
  const gone = new AbortController()
  onTestFinished(() => gone.abort())
  return fetch(server.url + path, { headers: { ...headers(), ...(lastEventId !== undefined && { 'last-event-id': lastEventId }) }, signal: gone.signal })
}

/** Its messages until it ends, or so many have come. */
async function read(response: Response, most = Infinity): Promise<Message[]> {
  const messages: Message[] = []
  let text = ''
  for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
    text += piece
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const [, id, data] = /^id: (.*)\nevent: .*\ndata: (.*)$/.exec(text.slice(0, end)) ?? []
      if (id !== undefined && data !== undefined) messages.push({ id, data: JSON.parse(data) as WorkflowEvent })
      text = text.slice(end + 2)
    }
    if (messages.length >= most) break
  }
  return messages
}

describe('the connection', () => {
  test('has its head before anything happens, and its messages end with an empty line', async () => {
    const workflow = await server.workflow(flow({ a: values({}) }, []))
    const client = await raw(at(workflow.handle, 'one'), { 'x-request-id': 'mine-12345' })
    const head = await client.came('the head', /\r\n\r\n/)
    expect(head).toMatch(/^HTTP\/1\.1 200 /)
    for (const line of [/content-type: text\/event-stream/i, /cache-control: no-cache/i, /connection: keep-alive/i, /x-request-id: mine-12345/i]) expect(head).toMatch(line)
    expect(head).not.toMatch(/retry:|^data:/m)
    await server.start(workflow, { transactionId: 'one' })
    const text = await client.came('the end', /onFinish[^]*\r\n0\r\n/)
    expect(text).toMatch(/\nid: [^\n]+\nevent: onBegin\ndata: \{"event_type":"onBegin","workflow_id":"[^\n]+\}\n\n/)
  })

  test('a HEAD has no body, and who may not is told so in Medusa’s manner', async () => {
    const workflow = await server.workflow(flow({ a: values({}) }, []))
    const head = await fetch(server.url + at(workflow.handle), { method: 'HEAD', headers: headers() })
    expect([head.status, head.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8'])
    const missing = await fetch(server.url + at('nothing'), { headers: headers() })
    expect(await missing.json()).toMatchObject({ type: 'not_found' })
    const bad = await fetch(server.url + at(workflow.handle), { headers: { ...headers(), 'last-event-id': 'some thing' } })
    expect(bad.status).toBe(400)
  })
})

/** What is undone, what waits, what fails: thirteen messages, two of one event. */
const rich = () => {
  const undone = values({}, { settings: { compensate: { type: 'static-value', config: { values: {} } } } })
  return flow({ a: undone, b: delay(20), c: post(`${server.toy.url}/fail/99/x`) }, ['a > b > c'])
}
const sequence: EventType[] = [
  'onBegin',
  'onStepBegin',
  'onStepSuccess',
  'onStepBegin',
  'onStepAwaiting',
  'onResume',
  'onStepSuccess',
  'onStepBegin',
  'onStepFailure',
  'onCompensateBegin',
  'onStepBegin',
  'onCompensateStepSuccess',
  'onFinish',
]
const told = (messages: readonly Message[]): EventType[] => messages.map(({ data }) => data.event_type)

describe('who connects again', () => {
  test('after any message, in the middle of an event too, goes on after that one, and after the last is told to stay away', async () => {
    const workflow = await server.workflow(rich())
    const [all, one] = [await open(at(workflow.handle)), await open(at(workflow.handle, 'one'))]
    await server.start(workflow, { transactionId: 'one' })
    const whole = { all: await read(all, sequence.length), one: await read(one) }
    expect(told(whole.all)).toEqual(sequence)
    expect(whole.one.map(({ data }) => data)).toEqual(whole.all.map(({ data }) => data))
    for (const [index, { id }] of whole.one.entries()) {
      const response = await open(at(workflow.handle, 'one'), id)
      if (index + 1 === sequence.length) expect(response.status).toBe(204)
      else expect(await read(response)).toEqual(whole.one.slice(index + 1))
    }
    for (const [index, { id }] of whole.all.slice(0, -1).entries())
      expect(await read(await open(at(workflow.handle), id), sequence.length - index - 1)).toEqual(whole.all.slice(index + 1))
  })

  test('to another server, when the one that told is gone: an EventSource misses nothing and is told nothing twice', async () => {
    await using second = await server.another()
    const third = await server.another()
    const targets = [third.url, second.url]
    const broken = new Set<Socket>()
    const front = createServer((client) => {
      const { hostname, port } = new URL(targets[0]!)
      const behind = connect(Number(port), hostname)
      for (const each of [client, behind]) broken.add(each.on('error', () => {}))
      client.pipe(behind).pipe(client)
      behind.on('close', () => client.destroy())
      client.on('close', () => behind.destroy())
    })
    await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve))
    const { port } = front.address() as AddressInfo
    const workflow = await server.workflow(rich())
    const source = new EventSource(`http://127.0.0.1:${port}${at(workflow.handle)}`, { fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, ...headers() } }) })
    onTestFinished(() => {
      source.close()
      front.close()
    })
    const got: Message[] = []
    const opened = new Promise((resolve) => source.addEventListener('open', resolve))
    for (const type of eventTypes) source.addEventListener(type, ({ data, lastEventId }) => void got.push({ id: lastEventId, data: JSON.parse(data as string) as WorkflowEvent }))
    await opened
    const ended = (name: string): boolean => got.some(({ data }) => data.transaction_id === name && data.event_type === 'onFinish')
    const until = (name: string): Promise<void> =>
      deadline(`the end of ${name}`, (done) => {
        const timer = setInterval(() => ended(name) && done(undefined), 20)
        return () => clearInterval(timer)
      })
    await server.start(workflow, { transactionId: 'before' })
    await until('before')
    await server.start(workflow, { transactionId: 'within' })
    await sleep(15)
    targets.shift()
    for (const socket of broken) socket.destroy()
    await third[Symbol.asyncDispose]()
    await server.start(workflow, { transactionId: 'while' })
    await until('within')
    await until('while')
    for (const name of ['before', 'within', 'while']) expect(told(got.filter(({ data }) => data.transaction_id === name)), name).toEqual(sequence)
    expect(new Set(got.map(({ id }) => id)).size).toBe(got.length)
  })

  test('to an execution whose name another one has by now goes on with the one that it followed', async () => {
    const workflow = await server.workflow(flow({ a: values({}) }, []))
    const first = await open(at(workflow.handle, 'one'))
    await server.start(workflow, { transactionId: 'one' })
    const messages = await read(first)
    await server.wait(await server.start(workflow, { transactionId: 'one', input: { other: true } }))
    const again = await read(await open(at(workflow.handle, 'one'), messages[0]!.id))
    expect(again).toEqual(messages.slice(1))
    expect((await open(at(workflow.handle, 'two'), messages[0]!.id)).status).toBe(404)
  })
})

test('what is not kept any more is said to be missing, and the stream goes on', async () => {
  const workflow = await server.workflow(flow({ a: values({}) }, []))
  const first = await open(at(workflow.handle))
  await server.start(workflow, { transactionId: 'one' })
  const [{ id } = { id: '' }] = await read(first, 1)
  await trimEvents(server.db.database, 0)
  const client = await raw(at(workflow.handle), { 'last-event-id': id })
  await client.came('the comment', /\n: what came after the last event is not kept any more\n\n/)
  await server.start(workflow, { transactionId: 'two' })
  expect(await client.came('the end of the next', /event: onFinish/)).not.toContain('"transaction_id":"one"')
})

describe('many readers', () => {
  test('are told one sequence, whoever of them does not read, and the server keeps little of it', async () => {
    const runs = 20
    const workflow = await server.workflow(flow({ a: values({ text: 'x'.repeat(10_000) }), b: values({}) }, ['a > b']))
    const readers = await Promise.all(Array.from({ length: 190 }, () => open(at(workflow.handle))))
    const idle = await Promise.all(Array.from({ length: 10 }, () => raw(at(workflow.handle))))
    await Promise.all(idle.map((client) => client.came('the head', /\r\n\r\n/)))
    for (const { socket } of idle) socket.pause()
    const before = process.memoryUsage().rss
    const reading = Promise.all(readers.map((response) => read(response, 6 * runs)))
    await Promise.all(Array.from({ length: runs }, (_, index) => server.start(workflow, { transactionId: `t${index}` })))
    const [first, ...others] = (await reading).map((messages) => messages.map(({ id, data }) => `${id} ${data.event_type}`))
    expect(first).toHaveLength(6 * runs)
    expect(new Set(first).size).toBe(6 * runs)
    for (const other of others) expect(other).toEqual(first)
    // 200 readers times 20 runs times 20 KB are 80 MB, read and written in this process: it keeps no copy a reader.
    expect((process.memoryUsage().rss - before) / 1e6).toBeLessThan(400)
  }, 60_000)
})
