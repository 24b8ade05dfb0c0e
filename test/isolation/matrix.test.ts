import { setTimeout as sleep } from 'node:timers/promises'
import type { Json, JsonObject } from '@sluice/schema'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Answer, ask, bearer, type Door, doors } from './faces.ts'
import { flow } from '../support/flow.ts'
import { type Listening, openRealtime, streamDoors } from './listening.ts'
import type { Entry } from './operations.ts'
import { type Site, site } from './site.ts'
import { filled, type Kind, kindsIn, nobodys, password, type Things, type World } from './world.ts'

/**
 * Two workspaces, full of everything. The owner of the second asks for all that there is to ask for, by every way, with an id of the
 * first in each place that takes one: in paths, queries, headers and bodies. What is answered is what is answered to an id that
 * nobody has; and nothing of the first is told or changed.
 */

let here: Site
let first: World
let second: World
beforeAll(async () => {
  here = await site()
  first = await here.world('one')
  second = await here.world('two')
})
afterAll(() => here[Symbol.asyncDispose]())

/** A kind of name goes where an id of its thing does, too. */
const alsoNamed: Partial<Record<Kind, Kind>> = { workflow: 'handle', chatbot: 'chatbotHandle', webhook: 'webhookName', workspace: 'workspaceHandle' }

/** What a stranger sends: in one place what is another's, else what is their own; and in all places what is another's. */
interface Case {
  sent: JsonObject
  at: string
  /** The same with what is of others. */
  input(others: Things): JsonObject
}

function casesOf({ sends }: Pick<Entry, 'sends'>, own: Things): Case[] {
  return sends.flatMap((sent) => {
    const named = kindsIn(JSON.stringify(sent))
    const said = (which: (place: number) => boolean, others: Things, kindOf: (kind: Kind) => Kind = (kind) => kind): JsonObject =>
      filled(sent, (kind, place) => (which(place) ? others[kindOf(kind)] : own[kind])) as JsonObject
    const cases: Case[] = named.flatMap((kind, place) =>
      [kind, alsoNamed[kind]]
        .filter((each) => each !== undefined)
        .map((as) => ({
          sent,
          at: `${JSON.stringify(sent)} with @${as} of another in place ${place + 1}`,
          input: (others) =>
            said(
              (each) => each === place,
              others,
              () => as,
            ),
        })),
    )
    if (named.length > 1) cases.push({ sent, at: `${JSON.stringify(sent)} all of another`, input: (others) => said(() => true, others) })
    return cases
  })
}

const idForm = /(?<![a-z0-9])0[a-z0-9]{14}(?![a-z0-9])/g

/** What an answer says, without what is of its request alone. What was named comes as its kind; of what was made or changed only what there is to read in it. */
function told({ status, headers, text }: Answer, others: Things, changes: boolean): Json {
  const isMade = changes && status < 400
  const named = (said: string): string => Object.entries(others).reduce((plain, [kind, thing]) => plain.replaceAll(thing, `<${kind}>`), said)
  const plain = named(text.replaceAll(/("requestId":|"request_id":)"[^"]*"/g, '$1""'))
  const { date: _date, 'x-request-id': _id, 'content-length': length, etag: _etag, ...rest } = headers
  const kept = Object.entries(rest).map(([name, value]) => [name, isMade ? named(value).replaceAll(idForm, '<id>') : named(value)] as const)
  return {
    status,
    headers: { ...Object.fromEntries(kept), ...(!isMade && length !== undefined && { 'content-length': length }) },
    text: isMade ? keysOf(plain) : changes ? plain.replaceAll(idForm, '<id>') : plain,
  }
}

/** The keys of an object, and of those within. */
function keysOf(text: string): string {
  if (!text.startsWith('{')) return text === '' ? '' : 'not an object'
  const object = JSON.parse(text) as JsonObject
  return Object.entries(object)
    .flatMap(([key, value]) => [key, ...(value && typeof value === 'object' && !Array.isArray(value) ? Object.keys(value).map((inner) => `${key}.${inner}`) : [])])
    .join(' ')
}

/** Everything of a workspace that stands in the database: each row of each table that says whose it is, or hangs on one that does. */
async function rowsOf(workspace: string): Promise<Map<string, string[]>> {
  const { database } = here.server.db
  const tables = await database.query<{ name: string }>(
    `select table_name as name from information_schema.columns where table_schema = 'public' and column_name = 'workspace_id' order by 1`,
  )
  const hangs: Record<string, string> = {
    workspaces: 'id = $1',
    users: 'id in (select user_id from members where workspace_id = $1)',
    steps: 'run_id in (select id from runs where workspace_id = $1)',
    signals: 'run_id in (select id from runs where workspace_id = $1)',
    timers: 'run_id in (select id from runs where workspace_id = $1)',
    versions: 'workflow_id in (select id from workflows where workspace_id = $1)',
    samples: 'workflow_id in (select id from workflows where workspace_id = $1)',
    node_files: 'workflow_id in (select id from workflows where workspace_id = $1)',
    lines: 'session_id in (select id from sessions where workspace_id = $1)',
    deliveries: 'webhook_id in (select id from webhooks where workspace_id = $1)',
    file_uses: 'file_id in (select id from files where workspace_id = $1)',
    file_chunks: 'file_id in (select id from files where workspace_id = $1)',
    password_tokens: 'user_id in (select user_id from members where workspace_id = $1)',
  }
  const asked = [...tables.map(({ name }) => [name, 'workspace_id = $1'] as const), ...Object.entries(hangs)]
  const found = new Map<string, string[]>()
  for (const [name, where] of asked) {
    // The server that holds a connection says every few seconds that it does.
    const row = name === 'connections' ? `(to_jsonb(t) - 'seen_at')::text` : 't::text'
    const rows = await database.query<{ row: string }>(`select md5(${row}) || ' ' || left(${row}, 300) as row from ${name} t where ${where}`, [workspace])
    found.set(name, rows.map(({ row }) => row).toSorted())
  }
  return found
}

/** Ids and names of a workspace: what no other may be told unless it said it first. */
async function tracesOf({ things, mark }: World): Promise<Set<string>> {
  const rows = await rowsOf(things.workspace)
  const { database } = here.server.db
  const ids = new Set([...rows.values()].flat().flatMap((row) => row.slice(33).match(idForm) ?? []))
  const admin = await database.query<{ id: string }>(`select id from users where email = 'admin@sluice.local'`)
  for (const { id } of admin) ids.delete(id)
  return new Set([...ids, ...Object.values(things), mark])
}

const tracesIn = (text: string, traces: ReadonlySet<string>, sent: string): string[] => [...traces].filter((trace) => text.includes(trace) && !sent.includes(trace))

/** Tries until one of them is not much slower than the other, or it is plain that it always is. */
async function isSlower(one: () => Promise<Answer>, other: () => Promise<Answer>): Promise<boolean> {
  const [ones, others]: [number[], number[]] = [[], []]
  for (let round = 0; round < 8; round++) {
    ones.push((await one()).ms)
    others.push((await other()).ms)
    if (Math.abs(Math.min(...ones) - Math.min(...others)) < 100) return false
  }
  return true
}

/** Those that change nothing first: what the second makes of its own, under whatever name, it is shown. */
const strangers = doors.filter(({ entry }) => !entry.ends).toSorted((one, other) => Number(other.reads) - Number(one.reads))
const asks = (door: Door, input: JsonObject, { token }: World): Promise<Answer> => ask(here.server.url, door.request(input), bearer(token))

test('what names nothing of another shows nothing of another', async () => {
  const traces = await tracesOf(first)
  expect(traces.size).toBeGreaterThan(60)
  for (const door of strangers)
    for (const sent of door.sends) {
      if (!door.reads) continue
      const input = filled(sent, (kind) => second.things[kind]) as JsonObject
      const answer = await asks(door, input, second)
      expect(tracesIn(answer.text, traces, JSON.stringify(input)), `${door.name} ${JSON.stringify(input)}`).toEqual([])
    }
})

test('what is told for as long as one listens is no more of another than of nobody', async () => {
  const traces = await tracesOf(first)
  const nobody = nobodys(first.things)
  const problems: string[] = []
  for (const door of streamDoors)
    for (const { at, input } of casesOf(door.entry, second.things)) {
      const both = await Promise.all([first.things, nobody].map(async (others) => ({ others, listening: await door.open(here.server.url, input(others), bearer(second.token)) })))
      // Refused or ended, or something is told, or nothing is for a while.
      const [is, should] = await Promise.all(
        both.map(async ({ others, listening }) => {
          await Promise.race([listening.ended, sleep(300)])
          const text = listening.text()
          const traced = tracesIn(text, traces, JSON.stringify(input(others)))
          if (traced.length > 0) problems.push(`${door.name} ${at}: tells ${traced.join(', ')}`)
          listening.close()
          return JSON.stringify(told({ status: listening.status, headers: {}, text: listening.status < 400 && text.includes('snapshot') ? '' : text, ms: 0 }, others, false))
        }),
      )
      if (is !== should) problems.push(`${door.name} ${at}:\n  is     ${is}\n  should ${should}`)
    }
  expect(problems.join('\n')).toBe('')
})

/** What belongs to one user of a workspace, and to its admins. */
const owned = new Set<Kind>(['session', 'message', 'log', 'file'])

test('to a colleague who is no admin what is another user’s is as what is nobody’s', { timeout: 120_000 }, async () => {
  const email = 'operator@made.example'
  await first.caller.call('POST', '/v1/members', { email, role: 'operator', password })
  const { token } = await first.caller.call<{ token: string }>('POST', '/v1/auth/login', { email, password }, { as: '' })
  const [nobody, spare] = [nobodys(first.things), nobodys(first.things, 'gone')]
  const problems: string[] = []
  let count = 0
  for (const door of strangers)
    for (const sent of door.sends) {
      const named = kindsIn(JSON.stringify(sent))
      if (named.length === 0 || !named.every((kind) => owned.has(kind)) || !/^(sessions|files|records)\./.test(door.entry.scope ?? '')) continue
      count++
      const isClaim = door.entry.shared !== undefined && named.includes(door.entry.shared.kind)
      const asked = (of: Things): Promise<Answer> => ask(here.server.url, door.request(filled(sent, (kind) => of[kind]) as JsonObject), bearer(token))
      const others = isClaim ? spare : nobody
      const [answer, expected] = [await asked(first.things), await asked(others)]
      if (isClaim && answer.status === door.entry.shared?.status) continue
      const [is, should] = [JSON.stringify(told(answer, first.things, !door.reads)), JSON.stringify(told(expected, others, !door.reads))]
      if (is !== should) problems.push(`${door.name} ${JSON.stringify(sent)}:\n  is     ${is.slice(0, 600)}\n  should ${should.slice(0, 600)}`)
    }
  expect(problems.join('\n')).toBe('')
  expect(count).toBeGreaterThan(40)
})

test('whoever listens hears what happens in their own workspace, and nothing of what happens in another at the same time', { timeout: 120_000 }, async () => {
  const url = here.server.url
  const own = bearer(second.token)
  const open = new Map<string, Listening>()
  for (const door of streamDoors) if (kindsIn(JSON.stringify(door.entry.sends[0])).length === 0) open.set(door.name, await door.open(url, {}, own))
  open.set('realtime', await openRealtime(url, ['workflow_sessions/*', 'notes/*'], own))
  // A ticket of the second workspace opens what is its own, and nothing of the first.
  const ticket = async (): Promise<string> => (await second.caller.call<{ ticket: string }>('POST', '/v1/auth/ticket', {})).ticket
  for (const [of, status] of [
    [first, 404],
    [second, 200],
  ] as const) {
    const listening = await streamDoors.find(({ name }) => name === 'sse /v1/runs/{runId}/events')!.open(url, { runId: of.things.run, ticket: await ticket() }, {})
    expect(listening.status).toBe(status)
    listening.close()
  }
  const happen = async ({ caller, things, mark }: World, last: string): Promise<void> => {
    await caller.run(flow({ in: 'input', out: 'output' }, ['in > out']), { input: { mark }, tags: [mark] })
    await caller.call('POST', '/v1/sessions/send', { to: things.session, text: `${mark} ${last}` })
    await caller.call('POST', '/v1/collections/notes/records', { values: { text: `${mark} ${last}` } })
    await caller.call('PATCH', `/v1/sessions/${things.session}`, { title: `${mark} ${last}` })
  }
  await happen(first, 'first')
  await happen(second, 'first')
  await Promise.all([happen(first, 'second'), happen(second, 'second')])
  await happen(first, 'third')
  await happen(second, 'the last')
  const traces = await tracesOf(first)
  for (const [name, listening] of open) {
    await expect.poll(() => listening.text().includes('the last'), { timeout: 20_000, message: `${name} flows` }).toBe(true)
    expect([name, tracesIn(listening.text(), traces, '')]).toEqual([name, []])
    listening.close()
  }
})

test('an id of another workspace is answered as one that nobody has, by every way, in every place', { timeout: 300_000 }, async () => {
  const traces = await tracesOf(first)
  const before = await rowsOf(first.things.workspace)
  const [nobody, spare] = [nobodys(first.things), nobodys(first.things, 'gone')]
  const problems: string[] = []
  let count = 0
  for (const door of strangers)
    for (const { sent, at, input } of casesOf(door, second.things)) {
      count++
      const { shared } = door.entry
      const isClaim = shared !== undefined && kindsIn(JSON.stringify(sent)).includes(shared.kind)
      // What makes a thing of that name would give it to somebody.
      const [another, lost] = [input(first.things), input(isClaim ? spare : nobody)]
      const answer = await asks(door, another, second)
      const expected = await asks(door, lost, second)
      const where = `${door.name} ${at}`
      if (answer.status >= 500) problems.push(`${where}: ${answer.status} ${answer.text.slice(0, 300)}`)
      const traced = tracesIn(answer.text, traces, JSON.stringify(another))
      if (traced.length > 0 && door.id !== 'audit.list') problems.push(`${where}: tells ${traced.join(', ')}`)
      if (isClaim && answer.status === shared.status) continue
      const [is, should] = [told(answer, first.things, !door.reads), told(expected, nobody, !door.reads)]
      if (JSON.stringify(is) !== JSON.stringify(should)) problems.push(`${where}:\n  is     ${JSON.stringify(is).slice(0, 700)}\n  should ${JSON.stringify(should).slice(0, 700)}`)
      else if (
        Math.abs(answer.ms - expected.ms) > 100 &&
        (await isSlower(
          () => asks(door, another, second),
          () => asks(door, lost, second),
        ))
      )
        problems.push(`${where}: takes another time`)
    }
  expect(problems.join('\n')).toBe('')
  expect(count).toBeGreaterThan(500)
  const after = await rowsOf(first.things.workspace)
  for (const [table, rows] of before) expect([table, after.get(table)]).toEqual([table, rows])
})
