import { randomBytes } from 'node:crypto'
import { globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Json, Page, Pause, Run, Session } from '@sluice/schema'
import pg from 'pg'
import { afterEach, expect, inject, test } from 'vitest'
import { migrations } from '../../packages/server/src/store/migrations/index.ts'
import { withDatabase } from '../support/postgres.ts'
import { endAll, here, runs, start } from '../support/processes.ts'
import { type Rig, type Server, createRig } from '../support/rig.ts'
import { callerOf } from '../support/server.ts'
import { type Given, restored, secret } from './state.ts'

/** Servers of this version, and of one after it, over what earlier ones left when they were killed in the middle of everything: README.md. */

const states = globSync('*.state.gz', { cwd: fileURLToPath(new URL('.', import.meta.url)) }).sort()
const collections = { SLUICE_COLLECTIONS: here('../upgrades/collections.json') }
/** What Node is told for a server of the next version. */
const next = ['--import', new URL('./next.ts', import.meta.url).href]
const known = migrations.map(({ name }) => name)

afterEach(endAll)

/** A rig over a state; its database goes with it. */
async function over(state: string): Promise<Rig & { given: Given }> {
  const name = `upgraded_${randomBytes(6).toString('hex')}`
  const admin = new pg.Client(inject('postgresUrl'))
  await admin.connect()
  await admin.query(`create database ${name}`)
  const url = withDatabase(inject('postgresUrl'), name)
  const drop = async () => {
    await admin.query(`drop database if exists ${name} with (force)`)
    await admin.end()
  }
  try {
    // The steps of before call the rig's own service, whose address is known when it is there.
    const rig = await createRig({ databaseUrl: url })
    try {
      const given = await restored(url, fileURLToPath(new URL(state, import.meta.url)), rig.receiver.url)
      return {
        ...rig,
        given,
        async [Symbol.asyncDispose]() {
          await rig[Symbol.asyncDispose]()
          await drop()
        },
      }
    } catch (error) {
      await rig[Symbol.asyncDispose]()
      throw error
    }
  } catch (error) {
    await drop()
    throw error
  }
}

const applied = async (rig: Rig): Promise<string[]> => (await rig.database.query<{ name: string }>('select name from mikro_orm_migrations order by id')).map(({ name }) => name)

async function ok<T = Json>(server: Server, method: string, path: string, body?: unknown): Promise<T> {
  const { status, body: answer } = await server.call<T>(method, path, body)
  if (status < 200 || status > 299) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(answer)}`)
  return answer
}
const approve = (server: Server, id: string) => ok<Pause>(server, 'POST', `/v1/pauses/${id}/decide`, { action: 'approve' })

/** The open pauses of a run, and of those that it started. */
async function approveAll(rig: Rig, server: Server, run: string, some: number): Promise<void> {
  let pauses: { id: string }[] = []
  await rig.until(
    `${run} asks ${some} times`,
    async () => {
      pauses = await rig.database.query(`select p.id from pauses p join runs r on r.id = p.run_id where (r.id = $1 or r.parent_run_id = $1) and p.status = 'open'`, [run])
      return pauses.length === some
    },
    20_000,
    [run],
  )
  for (const { id } of pauses) await approve(server, id)
}

/** What a stream tells after a cursor until it tells of `what`. */
async function toldAfter(server: Server, path: string, cursor: string, what: RegExp): Promise<string> {
  const response = await fetch(server.url + path, {
    headers: { authorization: `Bearer ${server.token}`, accept: 'text/event-stream', 'last-event-id': cursor },
    signal: AbortSignal.timeout(30_000),
  })
  expect(response.status).toBe(200)
  const reader = response.body!.getReader()
  let text = ''
  for (let piece = await reader.read(); !piece.done && !what.test(text); piece = await reader.read()) text += Buffer.from(piece.value).toString('utf8')
  await reader.cancel()
  expect(text).toMatch(what)
  return text
}

test.for(states)(
  '%s: two servers of the next version start over it at once; every run in flight ends, and what was given out before counts',
  { timeout: 180_000 },
  async (state) => {
    await using rig = await over(state)
    const { given } = rig
    const { runs: begun } = given
    const [server, other] = await Promise.all([rig.serve({ node: next, env: collections }), rig.serve({ node: next, env: collections })])
    expect(await applied(rig)).toEqual([...known, '9000-next'])
    expect(await rig.database.query(`select region from runs where id = $1`, [begun['approval']])).toEqual([{ region: 'here' }])

    // What was given out: the key, the login, the id of a pause, the transaction's id, the places in the log, the idempotency key.
    const byKey = callerOf(server.url, given.apiKey)
    expect(await byKey.get(begun['finished']!)).toMatchObject({ status: 'completed', output: { n: 1 } })
    expect(await ok<{ token: string }>(other, 'POST', '/v1/auth/refresh', { refreshToken: given.refreshToken })).toMatchObject({ token: expect.any(String) as string })
    const again = await ok<Run>(other, 'POST', '/v1/runs', { workflow: given.workflows['approval'], input: { n: 1 }, idempotencyKey: given.idempotencyKey })
    expect(again.id).toBe(begun['approval'])
    expect((await ok<Page<{ name: string }>>(server, 'GET', '/v1/secrets')).items).toMatchObject([{ name: 'stripe' }])

    const workspace = toldAfter(server, '/v1/events', given.cursors.workspace, new RegExp(`run\\.completed[^]*${begun['approval']}|${begun['approval']}[^]*run\\.completed`))
    await approve(server, given.pause)
    expect(await toldAfter(other, `/v1/runs/${begun['approval']}/events`, given.cursors.run, /run\.completed/)).not.toMatch(/run\.created|resync/)
    expect(await workspace).not.toMatch(/resync/)
    await ok(server, 'POST', '/v1/signals', { runId: begun['signal'], name: 'go', payload: { by: 'us' } })
    await ok(other, 'POST', '/v1/steps/report', {
      run: { workflow: given.workflows['report'], transactionId: 'parcel-7' },
      step: 'parcel',
      outcome: 'completed',
      output: { arrived: true },
    })
    await ok(server, 'POST', `/v1/runs/${begun['held']}/release`)
    await approveAll(rig, other, begun['held']!, 1)
    await approveAll(rig, server, begun['child']!, 1)
    await approveAll(rig, server, begun['many']!, 3)
    const session = await ok<Session>(server, 'GET', `/v1/sessions/${given.session}`)
    expect(session.status).toBe('waiting')
    const [round] = await rig.database.query<{ id: string }>('select id from runs where session_id = $1', [given.session])
    await approveAll(rig, server, round!.id, 1)

    // Those that were in somebody's hands are taken over when his jobs have been silent for long enough.
    await rig.ended([...Object.values(begun), round!.id], 60_000)
    const found = await rig.database.query<{ id: string; status: string }>('select id, status from runs where id = any($1)', [Object.values(begun)])
    const status = Object.fromEntries(Object.entries(begun).map(([name, id]) => [name, found.find((row) => row.id === id)?.status]))
    expect(status).toEqual(Object.fromEntries(Object.keys(begun).map((name) => [name, name === 'compensating' ? 'compensated' : 'completed'])))
    // Each under the key of before: the service does it once.
    for (const [name, step] of [
      ['running', 'slow'],
      ['retrying', 'flaky'],
      ['compensating', 'undo'],
    ] as const) {
      const [key, ...more] = rig.receiver.keys(step)
      expect([key, more]).toEqual([expect.stringContaining(`${begun[name]}/`), []])
    }
    await rig.until('the round has ended', async () => (await ok<Session>(server, 'GET', `/v1/sessions/${given.session}`)).status === 'completed', 20_000)
    const numbered = await rig.database.query<{ id: string }>(
      `select r.id from runs r where r.id = any($1) and (select array_agg(e.seq::int order by e.seq) from events e where e.subject_id = r.id) <> array(select generate_series(1, r.seq::int))`,
      [Object.values(begun)],
    )
    expect(numbered).toEqual([])

    // What starts runs goes on to: the queue's items, the webhook at its address, the schedule.
    await ok(server, 'PUT', `/v1/queues/${given.queue}`, { trigger: { workflow: given.workflows['echo'] } })
    const delivered = await fetch(server.url + given.webhook.address, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"n":1}' })
    expect(delivered.status).toBe(202)
    for (const [trigger, some] of [
      ['queue', 3],
      ['webhook', 1],
      ['schedule', 1],
    ] as const) {
      const started = async () =>
        (await ok<Page<Run>>(server, 'GET', `/v1/runs?workflow=${given.workflows['echo']}&trigger=${trigger}&limit=100`)).items.filter((run) => run.status === 'completed')
      await rig.until(`${some} runs of the ${trigger}`, async () => (await started()).length >= some, 30_000)
    }
    expect(await ok(server, 'GET', `/v1/collections/${given.record.collection}/records/${given.record.id}`)).toMatchObject({ values: { text: 'kept' } })
    const kept = await fetch(`${server.url}/v1/files/${given.file.id}/content`, { headers: { authorization: `Bearer ${server.token}` } })
    expect(await kept.text()).toBe(given.file.content)
  },
)

test('servers are replaced one after another under load, though the first of the new ones is killed in the middle of its migration', { timeout: 180_000 }, async () => {
  await using rig = await over(states.at(-1)!)
  const old = await rig.serve({ env: collections })
  const acknowledged: string[] = []
  const alive = [old]
  let loading = true
  const load = (async () => {
    while (loading) {
      const answer = await alive.at(-1)!.start(rig.given.workflows['echo']!, { input: { n: acknowledged.length } })
      // A server that goes away refuses, and says so; nothing else may happen to anybody.
      if (answer.status === 201 || answer.status === 200) acknowledged.push(answer.body.id)
      else if (answer.status !== 503 && answer.status !== 0) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })()
  load.catch(() => {})

  const inside = () => rig.database.query(`select from pg_stat_activity where datname = current_database() and query like '%pg_sleep%' and pid <> pg_backend_pid()`)
  const killed = start([...next, here('../../packages/server/src/main.ts'), 'serve'], {
    ...collections,
    SLUICE_DATABASE_URL: rig.databaseUrl,
    SLUICE_PORT: '0',
    SLUICE_SECRET: secret,
    SLUICE_TEST_MIGRATION_SECONDS: '3',
  })
  await rig.until('it is in the middle of its migration', async () => (await inside()).length > 0, 60_000)
  killed.kill('SIGKILL')
  await killed.ended
  const before = acknowledged.length
  await rig.until('the old one goes on meanwhile', () => acknowledged.length > before + 5, 30_000)

  const fresh = await rig.serve({ node: next, env: collections })
  expect(await applied(rig)).toEqual([...known, '9000-next'])
  expect(await rig.database.query('select id from regions')).toEqual([{ id: 'here' }])
  const then = acknowledged.length
  await rig.until('the old one goes on over the new schema', () => acknowledged.length > then + 5, 30_000)
  alive.push(fresh)
  old.program.kill('SIGTERM')
  expect(await old.program.ended).toBe(0)
  const last = acknowledged.length
  await rig.until('the new one is asked', () => acknowledged.length > last + 5, 30_000)
  loading = false
  await load
  await rig.ended(acknowledged, 40_000)
  await rig.check(acknowledged, ['in', 'out'], [])

  // An old one that comes late is told, before it has touched anything.
  const late = start([here('../../packages/server/src/main.ts'), 'serve'], { ...collections, SLUICE_DATABASE_URL: rig.databaseUrl, SLUICE_PORT: '0', SLUICE_SECRET: secret })
  await rig.until('an old one that comes late ends, or serves', () => /^Sluice is ready/m.test(late.stdout()) || runs(late.pid) === false, 60_000)
  late.kill('SIGKILL')
  expect(await late.ended).toBe(1)
  expect(late.stderr()).toMatch(/migrated by a newer Sluice \(9000-next\)/)
  expect((await fresh.start(rig.given.workflows['echo']!, { wait: { until: 'finished', ms: 10_000 } })).body).toMatchObject({ status: 'completed' })
})

test('the state of this version is kept: one is there for the last migration', () => {
  expect(states).toContain(`${known.at(-1)!}.state.gz`)
})
