import {
  type Definition,
  type FaultCode,
  type Issue,
  type Json,
  type JsonObject,
  type Lane,
  type Pause,
  Run,
  type RunEvent,
  type RunEventType,
  type StartRun,
  type Step,
  type Wait,
  type Workflow,
} from '@sluice/schema'
import { type App, type AppParts, createApp } from '../../packages/server/src/app.ts'
import type { WrittenWorkflow } from '../../packages/server/src/code/written.ts'
import { loadConfig } from '../../packages/server/src/config.ts'
import type { FeedItem } from '../../packages/server/src/events/feed.ts'
import type { AnyNode } from '../../packages/server/src/nodes/contract.ts'
import { createLog } from '../../packages/server/src/telemetry.ts'
import { type TestDatabase, testDatabase } from './database.ts'
import { deadline } from './deadline.ts'
import { readStream, type StreamedItem } from './events.ts'
import { type ToyService, toyService } from './toy-service.ts'

export const admin = { email: 'admin@sluice.local', password: 'correct horse battery' }
export const secret = 'a secret that the servers of a test share'

/** A call that was answered with an error, as the native face shows it. */
export class Refused extends Error {
  readonly status: number
  readonly code: FaultCode | 'internal' | 'unavailable'
  readonly issues: Issue[]
  readonly details: JsonObject

  constructor(request: string, status: number, body: { error?: { code: FaultCode; message: string; issues: Issue[]; details: JsonObject } }) {
    super(`${request}: ${status} ${body.error?.code} ${body.error?.message} ${JSON.stringify(body.error?.issues ?? [])}`)
    this.status = status
    this.code = body.error?.code ?? 'internal'
    this.issues = body.error?.issues ?? []
    this.details = body.error?.details ?? {}
  }
}

/** The fault that a call is refused with; fails when it is not. */
export async function refusal(call: Promise<unknown>): Promise<Refused> {
  const answer = await call.catch((error: unknown) => error)
  if (answer instanceof Refused) return answer
  if (answer instanceof Error) throw answer
  throw new Error(`not refused: ${JSON.stringify(answer)?.slice(0, 500)}`)
}

/** A start but for its workflow, as it goes over the wire. */
export type Start = Omit<Partial<StartRun>, 'wait' | 'lane'> & { wait?: Partial<Wait>; lane?: Partial<Lane> }

/** What is asked of a run: how it stands, by name or by looking at it. */
export type Awaited = Wait['until'] | ((run: Run) => boolean)

export interface Caller {
  /** The value of a 2xx answer. Throws `Refused` for any other. */
  call<T = Json>(method: string, path: string, body?: unknown, options?: { as?: string; headers?: Record<string, string> }): Promise<T>
  workflow(definition: Definition, name?: string): Promise<Workflow>
  start(workflow: { id: string } | string, more?: Start): Promise<Run>
  /** Starts a new workflow and waits for it, until it is finished unless told otherwise. */
  run(definition: Definition, more?: Start & { until?: Awaited }): Promise<Run>
  get(run: { id: string } | string): Promise<Run>
  /** The run once it is so; fails after a while. */
  wait(run: { id: string } | string, until?: Awaited): Promise<Run>
  /** The first event of the type that has come, or comes, and that fits. */
  event<T extends RunEventType>(run: { id: string } | string, type: T, fits?: (event: Extract<RunEvent, { type: T }>) => boolean): Promise<Extract<RunEvent, { type: T }>>
  /** All events of the run so far. */
  events(run: { id: string } | string): Promise<RunEvent[]>
  steps(run: { id: string } | string): Promise<Step[]>
  step(run: { id: string } | string, nodeId: string, iteration?: string): Promise<Step>
  /** The open pauses of a run, oldest first. */
  pauses(run: { id: string } | string): Promise<Pause[]>
  decide(pause: { id: string } | string, action: Pause['decision'] extends infer D ? (D extends { action: infer A } ? A : never) : never, more?: JsonObject): Promise<Pause>
  /** An SSE stream: `/v1/runs/ID/events` and the like. */
  stream(path: string, more?: { lastEventId?: string }): AsyncGenerator<StreamedItem, void>
}

export interface Served extends Caller, AsyncDisposable {
  url: string
  /** The lines of its log so far. */
  lines: readonly string[]
  token: string
  app: App
}

export interface TestServer extends Served {
  db: TestDatabase
  /** A service outside, which the nodes of this server may call. */
  toy: ToyService
  /** Another server on the same database. */
  another(settings?: Record<string, string>): Promise<Served>
}

/** A server on a database of its own: `await using server = await testServer()`. Settings as the environment gives them, workflows that are written in the test, and node types of its own. */
export async function testServer(settings: Record<string, string> = {}, workflows: readonly WrittenWorkflow[] = [], nodes: readonly AnyNode[] = []): Promise<TestServer> {
  const db = await testDatabase()
  const toy = await toyService()
  const others: Served[] = []
  const open = (more: Record<string, string>): Promise<Served> => serve(db.url, { SLUICE_HTTP_ALLOW: toy.host, ...settings, ...more }, { workflows, nodes })
  const first = await open({})
  return {
    ...first,
    db,
    toy,
    async another(more = {}) {
      const served = await open(more)
      others.push(served)
      return served
    },
    async [Symbol.asyncDispose]() {
      for (const each of [...others, first]) await each[Symbol.asyncDispose]()
      await toy[Symbol.asyncDispose]()
      await db.close()
    },
  }
}

async function serve(databaseUrl: string, settings: Record<string, string>, brought: Pick<AppParts, 'workflows' | 'nodes'>): Promise<Served> {
  const config = loadConfig({
    SLUICE_PORT: '0',
    SLUICE_SECRET: secret,
    SLUICE_RATE_LIMIT: 'off',
    SLUICE_DRAIN_MS: '0',
    SLUICE_ADMIN_EMAIL: admin.email,
    SLUICE_ADMIN_PASSWORD: admin.password,
    SLUICE_LOG_LEVEL: process.env['SLUICE_TEST_LOG'] ?? 'error',
    ...settings,
  })
  const lines: string[] = []
  const loud = settings['SLUICE_LOG_LEVEL'] === undefined
  const write = (line: string): void => {
    lines.push(line)
    if (loud) process.stderr.write(line)
  }
  const log = createLog({ level: config.logLevel, write })
  const app = await createApp({ ...config, secret }, { databaseUrl, log, ...brought })
  // A worker has no door to log in at.
  const { token } = config.role === 'worker' ? { token: '' } : await callerOf(app.url, '').call<{ token: string }>('POST', '/v1/auth/login', admin)
  let closed = false
  return {
    ...callerOf(app.url, token),
    url: app.url,
    lines,
    token,
    app,
    async [Symbol.asyncDispose]() {
      if (closed) return
      closed = true
      // What a test left running is nobody's any more: nothing is waited for, and its database goes.
      await app.drain()
      await app.close()
    },
  }
}

const idOf = (named: { id: string } | string): string => (typeof named === 'string' ? named : named.id)
const waitMs = 20_000

/** The small calls that tests are made of. */
export function callerOf(url: string, token: string): Caller {
  const caller: Caller = {
    async call(method, path, body, { as = token, headers = {} } = {}) {
      const response = await fetch(url + path, {
        method,
        headers: { ...(as !== '' && { authorization: `Bearer ${as}` }), ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      const value: unknown = text === '' ? null : JSON.parse(text)
      if (!response.ok) throw new Refused(`${method} ${path}`, response.status, value as object)
      return value as never
    },
    workflow: (definition, name = 'Flow') => caller.call('POST', '/v1/workflows', { name, definition }),
    start: async (workflow, more) => Run.parse(await caller.call('POST', '/v1/runs', { workflow: idOf(workflow), ...more })),
    async run(definition, { until = 'finished', ...more } = {}) {
      return caller.wait(await caller.start(await caller.workflow(definition), more), until)
    },
    get: async (run) => Run.parse(await caller.call('GET', `/v1/runs/${idOf(run)}`)),
    async wait(run, until = 'finished') {
      const id = idOf(run)
      if (typeof until === 'function') return waitFor(caller, id, until)
      const found = Run.parse(await caller.call('GET', `/v1/runs/${id}/wait?until=${until}&ms=${waitMs}`))
      if (until === 'finished' && !found.endedAt) throw new Error(`not finished within ${waitMs} ms: ${described(found)}`)
      return found
    },
    async event(run, type, fits = () => true) {
      const id = idOf(run)
      const items = caller.stream(`/v1/runs/${id}/events?after=0`)
      const found = await deadline<FeedItem>(`${type} of ${id}`, (done, fail) => {
        void (async () => {
          for await (const { item } of items) if (item.type === type && fits(item as never)) return done(item)
          throw new Error(`the run ended without ${type}: ${described(await caller.get(id))}`)
        })().catch(fail)
        return () => void items.return().catch(() => {})
      })
      return found as never
    },
    async events(run) {
      const all: RunEvent[] = []
      for (;;) {
        const { items } = await caller.call<{ items: RunEvent[] }>('GET', `/v1/runs/${idOf(run)}/events?after=${all.at(-1)?.seq ?? 0}&limit=100`)
        all.push(...items)
        if (items.length < 100) return all
      }
    },
    async steps(run) {
      const all: Step[] = []
      for (let cursor = ''; ;) {
        const page = await caller.call<{ items: Step[]; nextCursor: string | null }>('GET', `/v1/runs/${idOf(run)}/steps?limit=100${cursor}`)
        all.push(...page.items)
        if (page.nextCursor === null) return all
        cursor = `&cursor=${page.nextCursor}`
      }
    },
    async step(run, nodeId, iteration = '') {
      const found = (await caller.steps(run)).find((step) => step.nodeId === nodeId && step.iteration === iteration)
      if (!found) throw new Error(`no step ${nodeId} ${iteration}`)
      return found
    },
    async pauses(run) {
      const { items } = await caller.call<{ items: Pause[] }>('GET', `/v1/pauses?runId=${idOf(run)}&status=open&limit=100`)
      return items.reverse()
    },
    decide: (pause, action, more) => caller.call('POST', `/v1/pauses/${idOf(pause)}/decide`, { action, ...more }),
    stream: (path, { lastEventId } = {}) => readStream(url + path, { authorization: `Bearer ${token}`, ...(lastEventId !== undefined && { 'last-event-id': lastEventId }) }),
  }
  return caller
}

/** Looks at the run at each of its events. */
async function waitFor(caller: Caller, id: string, holds: (run: Run) => boolean): Promise<Run> {
  const items = caller.stream(`/v1/runs/${id}/events?after=0`)
  return deadline<Run>(`a look at ${id}`, (done, fail) => {
    void (async () => {
      for await (const _ of items) {
        const run = await caller.get(id)
        if (holds(run)) return done(run)
      }
      const run = await caller.get(id)
      if (!holds(run)) throw new Error(`the run ended otherwise: ${described(run)}`)
      done(run)
    })().catch(fail)
    return () => void items.return().catch(() => {})
  })
}

const described = ({ id, status, reason, waitingOn, nodes }: Run): string =>
  JSON.stringify({ id, status, reason, waitingOn, nodes: nodes.map(({ nodeId, state, error }) => ({ nodeId, state, ...(error && { error }) })) })

/** The values that a promise of several gives, in turn. */
export const inTurn = async <T, R>(each: readonly T[], work: (value: T) => Promise<R>): Promise<R[]> => {
  const results: R[] = []
  for (const value of each) results.push(await work(value))
  return results
}
