import type { SentMessage, Workflow } from '@sluice/schema'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testDatabase, type TestDatabase } from '../support/database.ts'
import { cases } from '../support/effort.ts'
import { flow, type FlowNode } from '../support/flow.ts'
import { eventually, here, type Program, start } from '../support/processes.ts'
import { tell } from '../support/rig.ts'
import { admin, type Caller, callerOf, secret } from '../support/server.ts'
import { type At, type Reader, transports, type Transport, type Written } from './readers.ts'

/**
 * A server under a load of large events, and on every transport readers that stop to read, beside others that do not. A reader costs
 * bounded memory, and is cut off when it makes no room in time (20 s; here less); nobody else notices, and it comes back by its cursor.
 */

const stallMs = 5_000
/** So much is more than the network takes of what nobody reads; where it takes more, it is done again. */
const rounds = cases(10, 40)
const mostLoads = 3
const steps = 10
const tome = { lines: 30, given: 60_000 }
/** Of what a record holds. */
const pad = 'x'.repeat(150_000)
/** What somebody says who waits for nobody, as soon as it may be heard. */
const sayings = 27
const speech = { words: 2_000, pieces: 14, everyMs: 15 }

let database: TestDatabase
let program: Program
let at: At
let caller: Caller

beforeAll(async () => {
  database = await testDatabase()
  program = start(['--expose-gc', here('../support/hurried-server.ts'), String(stallMs)], {
    SLUICE_DATABASE_URL: database.url,
    SLUICE_PORT: '0',
    SLUICE_SECRET: secret,
    SLUICE_ADMIN_EMAIL: admin.email,
    SLUICE_ADMIN_PASSWORD: admin.password,
    SLUICE_RATE_LIMIT: 'off',
    SLUICE_LOG_LEVEL: 'error',
  })
  const [, url] = await program.says(/^It serves at (http:\S+)$/m, 60_000)
  const { token } = await callerOf(url!, '').call<{ token: string }>('POST', '/v1/auth/login', admin)
  caller = callerOf(url!, token)
  const workflow = await chain(steps, () => ({ type: 'tome', config: { head: '{{ nodes.in.text }}', ...tome } }))
  const speaker = await chain(sayings, (saying) => ({ type: 'orator', config: { from: saying * speech.pieces * speech.words, ...speech, afterMs: saying === 0 ? 2_000 : 0 } }))
  const { session, runId } = await caller.call<SentMessage>('POST', '/v1/sessions/send', { to: workflow.handle, text: 'Hello' })
  await caller.wait(runId!)
  at = { url: url!, token, workflow, session: session.id, speaker: speaker.handle }
})
afterAll(async () => {
  program?.kill('SIGKILL')
  await program?.ended
  await database?.close()
})

interface Readers {
  transport: Transport
  healthy: Reader
  slow: readonly Reader[]
}

test(
  'readers that stop to read, on every transport: each is cut off and has cost little, all others are told everything in order, and who was cut off misses nothing',
  { timeout: 240_000 },
  async () => {
    const readers = await Promise.all(transports.map(opened))
    const slow = readers.flatMap((each) => each.slow)
    const before = await held()
    const most = watchMemory()
    for (const reader of slow) reader.pause()
    const begun = performance.now()
    const { runs, records } = await load(async () => (await dropped()) >= slow.length)
    expect(await dropped()).toBe(slow.length)
    const cost = (await most()) - before
    const seconds = (performance.now() - begun) / 1_000
    expect(cost).toBeLessThan(slow.length * 1024 * 1024 + 96 * 1024 * 1024)

    const events = (await Promise.all(runs.map((run) => caller.events(run)))).flat()
    const written: Written = { events, records, words: sayings * speech.pieces * speech.words }
    for (const { transport, healthy } of readers) {
      const keys = transport.keys(written)
      await eventually(
        `all is told over ${transport.name} to who reads`,
        () => healthy.told.length >= keys.length || (healthy.closed !== null && !('whole' in healthy.closed)),
        60_000,
      )
      expect([transport.name, differenceOf(keysOf(healthy), keys), healthy.closed]).toEqual([transport.name, null, transport.ends ? { whole: true } : null])
    }

    for (const reader of slow) reader.resume()
    await eventually('those that were cut off are closed', () => slow.every(({ closed }) => closed !== null), 60_000)
    for (const { transport, slow: each } of readers) {
      const keys = transport.keys(written)
      for (const reader of each) {
        // 1013 is heard by who is back within ten seconds.
        expect([transport.name, ...(transport.over === 'sse' ? [{ whole: false }] : [{ code: 1013 }, { code: 1006 }])]).toContainEqual(reader.closed)
        expect([transport.name, reader.told.length < keys.length, differenceOf(keysOf(reader), keys.slice(0, reader.told.length))]).toEqual([transport.name, true, null])
      }
      await backAgain(transport, each[0]!, keys)
    }
    tell(
      `${slow.length} readers cut off within ${seconds.toFixed(1)} s of a load of ${runs.length} runs and ${records} records; at most ${(cost / 1024 / 1024).toFixed(0)} MiB more held than before`,
    )
  },
)

/** Who was cut off comes back: where there are cursors, nothing is missing, and nothing comes twice but where the transport says so. */
async function backAgain(transport: Transport, left: Reader, keys: readonly string[]): Promise<void> {
  if (transport.ends) return
  const again = await transport.open(at, 'slow 0', left.told.findLast(({ cursor }) => cursor !== null)?.cursor ?? undefined)
  const all = (): string[] => (transport.resumes === 'at least' ? [...new Set([...keysOf(left), ...keysOf(again)])] : [...keysOf(left), ...keysOf(again)])
  if (transport.resumes) {
    await eventually(`what was missed over ${transport.name} is told`, () => all().length >= keys.length, 60_000)
    expect([transport.name, differenceOf(all(), keys)]).toEqual([transport.name, null])
  }
  again.leave()
}

const opened = async (transport: Transport): Promise<Readers> => ({
  transport,
  healthy: await transport.open(at, 'healthy'),
  slow: await Promise.all(Array.from({ length: transport.ends ? 1 : 2 }, (_, number) => transport.open(at, `slow ${number}`))),
})

const keysOf = ({ told }: Reader): string[] => told.map(({ key }) => key)

/** Null: there is none. Lists of a million are not to be printed. */
function differenceOf(some: readonly string[], all: readonly string[]): object | null {
  const place = all.findIndex((key, index) => some[index] !== key)
  if (place < 0 && some.length === all.length) return null
  return {
    place: place < 0 ? all.length : place,
    lengths: [some.length, all.length],
    some: some.slice(Math.max(0, place - 2), place + 3),
    all: all.slice(Math.max(0, place - 2), place + 3),
  }
}

// ── the load ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Runs, one after another, and records that are made. What nobody reads holds none of them up: each ends in time. Then there is time for
 * those who do not read to be cut off; as long as the network has taken all that was told to one of them, there is more.
 */
async function load(areCutOff: () => Promise<boolean>): Promise<{ runs: string[]; records: number }> {
  const runs: string[] = []
  let records = 0
  for (let more = 0; more < mostLoads; more++) {
    await Promise.all([
      (async () => {
        for (let round = 0; round < rounds; round++) {
          const { runId } = await caller.call<SentMessage>('POST', '/v1/sessions/send', { to: at.session, text: `round ${runs.length}` })
          runs.push(runId!)
          expect(await caller.call('GET', `/v1/runs/${runId}/wait?until=finished&ms=60000`)).toMatchObject({ status: 'completed' })
        }
      })(),
      (async () => {
        for (let record = 0; record < 4 * rounds; record++) await caller.call('POST', '/v1/sessions', { title: 'A record', context: { n: records++, pad } })
      })(),
    ])
    const isOver = await eventually('they are cut off', areCutOff, 2 * stallMs + 10_000).then(
      () => true,
      () => false,
    )
    if (isOver) break
  }
  return { runs, records }
}

/** A chatbot whose steps follow one another. */
async function chain(length: number, node: (number: number) => Exclude<FlowNode, string>): Promise<Workflow> {
  const names = Array.from({ length }, (_, number) => `t${number}`)
  const nodes = Object.fromEntries(names.map((name, number) => [name, node(number)]))
  const definition = flow({ in: 'input', ...nodes, answer: { type: 'template', config: { text: 'Done' } } }, [['in', ...names, 'answer'].join(' > ')])
  const workflow = await caller.workflow({ ...definition, kind: 'chatbot' })
  await caller.call('POST', `/v1/workflows/${workflow.id}/publish`, {})
  return workflow
}

// ── what the server tells of itself ────────────────────────────────────────────────────────────────────────────────────

/** How many readers it has cut off. */
async function dropped(): Promise<number> {
  const text = await (await fetch(`${at.url}/metrics`)).text()
  return [...text.matchAll(/^sluice_readers_dropped_total\{.*\} (.*)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0)
}

let asked = 0
/** Bytes that it holds, without what nobody needs any more. */
async function held(): Promise<number> {
  program.kill('SIGUSR2')
  return Number((await program.says(new RegExp(`^It holds ${++asked}: (\\d+)$`, 'm')))[1])
}

/** The most that it holds until it is asked. */
function watchMemory(): () => Promise<number> {
  let most = 0
  let isOver = false
  const watching = (async () => {
    while (!isOver) {
      most = Math.max(most, await held())
      await new Promise((resolve) => setTimeout(resolve, 2_000))
    }
  })()
  return async () => {
    isOver = true
    await watching
    return most
  }
}
