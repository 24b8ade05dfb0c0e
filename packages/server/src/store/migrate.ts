import pg from 'pg'
import type { Log } from '../telemetry.ts'
import { Outage, outage, sqlState } from './database.ts'
import { migrations as ours } from './migrations/index.ts'
import { StartRefused } from './refused.ts'

export interface MigrateOptions {
  /** Migrations of others that need the same lock, run after ours: pg-boss takes none of its own. */
  also?: () => Promise<void>
  /** Told what is allowed but unwise. */
  log?: Log
  /** The schema of this program, unless given: that of an earlier one, for tests of upgrades. */
  migrations?: typeof ours
}

/** One lock for all that changes the schema: "sluice" in ASCII. */
const lockKey = '126943972910949'
/** How long a second process waits for the first one. */
const lockMs = 120_000

/**
 * Brings the database to the schema of this program. Any number of processes may do so at once: one migrates, the others
 * wait and find it done. Throws StartRefused for a PostgreSQL that is too old or a schema that is newer than we are, and
 * Outage when it cannot be reached.
 */
export async function migrate(url: string, { also, log, migrations = ours }: MigrateOptions = {}): Promise<{ applied: string[] }> {
  const client = new pg.Client({ connectionString: url, application_name: 'sluice migrate', connectionTimeoutMillis: 5_000, keepAlive: true })
  // The connection may go while nothing waits on it; what comes next on it fails and says so.
  client.on('error', () => {})
  await client.connect().catch(refusedOrAway)
  try {
    checkServer(await serverOf(client), log)
    await client.query(`set lock_timeout = ${lockMs}`)
    await client.query('select pg_advisory_lock($1)', [lockKey]).catch(lockError)
    // Ends with the connection at the latest: a process killed here leaves no lock.
    const applied = await applyPending(client, url, migrations)
    await also?.()
    return { applied }
  } catch (error) {
    return outage(error)
  } finally {
    await client.end().catch(() => {})
  }
}

export interface Server {
  /** As PostgreSQL counts: 150019 is 15.19. */
  version: number
  name: string
  fsync: string
}

async function serverOf(client: pg.Client): Promise<Server> {
  const { rows } = await client.query<Server>(
    `select current_setting('server_version_num')::int as version, current_setting('server_version') as name, current_setting('fsync') as fsync`,
  )
  return rows[0]!
}

/** Whether this PostgreSQL will do: throws StartRefused for one that will not, and warns of what is unwise. */
export function checkServer({ version, name, fsync }: Server, log: Pick<Log, 'warn'> | undefined): void {
  if (version < 150_000)
    throw new StartRefused(`PostgreSQL ${name} is too old: Sluice needs 15 or newer. Set SLUICE_DATABASE_URL to a newer one, or unset it to use the one that comes with Sluice.`)
  if (version < 150_019) log?.warn({ version: name }, 'This PostgreSQL lacks security fixes: 15.19 or newer is advised')
  if (fsync === 'off') log?.warn('fsync is off in PostgreSQL: acknowledged work can be lost when its machine stops')
}

async function applyPending(client: pg.Client, url: string, migrations: typeof ours): Promise<string[]> {
  const known = migrations.map(({ name }) => name)
  const done = await executed(client)
  const foreign = done.filter((name) => !known.includes(name))
  if (foreign.length > 0)
    throw new StartRefused(`The database was migrated by a newer Sluice (${foreign.join(', ')}). Start that version, or set SLUICE_DATABASE_URL to another database.`)
  const pending = known.filter((name) => !done.includes(name))
  if (pending.length > 0) await up(url, migrations)
  return pending
}

async function executed(client: pg.Client): Promise<string[]> {
  try {
    const { rows } = await client.query<{ name: string }>('select name from mikro_orm_migrations order by id')
    return rows.map(({ name }) => name)
  } catch (error) {
    if (sqlState(error) === '42P01') return []
    throw error
  }
}

/** Loads what migrates only now: a start that finds nothing to do has it behind it sooner. */
async function up(url: string, migrations: typeof ours): Promise<void> {
  const { MikroORM } = await import('@mikro-orm/postgresql')
  const { Migrator } = await import('@mikro-orm/migrations')
  const migrationsList = await Promise.all(migrations.map(async ({ name, load }) => ({ name, class: await load() })))
  const orm = await MikroORM.init({
    clientUrl: url,
    driverOptions: { connectionString: url, max: 2, connectionTimeoutMillis: 5_000 },
    entities: [],
    discovery: { warnWhenNoEntities: false },
    extensions: [Migrator],
    // Given as classes: at run time nothing is looked for, and nothing written, in the source tree.
    migrations: { migrationsList, snapshot: false, allOrNothing: true, silent: true },
  })
  try {
    await orm.migrator.up()
  } finally {
    await orm.close(true)
  }
}

function lockError(error: unknown): never {
  if (sqlState(error) === '55P03')
    throw new StartRefused(`Another process has been migrating this database for ${lockMs / 1000} s. Wait until it is done, or end it, then start again.`, { cause: error })
  throw error
}

/** A wrong password or database is the settings' fault, not an outage. */
function refusedOrAway(error: unknown): never {
  const state = sqlState(error) ?? ''
  if (/^(28...|3D000)$/.test(state)) throw new StartRefused(`PostgreSQL refuses the connection: ${(error as Error).message}. Check SLUICE_DATABASE_URL.`, { cause: error })
  try {
    return outage(error)
  } catch (known) {
    if (known instanceof Outage) throw known
    throw new Outage(`PostgreSQL is not available: ${(error as Error).message}`, { cause: error })
  }
}
