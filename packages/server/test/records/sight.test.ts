import { Fault } from '@sluice/schema'
import { expect, test } from 'vitest'
import type { Principal } from '../../src/access/principal.ts'
import { createCollections } from '../../src/collections/collections.ts'
import type { Row, Watched } from '../../src/records/changes.ts'
import type { StockedRoom } from '../../src/records/room.ts'
import { createSights } from '../../src/records/sight.ts'
import type { Database } from '../../src/store/database.ts'

/** How changes are held against permissions, rules and filters. Conditions are texts here. */

const collections = createCollections()
const sessions = collections.get('workflow_sessions')

const principal = (more: Partial<Principal> = {}): Principal => ({
  id: 'u1',
  userId: 'u1',
  workspaceId: 'w1',
  role: 'operator',
  scopes: null,
  credential: 'token',
  email: '',
  name: '',
  ...more,
})
const admin = (id: string, more: Partial<Principal> = {}) => principal({ id, userId: id, role: 'admin', ...more })

/** `unknown: a` asks the store about rows, which matches those whose title is `a`; anything else is the title itself. */
function toys() {
  const statements: string[][] = []
  let made = 0
  const room = {
    collections,
    database: {} as Database,
    language: {
      query({ filter = '' }) {
        made++
        if (filter === 'broken') throw new Fault('filter_invalid')
        return { where: filter, order: null }
      },
      rule: (_collection, _which, asker) => (asker.superuser ? '' : `user ${asker.userId}`),
    },
    stored: { list: async () => ({ rows: [] }), read: async () => [], referring: async () => [] },
    writerOf: () => {
      throw new Fault('collection_read_only')
    },
  } satisfies StockedRoom<string, null>
  const { sightOf } = createSights<string, null>({
    room,
    judge: {
      fits: (where) => (row) => (where.startsWith('unknown') ? 'unknown' : where === '' || where.startsWith('user') || row.values['title'] === where),
      async match(_tx, { records, where: [where] }) {
        statements.push(records.map(({ id }) => id))
        return new Set(records.filter(({ values }) => JSON.stringify(values['title']) === JSON.stringify(where?.slice('unknown: '.length))).map(({ id }) => id))
      },
    },
    now: Date.now,
  })
  const see = (who: Principal, more: Partial<Watched> = {}) => sightOf(who, sessions, { collection: sessions.id, ...more })
  return { see, statements, made: () => made }
}

const row = (id: string, title: string): Row => ({ id, values: { title } })

test('without the permission of a collection nothing of it is seen', async () => {
  const { see } = toys()
  expect(await see(principal({ role: 'viewer' }))).toBeNull()
  expect(await see(principal({ scopes: ['runs'] }))).toBeNull()
  expect(await see(principal())).not.toBeNull()
})

test('a filter that cannot be read lets nothing through, and is no error of the connection', async () => {
  expect(await toys().see(principal(), { filter: 'broken' })).toBeNull()
})

test('rows that memory cannot judge are asked about together, and states of one record in turns', async () => {
  const { see, statements } = toys()
  const sight = await see(principal(), { filter: 'unknown: a' })
  expect(await sight!.wants([row('1', 'a'), row('2', 'b'), row('1', 'b'), row('3', 'a'), row('1', 'a')])).toEqual([true, false, false, true, true])
  expect(statements).toEqual([['1', '2', '3'], ['1'], ['1']])
})

test('what memory can judge costs no statement', async () => {
  const { see, statements } = toys()
  const sight = await see(principal(), { filter: 'a' })
  expect(await sight!.wants([row('1', 'a'), row('2', 'b')])).toEqual([true, false])
  expect(statements).toEqual([])
})

test('superusers of the same scopes and workspace share what is made, unless a filter asks who they are; others see by themselves', async () => {
  const { see, made } = toys()
  const keyOf = async (who: Principal, filter = 'a') => (await see(who, { filter }))!.key
  expect(await keyOf(admin('a1'))).toBe(await keyOf(admin('a2')))
  expect(made()).toBe(1)
  expect(await keyOf(admin('a1'), '@request')).not.toBe(await keyOf(admin('a2'), '@request'))
  expect(await keyOf(admin('a1', { workspaceId: 'w2' }))).not.toBe(await keyOf(admin('a1')))
  expect(await keyOf(admin('a1', { scopes: ['*'] }))).not.toBe(await keyOf(admin('a1')))
  expect(await keyOf(principal())).not.toBe(await keyOf(principal({ id: 'u2', userId: 'u2' })))
})

test('what is known of filters is bounded by their length', async () => {
  const { see, made } = toys()
  await see(principal(), { filter: 'a' })
  for (let at = 0; at < 600; at++) await see(principal(), { filter: `${at} ${'x'.repeat(2_000)}` })
  const before = made()
  await see(principal(), { filter: 'a' })
  expect(made()).toBe(before + 1)
})
