import { type ListPauses, type ListRuns, RunStatus, terminalStatuses } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Tx } from '../packages/server/src/store/database.ts'
import { newId } from '../packages/server/src/store/ids.ts'
import { jobless, unservedRuns } from '../packages/server/src/store/rows/runs.ts'
import { listPauses } from '../packages/server/src/store/views/pauses.ts'
import { currentRun, listRuns, liveRuns } from '../packages/server/src/store/views/runs.ts'
import { type TestDatabase, testDatabase } from './support/database.ts'

const [workspace, common, rare] = [newId(), newId(), newId()]

interface Stored {
  status: string
  id?: string
  workspace?: string
  workflow?: string
  held?: boolean
  waitingKind?: string | null
  trigger?: string
  tags?: string[]
  sessionId?: string
  parent?: string
  code?: string
  transactionId?: string
}

const isEnd = (status: string): boolean => terminalStatuses.some((each) => each === status)

/** Rows as the engine leaves them, oldest first. Gives their ids. */
async function store(tx: Tx, runs: readonly Stored[]): Promise<string[]> {
  const rows = runs.map((run) => ({
    workspace,
    workflow: common,
    waitingKind: null,
    trigger: 'manual',
    ...run,
    id: run.id ?? newId(),
    tags: `{${run.tags?.join() ?? ''}}`,
    ends: isEnd(run.status),
  }))
  await tx.query(
    `insert into runs (id, workspace_id, workflow_id, version, status, waiting_kind, held_at, reason, trigger, tags, session_id, transaction_id, parent_run_id, parent_step, created_at, started_at, ended_at, updated_at)
     select id, workspace, workflow, 1, status, "waitingKind", case when held then now() end, case when ends and status <> 'completed' then json_build_object('code', coalesce(code, 'cancelled')) end,
       trigger, tags, "sessionId", "transactionId", parent, case when parent is not null then id end, now(), case when status <> 'queued' then now() end, case when ends then now() end, now()
     from json_to_recordset($1) as run (id text, workspace text, workflow text, status text, "waitingKind" text, held boolean, ends boolean, trigger text, tags text[], "sessionId" text, "transactionId" text, code text, parent text)`,
    [JSON.stringify(rows)],
  )
  return rows.map(({ id }) => id)
}

const asked = (more: Partial<ListRuns>): ListRuns => ({ limit: 20, ...more })

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

test('every set of statuses lists the runs that show one of them, and no others', { timeout: 120_000 }, async () => {
  const own = newId()
  const kinds = (status: string): (string | null)[] => (status === 'waiting' ? ['pause', 'version'] : isEnd(status) || status === 'running' ? [null] : [null, 'version'])
  const made = RunStatus.options
    .filter((status) => status !== 'held')
    .flatMap((status) => kinds(status).flatMap((waitingKind) => [true, false].map((held) => ({ status, waitingKind, held, workspace: own }))))
  const ids = await store(db.database, made)
  const shown = made.map(({ status, held }) => (held && ['queued', 'running', 'waiting'].includes(status) ? 'held' : status))
  for (let set = 0; set < 2 ** RunStatus.options.length; set++) {
    const status = RunStatus.options.filter((_, bit) => set & (2 ** bit))
    const expected = ids.filter((_, index) => status.some((each) => each === shown[index]))
    const { items } = await listRuns(db.database, own, asked({ where: { status: { in: status } }, order: 'id', limit: 100 }))
    expect(
      items.map(({ id }) => id),
      status.join(),
    ).toEqual(expected)
  }
})

/** Rows that the statements read of these tables, shown or not. */
async function readBy(work: (tx: Tx) => Promise<unknown>, tables = ['runs', 'pauses']): Promise<{ rows: number; shown: number }> {
  let [rows, shown] = [0, 0]
  await work({
    async query<R>(statement: Parameters<Tx['query']>[0], values?: readonly unknown[]) {
      const text = typeof statement === 'string' ? statement : statement.text
      const [explained] = await db.database.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(`explain (analyze, format json) ${text}`, values)
      rows += rowsOf(explained!['QUERY PLAN'][0].Plan, tables)
      const found = await db.database.query(statement, values)
      shown += found.length
      return found as R[]
    },
  })
  return { rows, shown }
}

describe('a page reads little more than it shows, however many runs there are', () => {
  const session = newId()
  let parent: string

  /** All that is rare is the oldest: who looks for it through all that is newer, reads it all. */
  beforeAll(async () => {
    const old = await store(db.database, [
      ...['queued', 'running', 'cancelling', 'compensating', 'failed', 'cancelled', 'compensated'].map((status) => ({ status })),
      { status: 'running', held: true },
      { status: 'waiting', waitingKind: 'version' },
      { status: 'completed', trigger: 'webhook' },
      { status: 'completed', tags: ['rare'] },
      { status: 'completed', sessionId: session },
      { status: 'completed', transactionId: 'rare' },
      { status: 'failed', code: 'compensation_failed' },
      { status: 'completed', workflow: rare },
      { status: 'failed', workflow: rare },
      { status: 'running', workflow: rare },
    ])
    parent = old[0]!
    await store(db.database, [{ status: 'completed', parent }])
    await db.database.query(`update runs set updated_at = now() - interval '1 minute' where id = any($1)`, [old])
    const many = Array.from({ length: 6_000 }, (_, index): Stored => {
      if (index % 10 === 0) return { status: 'waiting', waitingKind: 'pause' }
      return { status: index % 300 === 1 ? 'failed' : 'completed', tags: index % 10 === 2 ? ['often'] : [], ...(index % 2 && { transactionId: `of_${index}` }) }
    })
    const ids = await store(db.database, many)
    await db.database.query(
      `insert into workflows (id, workspace_id, handle, name, draft) select id, $3, handle, handle, '{}' from (values ($1, 'common'), ($2, 'rare')) as workflow (id, handle)`,
      [common, rare, await workspaceRow()],
    )
    await db.database.query(
      `insert into pauses (id, workspace_id, workflow_id, run_id, node_id, iteration, step, kind, status, message, assignee, blocks, opened_at)
       select id, $2, case when n = 1 then $4 else $3 end, id, 'ask', '', 'ask', 'approval', case when n in (2, 3) then 'open' else 'approved' end, '', case when n = 2 then 'ann' end, 'run', now()
       from unnest($1::text[]) with ordinality as run (id, n)`,
      [ids, workspace, common, rare],
    )
    await db.database.query('vacuum analyze runs, pauses')
  })

  const workspaceRow = async (): Promise<string> => {
    await db.database.query(`insert into workspaces (id, handle, name) values ($1, 'w', 'W')`, [workspace])
    return workspace
  }

  const run = (more: Partial<ListRuns>) => (tx: Tx) => listRuns(tx, workspace, asked(more))
  const pause = (more: Partial<ListPauses>) => (tx: Tx) => listPauses(tx, workspace, { limit: 20, ...more })

  test.each<[string, (tx: Tx) => Promise<unknown>]>([
    ['the newest', run({})],
    ['the oldest', run({ order: 'id' })],
    ['in the order they were made', run({ order: '-created' })],
    ...RunStatus.options.map((status): [string, (tx: Tx) => Promise<unknown>] => [`status ${status}`, run({ status })]),
    ['what is live', run({ status: ['queued', 'running', 'waiting', 'held', 'cancelling', 'compensating'] })],
    ['what ended badly', run({ status: ['failed', 'cancelled', 'compensated'] })],
    ['a workflow', run({ workflow: 'rare' })],
    ['workflows', run({ workflows: ['rare', 'gone'] })],
    ['workflows that are all of them', run({ workflows: ['rare', common], order: '-created' })],
    ['workflows, in the order they were made', run({ workflows: [rare], order: '-created', where: { status: { in: ['failed', 'running'] } } })],
    ['transaction ids', run({ transactionIds: ['rare', 'of_77', 'never'] })],
    ['a run that goes by its own id', (tx) => run({ transactionIds: [parent] })(tx)],
    ['a transaction id of a workflow', run({ workflows: ['common'], transactionIds: ['rare'] })],
    ['a text that many have', run({ q: 'OF_' })],
    [
      'what ended badly, and could be undone',
      run({ where: { or: [{ status: { in: ['cancelled', 'compensated'] } }, { status: 'failed', reason: { ne: 'compensation_failed' } }] } }),
    ],
    ['a workflow, failed', run({ workflow: 'rare', status: 'failed' })],
    ['a workflow, running', run({ workflow: 'rare', status: 'running' })],
    ['a rare tag', run({ tag: 'rare' })],
    ['a tag that none has', run({ tag: 'never' })],
    ['a rare trigger', run({ trigger: 'webhook' })],
    ['a trigger that none has', run({ trigger: 'never' })],
    ['held', run({ waitingOn: 'hold' })],
    ['kept by the queue', run({ waitingOn: 'queue' })],
    ['a session', run({ sessionId: session })],
    ['a parent', (tx) => run({ where: { parentRunId: parent } })(tx)],
    ['of a time when there were none', run({ createdBefore: '2020-01-01T00:00:00Z' })],
    ['the live ones', (tx) => liveRuns(tx, workspace, null)],
    ['the current one', (tx) => currentRun(tx, workspace, { workflow: 'rare' }).catch(() => {})],
    ['the net for runs without a job', (tx) => jobless(tx, 500)],
    ['the net for runs without a server', (tx) => unservedRuns(tx, () => true, 500)],
    ['those that ask', run({ paused: true })],
    ['those of a workflow that ask', run({ paused: true, workflow: 'rare' })],
    ['pauses', pause({})],
    ['open pauses', pause({ status: 'open' })],
    ['an inbox', pause({ status: 'open', assignee: 'ann' })],
    ['an empty inbox', pause({ status: 'open', assignee: 'nobody' })],
    ['pauses of a workflow', pause({ workflow: 'rare' })],
  ])('%s', async (_, work) => {
    const { rows, shown } = await readBy(work)
    expect(rows).toBeLessThanOrEqual(10 * shown + 60)
  })

  test.each(['workflow', '-workflow'] as const)('in the order of their workflows (%s), which are looked for once and not for each run', async (order) => {
    const { rows, shown } = await readBy(run({ order: [order] }), ['workflows'])
    expect([shown, rows <= 10 * shown + 60], `${rows} rows`).toEqual([21, true])
    const found: (string | undefined)[] = []
    for (let cursor: string | undefined, page; page?.nextCursor !== null && found.length < 6_100; cursor = page.nextCursor ?? undefined) {
      page = await listRuns(db.database, workspace, asked({ order: [order], cursor, limit: 1_000 }))
      found.push(...page.items.map(({ workflow }) => workflow))
    }
    const rares = found.flatMap((workflow, at) => (workflow === 'rare' ? [at] : []))
    expect(rares).toEqual(order === 'workflow' ? [found.length - 3, found.length - 2, found.length - 1] : [0, 1, 2])
  })
})

test('the runs that ask are found in their order, whether they are few or many, the newest or the oldest', { timeout: 60_000 }, async () => {
  const own = newId()
  await db.database.query(`insert into workspaces (id, handle, name) values ($1, 'asking', 'Asking')`, [own])
  const ids = await store(
    db.database,
    Array.from({ length: 6_000 }, (_, index): Stored =>
      index < 3_000 ? { status: 'waiting', waitingKind: 'pause', workspace: own } : { status: index % 2 ? 'waiting' : 'completed', workspace: own },
    ),
  )
  // Two of each of the older half.
  await db.database.query(
    `insert into pauses (id, workspace_id, workflow_id, run_id, node_id, iteration, step, kind, status, message, blocks, opened_at)
     select id || n, $2, $3, id, 'ask', n, 'ask', 'approval', 'open', '', 'run', now() from unnest($1::text[]) as run (id), generate_series(1, 2) as n`,
    [ids.slice(0, 3_000), own, common],
  )
  await db.database.query('vacuum analyze runs, pauses')
  const page = (more: Partial<ListRuns>) => listRuns(db.database, own, asked({ paused: true, ...more }))
  const newest = ids.slice(0, 3_000).reverse()
  const middle = await page({ offset: 1_500 })
  for (const more of [{}, { cursor: middle.nextCursor! }]) {
    const { rows, shown } = await readBy((tx) => listRuns(tx, own, asked({ paused: true, ...more })))
    expect([shown, rows <= 10 * shown + 60], `${rows} rows`).toEqual([21, true])
  }
  expect((await page({ cursor: middle.nextCursor!, count: true })).items.map(({ id }) => id)).toEqual(newest.slice(1_520, 1_540))
  expect((await page({ count: true })).total).toBe(3_000)
})

test('what could not be undone is found among many that failed', { timeout: 60_000 }, async () => {
  const own = newId()
  const [notUndone] = await store(db.database, [{ status: 'failed', code: 'compensation_failed', workspace: own }])
  await store(
    db.database,
    Array.from({ length: 3_000 }, (): Stored => ({ status: 'failed', code: 'step_failed', workspace: own })),
  )
  await db.database.query('vacuum analyze runs')
  const where = { status: 'failed', reason: 'compensation_failed' }
  expect((await listRuns(db.database, own, asked({ where }))).items.map(({ id }) => id)).toEqual([notUndone])
  expect((await readBy((tx) => listRuns(tx, own, asked({ where })))).rows).toBeLessThanOrEqual(60)
  const undone = { or: [{ status: { in: ['cancelled', 'compensated'] } }, { status: 'failed', reason: { ne: 'compensation_failed' } }] }
  expect((await listRuns(db.database, own, asked({ where: undone, count: true }))).total).toBe(3_000)
})

interface Plan {
  'Node Type': string
  'Relation Name'?: string
  'Actual Rows': number
  'Actual Loops': number
  'Rows Removed by Filter'?: number
  Plans?: Plan[]
}

/** Rows that a plan takes from these tables, or finds in their indexes. */
function rowsOf(plan: Plan, tables: readonly string[]): number {
  const scans = plan['Node Type'].includes('Scan') && (tables.includes(plan['Relation Name'] ?? '') || plan['Node Type'] === 'Bitmap Index Scan')
  const own = scans ? (plan['Actual Rows'] + (plan['Rows Removed by Filter'] ?? 0)) * plan['Actual Loops'] : 0
  return own + (plan.Plans ?? []).reduce((sum, each) => sum + rowsOf(each, tables), 0)
}

test('runs whose functions came back are found, however many older ones wait for what is nowhere', async () => {
  const own = newId()
  const waiting = (count: number): Stored[] => Array.from({ length: count }, () => ({ status: 'waiting', waitingKind: 'version', workspace: own }))
  const [stuck, half, here] = [await store(db.database, waiting(30)), await store(db.database, waiting(1)), await store(db.database, waiting(2))]
  const lacks = (ids: string[], names: string[]) => db.database.query('update runs set missing = $2 where id = any($1)', [ids, names])
  await lacks(stuck, ['gone/step'])
  await lacks(half, ['here/step', 'gone/step'])
  await lacks(here, ['here/step'])
  const found = async (limit: number) =>
    (await unservedRuns(db.database, (name) => name === 'here/step', limit)).map(({ id }) => id).filter((id) => [...stuck, ...half, ...here].includes(id))
  expect(await found(1_000)).toEqual(here)
  const others = (await unservedRuns(db.database, (name) => name === 'here/step', 1_000)).length - here.length
  expect(await found(others + 1)).toEqual(here.slice(0, 1))
})
