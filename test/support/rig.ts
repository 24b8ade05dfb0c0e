import { randomUUID } from 'node:crypto'
import type { Definition, FaultCode, Json, Pause, Run } from '@sluice/schema'
import type { Database } from '../../packages/server/src/store/database.ts'
import { openDatabase } from '../../packages/server/src/store/database.ts'
import { testDatabase } from './database.ts'
import { flow, post } from './flow.ts'
import { type Program, here, start } from './processes.ts'
import { type Receiver, receiver } from './receiver.ts'

const secret = 'a secret that the servers of a rig share'
const admin = { email: 'admin@sluice.local', password: 'correct horse battery' }
const main = here('../../packages/server/src/main.ts')

/** An answer, or that there was none: status 0. */
export interface Reply<T = Json> {
  status: number
  body: T & { error?: { code: FaultCode | 'unavailable' | 'internal'; details: Record<string, Json> } }
  retryAfter: number | null
  /** Milliseconds from the call to the answer. */
  ms: number
}

/** A server process. */
export interface Server {
  url: string
  program: Program
  /** The admin's. */
  token: string
  call<T = Json>(method: string, path: string, body?: unknown): Promise<Reply<T>>
  start(workflow: string, more?: object): Promise<Reply<Run>>
  /** Starts a run and answers with its id, as a client does that comes again when the server is busy. */
  begin(workflow: string): Promise<string>
  kill(): Promise<void>
  freeze(): void
  thaw(): void
}

export interface Rig extends AsyncDisposable {
  /** Looks at the tables directly, whatever the servers meet on their way. */
  database: Database
  databaseUrl: string
  receiver: Receiver
  /** Another server. Its port is free, its database the rig's unless told otherwise; `node` is what Node itself is told. */
  serve(settings?: { databaseUrl?: string; env?: Record<string, string>; node?: readonly string[] }): Promise<Server>
  /** A workflow whose http steps run one after another; answers with its id. */
  chain(steps: readonly string[]): Promise<string>
  workflow(definition: Definition): Promise<string>
  /** Waits until all of these runs have ended. Fails with everything that is known of those that have not. */
  ended(runs: readonly string[], ms: number): Promise<void>
  /** Waits until it is so. Fails as `ended` does. */
  until(what: string, holds: () => boolean | Promise<boolean>, ms: number, runs?: readonly string[]): Promise<void>
  /** What every run must have kept: see `checkRuns`. `called` are those of its steps that call the service; all of them, unless given. */
  check(runs: readonly string[], steps: readonly string[], called?: readonly string[]): Promise<void>
}

/** Servers as processes of their own around one database, and the service that their steps call. */
export async function createRig(given: { databaseUrl?: string } = {}): Promise<Rig> {
  const own = given.databaseUrl === undefined ? await testDatabase() : null
  const databaseUrl = own?.url ?? given.databaseUrl!
  const database = own?.database ?? openDatabase({ url: databaseUrl, max: 4 })
  const service = await receiver()
  const servers: Server[] = []
  let token = ''

  const rig: Rig = {
    database,
    databaseUrl,
    receiver: service,
    async serve({ databaseUrl: url = databaseUrl, env = {}, node = [] } = {}) {
      const program = start([...node, main, 'serve'], {
        SLUICE_DATABASE_URL: url,
        SLUICE_PORT: '0',
        SLUICE_SECRET: secret,
        SLUICE_ADMIN_EMAIL: admin.email,
        SLUICE_ADMIN_PASSWORD: admin.password,
        SLUICE_HTTP_ALLOW: service.host,
        SLUICE_RATE_LIMIT: 'off',
        SLUICE_LOG_LEVEL: process.env['SLUICE_TEST_LOG'] ?? 'warn',
        ...env,
      })
      const [, address] = await program.says(/^Sluice is ready at (http:\S+)$/m, 60_000)
      token ||= (await comingAgain(() => serverAt(address!, program, '').call<{ token: string }>('POST', '/v1/auth/login', admin))).token
      const server = serverAt(address!, program, token)
      servers.push(server)
      return server
    },
    chain: (steps) => rig.workflow(flow(Object.fromEntries(steps.map((step) => [step, post(`${service.url}/${step}`)])), [steps.join(' > ')])),
    async workflow(definition) {
      const alive = servers.findLast((server) => !server.program.stdout().includes('Shutting down'))!
      return (await comingAgain(() => alive.call<{ id: string }>('POST', '/v1/workflows', { name: 'Flow', definition }))).id
    },
    ended: (runs, ms) => rig.until(`${runs.length} runs have ended`, async () => (await unfinished(database, runs)).length === 0, ms, runs),
    async until(what, holds, ms, runs = []) {
      const end = performance.now() + ms
      while (!(await holds())) {
        if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what}\n${await stuck(database, runs, servers)}`)
        await new Promise((resolve) => setTimeout(resolve, 25))
      }
    },
    check: (runs, steps, called = steps) => checkRuns(database, service, runs, { steps, called }),
    async [Symbol.asyncDispose]() {
      for (const server of servers) server.program.kill('SIGKILL')
      await Promise.all(servers.map((server) => server.program.ended))
      await service.close()
      await (own ?? database).close()
    },
  }
  return rig
}

function serverAt(url: string, program: Program, token: string): Server {
  const call: Server['call'] = async (method, path, body) => {
    const begun = performance.now()
    const since = () => performance.now() - begun
    try {
      const response = await fetch(url + path, {
        method,
        headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(40_000),
      })
      const text = await response.text()
      const retryAfter = response.headers.get('retry-after')
      return { status: response.status, body: text === '' ? null : JSON.parse(text), retryAfter: retryAfter === null ? null : Number(retryAfter), ms: since() }
    } catch {
      return { status: 0, body: null as never, retryAfter: null, ms: since() }
    }
  }
  return {
    url,
    program,
    token,
    call,
    start: (workflow, more = {}) => call<Run>('POST', '/v1/runs', { workflow, ...more }),
    begin: (workflow) => {
      const asked = { workflow, idempotencyKey: randomUUID() }
      return comingAgain(() => call<Run>('POST', '/v1/runs', asked)).then((run) => run.id)
    },
    async kill() {
      program.kill('SIGKILL')
      await program.ended
    },
    freeze: () => program.kill('SIGSTOP'),
    thaw: () => program.kill('SIGCONT'),
  }
}

/** The value of an answer; asked again while the server is busy, as it asks for. */
async function comingAgain<T>(ask: () => Promise<Reply<T>>): Promise<T> {
  for (let tries = 1; ; tries++) {
    const { status, body } = await ask()
    if (status >= 200 && status < 300) return body
    if (status !== 503 || tries === 10) throw new Error(`refused: ${status} ${JSON.stringify(body)}`)
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}

/** The open pause of a run, once there is one. */
export async function pauseOf(rig: Rig, server: Server, run: string): Promise<Pause> {
  let found: Pause | undefined
  await rig.until(
    `run ${run} pauses`,
    async () => (found = (await server.call<{ items: Pause[] }>('GET', `/v1/pauses?runId=${run}&status=open`)).body?.items?.[0]) !== undefined,
    20_000,
    [run],
  )
  return found!
}

// ── what must hold ─────────────────────────────────────────────────────────────────────────────────────────────────────

interface Kept {
  id: string
  status: string
  seq: number
  seqs: number[]
  types: string[]
  completed: string[] | null
  unsettled: number
}

/**
 * Of each run: it completed, with one terminal event that is its last; its events are numbered 1, 2, 3 …; each step has one
 * recorded result; and the service saw one key a step, that of the step.
 */
async function checkRuns(database: Database, service: Receiver, runs: readonly string[], { steps, called }: Record<'steps' | 'called', readonly string[]>): Promise<void> {
  const kept = await database.query<Kept & Record<string, unknown>>(
    `select runs.id, runs.status, runs.seq, array_agg(e.seq order by e.seq) as seqs, array_agg(e.type order by e.seq) as types,
       array_agg(e.data->>'nodeId' order by e.seq) filter (where e.type = 'step.completed') as completed,
       (select count(*)::int from steps where run_id = runs.id and state <> 'completed') as unsettled
     from runs join events e on e.subject_id = runs.id where runs.id = any($1) group by runs.id`,
    [runs],
  )
  const wrong = kept.flatMap((run) => faultsOf(run, steps).map((fault) => `${run.id}: ${fault}`))
  const missing = runs.filter((id) => !kept.some((run) => run.id === id)).map((id) => `${id}: acknowledged, and not there`)
  const wanted = new Set(runs.flatMap((id) => called.map((step) => `${id}/${step}/-`)))
  const odd = service.calls.filter((call) => runs.some((id) => call.key.startsWith(id)) && !(wanted.has(call.key) && call.key.split('/')[1] === call.step))
  const uncalled = [...wanted].filter((key) => !service.calls.some((call) => call.key === key))
  const all = [...wrong, ...missing, ...odd.map((call) => `a call of ${call.step} under the key ${call.key}`), ...uncalled.map((key) => `${key} never called`)]
  if (all.length > 0) throw new Error(`${all.length} broken promises:\n${all.slice(0, 20).join('\n')}`)
}

function faultsOf({ status, seq, seqs, types, completed, unsettled }: Kept, steps: readonly string[]): string[] {
  const terminal = types.filter((type) => /^run\.(completed|failed|cancelled|compensated)$/.test(type))
  const once = [...(completed ?? [])].sort().join() === [...steps].sort().join()
  return [
    ...(status === 'completed' ? [] : [`ended ${status}`]),
    ...(terminal.length === 1 && types.at(-1) === terminal[0] ? [] : [`terminal events ${terminal.join()}, the last ${types.at(-1)}`]),
    ...(seq === seqs.length && seqs.every((each, index) => each === index + 1) ? [] : [`events numbered ${seqs.join()} with seq ${seq}`]),
    ...(once ? [] : [`step.completed of ${completed?.join()}`]),
    ...(unsettled === 0 ? [] : [`${unsettled} steps unsettled`]),
  ]
}

// ── the watchdog ───────────────────────────────────────────────────────────────────────────────────────────────────────

const unfinished = (database: Database, runs: readonly string[]): Promise<{ id: string }[]> =>
  database.query('select id from unnest($1::text[]) as asked (id) where not exists (select from runs where runs.id = asked.id and ended_at is not null)', [runs])

/** Everything that is known of runs that do not end: their rows, steps, jobs and last events, who waits in PostgreSQL, and what the servers said. */
async function stuck(database: Database, runs: readonly string[], servers: readonly Server[]): Promise<string> {
  const left = (await unfinished(database, runs)).map((row) => row.id)
  const some = left.slice(0, 4)
  const rows = await database.query(
    `select r.id, r.status, r.waiting_kind, r.epoch, r.revision, r.deaths, r.seq,
       (select json_agg(json_build_array(node_id, iteration, state, attempts, waiting_for)) from steps where run_id = r.id) as steps,
       (select json_agg(json_build_object('state', state, 'retry', retry_count, 'beat', now() - heartbeat_on)) from sluice_jobs.job where singleton_key = r.id) as jobs,
       (select json_agg(json_build_array(seq, type, data->>'nodeId', at) order by seq) from (select * from events where subject_id = r.id order by seq desc limit 6) e) as last
     from runs r where id = any($1)`,
    [some],
  )
  const busy = await database.query(
    `select pid, application_name, state, wait_event, now() - xact_start as age, left(query, 80) as query from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'`,
  )
  const said = servers.map(({ program }) => `server ${program.pid}:\n${(program.stdout() + program.stderr()).split('\n').slice(-12).join('\n')}`)
  return [`${left.length} of ${runs.length} not ended`, ...rows.map((row) => JSON.stringify(row)), ...busy.map((row) => JSON.stringify(row)), ...said].join('\n')
}

/** A measurement, for who reads along. */
export const tell = (what: string): void => void process.stderr.write(`  measured: ${what}\n`)
