import type { Collection, Event, JsonObject } from '@sluice/schema'
import { expect, test } from 'vitest'
import type { Principal } from '../../src/access/principal.ts'
import { createCollections } from '../../src/collections/collections.ts'
import { Page } from '../../src/events/page.ts'
import { endOf } from '../../src/events/place.ts'
import { type Changes, createChanges, type Row, type Watched } from '../../src/records/changes.ts'
import type { Database } from '../../src/store/database.ts'

/** A log as changes of records: who is told of what, and what is made once for many. */

const collections = createCollections()
const at = '2026-01-31T12:00:00.000Z'

const session = (title: string, more: object = {}): object => ({
  id: 's1',
  title,
  description: null,
  tags: [],
  metadata: {},
  mode: null,
  user: 'u1',
  subject: null,
  workflowId: null,
  status: 'idle',
  currentStepId: null,
  steps: [],
  progress: 0,
  context: null,
  stoppedAt: null,
  externalId: null,
  created: at,
  updated: at,
  ...more,
})

let position = 0
const entry = (kind: Event['subject']['kind'], id: string, type: string, data: object) => ({
  place: { xid: 1n, position: ++position },
  workflowId: null,
  owner: null,
  event: { subject: { kind, id }, seq: position, cursor: `1.${position}`, at, type, ...data } as unknown as Event,
})
const changed = (title: string, more?: object, type = 'updated') => entry('session', 's1', type, { record: session(title, more) })

type Entry = ReturnType<typeof entry>
const pageOf = (...entries: readonly Entry[]): Page => new Page({ after: endOf(0n), end: endOf(1n), entries, isLast: false, bytes: 1_000 })

interface Toys {
  changes: Changes
  /** What was asked of the store, in words. */
  asked: string[]
  /** How often something was judged. */
  judged(): number
}

/** Its filter is a title that is wanted, and its rule that the record is of the one who asks. */
function toys({ stored = {}, before }: { stored?: Record<string, JsonObject>; before?: object } = {}): Toys {
  const asked: string[] = []
  let judged = 0
  const sightOf = async ({ userId, role }: Principal, { id, name }: Collection, { filter }: Watched) => {
    if (filter === 'broken') return null
    return {
      key: role === 'admin' ? 'all' : userId,
      allows: async (rows: readonly Row[]) => rows.map(({ values }) => (judged++, role === 'admin' || values['user'] === userId || values['session'] === userId)),
      wants: async (rows: readonly Row[]) => rows.map(({ values }) => filter === undefined || values['title'] === filter),
      shown: async (rows: readonly Row[]) => rows.map((row) => ({ collection: { id, name }, ...row, instants: [] })),
    }
  }
  const read = async (_workspace: string, { name }: Collection, ids: readonly string[]): Promise<readonly Row[]> => {
    asked.push(`${name}: ${ids.join()}`)
    return ids.flatMap((id) => (stored[id] ? [{ id, values: stored[id] }] : []))
  }
  const database = { query: async () => (before === undefined ? [] : [{ place: 1, data: JSON.stringify({ record: before }) }]) } as unknown as Database
  return { changes: createChanges({ database, collections, sightOf, read }), asked, judged: () => judged }
}

const somebody = (userId: string, role: 'admin' | 'operator' = 'operator') => ({ id: userId, userId, workspaceId: 'w', role }) as unknown as Principal

async function told({ changes }: Toys, page: Page, watched: Watched, who = somebody('u1')): Promise<unknown[]> {
  return (await changes.of(page, watched, who)).map(({ action, record }) => [action, record.values['title'] ?? record.values['status'] ?? record.id])
}

const sessions = { collection: 'workflow_sessions' }

test('W1: a record is told as it was at each of its events, and nothing is read for that', async () => {
  const page = pageOf(changed('a', {}, 'created'), changed('b'), changed('c'), changed('c', {}, 'deleted'))
  const toy = toys()
  expect(await told(toy, page, sessions)).toEqual([
    ['create', 'a'],
    ['update', 'b'],
    ['update', 'c'],
    ['delete', 'c'],
  ])
  expect(toy.asked).toEqual([])
})

test('W1: what events do not carry is read in one statement, and what they tell by its size alone is told as it stands', async () => {
  const run = (id: string, type: string) => entry('run', id, type, { workflowId: 'w1' })
  const toy = toys({ stored: { r1: { status: 'running', user: 'u1' }, r2: { status: 'queued', user: 'u1' }, s1: { title: 'now', context: 'whole' } } })
  const page = pageOf(run('r1', 'run.queued'), run('r2', 'run.queued'), run('r1', 'run.started'), run('r1', 'step.started'), changed('a', { context: { truncated: 20_000 } }))
  expect(await told(toy, page, { collection: 'runs' })).toEqual([
    ['create', 'running'],
    ['create', 'queued'],
    ['update', 'running'],
  ])
  const [change] = await toy.changes.of(page, sessions, somebody('u1'))
  expect(change!.record.values).toMatchObject({ title: 'a', context: 'whole' })
  expect(toy.asked).toEqual(['runs: r1,r2', 'workflow_sessions: s1'])
})

test('W2: nobody is told of what they may not read, did not ask for, or cannot ask for', async () => {
  const page = pageOf(changed('a', {}, 'created'), changed('b', { user: 'u2' }), changed('c', { user: 'u2' }, 'deleted'))
  const toy = toys()
  expect(await told(toy, page, sessions)).toEqual([['create', 'a']])
  expect(await told(toy, page, sessions, somebody('u2'))).toEqual([
    ['update', 'b'],
    ['delete', 'c'],
  ])
  expect(await told(toy, page, sessions, somebody('u3', 'admin'))).toHaveLength(3)
  expect(await told(toy, page, { ...sessions, filter: 'b' }, somebody('u2'))).toEqual([['update', 'b']])
  expect(await told(toy, page, { ...sessions, id: 's2' }, somebody('u2'))).toEqual([])
  expect(await told(toy, page, { ...sessions, filter: 'broken' }, somebody('u2'))).toEqual([])
  expect(await told(toy, page, { collection: 'nothing' })).toEqual([])
})

test('W2: a message that was deleted is told by what is left of it, to those of its session', async () => {
  const page = pageOf(entry('session', 'u1', 'line.deleted', { id: 'm1' }), entry('session', 'u1', 'line.added', { line: null, redacted: 'm2' }))
  expect(await told(toys(), page, { collection: 'messages' })).toEqual([['delete', 'm1']])
  expect(await told(toys(), page, { collection: 'messages' }, somebody('u2'))).toEqual([])
})

test('W3: for all who see the same and ask for the same there is one array, judged once', async () => {
  const page = pageOf(changed('a'))
  const toy = toys()
  const [one, other, third] = await Promise.all(['a1', 'a2', 'u1'].map((id) => toy.changes.of(page, sessions, somebody(id, id === 'u1' ? 'operator' : 'admin'))))
  expect(one).toBe(other)
  expect(one).not.toBe(third)
  expect(toy.judged()).toBe(2)
})

const wanting = { ...sessions, filter: 'wanted', removals: true }

test('that a record has left a filter is told where it was in it before, or where nobody knows', async () => {
  const page = pageOf(changed('left'))
  expect(await told(toys({ before: session('wanted') }), page, wanting)).toEqual([['remove', 'left']])
  expect(await told(toys({ before: session('other') }), page, wanting)).toEqual([])
  expect(await told(toys(), page, wanting)).toEqual([['remove', 'left']])
  expect(await told(toys({ before: session('wanted') }), page, { ...sessions, filter: 'wanted' })).toEqual([])
})

test('within a page the event before is the one before', async () => {
  // The store answers for the first that is asked about: the only one that has left.
  const page = pageOf(changed('wanted'), changed('left'))
  expect(await told(toys({ before: session('wanted') }), page, wanting)).toEqual([
    ['update', 'wanted'],
    ['remove', 'left'],
  ])
})

test('of a record that they may not read any more it is told that it is gone, and nothing of what it is', async () => {
  const page = pageOf(changed('secret', { user: 'u2' }))
  const was = toys({ before: session('wanted') })
  const [change] = await was.changes.of(page, wanting, somebody('u1'))
  expect(change).toMatchObject({ action: 'remove', record: { id: 's1', values: {} } })
  expect(await told(toys({ before: session('other') }), page, wanting)).toEqual([])
  // Nobody knows whether it was theirs: of what never was it must not be told that it is there.
  expect(await told(toys(), page, wanting)).toEqual([])
})
