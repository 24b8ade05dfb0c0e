import { createApp, migrateQueue } from '../../packages/server/src/app.ts'
import { loadConfig } from '../../packages/server/src/config.ts'
import { migrate } from '../../packages/server/src/store/migrate.ts'
import { createLog } from '../../packages/server/src/telemetry.ts'
import { account } from './account.ts'
import { type Caller, logIn } from './caller.ts'
import { step } from './step.ts'

/** A whole server of this process, and who is logged in. */
export interface Served extends Caller {
  close(): Promise<void>
}

/** As `npm start` runs it, but that its requests are not limited: a load of one principal would be refused. More settings as the environment gives them. */
export async function openServed(databaseUrl: string, more: Record<string, string> = {}): Promise<Served> {
  const { url, close } = await openApp(databaseUrl, more)
  return { ...(await logIn(url)), close }
}

/** The same of any role: nobody can log in at a worker. */
export async function openApp(databaseUrl: string, more: Record<string, string> = {}): Promise<{ url: string; close(): Promise<void> }> {
  await migrate(databaseUrl, { also: () => migrateQueue(databaseUrl) })
  const settings = loadConfig({
    SLUICE_PORT: '0',
    SLUICE_SECRET: account.secret,
    SLUICE_ADMIN_EMAIL: account.email,
    SLUICE_ADMIN_PASSWORD: account.password,
    SLUICE_RATE_LIMIT: 'off',
    SLUICE_LOG_LEVEL: 'error',
    ...more,
  })
  const log = createLog({ level: settings.logLevel, write: (line) => void process.stderr.write(line) })
  const app = await createApp({ ...settings, secret: account.secret }, { databaseUrl, log, nodes: [step] })
  return {
    url: app.url,
    async close() {
      await app.drain()
      await app.close()
    },
  }
}
