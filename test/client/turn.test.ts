import { createClient, NotFoundError, RoundFailedError, type Sluice } from '@sluice/client'
import type { SentMessage } from '@sluice/schema'
import { afterAll, beforeAll, expect, expectTypeOf, test, vi } from 'vitest'
import { sayer } from '../../packages/server/test/events/sayer.ts'
import { flow, template } from '../support/flow.ts'
import { saying } from '../support/sayer.ts'
import { type TestServer, testServer } from '../support/server.ts'
import { cuttingProxy } from './cutting-proxy.ts'

let server: TestServer
let apiKey: string
let sluice: Sluice
beforeAll(async () => {
  server = await testServer({}, [], [sayer])
  apiKey = (await createClient({ url: server.url, token: server.token }).keys.create({ name: 'test' })).secret
  sluice = createClient({ url: server.url, apiKey })
})
afterAll(() => server[Symbol.asyncDispose]())

type Definition = ReturnType<typeof saying>

async function talk(definition: Definition, through: Sluice = sluice) {
  const { id: workflow } = await server.workflow(definition)
  return through.sessions.create({ workflow })
}

async function piecesOf(texts: AsyncIterable<string>): Promise<string[]> {
  const pieces: string[] = []
  for await (const piece of texts) pieces.push(piece)
  return pieces
}

const words = (count: number): string[] => Array.from({ length: count }, (_, at) => `größer ${at} 🌊 `)

test('what is sent is awaited as before, and is a turn', async () => {
  const session = await talk(saying({ pieces: ['Hi'] }))
  const turn = session.send('Hello')
  expectTypeOf(await turn).toEqualTypeOf<SentMessage>()
  expect(turn).toBeInstanceOf(Promise)
  expect(await turn).toMatchObject({ session: { id: session.id }, message: { text: 'Hello', role: 'user' } })
  expect(await turn.sent).toEqual(await turn)
  const nowhere = sluice.session('abcdefghijklmn9')
  const refused = nowhere.send('Hello')
  await expect(refused).rejects.toThrow(NotFoundError)
  await expect(refused.message()).rejects.toThrow(NotFoundError)
  await expect(piecesOf(nowhere.send('Hello').text())).rejects.toThrow(NotFoundError)
})

test('its text comes piece by piece while it is said, and the pieces are the message', async () => {
  const pieces = words(12)
  const session = await talk(saying({ pieces, everyMs: 100 }))
  const turn = session.send('Go on')
  const came: { piece: string; going: boolean }[] = []
  for await (const piece of turn.text()) came.push({ piece, going: (await session.get()).status === 'running' })
  expect(came.length).toBeGreaterThan(3)
  expect(came[0]!.going).toBe(true)
  const message = await turn.message()
  expect(came.map(({ piece }) => piece).join('')).toBe(pieces.join(''))
  expect(message).toMatchObject({ kind: 'message', role: 'assistant', text: pieces.join(''), runId: (await turn).runId })
})

test('texts of several steps stand with a blank line between them, as in the message', async () => {
  const session = await talk(saying({ pieces: ['I look ', 'first.'], everyMs: 50 }, { pieces: ['It ', 'is 4.'], everyMs: 50 }))
  const turn = session.send('2 + 2?')
  expect((await piecesOf(turn.text())).join('')).toBe('I look first.\n\nIt is 4.')
  expect((await turn.message()).text).toBe('I look first.\n\nIt is 4.')
})

test('who comes in the middle, or after the end, is told all of it', async () => {
  const pieces = words(10)
  const session = await talk(saying({ pieces: ['First.'] }, { pieces, everyMs: 100 }))
  const turn = session.send('Go on')
  await vi.waitFor(async () => expect((await server.events((await turn).runId!)).filter(({ type }) => type === 'step.started').length).toBeGreaterThan(1), 10_000)
  const late = await piecesOf(turn.text())
  expect(late.join('')).toBe(`First.\n\n${pieces.join('')}`)
  expect(late.length).toBeGreaterThan(1)
  expect(await piecesOf(turn.text())).toEqual([`First.\n\n${pieces.join('')}`])
  expect((await turn.message()).text).toBe(late.join(''))
})

test('a text goes on over connections that are cut, without a gap or a repeat', async () => {
  const pieces = words(40)
  let cutsLeft = 12
  await using proxy = await cuttingProxy(server.url, () => (cutsLeft-- > 0 ? 600 + Math.floor(Math.random() * 2_500) : null))
  const session = await talk(saying({ pieces, everyMs: 40 }), createClient({ url: proxy.url, apiKey, backoffMs: 20 }))
  const turn = session.send('Go on')
  expect((await piecesOf(turn.text())).join('')).toBe(pieces.join(''))
  expect(proxy.cuts.length).toBeGreaterThan(1)
})

test('a step that says something else when it is tried again says nothing twice, and the message stands', async () => {
  const session = await talk(saying({ pieces: ['one ', 'two '], everyMs: 50, fails: 1 }))
  const turn = session.send('Go on')
  expect((await piecesOf(turn.text())).join('')).toBe('ONE TWO ')
  expect((await turn.message()).text).toBe('one two ')
})

test('each round has its own message, also when several wait in line', async () => {
  const session = await talk(flow({ in: 'input', wait: { type: 'delay', config: { ms: 200 } }, answer: template('You said {{ input.text }}') }, ['in > wait > answer']))
  const turns = [session.send('a')]
  await turns[0]
  turns.push(session.send('b'))
  await turns[1]
  turns.push(session.send('c'))
  expect(await Promise.all(turns.map(async (turn) => (await turn.message()).text))).toEqual(['You said a', 'You said b', 'You said c'])
})

test('a question that the round asks is its message, and what answers it is a turn of its own', async () => {
  const ask = { type: 'human', config: { kind: 'question', message: 'Which year?' } }
  const session = await talk(flow({ in: 'input', ask, answer: template('It was 1984') }, ['in > ask > answer']))
  const asked = session.send('When was it?')
  const question = await asked.message()
  expect(question).toMatchObject({ text: 'Which year?', role: 'assistant' })
  expect(await piecesOf(asked.text())).toEqual(['Which year?'])
  const answered = session.send('The one of the book')
  expect((await answered).runId).toBe((await asked).runId)
  expect((await answered.message()).text).toBe('It was 1984')
})

test('a round that is stopped, that fails, that says nothing or that nobody makes is an error with its reason', async () => {
  const endless = await talk(saying({ pieces: ['Well '], hang: true }))
  const stopped = endless.send('Go on')
  const reading = piecesOf(stopped.text())
  const waiting = stopped.message()
  void reading.catch(() => {})
  void waiting.catch(() => {})
  await stopped
  await endless.stop()
  await expect(waiting).rejects.toThrow(RoundFailedError)
  await expect(reading).rejects.toMatchObject({ name: 'RoundFailedError', code: 'cancelled', runId: (await stopped).runId, sessionId: endless.id })

  const bad = await talk(flow({ in: 'input', sub: { type: 'subworkflow', config: { workflow: 'nowhere' } } }, ['in > sub']))
  await expect(bad.send('Go on').message()).rejects.toMatchObject({ name: 'RoundFailedError', code: 'step_failed', reason: { step: 'sub' } })
  const mute = await talk(flow({ in: 'input', v: { type: 'static-value', config: { values: { a: 1 } } } }, ['in > v']))
  await expect(mute.send('Go on').message()).rejects.toMatchObject({ name: 'RoundFailedError', code: 'no_answer', reason: null })
  const nobody = await sluice.sessions.create({})
  const unheard = nobody.send('Go on')
  expect(await unheard).toMatchObject({ runId: null })
  await expect(unheard.message()).rejects.toMatchObject({ name: 'RoundFailedError', code: 'no_answer', runId: null })
})

test('a reader that leaves, is told to, or has no more time leaves nothing open', async () => {
  const open = new Set<object>()
  const counting: typeof fetch = async (target, init) => {
    const response = await fetch(target, init)
    if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return response
    const mark = {}
    open.add(mark)
    init!.signal!.addEventListener('abort', () => open.delete(mark))
    return response
  }
  const session = await talk(saying({ pieces: words(100), everyMs: 50 }), createClient({ url: server.url, apiKey, fetch: counting }))
  const turn = session.send('Go on')
  for await (const piece of turn.text()) if (piece !== '') break
  expect(open.size).toBe(0)
  const abort = new AbortController()
  const read = (async () => {
    for await (const _ of turn.text({ signal: abort.signal })) abort.abort(new Error('enough'))
  })()
  await expect(read).rejects.toThrow('enough')
  await expect(turn.message({ timeoutMs: 100 })).rejects.toMatchObject({ code: 'timeout' })
  await expect(turn.message({ signal: AbortSignal.abort(new Error('never')) })).rejects.toThrow('never')
  expect(open.size).toBe(0)
  await session.stop()
})

test('a session that is made is talked in at once, and is a plain value all the same', async () => {
  const made = await sluice.sessions.create({ title: 'Plain' })
  expect(made).toEqual(await sluice.sessions.get({ id: made.id }))
  expect(JSON.parse(JSON.stringify(made))).toEqual({ ...made })
  expect(Object.keys(made)).not.toContain('send')
  expect((await made.get()).title).toBe('Plain')
  expect((await made.send('Hello')).session.id).toBe(made.id)
  expect((await made.stop()).id).toBe(made.id)
})
