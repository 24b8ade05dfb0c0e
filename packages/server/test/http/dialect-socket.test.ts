import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Fault } from '@sluice/schema'
import { describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket, type ClientOptions } from 'ws'
import { z } from 'zod'
import { type Dialect, socket } from '../../src/dialects/dialect.ts'
import { event, ids, lastEvent } from '../rpc/toys.ts'
import { bigEvent, owner, serve, until, type Served } from './serve.ts'
import { toyDialect } from './toy-dialect.ts'

const message = { summary: 'x', schema: z.looseObject({}), example: {} }

/** Tells of nothing but how many an event is, and of texts. */
const dialect: Dialect = {
  ...toyDialect,
  sockets: [
    socket({
      name: 'watchThing',
      path: '/things/{id}/live/',
      summary: 'Watch a thing',
      params: z.object({ id: z.string() }),
      query: z.object({ run: z.string().max(20).optional() }),
      ask: ({ path, query }) => (query.run === undefined ? { workflow: path.id, current: true } : { workflow: path.id, runId: query.run }),
      tells: { thing: message },
      frame(item) {
        if (item.type === 'snapshot') return { thing: 'snapshot' }
        if (item.type === 'message') return { thing: item.text }
        return 'seq' in item ? { thing: item.seq } : null
      },
      hears: { ping: { ...message, answer: { thing: 'pong' } }, again: { ...message, answer: 'snapshot' } },
      problem: ({ code }) => ({ oops: code }),
      closes: {
        unauthenticated: 4401,
        forbidden: 4403,
        not_found: 4404,
        invalid: 4400,
        conflict: 4409,
        too_large: 1009,
        unsupported_media: 1003,
        limit_exceeded: 4429,
        rate_limited: 4429,
        internal: 1011,
        unavailable: 1013,
        storage_full: 1013,
      },
    }),
  ],
}

const path = `/things/${ids.workflow}/live/`
const things = (options: Parameters<typeof serve>[0] = {}): Promise<Served> => serve({ dialects: [dialect], ...options })

async function open({ url }: Served, at = path, options: ClientOptions = { headers: owner }) {
  const peer = new WebSocket(url.replace('http', 'ws') + at, options)
  const client = { peer, code: 0, reason: '', status: 0, got: [] as unknown[], say: (text: string | Buffer) => peer.send(text) }
  onTestFinished(() => peer.terminate())
  peer.on('message', (data: Buffer, isBinary) => {
    expect(isBinary).toBe(false)
    const { thing, oops } = JSON.parse(data.toString()) as { thing?: unknown; oops?: string }
    client.got.push(oops ?? thing)
  })
  peer.on('error', () => {})
  peer.on('close', (code, reason) => {
    client.code = code
    client.reason = reason.toString()
  })
  peer.on('unexpected-response', (_request, response) => (client.status = response.statusCode!))
  await until(() => peer.readyState !== WebSocket.CONNECTING || client.status > 0)
  return client
}

const snapshot = { type: 'snapshot' as const, cursor: 'c0', at: '2026-01-31T12:00:00.000Z', workflowId: ids.workflow }

describe('the socket of a dialect', () => {
  test('tells a snapshot and what comes, as the dialect frames it, and closes with 1000 when all has been told', async () => {
    const served = await things()
    served.feed.push(snapshot, event(1))
    const [client, plain] = [await open(served), await open(served, path.slice(0, -1))]
    await until(() => client.got.length === 2)
    served.feed.push(event(2), { type: 'passed', cursor: 'c2' }, lastEvent(3))
    await until(() => client.code > 0 && plain.code > 0)
    expect(client.got).toEqual(['snapshot', 1, 2, 3])
    expect(plain.got).toEqual(client.got)
    expect(client.code).toBe(1000)
    await until(() => served.feed.open === 0)
  })

  test('asks the core once, for what the dialect says, with the permission that this asks for', async () => {
    const served = await things()
    let asked: unknown
    served.parts.feed.run = async (of, signal) => {
      asked = of
      return served.parts.feed.workspace({ viewer: { workspaceId: ids.workspace, userId: ids.user, seesAll: true } }, signal)
    }
    served.feed.push(snapshot)
    const client = await open(served, `${path}?run=${ids.run}`)
    await until(() => client.got.length === 1)
    expect(asked).toMatchObject({ runId: ids.run, workflow: ids.workflow })
  })

  test('what a client says is answered, and what is no message is refused; the socket stays', async () => {
    const served = await things()
    const client = await open(served)
    const said: [string | Buffer, unknown][] = [
      ['{"type":"ping"}', 'pong'],
      ['{"type"', 'json_malformed'],
      ['', 'json_malformed'],
      ['\0', 'json_malformed'],
      ['[1]', 'input_invalid'],
      ['null', 'input_invalid'],
      ['"ping"', 'input_invalid'],
      [`${'['.repeat(100)}${']'.repeat(100)}`, 'input_invalid'],
      [JSON.stringify({ type: 'ping', more: 'x'.repeat(20_000) }), 'body_too_large'],
      [Buffer.from('{"type":"ping"}'), 'media_unsupported'],
      ['{"type":"ping","more":1}', 'pong'],
    ]
    for (const [text] of said) client.say(text)
    await until(() => client.got.length === said.length)
    expect(client.got).toEqual(said.map(([, answer]) => answer))
    // Of a type that nobody knows, or of none.
    for (const text of ['{}', '{"type":"other"}', '{"type":7}', '{"type":"toString"}', '{"type":"__proto__"}', '{"type":"ping"}']) client.say(text)
    await until(() => client.got.length > said.length)
    expect(client.got.slice(said.length)).toEqual(['pong'])
    expect(client.code).toBe(0)
  })

  test('the snapshot comes anew as often as it is asked for, and what follows goes on from it', async () => {
    const served = await things()
    served.feed.push(snapshot, event(1))
    const client = await open(served)
    await until(() => client.got.length === 2)
    // What it shows by now.
    served.feed.events.splice(1)
    client.say('{"type":"again"}')
    await until(() => client.got.length === 3)
    served.feed.push(event(2))
    await until(() => client.got.length === 4)
    expect(client.got).toEqual(['snapshot', 1, 'snapshot', 2])
    served.feed.events.splice(1)
    for (let times = 0; times < 5; times++) client.say('{"type":"again"}')
    await until(() => client.got.length === 9)
    served.feed.push(lastEvent(3))
    await until(() => client.code > 0)
    expect(client.got.slice(4)).toEqual(['snapshot', 'snapshot', 'snapshot', 'snapshot', 'snapshot', 3])
    await until(() => served.feed.open === 0)
  })

  test('a client that says too much is told so, and then is heard no more; others are', async () => {
    const served = await things({ config: { rateLimit: { api: 6 } } })
    const [talker, quiet] = [await open(served), await open(served, path, { headers: { authorization: 'Bearer viewer-token' } })]
    for (let round = 0; round < 40; round++) talker.say('{"type":"ping"}')
    await until(() => talker.code > 0)
    expect(talker.code).toBe(1008)
    expect(talker.got.slice(0, 6)).toEqual(['pong', 'pong', 'pong', 'pong', 'pong', 'rate_limited'])
    quiet.say('{"type":"ping"}')
    await until(() => quiet.got.length === 1)
    expect(quiet.got).toEqual(['pong'])
  })

  test('a message over 1 MiB, or a broken frame, closes it; the server lives', async () => {
    const served = await things()
    const client = await open(served)
    client.say('x'.repeat(2 * 1024 * 1024))
    await until(() => client.code > 0)
    expect(client.code).toBe(1009)
    const { port } = new URL(served.url)
    const raw = connect({ port: Number(port), host: '127.0.0.1' })
    raw.on('error', () => {})
    raw.write(
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer owner-token\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}\r\n\r\n`,
    )
    await until(() => served.feed.open === 1)
    // Not masked, and of a kind that is not there.
    raw.write(Buffer.from([0x8f, 0x05, 1, 2, 3]))
    await until(() => served.feed.open === 0)
    raw.destroy()
    expect((await served.ask('GET', '/health')).status).toBe(200)
  })

  test('a reader that is too slow is closed, and the others are told everything', async () => {
    const served = await things({ socket: { stallMs: 300 } })
    served.feed.push(snapshot)
    const [slow, quick] = [await open(served), await open(served)]
    slow.peer.pause()
    for (let seq = 1; seq <= 400; seq++) {
      served.feed.push(bigEvent(seq, `${seq} ${'x'.repeat(64 * 1024)}`))
      await sleep(1)
    }
    await until(() => quick.got.length === 401, 20_000)
    await expect.poll(async () => (await served.ask('GET', '/metrics')).text, { timeout: 20_000 }).toContain('sluice_readers_dropped_total{transport="websocket"} 1\n')
    slow.peer.resume()
    await until(() => slow.code > 0)
    await until(() => served.feed.open === 1, 20_000)
    expect(slow.got.length).toBeLessThan(400)
    expect(quick.code).toBe(0)
  })
})

describe('why a socket is refused or ended is its last message, and its close code', () => {
  test.each<[string, string, ClientOptions, number, string]>([
    ['nobody', path, {}, 4401, 'credential_missing'],
    ['a bad token', path, { headers: { authorization: 'Bearer x' } }, 4401, 'credential_invalid'],
    ['a bad ticket', `${path}?ticket=x`, { headers: owner }, 4401, 'credential_invalid'],
    ['a token in the address', `${path}?token=owner-token`, {}, 4401, 'credential_missing'],
    ['a cookie of no page', path, { headers: { cookie: 'sluice_session=owner-token' } }, 4401, 'credential_missing'],
    ['a page elsewhere, whatever it holds', path, { headers: owner, origin: 'https://evil.example' }, 4403, 'permission_denied'],
    ['a broken address', `/things/%ff/live/`, { headers: owner }, 4400, 'input_invalid'],
    ['what does not fit', `${path}?run=${'x'.repeat(30)}`, { headers: owner }, 4400, 'input_invalid'],
  ])('%s', async (_what, at, options, code, told) => {
    const served = await things()
    const client = await open(served, at, options)
    await until(() => client.code > 0)
    expect([client.got, client.code, client.status]).toEqual([[told], code, 0])
    expect(client.reason).not.toBe('')
    expect(served.feed.open).toBe(0)
  })

  test('something that is not there, or may not be seen', async () => {
    const served = await things()
    for (const [fault, code] of [
      [new Fault('workflow_missing'), 4404],
      [new Fault('permission_denied'), 4403],
      [new Error('10.0.0.7 went away'), 1011],
    ] as const) {
      served.parts.feed.current = async () => {
        throw fault
      }
      const client = await open(served)
      await until(() => client.code > 0)
      expect(client.code).toBe(code)
      expect(JSON.stringify(client.got) + client.reason).not.toContain('10.0.0.7')
    }
  })

  test('a failure under way', async () => {
    const served = await things()
    async function* failing() {
      yield [event(1)]
      throw new Fault('workflow_missing')
    }
    served.parts.feed.current = async () => failing()
    const client = await open(served)
    await until(() => client.code > 0)
    expect([client.got, client.code]).toEqual([[1, 'workflow_missing'], 4404])
  })

  test('a ticket opens one; a key does; a page of this machine does with its cookie', async () => {
    const served = await things()
    served.feed.push(snapshot)
    const { ticket } = (await served.ask('POST', '/v1/auth/ticket')).body
    for (const [at, options] of [
      [`${path}?ticket=${ticket}`, {}],
      [path, { headers: { 'x-api-key': 'sk_owner' } }],
      [path, { headers: { cookie: 'sluice_session=owner-token' }, origin: 'http://localhost:3000' }],
    ] as const) {
      const client = await open(served, at, options)
      await until(() => client.got.length === 1)
    }
    const second = await open(served, `${path}?ticket=${ticket}`, {})
    await until(() => second.code > 0)
    expect(second.code).toBe(4401)
  })

  test('it is closed within five seconds when the credential ends, and others go on', async () => {
    const served = await things()
    const [own, other] = [await open(served), await open(served, path, { headers: { authorization: 'Bearer viewer-token' } })]
    await until(() => served.feed.open === 2)
    served.dead.add(ids.user)
    await until(() => own.code > 0, 5_000)
    expect([own.got, own.code, other.code]).toEqual([['credential_invalid'], 4401, 0])
    await until(() => served.feed.open === 1)
  })

  test('the server leaves; and none is opened then', async () => {
    const served = await things()
    const client = await open(served)
    served.server.drain()
    await until(() => client.code > 0)
    expect(client.code).toBe(1012)
    const late = await open(served)
    await until(() => late.code > 0)
    expect([late.got, late.code]).toEqual([['unavailable'], 1013])
  })

  test('who has asked too often', async () => {
    const served = await things({ config: { rateLimit: { api: 1 } } })
    await open(served)
    const second = await open(served)
    await until(() => second.code > 0)
    expect([second.got, second.code]).toEqual([['rate_limited'], 4429])
  })

  test('who breaks off in the middle of everything leaves nothing open', async () => {
    const served = await things()
    const slowly = served.parts.feed.current
    served.parts.feed.current = async (of, signal) => {
      await sleep(20)
      return slowly(of, signal)
    }
    for (let round = 0; round < 30; round++) {
      const peer = new WebSocket(served.url.replace('http', 'ws') + path, { headers: owner })
      peer.on('error', () => {})
      peer.on('open', () => peer.send('{"type":"again"}'))
      setTimeout(() => peer.terminate(), round * 3)
    }
    await sleep(300)
    await until(() => served.feed.open === 0)
    await expect.poll(async () => (await served.ask('GET', '/metrics')).text, { timeout: 10_000 }).toMatch(/streams\S*\{transport="websocket"\} 0/)
  })
})
