import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { flow, template } from '../support/flow.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { cases, seed } from '../support/effort.ts'
import { callerOf } from '../support/server.ts'
import { leakIn, secretIn } from './answers.ts'
import { audit } from './audit.ts'
import { campaign, type Report, slowest } from './campaign.ts'
import { targets } from './operations.ts'
import { admin, type Fuzzed, fuzzedServer } from './server.ts'
import { socketNames } from './sockets.ts'

/**
 * Every operation of every face is met with what its schema asks for, bound to things that are there, and with that spoiled: a third
 * of it valid, the rest attacks. Whatever comes, the server answers as its documents say, soon, and is what it was before.
 * `SLUICE_FUZZ_REQUESTS` says how many requests; `SLUICE_TEST_SEED` which. A server that is broken on purpose is found out by fewer.
 */
const requests = Number(process.env['SLUICE_FUZZ_REQUESTS'] ?? (process.env['BROKEN_VARIANT'] ? 4_000 : cases(10_000, 100_000)))

const MiB = 1024 * 1024

const byHttp = 'files come over HTTP alone'
const closed = 'nobody registers by themselves'
/** What is never answered with success, and why. */
const unwelcome: Readonly<Record<string, string>> = {
  'trpc files.upload': byHttp,
  'trpc nodeFiles.add': byHttp,
  'trpc dialects.pyspur.uploadTestFiles': byHttp,
  'trpc dialects.playground.uploadFile': byHttp,
  'trpc dialects.orchestrator.uploadNodeFile': byHttp,
  'trpc dialects.orchestrator.updateNodeFile': byHttp,
  'trpc dialects.orchestrator.patchNodeFile': byHttp,
  'medusa PostActor_typeAuth_provider_register': closed,
  'trpc dialects.medusa.PostActor_typeAuth_provider_register': closed,
  'orchestrator register': closed,
  'trpc dialects.orchestrator.register': closed,
}

describe('hostile input', () => {
  let db: TestDatabase
  let server: Fuzzed
  let report: Report

  beforeAll(
    async () => {
      db = await testDatabase()
      server = await fuzzedServer({ SLUICE_DATABASE_URL: db.url })
      report = await campaign(server, { requests, unwelcome: new Set(Object.keys(unwelcome)) })
    },
    300_000 + requests * 100,
  )
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]()
    await db?.close()
  })

  test('no answer is a 5xx, leaks what is ours, or is other than its document says', () => {
    const told = report.findings.slice(0, 20).map(({ target, attack, verdict, curl }) => `${target} (${attack}): ${verdict}\n  ${curl}`)
    expect(told, `${report.findings.length} of ${report.requests} requests of the seed ${seed}`).toEqual([])
  })

  test('every operation of every face was met, with valid requests and others, and answered the valid ones', () => {
    const names = [...targets.map(({ name }) => name), ...socketNames]
    const rounds = Math.floor(requests / ((targets.length + 2 * socketNames.length) * 3))
    const blind = names.flatMap((name) => {
      const { valid = 0, mutated = 0, welcome = 0, statuses = new Map<number, number>() } = report.met.get(name) ?? {}
      const enough = valid >= rounds && mutated >= rounds * 2
      return enough && (welcome > 0 || unwelcome[name] !== undefined)
        ? []
        : [`${name}: ${valid} valid, of which ${welcome} were welcome, and ${mutated} others: ${JSON.stringify([...statuses])}`]
    })
    expect(blind).toEqual([])
    const all = [...report.met.values()]
    const sum = (of: 'valid' | 'welcome'): number => all.reduce((total, met) => total + met[of], 0)
    expect(sum('welcome') / sum('valid')).toBeGreaterThan(1 / 3)
  })

  test('the process lives, its log tells of no bug and of no secret', () => {
    expect(server.lives(), server.program.stderr().slice(-2_000)).toBe(true)
    const log = server.log()
    expect(log.length).toBeGreaterThan(report.requests / 10)
    // An outage is none of its own: a machine that does much else lets PostgreSQL wait.
    const outage = ({ msg }: { msg: string }): boolean => msg === 'A request met an outage'
    const told = log.filter((line) => line.level === 'error' || line.level === 'fatal' || (line.level === 'warn' && line.text.includes('"err"') && !outage(line)))
    expect(told.map(({ text }) => text.slice(0, 1_500))).toEqual([])
    expect(report.outages).toBeLessThan(report.requests / 20)
    // Of an outage the log says where it was met: it is for who runs the server.
    expect(log.flatMap((line) => (outage(line) ? secretIn : leakIn)(line.text, report.hidden) ?? []).slice(0, 5)).toEqual([])
  })

  test('nothing holds the event loop: no turn of it takes two seconds of the processor', () => {
    expect(report.held.toSorted((a, b) => b.turnMs - a.turnMs).filter(({ turnMs }) => turnMs > 2_000)).toEqual([])
    expect(slowest(report.slow).filter(({ ms }) => ms > 30_000)).toEqual([])
  })

  test('its memory is bounded', async () => {
    expect(Math.max(...server.memory().map(({ rss }) => rss))).toBeLessThan(1_500 * MiB)
    expect((await server.collected()).heap).toBeLessThan(400 * MiB)
  })

  test('it still works, and nothing is left half-written', { timeout: 120_000 }, async () => {
    const { token } = await callerOf(server.url, '').call<{ token: string }>('POST', '/v1/auth/login', admin)
    const caller = callerOf(server.url, token)
    const run = await caller.run(flow({ in: 'input', out: template('Hello {{ input.name }}') }, ['in > out']), { input: { name: 'Ada' } })
    expect([run.status, run.output]).toEqual(['completed', { out: { text: 'Hello Ada' } }])
    await expect.poll(() => audit(db.database), { timeout: 60_000, interval: 1_000 }).toEqual([])
  })
})
