import type { RunEvent } from '@sluice/schema'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { type ClientOptions, createClient, InvalidError, NetworkError, NotFoundError, type RunHandle, UnauthenticatedError } from '../src/index.ts'
import { answer, bytesOf, connected, farewell, frame, hang, lose, refuse, type Seen, streamOf, toyFetch, type ToyFetch } from './toy-server.ts'

const run = { id: 'r00000000000001', status: 'queued', endedAt: null }
const types = ['run.queued', 'run.started', 'step.started', 'moon.rose', 'step.completed', 'run.completed']
const eventOf = (seq: number) => ({ subject: { kind: 'run', id: run.id }, seq, cursor: String(seq), at: '2026-01-31T12:00:00.000Z', type: types[seq - 1], text: 'größer 🌊' })
const log = types.map((_, index) => eventOf(index + 1))
const after = (seen: Seen): number => Number((seen.input as { after?: string }).after ?? 'NaN')
/** What the server sends to who comes with this cursor. */
const served = (seen: Seen): Uint8Array =>
  bytesOf(
    `${connected}${log
      .slice(after(seen))
      .map((event) => frame(event, event.cursor))
      .join('')}${farewell}`,
  )

/** As the server refuses a subscription for its credential: in the stream. */
const died = `event: serialized-error\ndata: ${JSON.stringify({ message: 'No', data: { code: 'credential_invalid', kind: 'unauthenticated', status: 401 } })}\n\n\n`

async function handleOf(toy: ToyFetch, more: Partial<ClientOptions> = {}): Promise<RunHandle> {
  const first = toyFetch(answer(run))
  let calls = 0
  const fetch: ClientOptions['fetch'] = (...request) => (calls++ === 0 ? first.fetch(...request) : toy.fetch(...request))
  return createClient({ url: 'http://sluice.test', token: 'jwt', fetch, backoffMs: 1, ...more }).run(run.id)
}

async function read(events: AsyncIterable<{ type: string; seq?: number }>): Promise<number[]> {
  const seqs: number[] = []
  for await (const { seq } of events) seqs.push(seq!)
  return seqs
}

afterEach(() => {
  vi.useRealTimers()
})

describe('the events of a run', () => {
  test('are asked for from the first one on, with the credential', async () => {
    const toy = toyFetch((seen) => streamOf(served(seen), 'open'))
    const events: RunEvent[] = []
    for await (const event of (await handleOf(toy)).events()) events.push(event)
    expect(events).toEqual(log)
    expect(toy.seen).toHaveLength(1)
    expect(toy.seen[0]).toMatchObject({ method: 'GET', procedure: 'events.subscribe', input: { runId: run.id, after: '0' } })
    expect(toy.seen[0]!.headers.get('authorization')).toBe('Bearer jwt')
    expect(toy.seen[0]!.headers.get('accept')).toBe('text/event-stream')
  })

  test('come once and in order, wherever the stream is cut, cleanly or not', async () => {
    const whole = served({ input: { after: '0' } } as Seen).length
    // That it does not matter how, one place in seven shows.
    for (const how of ['end', 'cut'] as const)
      for (let at = 0; at < whole; at += how === 'end' ? 1 : 7) {
        const toy = toyFetch(
          (seen) => streamOf(served(seen).subarray(0, at), how),
          (seen) => streamOf(served(seen)),
        )
        expect(await read((await handleOf(toy)).events()), `${how} at ${at}`).toEqual([1, 2, 3, 4, 5, 6])
      }
  })

  test('end with the terminal event, though the connection stays open, and with the farewell, though none came', async () => {
    let left = 0
    const toy = toyFetch((seen) => streamOf(served(seen).subarray(0, -farewell.length), 'open', () => left++))
    expect(await read((await handleOf(toy)).events())).toHaveLength(6)
    expect(left).toBe(1)
    const ended = toyFetch((seen) => streamOf(served(seen), 'open'))
    expect(await read((await handleOf(ended)).events({ after: '6' }))).toEqual([])
  })

  test('whose type nobody knows here are passed on as they came', async () => {
    const events: { type: string }[] = []
    for await (const event of (await handleOf(toyFetch((seen) => streamOf(served(seen))))).events()) events.push(event)
    expect(events[3]).toEqual(eventOf(4))
    expect(events[3]!.type).toBe('moon.rose')
  })

  test('are not read ahead of who consumes them, and given up when they leave', async () => {
    let left = 0
    const toy = toyFetch((seen) => streamOf(served(seen), 'open', () => left++))
    for await (const { seq } of (await handleOf(toy)).events()) if (seq === 2) break
    expect(left).toBe(1)
  })
})

describe('a stream', () => {
  test('survives a server that is away for a while, and waits as long as it asks when it leaves', async () => {
    const leaving = bytesOf(`${connected}${frame(eventOf(1), '1')}retry: 300\n\n`)
    const toy = toyFetch(
      () => streamOf(leaving),
      lose('ECONNREFUSED'),
      () => new Response('', { status: 503 }),
      lose(),
      (seen) => streamOf(served(seen)),
    )
    expect(await read((await handleOf(toy, { retries: 0 })).events())).toEqual([1, 2, 3, 4, 5, 6])
    expect(toy.seen).toHaveLength(5)
    expect(toy.seen[1]!.at - toy.seen[0]!.at).toBeGreaterThanOrEqual(299)
  })

  test('that never began fails like a call, after its repeats', async () => {
    const toy = toyFetch(lose())
    await expect(read((await handleOf(toy, { retries: 2 })).events())).rejects.toBeInstanceOf(NetworkError)
    expect(toy.seen).toHaveLength(3)
    const missing = toyFetch(refuse(404, { code: 'run_missing', kind: 'not_found' }))
    await expect(read((await handleOf(missing)).events())).rejects.toBeInstanceOf(NotFoundError)
    const page = toyFetch(() => new Response('<h1>Welcome</h1>', { headers: { 'content-type': 'text/html' } }))
    await expect(read((await handleOf(page, { retries: 0 })).events())).rejects.toThrow(/address right/)
  })

  test('that is refused for good while it runs fails with what the server said', async () => {
    const refused = `event: serialized-error\ndata: ${JSON.stringify({ message: 'No', data: { code: 'cursor_invalid', kind: 'invalid', status: 400, requestId: 'req_3', issues: [], details: {} } })}\n\n\n`
    const toy = toyFetch(() => streamOf(bytesOf(connected + refused)))
    const error: unknown = await read((await handleOf(toy)).events()).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(InvalidError)
    expect(error).toMatchObject({ code: 'cursor_invalid', status: 400, requestId: 'req_3', message: 'No' })
  })

  test('whose outage is told in it goes on when that is over', async () => {
    const away = `event: serialized-error\ndata: ${JSON.stringify({ message: 'Away', data: { code: 'unavailable', kind: 'unavailable', status: 503 } })}\n\n\n`
    const toy = toyFetch(
      () => streamOf(bytesOf(connected + frame(eventOf(1), '1') + away)),
      (seen) => streamOf(served(seen)),
    )
    expect(await read((await handleOf(toy)).events())).toEqual([1, 2, 3, 4, 5, 6])
  })

  test('ends with its credential when that cannot be renewed, whether it is told so before or in the stream', async () => {
    const begun = () => streamOf(bytesOf(connected + frame(eventOf(1), '1')))
    for (const refusal of [refuse(401, { code: 'credential_invalid', kind: 'unauthenticated' }), () => streamOf(bytesOf(connected + died))]) {
      const toy = toyFetch(begun, refusal)
      await expect(read((await handleOf(toy)).events())).rejects.toBeInstanceOf(UnauthenticatedError)
      expect(toy.seen).toHaveLength(2)
    }
  })

  test('goes on with a renewed credential, and waits for that over an outage', async () => {
    const pair = { token: 't2', refreshToken: 'r2', user: {} }
    const away = () => new Response('', { status: 503 })
    const toy = toyFetch(
      () => streamOf(bytesOf(connected + died)),
      away,
      away,
      () => streamOf(bytesOf(connected + died)),
      answer(pair),
      (seen: Seen) => streamOf(served(seen)),
    )
    expect(await read((await handleOf(toy, { token: { token: 't1', refreshToken: 'r1' }, retries: 1 })).events())).toEqual([1, 2, 3, 4, 5, 6])
    expect(toy.seen.map(({ procedure, headers }) => `${procedure} ${headers.get('authorization')}`)).toEqual([
      'events.subscribe Bearer t1',
      'auth.refresh null',
      'auth.refresh null',
      'events.subscribe Bearer t1',
      'auth.refresh null',
      'events.subscribe Bearer t2',
    ])
  })

  test('connects ever more rarely to a server that only greets', async () => {
    const toy = toyFetch(...Array.from({ length: 5 }, () => () => streamOf(bytesOf(connected))), (seen: Seen) => streamOf(served(seen)))
    await read((await handleOf(toy, { backoffMs: 20 })).events())
    const pauses = toy.seen.slice(1).map(({ at }, index) => at - toy.seen[index]!.at)
    expect(pauses[4]).toBeGreaterThanOrEqual(159)
  })

  test('that falls silent is left for a new one', async () => {
    vi.useFakeTimers()
    const toy = toyFetch(
      () => streamOf(bytesOf(connected + frame(eventOf(1), '1')), 'open'),
      (seen) => streamOf(served(seen)),
    )
    const reading = read((await handleOf(toy)).events())
    await vi.advanceTimersByTimeAsync(44_000)
    expect(toy.seen).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(await reading).toEqual([1, 2, 3, 4, 5, 6])
  })

  test('gives up on a server that does not come back', async () => {
    vi.useFakeTimers()
    const toy = toyFetch((seen) => streamOf(served(seen).subarray(0, 150)), lose('ECONNREFUSED'))
    const reading = read((await handleOf(toy)).events()).catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(290_000)
    const asked = toy.seen.length
    expect(asked).toBeGreaterThan(20)
    await vi.advanceTimersByTimeAsync(30_000)
    expect(await reading).toBeInstanceOf(NetworkError)
  })

  test("ends when its signal says so, with the signal's own reason: while it connects, reads, or waits to connect again", async () => {
    const reason = new Error('enough')
    for (const reply of [hang, (seen: Seen) => streamOf(served(seen).subarray(0, 200), 'open'), lose()]) {
      const abort = new AbortController()
      const reading = read((await handleOf(toyFetch(reply), { backoffMs: 60_000 })).events({ signal: abort.signal })).catch((error: unknown) => error)
      await new Promise((resolve) => setTimeout(resolve, 10))
      abort.abort(reason)
      expect(await reading).toBe(reason)
    }
  })
})

describe('a subscription of more than a run', () => {
  test('goes on from the place of its snapshot, and never ends by an event', async () => {
    const snapshot = { type: 'snapshot', cursor: '7.9', runs: [] }
    const toy = toyFetch(
      () => streamOf(bytesOf(connected + frame(snapshot, '7.9'))),
      () => streamOf(bytesOf(connected + frame(eventOf(6), '8.1') + frame(eventOf(1), '8.2') + farewell)),
    )
    const items: unknown[] = []
    for await (const item of createClient({ url: 'http://sluice.test', fetch: toy.fetch, backoffMs: 1 }).workflow('invoice').events()) items.push(item)
    expect(items).toEqual([snapshot, eventOf(6), eventOf(1)])
    expect(toy.seen.map(({ procedure, input }) => ({ procedure, input }))).toEqual([
      { procedure: 'workflows.watch', input: { workflow: 'invoice' } },
      { procedure: 'workflows.watch', input: { workflow: 'invoice', after: '7.9' } },
    ])
  })
})
