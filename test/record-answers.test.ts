import { type Collection, Fault } from '@sluice/schema'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Asker } from '../packages/server/src/collections/asker.ts'
import { createLanguage } from '../packages/server/src/collections/check.ts'
import { createCollections } from '../packages/server/src/collections/collections.ts'
import { collectionId, fieldOf, idField } from '../packages/server/src/collections/core.ts'
import { inTime, listRecords, readRecords, referringRecords } from '../packages/server/src/store/records/index.ts'
import { type TestDatabase, testDatabase } from './support/database.ts'

/** What one question may cost, whatever is asked for: memory, and time. */

const workspaceId = 'w00000000000001'
const open = { list: '', view: '', create: '', update: '', delete: '' }
const notes: Collection = {
  id: collectionId('base', 'notes'),
  name: 'notes',
  type: 'base',
  system: false,
  fields: [idField, fieldOf('title', 'text'), fieldOf('body', 'json'), fieldOf('session', 'relation', { collection: 'workflow_sessions', maxSelect: 1 })],
  rules: open,
  created: '',
  updated: '',
}
const collections = createCollections([notes])
const language = createLanguage(collections)
const sessions = collections.get('workflow_sessions')
const asker: Asker = { userId: 'u', superuser: true, auth: { id: 'u' } }
const now = new Date('2026-01-01T00:00:00.000Z')

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
  await db.database.query('insert into workspaces (id, handle, name) values ($1, $1, $1)', [workspaceId])
  // A context of a megabyte that is stored in some kilobytes, and records that are stored as they are.
  await db.database.query(
    `insert into sessions (id, workspace_id, user_id, title, tags, metadata, subject, status, steps, progress, context, seq, lines, line_at, created_at, updated_at)
     select 's' || lpad(n::text, 14, '0'), $1, 'u', 'title', '{}', '{}', '{}', 'idle', '[]', 0, case when n <= 100 then json_build_object('a', repeat('x', 1000000)) else '{}' end, 1, 0, 0, now(), now()
     from generate_series(1, 1000) n`,
    [workspaceId],
  )
  await db.database.query(
    `insert into records (workspace_id, collection, id, data, seq, created_at, updated_at)
     select $1, $2, (case when n <= 50 then 'a' else 'n' end) || n, jsonb_build_object('title', md5(n::text), 'session', 's1', 'body', (select string_agg(md5(random()::text), '') from generate_series(1, case when n <= 50 then 31250 else 0 end + 0 * n))), 1, now(), now()
     from generate_series(1, 3000) n`,
    [workspaceId, notes.id],
  )
  await db.database.query('analyze')
}, 60_000)
afterAll(() => db.close())

const asked = (collection: Collection, filter: string) => ({ workspaceId, collection, ...language.query({ collection, filter, asker, now }) })
const list = (collection: Collection, filter: string, limit: number) => {
  const { where, ...rest } = asked(collection, filter)
  return listRecords(db.database, { ...rest, where: [where], offset: 0, limit, count: false })
}
const tooLarge = expect.objectContaining({ code: 'limit_exceeded', message: 'The answer would be larger than 16777216 bytes: ask for fewer records at a time' })

test('what is larger than an answer is not read: of pages, by ids, and by what refers to it', async () => {
  const before = process.memoryUsage().rss
  for (const [collection, ids] of [
    [sessions, Array.from({ length: 100 }, (_, at) => `s${String(at + 1).padStart(14, '0')}`)],
    [notes, Array.from({ length: 50 }, (_, at) => `a${at + 1}`)],
  ] as const) {
    await expect(list(collection, '', 1_000)).rejects.toEqual(tooLarge)
    await expect(readRecords(db.database, { workspaceId, collection, ids, where: [] })).rejects.toEqual(tooLarge)
    const { rows } = await list(collection, `id = "${ids[7]}" || id = "${ids[3]}"`, 10)
    expect(rows.map(({ id }) => id)).toEqual([ids[3], ids[7]].toSorted())
    expect(await readRecords(db.database, { workspaceId, collection, ids, where: [], anySize: true })).toHaveLength(ids.length)
  }
  await expect(referringRecords(db.database, { workspaceId, collection: sessions, field: 'user', targets: ['u'], limit: 20_000, where: [] })).rejects.toEqual(tooLarge)
  expect(process.memoryUsage().rss - before).toBeLessThan(900_000_000)
}, 60_000)

test('rows that are small are all there, in their order', async () => {
  const { rows } = await list(sessions, 'id > "s00000000000100"', 1_000)
  expect(rows).toHaveLength(900)
  expect(rows.map(({ id }) => id)).toEqual(rows.map(({ id }) => id).toSorted())
})

test('a filter that takes too long is given up, and what it ran on goes on', async () => {
  const { where, ...rest } = asked(notes, '@collection.notes.title ?~ @collection.notes:b.session')
  for (const count of [false, true]) {
    const slow = inTime(db.database, (tx) => listRecords(tx, { ...rest, where: [where], offset: 0, limit: 10, count }), 300)
    await expect(slow).rejects.toThrow(Fault)
    await expect(slow).rejects.toMatchObject({ code: 'limit_exceeded', message: expect.stringMatching(/^The filter takes too long/) as string })
  }
  expect(await inTime(db.database, (tx) => tx.query('show statement_timeout'))).toEqual([{ statement_timeout: '5s' }])
  expect(await db.database.query('show statement_timeout')).toEqual([{ statement_timeout: '25s' }])
})

test.each([
  ['workflow_sessions', 'id = "x" && messages_via_session.role ?= "user"', /Index Cond: .*\bid = 'x'/],
  ['workflow_sessions', 'runs_via_session.trigger ?= "manual"', /Index Cond: \(+session_id = /],
  ['workflows', 'workflow_sessions_via_workflow.title ?= "x"', /Index Cond: \(+workflow_id = /],
  ['workflows', 'runs_via_workflow.trigger ?= "manual"', /Index Cond: \(+workflow_id = /],
  ['runs', 'runs_via_parent.trigger ?= "x"', /Index Cond: \(+parent_run_id = /],
  ['runs', 'session = "x"', /Index Cond: \(+session_id = 'x'/],
])('of %s %j is found by an index', async (name, filter, index) => {
  const { where, ...rest } = asked(collections.get(name), filter)
  const plan = await db.database.transaction(async (tx) => {
    await tx.query('set local enable_seqscan = off; set local enable_bitmapscan = off')
    const plans: string[] = []
    const explaining: Pick<typeof tx, 'query'> = {
      query: async (statement, values) => {
        const text = typeof statement === 'string' ? statement : statement.text
        plans.push((await tx.query<{ 'QUERY PLAN': string }>(`explain ${text}`, values)).map((row) => row['QUERY PLAN']).join('\n'))
        return []
      },
    }
    await listRecords(explaining, { ...rest, where: [where], offset: 0, limit: 30, count: false })
    return plans.join('\n')
  })
  expect(plan).toMatch(index)
})
