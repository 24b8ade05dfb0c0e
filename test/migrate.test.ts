import pg from 'pg'
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, expect, inject, test } from 'vitest'
import { migrate } from '../packages/server/src/store/migrate.ts'
import { migrations } from '../packages/server/src/store/migrations/index.ts'
import { createLog } from '../packages/server/src/telemetry.ts'
import { migrateQueue } from '../packages/server/src/app.ts'
import { testDatabase } from './support/database.ts'
import { withDatabase } from './support/postgres.ts'
import { endAll, eventually, here, start } from './support/processes.ts'

const all = migrations.map(({ name }) => name)
const name = `empty_${randomBytes(6).toString('hex')}`
let url: string
let admin: pg.Client

/** An empty database. */
beforeEach(async () => {
  admin = new pg.Client(inject('postgresUrl'))
  await admin.connect()
  await admin.query(`create database ${name}`)
  url = withDatabase(inject('postgresUrl'), name)
})
afterEach(async () => {
  await admin.query(`drop database if exists ${name} with (force)`)
  await admin.end()
})

async function query(text: string): Promise<unknown[]> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return (await client.query<object>(text)).rows
  } finally {
    await client.end()
  }
}

test('an empty database gets every migration, once', async () => {
  expect(await migrate(url)).toEqual({ applied: all })
  expect(await migrate(url)).toEqual({ applied: [] })
  expect(await query('select name from mikro_orm_migrations order by id')).toEqual(all.map((each) => ({ name: each })))
})

test('of processes that migrate at once one does it, and all of them find it done', async () => {
  let inside = 0
  let most = 0
  const also = async () => {
    most = Math.max(most, ++inside)
    await new Promise((resolve) => setTimeout(resolve, 20))
    inside -= 1
  }
  const results = await Promise.all(Array.from({ length: 5 }, () => migrate(url, { also })))
  expect(results.filter(({ applied }) => applied.length > 0)).toEqual([{ applied: all }])
  expect(most).toBe(1)
})

/** What the whole schema is: tables with their columns, indexes and constraints. */
const schema = `
  select table_schema || '.' || table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '') as line
    from information_schema.columns where table_schema in ('public', 'sluice_jobs')
  union all select indexdef from pg_indexes where schemaname in ('public', 'sluice_jobs')
  union all select conrelid::regclass || ' ' || pg_get_constraintdef(oid) from pg_constraint where connamespace::regnamespace::text in ('public', 'sluice_jobs')
  order by 1`

test.for([
  ['our own tables', 'public.runs'],
  ['those of the job queue', 'sluice_jobs.job'],
] as const)('a migration that is killed with -9 among %s leaves nothing half done, and the next ones finish it', async ([, table]) => {
  // Who makes the table waits behind this lock, in the middle of a transaction.
  await query(`
    create function wait_there() returns event_trigger language plpgsql as $$ begin
      if exists (select from pg_event_trigger_ddl_commands() where object_identity = '${table}') then perform pg_advisory_xact_lock(1); end if;
    end $$;
    create event trigger wait_there on ddl_command_end when tag in ('CREATE TABLE') execute function wait_there()`)
  const holder = new pg.Client(url)
  await holder.connect()
  try {
    await holder.query('select pg_advisory_lock(1)')
    const killed = start([here('../../packages/server/src/main.ts'), 'migrate'], { SLUICE_DATABASE_URL: url })
    const waits = `select from pg_stat_activity where datname = current_database() and wait_event = 'advisory' and pid in (select pid from pg_locks where objid = 1 and not granted)`
    await eventually('the migration is in the middle', async () => (await query(waits)).length > 0, 60_000)
    killed.kill('SIGKILL')
    expect(await killed.ended).toBe('SIGKILL')
    expect(await query(`select from pg_class where oid = to_regclass('${table}')`)).toEqual([])

    // PostgreSQL knows of its end only when the statement has ended: who starts meanwhile waits for that, or comes after it.
    const next = Promise.all(Array.from({ length: 3 }, () => migrate(url, { also: () => migrateQueue(url) })))
    await Promise.race([next, new Promise((resolve) => setTimeout(resolve, 300))])
    await holder.query('select pg_advisory_unlock(1)')
    const left = table.startsWith('public.') ? [{ applied: all }] : []
    expect((await next).filter(({ applied }) => applied.length > 0)).toEqual(left)
  } finally {
    await holder.end()
    endAll()
  }
  expect(await query('select name from mikro_orm_migrations order by id')).toEqual(all.map((each) => ({ name: each })))
  await query('drop event trigger wait_there; drop function wait_there')
  await using whole = await testDatabase()
  expect(await query(schema)).toEqual(await whole.database.query(schema))
})

test('what else needs the lock runs after our own migrations', async () => {
  await migrate(url, { also: async () => expect(await query('select count(*)::int as count from runs')).toEqual([{ count: 0 }]) })
})

test('what fails leaves the lock free', async () => {
  await expect(migrate(url, { also: () => Promise.reject(new Error('no')) })).rejects.toThrow('no')
  expect(await migrate(url)).toEqual({ applied: [] })
})

test('the schema of a newer program is refused, naming what it has and we have not', async () => {
  await migrate(url)
  await query(`insert into mikro_orm_migrations (name) values ('9999-tomorrow')`)
  await expect(migrate(url)).rejects.toThrow(/newer Sluice \(9999-tomorrow\).*SLUICE_DATABASE_URL/)
})

test('fsync off is warned of: what is acknowledged may be lost', async () => {
  const lines: string[] = []
  await migrate(url, { log: createLog({ write: (line) => void lines.push(line) }) })
  expect(lines.join('')).toContain('fsync is off')
})

test.for([
  ['a wrong password', (text: string) => text.replace(/:[^:@/]+@/, ':guess@'), 'StartRefused', /refuses the connection.*SLUICE_DATABASE_URL/],
  ['a missing database', (text: string) => text.replace(name, 'nowhere'), 'StartRefused', /refuses the connection: database "nowhere" does not exist/],
  ['nobody there', () => 'postgresql://sluice:x@127.0.0.1:1/sluice', 'Outage', /is not available/],
] as const)('%s is told apart from the others', async ([, change, kind, message]) => {
  const error = await migrate(change(url)).catch((thrown: unknown) => thrown as Error)
  expect(error).toMatchObject({ name: kind, message: expect.stringMatching(message) as string })
})

test('a test database is migrated, empty, and its own', async () => {
  await using one = await testDatabase()
  await using other = await testDatabase()
  await one.database.query('create table mine ()')
  expect(await migrate(one.url)).toEqual({ applied: [] })
  await expect(other.database.query('select from mine')).rejects.toThrow('does not exist')
  expect(await one.database.query('select id from runs')).toEqual([])
})
