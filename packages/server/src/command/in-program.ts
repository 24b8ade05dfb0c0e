import type { WrittenWorkflow } from '../code/written.ts'
import { environmentOf, loadConfig, type GivenSettings, withSecret } from '../config.ts'
import { startEmbedded } from '../embedded/index.ts'
import { migrate } from '../store/migrate.ts'
import { createLog } from '../telemetry.ts'
import { addressOf } from './database.ts'

/**
 * A server in a program of one's own: settings by the names of docs/operations.md in camel case, `SLUICE_DATABASE_URL` as
 * `databaseUrl`. What is not given is taken from the environment, and then has its default: the embedded PostgreSQL in `.sluice`.
 */
export interface ServerOptions extends Omit<GivenSettings, 'workflows'> {
  /** Written in this program, or the folder of modules that export them. */
  workflows?: readonly WrittenWorkflow[] | string
  /** Gets each line of the log, as JSON; on standard output unless given. */
  onLog?: (line: string) => void
}

export interface RunningServer extends AsyncDisposable {
  /** Where it listens: for `createClient`, browsers, and the clients of the dialects. */
  url: string
  /** The first admin, when this start made them; null ever after. */
  firstAdmin: { email: string; password: string } | null
  /** An API key that acts as the admin of the settings, in the default workspace: with all that they may, or these scopes. Its secret is told only here. */
  createKey(name: string, scopes?: readonly string[]): Promise<string>
  /** Takes no new work, hands over what is under way, and ends; its PostgreSQL too, if it is ours. Also by `await using`. */
  close(): Promise<void>
}

/** Throws StartRefused, in one line, for settings, workflows or a database that it cannot start with. Signals are the program's own business. */
export async function startServer({ workflows, onLog, ...given }: ServerOptions = {}): Promise<RunningServer> {
  const folder = typeof workflows === 'string' ? { workflows } : {}
  const config = withSecret(loadConfig({ ...process.env, ...environmentOf({ ...given, ...folder }) }))
  const log = createLog({ level: config.logLevel, ...(onLog && { write: onLog }) })
  const [{ createApp, migrateQueue }, { createKey }] = await Promise.all([import('../app.ts'), import('../operator.ts')])
  const postgres = config.databaseUrl === null ? await startEmbedded({ dataDir: config.dataDir, address: addressOf(config), log }) : null
  const databaseUrl = config.databaseUrl ?? postgres!.url
  try {
    await migrate(databaseUrl, { log, also: () => migrateQueue(databaseUrl) })
    const app = await createApp(config, { databaseUrl, log, ...(typeof workflows === 'object' && { workflows }) })
    let closing: Promise<void> | undefined
    const end = async (): Promise<void> => {
      await app
        .drain()
        .then(app.close)
        .finally(() => postgres?.stop())
    }
    const close = (): Promise<void> => (closing ??= end())
    return {
      url: app.url,
      firstAdmin: app.firstAdmin,
      createKey: async (name, scopes) => (await createKey(databaseUrl, { name, email: config.adminEmail, workspace: 'default', ...(scopes && { scopes: [...scopes] }) })).secret,
      close,
      [Symbol.asyncDispose]: close,
    }
  } catch (error) {
    await postgres?.stop()
    throw error
  }
}
