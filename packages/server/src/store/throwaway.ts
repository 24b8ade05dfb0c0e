import pg from 'pg'
import { type Tx, bounds, outage } from './database.ts'
import { newId, timeOf } from './ids.ts'

/**
 * Databases for one test each, with a time of their own: `now()` is the server's moved on by what stands in `skipped`. It stands before
 * PostgreSQL's own on the search path of the database, so that every statement, default and function that asks for the time
 * is told this one, and none of them knows.
 */

const prefix = 'sluice_test_'
/** Those of a process that died are found by their age, and by nobody being there. */
const forgottenMs = 3_600_000

const ownTime = `
  create table skipped (ms bigint not null);
  insert into skipped values (0);
  create function public.now() returns timestamptz language sql stable as
    'select pg_catalog.now() + (select ms from public.skipped) * interval ''1 millisecond'''`

/** pg-boss asks for the time by a function of its own, which is PostgreSQL's. */
const queueTime = 'create or replace function sluice_jobs.job_now() returns timestamptz language sql stable as $$ select public.now() $$'

const withOwnTime = (name: string): string => `alter database ${name} set search_path = public, pg_catalog`

/** An address of a database of this name, beside the one of the address. */
const beside = (url: string, name: string): string => {
  const address = new URL(url)
  address.pathname = `/${name}`
  return address.href
}

/** Makes the database that others are copied from; `fill` brings its schema. Gives its name. */
export async function makeTemplate(url: string, fill: (url: string) => Promise<unknown>): Promise<string> {
  const name = `${prefix}${newId()}`
  const address = beside(url, name)
  await on(url, `create database ${name}`)
  await on(address, ownTime)
  await on(url, withOwnTime(name))
  await fill(address)
  await on(address, queueTime)
  await on(url, `alter database ${name} with allow_connections false`)
  return name
}

/** A copy of the template, in some 50 ms. Gives its address. */
export async function copyTemplate(url: string, template: string): Promise<string> {
  const name = `${prefix}${newId()}`
  await on(url, `create database ${name} template ${template} strategy file_copy`, withOwnTime(name))
  return beside(url, name)
}

/** Drops it, whoever is connected. */
export async function dropDatabase(url: string, { of }: { of: string }): Promise<void> {
  await on(url, `drop database if exists ${new URL(of).pathname.slice(1)} with (force)`)
}

/** Drops what processes have left behind that ended without a word. */
export async function dropForgotten(url: string): Promise<void> {
  const left = await on(
    url,
    `select datname as name from pg_database where datname like '${prefix.replaceAll('_', '\\_')}%'
       and not exists (select from pg_stat_activity where pg_stat_activity.datname = pg_database.datname)`,
  )
  const forgotten = left.map((row) => String(row['name'])).filter((name) => Date.now() - timeOf(name.slice(prefix.length)) > forgottenMs)
  // Of two that find the same one is too late.
  for (const name of forgotten) await on(url, `drop database if exists ${name}`).catch(() => {})
}

/** Each statement by itself: what makes and drops databases is no part of a transaction. Gives the rows of the last. */
async function on(url: string, ...statements: string[]): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url, application_name: 'sluice testing', ...bounds })
  client.on('error', () => {})
  await client.connect().catch(outage)
  try {
    let rows: Record<string, unknown>[] = []
    for (const statement of statements) rows = (await client.query<Record<string, unknown>>(statement)).rows
    return rows
  } finally {
    await client.end().catch(() => {})
  }
}

// ── time ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** How far the time of this database is ahead. Signs of life of what is at work go along: nobody has been silent meanwhile. */
export async function moveTime(tx: Tx, to: number): Promise<void> {
  await tx.query(
    `with moved as (update skipped set ms = $1 from skipped before returning $1 - before.ms as by)
     update sluice_jobs.job set heartbeat_on = heartbeat_on + by * interval '1 millisecond', started_on = started_on + by * interval '1 millisecond'
     from moved where state = 'active'`,
    [to],
  )
}

/** When something is due next, or has been and was not served; milliseconds since 1970, null when nothing is. */
export async function nextMoment(tx: Tx): Promise<number | null> {
  const [row] = await tx.query<{ at: Date | null }>(
    `select least(
       (select min(due_at) from timers),
       (select min(due_at) from deliveries),
       (select min(due_at) from queue_items where status = 'waiting' and due_at > now()),
       (select min(due_at) from schedules where due_at is not null)) as at`,
  )
  return row?.at?.getTime() ?? null
}

/** Grows with whatever happens to a run. */
export async function countTurns(tx: Tx): Promise<number> {
  const [row] = await tx.query<{ turns: number }>('select (count(*) + coalesce(sum(revision), 0))::float8 as turns from runs')
  return row!.turns
}

/** Jobs that nobody has taken, and those that somebody has. */
export async function countJobs(tx: Tx): Promise<{ open: number; taken: number }> {
  const [row] = await tx.query<{ open: number; taken: number }>(
    `select count(*) filter (where state < 'active')::int as open, count(*) filter (where state = 'active')::int as taken from sluice_jobs.job where name = 'runs'`,
  )
  return row!
}
