import { setTimeout as sleep } from 'node:timers/promises'
import { type BatchRecords, type Collection, Fault, type Record } from '@sluice/schema'
import { expect, test } from 'vitest'
import type { Principal } from '../packages/server/src/access/principal.ts'
import { createCollections } from '../packages/server/src/collections/collections.ts'
import { createBatch, type Deeds } from '../packages/server/src/records/batch.ts'
import type { Asking, Writer } from '../packages/server/src/records/writer.ts'
import type { Rooms } from '../packages/server/src/sessions/within.ts'
import { testDatabase } from './support/database.ts'

const asking: Asking = {
  principal: { id: 'p', workspaceId: 'w', userId: 'u' } as unknown as Principal,
  asker: { userId: 'u', superuser: false, auth: {} },
  now: new Date(),
}

const collection = 'workflow_sessions'
const create = (id: string, name: string): BatchRecords['requests'][number] => ({ do: 'create', collection, values: { id, name } })
const upsert = (id: string, name: string): BatchRecords['requests'][number] => ({ do: 'upsert', collection, values: { id, name } })
const update = (id: string, name: string): BatchRecords['requests'][number] => ({ do: 'update', collection, id, values: { name } })
const remove = (id: string): BatchRecords['requests'][number] => ({ do: 'delete', collection, id })

/** Batches over a table of names, of which `slow` takes its time and `wrong` is refused. */
async function names(options: { limitMs?: number; has?: Deeds['has'] } = {}) {
  const db = await testDatabase()
  await db.database.query('create table names (id text primary key, name text not null)')
  const told: string[] = []
  const asked: string[] = []
  const rooms = {
    database: db.database,
    doorbell: { ring: () => {} },
    rounds: { begun: ({ id }: { id: string }) => void told.push(id) },
    files: {},
  } as unknown as Rooms
  const record = (id: string, name: string): Record => ({ collection: { id: 'c', name: collection }, id, values: { name }, instants: [] })
  const read = async (tx: Parameters<Deeds['has']>[0]['tx'], id: string): Promise<Record> => {
    const [row] = await tx.query<{ name: string }>('select name from names where id = $1', [id])
    if (!row) throw new Fault('record_missing')
    return record(id, row.name)
  }
  const check = (name: unknown): void => {
    if (name === 'wrong') throw new Fault('record_invalid', { issues: [{ path: ['name'], code: 'invalid_value', message: 'No', params: { value: 'wrong' } }] })
  }
  const deeds: Deeds = {
    async create({ tx, after }, _asking, { values }) {
      const { id, name } = values
      if (typeof id !== 'string') throw new Error('A name has an id')
      asked.push(`create ${id}`)
      check(name)
      after.begun('w', id, id)
      if (name === 'slow') await tx.query('select pg_sleep(30)')
      const made = await tx.query('insert into names values ($1, $2) on conflict do nothing returning id', [id, name])
      if (made.length === 0) throw new Fault('id_taken')
      return read(tx, id)
    },
    async update({ tx }, _asking, { id, values }) {
      asked.push(`update ${id}`)
      check(values['name'])
      await tx.query('update names set name = $2 where id = $1', [id, values['name']])
      const known = await read(tx, id)
      await sleep(values['name'] === 'held' ? 300 : 0)
      return known
    },
    async delete({ tx }, _asking, { id }) {
      asked.push(`delete ${id}`)
      await read(tx, id)
      await tx.query('delete from names where id = $1', [id])
    },
    has: options.has ?? (async ({ tx }, _asking, _collection, id) => (await tx.query('select from names where id = $1', [id])).length > 0),
  }
  const writer = {} as Writer
  const room = { collections: createCollections(), writerOf: ({ name }: Collection): Writer => (name === 'users' ? { ...writer, apart: true } : writer) }
  const batch = createBatch(rooms, room, deeds, options)
  return {
    ...db,
    told,
    asked,
    send: (requests: BatchRecords['requests'], signal?: AbortSignal) => batch(asking, { requests }, signal),
    all: async () => (await db.database.query<{ id: string; name: string }>('select * from names order by id')).map(({ id, name }) => `${id}=${name}`),
    [Symbol.asyncDispose]: () => db.close(),
  }
}

const faultOf = (sent: Promise<unknown>): Promise<Fault> =>
  sent.then(
    () => {
      throw new Error('It was not refused')
    },
    (error: unknown) => {
      if (!(error instanceof Fault)) throw error
      return error
    },
  )

test('all happen in their order, each sees what those before it wrote, and is answered with what was there right after it', async () => {
  await using db = await names()
  const { records } = await db.send([create('a', 'one'), update('a', 'two'), upsert('a', 'three'), upsert('b', 'new'), create('c', 'gone'), remove('c'), update('a', 'last')])
  expect(records.map((each) => each && [each.id, each.values['name']])).toEqual([['a', 'one'], ['a', 'two'], ['a', 'three'], ['b', 'new'], ['c', 'gone'], null, ['a', 'last']])
  expect(await db.all()).toEqual(['a=last', 'b=new'])
  expect(db.asked[2]).toBe('update a')
})

test('one that is refused undoes all, tells of nothing, and says which it was and why', async () => {
  await using db = await names()
  await db.send([create('old', 'old')])
  db.told.length = 0
  const fault = await faultOf(db.send([create('a', 'one'), update('old', 'new'), upsert('old', 'wrong'), create('never', 'x')]))
  const issues = [{ path: ['name'], code: 'invalid_value', message: 'No', params: { value: 'wrong' } }]
  expect([fault.code, fault.details]).toEqual([
    'batch_failed',
    { index: 2, do: 'update', problem: { code: 'record_invalid', kind: 'invalid', message: 'The record is not valid', issues, details: {} } },
  ])
  expect(fault.cause).toMatchObject({ code: 'record_invalid', issues })
  expect([await db.all(), db.told, db.asked.includes('create never')]).toEqual([['old=old'], [], false])
})

test('what is told of a batch is told when it is committed', async () => {
  await using db = await names()
  await db.send([create('a', 'one'), create('b', 'two')])
  expect(db.told).toEqual(['a', 'b'])
})

test('records that are written apart are in no batch, nor those of no collection', async () => {
  await using db = await names()
  const user = await faultOf(db.send([create('a', 'one'), { do: 'update', collection: 'users', id: 'u', values: {} }]))
  expect([user.code, user.details]).toMatchObject(['batch_failed', { index: 1, problem: { code: 'collection_read_only' } }])
  const none = await faultOf(db.send([{ do: 'upsert', collection: 'none', values: { id: 'a' } }]))
  expect(none.details).toMatchObject({ index: 0, do: 'create', problem: { code: 'collection_missing' } })
  expect(await db.all()).toEqual([])
})

test('of two that cross one is done anew after the other: both happen, and neither by half', async () => {
  await using db = await names()
  await db.send([create('a', '0'), create('b', '0')])
  for (let round = 0; round < 2; round++) {
    await Promise.all([db.send([update('a', 'held'), update('b', `x${round}`)]), db.send([update('b', 'held'), update('a', `y${round}`)])])
    expect([
      ['a=held', `b=x${round}`],
      [`a=y${round}`, 'b=held'],
    ]).toContainEqual(await db.all())
  }
})

test('who makes the record of an upsert meanwhile is found, and changed', async () => {
  let looks = 0
  await using db = await names({ has: async ({ tx }, _asking, _collection, id) => (await tx.query('select from names where id = $1', [id])).length > 0 && looks++ > 0 })
  await db.send([create('a', 'theirs')])
  const { records } = await db.send([upsert('a', 'mine')])
  expect(records[0]?.values['name']).toBe('mine')
  const never = await names({ has: async () => false })
  await never.send([create('a', 'theirs')])
  expect((await faultOf(never.send([upsert('a', 'mine')]))).details).toMatchObject({ index: 0, do: 'create', problem: { code: 'id_taken' } })
  await never.close()
})

test('when its time is over it ends at once, in the middle of a statement too, and nothing has happened', async () => {
  await using db = await names({ limitMs: 400 })
  const started = performance.now()
  const fault = await faultOf(db.send([create('a', 'one'), create('b', 'slow'), create('c', 'x')]))
  expect([fault.code, fault.details]).toEqual(['batch_failed', {}])
  expect(performance.now() - started).toBeLessThan(10_000)
  expect([await db.all(), db.told, db.asked]).toEqual([[], [], ['create a', 'create b']])
  const [active] = await db.database.query<{ n: number }>(
    "select count(*) as n from pg_stat_activity where query like 'select pg_sleep%' and state = 'active' and pid <> pg_backend_pid()",
  )
  expect(active?.n).toBe(0)
  // The bound was of that transaction alone.
  await db.database.query('select pg_sleep(0.5)')
})

test('when nobody waits any more the next statement is not asked, and nothing has happened', async () => {
  await using db = await names()
  const client = new AbortController()
  setTimeout(() => client.abort(), 100)
  await db.database.query("insert into names values ('a', '0')")
  const fault = await faultOf(db.send([update('a', 'held'), create('b', 'x')], client.signal))
  expect([fault.code, fault.details, await db.all(), db.asked]).toEqual(['batch_failed', {}, ['a=0'], ['update a']])
})
