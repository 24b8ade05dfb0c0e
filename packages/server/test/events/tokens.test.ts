import type { TokenEvent } from '@sluice/schema'
import { expect, test, vi } from 'vitest'
import type { Batch } from '../../src/events/feed.ts'
import type { Piece, Voice } from '../../src/events/piece.ts'
import { createEar, withTokens } from '../../src/events/spoken.ts'
import { payloadsOf, postOf } from '../../src/events/token-post.ts'
import { createSpeaker, createTokens, mostOfRun } from '../../src/events/tokens.ts'

const voice = (more: Partial<Voice> = {}): Voice => ({ runId: 'r', sessionId: 's', nodeId: 'n', step: 'N', iteration: '', attempt: 1, ...more })
const piece = (text: string, offset = 0, more: Partial<Voice> = {}): Piece => ({ ...voice(more), offset, text })

/** Takes what is notified, when it is let. */
function wire() {
  const sent: string[][] = []
  const state = { isOpen: true, isBroken: false, underWay: 0, most: 0 }
  let open = (): void => {}
  const query = async (_statement: unknown, values?: unknown[]): Promise<never[]> => {
    state.most = Math.max(state.most, ++state.underWay)
    if (!state.isOpen) await new Promise<void>((resolve) => (open = resolve))
    state.underWay--
    if (state.isBroken) throw new Error('PostgreSQL is away')
    sent.push(values![0] as string[])
    return []
  }
  return { database: { query }, sent, state, open: () => ((state.isOpen = true), open()) }
}

/** Texts with characters of one to four bytes, escapes, and halves of nothing. */
function anyText(length: number): string {
  const characters = ['a', 'ß', '語', '🌊', '👩‍🚀', '"', '\\', '\n', '\u0001', '\u2028', ' ']
  return Array.from({ length }, () => characters[Math.floor(Math.random() * characters.length)]!).join('')
}

test('a text is said whole, whatever its pieces were cut at: no half of a character, no NUL', () => {
  const text = `a🌊b\0👩‍🚀${anyText(500)}`
  const pieces: string[] = []
  let length = 0
  const speaker = createSpeaker(
    (offset, said) => {
      expect(offset).toBe(length)
      expect(said.isWellFormed()).toBe(true)
      length += said.length
      pieces.push(said)
    },
    async () => {},
  )
  for (const unit of text.split('')) speaker.say(unit)
  void speaker.end()
  speaker.say('too late')
  expect(pieces.join('')).toBe(text.replaceAll('\0', ''))
})

test('a half of a character that nothing follows is said as what it is kept as', async () => {
  const said: string[] = []
  const speaker = createSpeaker(
    (_, text) => said.push(text),
    async () => {},
  )
  speaker.say('a\udf0ab\ud83c')
  await speaker.end()
  expect(said.join('')).toBe('a\ufffdb\ufffd')
})

test('of a text longer than any message, no more is said than a message holds', () => {
  let length = 0
  const speaker = createSpeaker(
    (_, text) => (length += text.length),
    async () => {},
  )
  for (let at = 0; at < 6; at++) speaker.say('🌊'.repeat(25_000))
  expect(length).toBe(256 * 1024)
})

test('notifications are of at most 7,000 bytes each, whatever is said, and together are all of it, in order', () => {
  const parts = Array.from({ length: 100 }, () => anyText(200))
  const names = { nodeId: '語'.repeat(100), step: '"'.repeat(200) }
  let offset = 0
  const news = parts.flatMap((part) => {
    const [one, other] = [piece(part, offset, names), piece(part, offset, { ...names, runId: 'other' })]
    offset += part.length
    return [one, other]
  })
  const payloads = payloadsOf('me', [...news, { ended: 'r' }])
  for (const payload of payloads) expect(Buffer.byteLength(payload)).toBeLessThanOrEqual(7_000)
  const heard = payloads.flatMap((payload) => postOf(payload)!.news)
  expect(heard.at(-1)).toEqual({ ended: 'r' })
  const at = new Map<string, number>()
  const texts = new Map<string, string>()
  for (const each of heard) {
    if ('ended' in each) continue
    expect(each.text.isWellFormed()).toBe(true)
    expect(each.offset).toBe(at.get(each.runId) ?? 0)
    at.set(each.runId, each.offset + each.text.length)
    texts.set(each.runId, (texts.get(each.runId) ?? '') + each.text)
  }
  expect([texts.get('r'), texts.get('other')]).toEqual([parts.join(''), parts.join('')])
})

test('what others notify of on the channel harms nobody', () => {
  const { heard, hear } = createTokens(wire().database)
  const said: Piece[] = []
  hear({ runId: 'r' }, (each) => said.push(each))
  for (const payload of ['', 'null', '7', '{"from":"x"}', '{"from":"x","news":[null]}', '{"from":"x","news":[{"runId":"r","text":7}]}', '{"from":"x","news":[{"ended":{}}]}'])
    expect(() => heard(payload)).not.toThrow()
  expect(said).toEqual([])
  heard(JSON.stringify({ from: 'x', news: [piece('a')] }))
  expect(said).toEqual([piece('a')])
})

test('what is said is heard by who follows the run or the session, there and in other processes, and by nobody else', async () => {
  const { database, sent } = wire()
  const [here, there] = [createTokens(database), createTokens(wire().database)]
  const heard: Record<string, string> = {}
  const follow = (name: string, tokens: typeof here, of: Parameters<typeof here.hear>[0]) => tokens.hear(of, ({ text }) => (heard[name] = (heard[name] ?? '') + text))
  const leave = follow('run', here, { runId: 'r' })
  follow('session', here, { sessionId: 's' })
  follow('run there', there, { runId: 'r' })
  follow('session there', there, { sessionId: 's' })
  for (const of of [{ runId: 's' }, { runId: 'r2' }, { sessionId: 'r' }, { sessionId: 's2' }]) follow('nobody', here, of)
  const speaker = here.speaker(voice())
  speaker.say('Hello ')
  speaker.say('world')
  await speaker.end()
  for (const payload of sent.flat()) {
    there.heard(payload)
    // Its own come back to it, and are not told twice.
    here.heard(payload)
  }
  leave()
  here.speaker(voice({ nodeId: 'm' })).say('!')
  expect(heard).toEqual({ run: 'Hello world', session: 'Hello world!', 'run there': 'Hello world', 'session there': 'Hello world' })
})

test('who comes in the middle of a text is told what was said of it, until its run has ended', async () => {
  const tokens = createTokens(wire().database)
  const soFar = (of: Parameters<typeof tokens.hear>[0] = { runId: 'r' }): [number, string, number][] => {
    const all: [number, string, number][] = []
    tokens.hear(of, ({ offset, text, attempt }) => all.push([offset, text, attempt]))()
    return all
  }
  const [first, second] = [tokens.speaker(voice()), tokens.speaker(voice({ nodeId: 'm' }))]
  first.say('Let ')
  first.say('me see.')
  second.say('4')
  expect(soFar()).toEqual([
    [0, 'Let me see.', 1],
    [0, '4', 1],
  ])
  expect(soFar({ sessionId: 's' })).toEqual(soFar())
  const again = tokens.speaker(voice({ attempt: 2 }))
  again.say('No')
  // Of an attempt that was lost, and does not know it.
  first.say(' Hm.')
  expect(soFar()).toEqual([
    [0, '4', 1],
    [0, 'No', 2],
  ])
  tokens.ended('r')
  expect(soFar()).toEqual([])
  expect(soFar({ sessionId: 's' })).toEqual([])
})

test('what is kept is bounded, by run and by all, and by the time that a run says nothing', () => {
  let now = 1_000_000
  const tokens = createTokens(wire().database, () => now)
  const kept = (runId: string): number => {
    let units = 0
    tokens.hear({ runId }, ({ text }) => (units += text.length))()
    return units
  }
  const long = tokens.speaker(voice())
  for (let at = 0; at < 3; at++) long.say('x'.repeat(mostOfRun / 2))
  expect(kept('r')).toBe(mostOfRun)
  for (let at = 0; at < 500; at++) tokens.speaker(voice({ runId: `r${at}` })).say('x'.repeat(mostOfRun))
  expect([kept('r'), kept('r0'), kept('r499')]).toEqual([0, 0, mostOfRun])
  expect(Array.from({ length: 500 }, (_, at) => kept(`r${at}`)).reduce((sum, one) => sum + one)).toBeLessThanOrEqual(8 * 1024 * 1024)
  now += 10 * 60_000
  expect(kept('r499')).toBe(0)
})

test('notifications go one at a time, with all that was said meanwhile; the end of a text waits until it is out', async () => {
  const { database, sent, state, open } = wire()
  const tokens = createTokens(database)
  state.isOpen = false
  const speaker = tokens.speaker(voice())
  speaker.say('a')
  for (let at = 0; at < 100; at++) speaker.say('b')
  let isEnded = false
  const end = speaker.end().then(() => (isEnded = true))
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect([isEnded, sent.length]).toEqual([false, 0])
  open()
  await end
  expect(sent.flat().flatMap((payload) => postOf(payload)!.news)).toEqual([piece('a'), piece('b'.repeat(100), 1)])
  expect(state.most).toBe(1)
  await tokens.close()
})

test('a database that does not answer, or fails, holds the end of a step up for a second at most, and loses tokens alone', async () => {
  const { database, sent, state, open } = wire()
  const tokens = createTokens(database)
  const heard: string[] = []
  tokens.hear({ runId: 'r' }, ({ text }) => heard.push(text))
  state.isOpen = false
  const stuck = tokens.speaker(voice())
  stuck.say('a')
  const began = performance.now()
  await stuck.end()
  expect(performance.now() - began).toBeGreaterThan(900)
  expect(performance.now() - began).toBeLessThan(6_000)
  state.isBroken = true
  open()
  const lost = tokens.speaker(voice({ nodeId: 'm' }))
  lost.say('b')
  await lost.end()
  state.isBroken = false
  const told = tokens.speaker(voice({ nodeId: 'o' }))
  told.say('c')
  await told.end()
  expect(heard).toEqual(['a', 'b', 'c'])
  expect(sent.flat().flatMap((payload) => postOf(payload)!.news)).toEqual([piece('c', 0, { nodeId: 'o' })])
  await tokens.close()
})

test('a reader is told what it has missed in as few events as it takes, and of more than it may hold the rest is dropped', () => {
  const ear = createEar()
  ear.hear(piece('a'))
  ear.hear(piece('b', 1))
  ear.hear(piece('x', 0, { nodeId: 'm' }))
  ear.hear(piece('c', 2))
  ear.hear(piece('e', 4))
  expect(ear.take('7').map(({ cursor, nodeId, offset, text }) => [cursor, nodeId, offset, text])).toEqual([
    ['7', 'n', 0, 'ab'],
    ['7', 'm', 0, 'x'],
    ['7', 'n', 2, 'c'],
    ['7', 'n', 4, 'e'],
  ])
  expect(ear.isEmpty).toBe(true)
  for (let at = 0; at < 200; at++) ear.hear(piece('x'.repeat(1024), at * 1024))
  ear.hear(piece('y', 0, { nodeId: 'm' }))
  const held = ear.take('8').reduce((sum, { text }) => sum + text.length, 0)
  expect(held).toBe(64 * 1024)
  ear.hear(piece('z', 999_999))
  expect(ear.take('9').map(({ offset }) => offset)).toEqual([999_999])
})

/** A log that is written by hand. */
function log() {
  const written: Batch[] = []
  let wake = (): void => {}
  let isLeft = false
  async function* stream(signal: AbortSignal): AsyncGenerator<Batch> {
    signal.addEventListener('abort', () => wake())
    try {
      while (!signal.aborted) {
        while (written.length > 0) yield written.shift()!
        if (!signal.aborted) await new Promise<void>((resolve) => (wake = resolve))
      }
    } finally {
      isLeft = true
    }
  }
  return { stream, isLeft: () => isLeft, write: (...cursors: string[]) => (written.push(cursors.map((cursor) => ({ type: 'passed', cursor }))), wake()) }
}

const toldOf = (batch: Batch): string[] => batch.map((item) => (item.type === 'token' ? `${item.text}@${item.cursor}` : item.cursor))

test('tokens are told between the events, in the order in which both came, each after the cursor of the event before it', async () => {
  const { stream, write, isLeft } = log()
  let say = (_: Piece): void => {}
  let isForgotten = false
  const gone = new AbortController()
  const hear = (listener: (each: Piece) => void) => {
    say = listener
    return () => (isForgotten = true)
  }
  const batches = withTokens({ stream, hear, after: undefined }, gone.signal)
  const next = async () => toldOf((await batches.next()).value as Batch)
  const first = next()
  // Before there is a cursor nothing can be told.
  say(piece('a'))
  write('1')
  expect(await first).toEqual(['1'])
  expect(await next()).toEqual(['a@1'])
  const waiting = next()
  say(piece('b', 1))
  expect(await waiting).toEqual(['b@1'])
  say(piece('c', 2))
  write('2', '3')
  await vi.waitFor(() => new Promise((resolve) => setTimeout(resolve, 20)))
  // The reader was away: what was said before its step's end is told before it.
  expect([await next(), await next()]).toEqual([['c@1'], ['2', '3']])
  const last = batches.next()
  gone.abort()
  expect((await last).done).toBe(true)
  expect([isForgotten, isLeft()]).toEqual([true, true])
})

test('a slow reader loses tokens, and no events', async () => {
  const { stream, write } = log()
  let say = (_: Piece): void => {}
  const gone = new AbortController()
  const batches = withTokens({ stream, hear: (listener) => ((say = listener), () => {}), after: '0' }, gone.signal)
  const events: string[] = []
  const tokens: TokenEvent[] = []
  const read = async (): Promise<void> => {
    for (const item of (await batches.next()).value as Batch) {
      if (item.type === 'token') tokens.push(item)
      else events.push(item.cursor)
    }
  }
  write('1')
  await read()
  for (let at = 2; at <= 500; at++) {
    say(piece('x'.repeat(1_000), (at - 2) * 1_000))
    write(String(at))
  }
  while (events.at(-1) !== '500') await read()
  expect(events).toEqual(Array.from({ length: 500 }, (_, at) => String(at + 1)))
  expect(tokens.reduce((sum, { text }) => sum + text.length, 0)).toBe(65_000)
  gone.abort()
  await batches.return(undefined)
})

test('a stream that fails fails with its tokens told, and one that ends ends', async () => {
  async function* failing(): AsyncGenerator<Batch> {
    yield [{ type: 'passed', cursor: '1' }]
    throw new Error('PostgreSQL is away')
  }
  const hear = (listener: (each: Piece) => void) => (listener(piece('a')), () => {})
  const batches = withTokens({ stream: failing, hear, after: '0' }, new AbortController().signal)
  expect([toldOf((await batches.next()).value as Batch), toldOf((await batches.next()).value as Batch)]).toEqual([['a@0'], ['1']])
  await expect(batches.next()).rejects.toThrow('PostgreSQL is away')
})
