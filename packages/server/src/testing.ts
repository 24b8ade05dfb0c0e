import { randomBytes } from 'node:crypto'
import { type AppInHand, createApp, migrateQueue } from './app.ts'
import type { WrittenWorkflow } from './code/written.ts'
import { environmentOf, type GivenSettings, loadConfig } from './config.ts'
import { openDatabase } from './store/database.ts'
import { migrate } from './store/migrate.ts'
import { moveTime } from './store/throwaway.ts'
import { createLog } from './telemetry.ts'
import { callAs } from './testing/call.ts'
import type { Testing } from './testing/kit.ts'
import { throwAway } from './testing/postgres.ts'
import { createQuiet } from './testing/quiet.ts'
import { createStubs } from './testing/stubs.ts'
import { movedTime } from './testing/time.ts'
import { verbsOf } from './testing/verbs.ts'

/**
 * What tests of workflows import: a server on a database of its own, whose time is the test's.
 *
 *     await using sluice = await startTesting({ workflows: [order] })
 *     const run = await sluice.start(order, { customer: 'c_42' })
 *     await sluice.skip({ days: 2 })
 *     expect(await run.result()).toEqual(…)
 */

export { RunFailedError, StillAtWorkError, StillWaitingError } from './testing/errors.ts'
export type { ReportOptions, StubHandlers, Testing, TestPauses } from './testing/kit.ts'
export type { Call, FailOptions, Stub } from './testing/stubs.ts'
export type { SkipOptions, Span } from './testing/time.ts'
export type { DecisionOptions, InputOf, OutputOf, PausesOf, StartOptions, TestRun } from './testing/typing.ts'

export interface TestingOptions<Client = undefined> {
  /** What the server knows; also those that others start. */
  workflows?: readonly WrittenWorkflow[]
  /** `createClient` of `@sluice/client`: then `client` is one that is logged in. */
  client?: (server: { url: string; apiKey: string }) => Client
  /** What the time is at first; it goes on from there. Now unless set. */
  at?: Date | string
  /** By name: what `at.secret(name)` gives to steps. */
  secrets?: Readonly<Record<string, string>>
  /** A PostgreSQL in which databases may be made; they are dropped again. `SLUICE_TEST_DATABASE_URL` unless set, and without that one that is started for this process. */
  databaseUrl?: string
  /** Settings of the server, by their names in camel case: `{ httpAllow: ['127.0.0.1:4000'] }`. */
  settings?: GivenSettings
  /** How long steps may be at work before a test is told that they are; 10,000 ms unless set. */
  patienceMs?: number
  /** Gets each line of the server's log, as JSON; warnings go to standard error unless given. */
  onLog?: (line: string) => void
}

const usualPatienceMs = 10_000
const admin = 'tests@sluice.local'

/** Starts a server for a test: the first one of a process in a second or two, the others at once. Throws StartRefused for workflows or settings that cannot be. */
export async function startTesting<Client = undefined>(options: TestingOptions<Client> = {}): Promise<Testing<Client>> {
  const database = await throwAway({
    databaseUrl: options.databaseUrl ?? process.env['SLUICE_TEST_DATABASE_URL'] ?? null,
    fill: (url) => migrate(url, { also: () => migrateQueue(url) }),
  })
  try {
    return await serve(options, database)
  } catch (error) {
    await database.close()
    throw error
  }
}

async function serve<Client>(options: TestingOptions<Client>, throwaway: { url: string; close(): Promise<void> }): Promise<Testing<Client>> {
  const { patienceMs = usualPatienceMs, workflows = [], secrets = {} } = options
  const secret = () => randomBytes(24).toString('base64url')
  const password = secret()
  const config = loadConfig(
    environmentOf({
      port: 0,
      rateLimit: 'off',
      drainMs: 0,
      logLevel: options.onLog ? 'info' : 'error',
      ...options.settings,
      secret: secret(),
      adminEmail: admin,
      adminPassword: password,
    }),
  )
  const log = createLog({ level: config.logLevel, write: options.onLog ?? ((line) => void process.stderr.write(line)) })
  const time = movedTime(startOf(options.at))
  const stubs = createStubs()
  const database = openDatabase({ url: throwaway.url, max: 2 })
  await moveTime(database, time.ahead)
  const app = await createApp({ ...config, secret: config.secret! }, { databaseUrl: throwaway.url, log, time, workflows: workflows.map((workflow) => stubs.watch(workflow)) })
  const close = once(async () => {
    await app.drain()
    await app.close()
    await database.close()
    await throwaway.close()
  })
  try {
    const apiKey = await keyOf(app, password)
    const call = callAs(app.url, apiKey)
    for (const [name, value] of Object.entries(secrets)) await call('PUT', `/v1/secrets/${encodeURIComponent(name)}`, { value })
    const quiet = createQuiet({ app, database, time, patienceMs, atWork: () => stubs.atWork })
    return {
      ...verbsOf({ call, quiet, stubs }),
      now: () => new Date(time.now()),
      client: options.client?.({ url: app.url, apiKey }) as Client,
      url: app.url,
      apiKey,
      close,
      [Symbol.asyncDispose]: close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

function startOf(at: Date | string | undefined): number | null {
  if (at === undefined) return null
  const time = new Date(at).getTime()
  if (Number.isNaN(time)) throw new RangeError(`There is no such time: ${String(at)}`)
  return time
}

async function keyOf(app: AppInHand, password: string): Promise<string> {
  const { token } = await callAs(app.url)<{ token: string }>('POST', '/v1/auth/login', { email: admin, password })
  return (await callAs(app.url, token)<{ secret: string }>('POST', '/v1/keys', { name: 'tests' })).secret
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined
  return () => (done ??= work())
}
