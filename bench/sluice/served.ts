import type { Definition } from '../../packages/schema/src/index.ts'
import { type App, createApp, migrateQueue } from '../../packages/server/src/app.ts'
import { loadConfig } from '../../packages/server/src/config.ts'
import { migrate } from '../../packages/server/src/store/migrate.ts'
import { createLog } from '../../packages/server/src/telemetry.ts'
import { account } from './account.ts'
import { step } from './step.ts'

/** A whole server of this process, and who is logged in. */
export interface Served {
  url: string
  token: string
  /** A JSON call; throws for an answer that is not 2xx. */
  call(method: string, path: string, body?: object): Promise<unknown>
  /** Answers with the workflow's id. */
  draw(definition: Definition): Promise<string>
  close(): Promise<void>
}

/** As `npm start` runs it, but that its requests are not limited: a load of one principal would be refused. */
export async function openServed(databaseUrl: string): Promise<Served> {
  await migrate(databaseUrl, { also: () => migrateQueue(databaseUrl) })
  const settings = loadConfig({
    SLUICE_PORT: '0',
    SLUICE_SECRET: account.secret,
    SLUICE_ADMIN_EMAIL: account.email,
    SLUICE_ADMIN_PASSWORD: account.password,
    SLUICE_RATE_LIMIT: 'off',
    SLUICE_LOG_LEVEL: 'error',
  })
  const log = createLog({ level: settings.logLevel, write: (line) => void process.stderr.write(line) })
  const app = await createApp({ ...settings, secret: account.secret }, { databaseUrl, log, nodes: [step] })
  const { token } = (await callAt(app, '')('POST', '/v1/auth/login', { email: account.email, password: account.password })) as { token: string }
  const call = callAt(app, token)
  return {
    url: app.url,
    token,
    call,
    draw: async (definition) => ((await call('POST', '/v1/workflows', { name: 'Three steps', definition })) as { id: string }).id,
    async close() {
      await app.drain()
      await app.close()
    },
  }
}

const callAt =
  (app: App, token: string): Served['call'] =>
  async (method, path, body) => {
    const response = await fetch(app.url + path, {
      method,
      headers: { ...(token !== '' && { authorization: `Bearer ${token}` }), ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    })
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
    return response.json()
  }
