import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { testDatabase } from './support/database.ts'
import { endAll, here, start, type Program } from './support/processes.ts'

const main = here('../../packages/server/src/main.ts')
let dataDir: string
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'sluice-reset-'))
})
afterEach(async () => {
  endAll()
  await rm(dataDir, { recursive: true, force: true, maxRetries: 5 })
})

const sluice = (args: string[], env: Record<string, string> = {}): Program =>
  start([main, ...args], { SLUICE_DATA_DIR: dataDir, SLUICE_PORT: '0', SLUICE_LOG_LEVEL: 'error', ...env })
const reset = (email: string, env?: Record<string, string>): Program => sluice(['users', 'reset-password', '--email', email], env)
const drawn = async (program: Program): Promise<string> => (await program.says(/^New password: (\S+)/m))[1]!

const login = async (url: string, password: string) => {
  const response = await fetch(`${url}/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: 'admin@sluice.local', password }),
  })
  return { status: response.status, token: ((await response.json()) as { token?: string }).token ?? '' }
}

const get = (url: string, path: string, token: string) => fetch(url + path, { headers: { authorization: `Bearer ${token}` } })

async function refuses(program: Program, line: RegExp): Promise<void> {
  expect(await program.ended).toBe(1)
  expect(program.stderr()).toMatch(line)
  expect(program.stderr().trimEnd().split('\n')).toHaveLength(1)
}

test('the operator gives a user a new password while the server runs, and while it does not; the old one and its logins end', async () => {
  const server = sluice([])
  const [, url] = await server.says(/^Sluice is ready at (http:\S+)$/m)
  const [, first] = await server.says(/^Admin password: (\S+)/m)
  const before = await login(url!, first!)
  expect(before.status).toBe(200)

  const running = reset('Admin@Sluice.local')
  const second = await drawn(running)
  expect(await running.ended).toBe(0)
  expect((await login(url!, first!)).status).toBe(401)
  const { status, token } = await login(url!, second)
  expect(status).toBe(200)
  await expect.poll(async () => (await get(url!, '/v1/auth/me', before.token)).status, { timeout: 10_000 }).toBe(401)
  const { items } = (await (await get(url!, '/v1/audit?action=users.resetPassword', token)).json()) as { items: object[] }
  expect(items).toMatchObject([{ principalId: null, outcome: 'done', details: { at: 'the command line' } }])
  await refuses(reset('nobody@example.com'), /^No user has the email nobody@example\.com$/m)

  server.kill('SIGTERM')
  expect(await server.ended).toBe(0)
  const alone = reset('admin@sluice.local')
  const third = await drawn(alone)
  expect(await alone.ended).toBe(0)
  const again = sluice([])
  const [, next] = await again.says(/^Sluice is ready at (http:\S+)$/m)
  expect([(await login(next!, second)).status, (await login(next!, third)).status]).toEqual([401, 200])
  again.kill('SIGTERM')
  expect(await again.ended).toBe(0)
}, 120_000)

test('a directory without a database is refused, and none is made there', async () => {
  await refuses(reset('admin@sluice.local'), /There is no database in .*SLUICE_DATA_DIR/)
  expect(await readdir(dataDir)).toEqual([])
})

test('it works with a database elsewhere, and says when nothing was ever set up there', async () => {
  await using db = await testDatabase()
  await refuses(reset('admin@sluice.local', { SLUICE_DATABASE_URL: db.url }), /No user has the email/)
  await db.database.query('drop schema public cascade; create schema public')
  await refuses(reset('admin@sluice.local', { SLUICE_DATABASE_URL: db.url }), /start the server once, or run sluice-server migrate/)
})
