import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { testDatabase } from './support/database.ts'
import { endAll, here, start, type Program } from './support/processes.ts'

const main = here('../../packages/server/src/main.ts')
const password = 'correct horse battery'
let dataDir: string
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'sluice-keys-'))
})
afterEach(async () => {
  endAll()
  await rm(dataDir, { recursive: true, force: true, maxRetries: 5 })
})

/** The log at its default: what it says must not get between a script and the key. */
const environment = (env: Record<string, string>): Record<string, string> => ({ SLUICE_DATA_DIR: dataDir, SLUICE_PORT: '0', SLUICE_ADMIN_PASSWORD: password, ...env })
const sluice = (args: string[], env: Record<string, string> = {}): Program => start([main, ...args], environment(env))
const create = (args: string[], env?: Record<string, string>): Program => sluice(['keys', 'create', ...args], env)

async function call(url: string, credential: string, method: string, path: string, body?: unknown): Promise<{ status: number; value: Record<string, unknown> }> {
  const response = await fetch(url + path, {
    method,
    headers: { ...(credential !== '' && { authorization: `Bearer ${credential}` }), ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, value: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) }
}

async function secretOf(program: Program): Promise<string> {
  expect(await program.ended, program.stderr()).toBe(0)
  expect(program.stdout()).toMatch(/^sk_[\w-]{43}\n$/)
  return program.stdout().trim()
}

async function refuses(program: Program, line: RegExp): Promise<void> {
  expect(await program.ended).toBe(1)
  expect(program.stdout()).toBe('')
  expect(program.stderr()).toMatch(line)
  expect(program.stderr().trimEnd().split('\n')).toHaveLength(1)
}

test('a shell keeps the key that the operator makes while the server runs; it acts as its user, in its workspace, within its scopes, and the audit log has it', async () => {
  const server = sluice([])
  const [, url] = await server.says(/^Sluice is ready at (http:\S+)$/m)
  const kept = await promisify(execFile)('sh', ['-c', `KEY=$('${process.execPath}' '${main}' keys create --name ci); printf '%s' "$KEY"`], {
    env: { PATH: process.env['PATH'], ...environment({}) },
  })
  expect(kept.stdout).toMatch(/^sk_[\w-]{43}$/)
  expect(kept.stderr).toMatch(/Key "ci" of admin@sluice\.local in the workspace default, for all that their role \(owner\) may/)
  const key = kept.stdout
  expect((await call(url!, key, 'GET', '/v1/auth/me')).value).toMatchObject({ user: { email: 'admin@sluice.local' } })

  expect((await call(url!, key, 'POST', '/v1/members', { email: 'ann@example.com', role: 'operator', password })).status).toBe(201)
  const narrow = await secretOf(create(['--name', 'reader', '--email', 'Ann@example.com', '--workspace', 'default', '--scopes', 'runs.read, pauses']))
  expect((await call(url!, narrow, 'GET', '/v1/runs')).status).toBe(200)
  expect((await call(url!, narrow, 'GET', '/v1/workflows')).status).toBe(403)

  const { items } = (await call(url!, key, 'GET', '/v1/audit?action=keys.create')).value as { items: object[] }
  expect(items).toMatchObject([
    { principalId: null, outcome: 'done', details: { at: 'the command line', name: 'reader', email: 'ann@example.com' } },
    { principalId: null, outcome: 'done', details: { at: 'the command line', name: 'ci', email: 'admin@sluice.local' } },
  ])
  expect(JSON.stringify(items)).not.toContain(key.slice(3))

  expect((await call(url!, key, 'POST', '/v1/workspaces', { name: 'Other', handle: 'other' })).status).toBe(201)
  const there = await secretOf(create(['--name', 'there', '--workspace', 'other']))
  expect((await call(url!, there, 'GET', '/v1/auth/me')).value).toMatchObject({ workspace: { handle: 'other' } })
  expect(((await call(url!, there, 'GET', '/v1/audit?action=keys.create')).value as { items: object[] }).items).toMatchObject([{ details: { name: 'there' } }])

  server.kill('SIGTERM')
  expect(await server.ended).toBe(0)
  const alone = await secretOf(create(['--name', 'alone']))
  const again = sluice([])
  const [, next] = await again.says(/^Sluice is ready at (http:\S+)$/m)
  expect((await call(next!, alone, 'GET', '/v1/workflows')).status).toBe(200)
  again.kill('SIGTERM')
  expect(await again.ended).toBe(0)
}, 180_000)

test('what cannot be had is refused in one line, and nothing is made', async () => {
  await refuses(create(['--name', 'x']), /There is no database in .*SLUICE_DATA_DIR/)
  expect(await readdir(dataDir)).toEqual([])

  await using db = await testDatabase()
  const there = { SLUICE_DATABASE_URL: db.url }
  await refuses(create(['--name', 'x'], there), /^No user has the email admin@sluice\.local\. Say with --email whose key it is\.$/m)
  const server = sluice([], there)
  await server.says(/^Sluice is ready at (http:\S+)$/m)
  await refuses(create(['--name', 'x', '--workspace', 'nowhere'], there), /^There is no workspace nowhere$/m)
  await refuses(create(['--name', 'x', '--scopes', 'runs.fly'], there), /no such scope: runs\.fly/)
  await refuses(create(['--name', 'x'.repeat(101)], there), /--name: /)
  expect(await db.database.query('select count(*)::int as count from api_keys')).toEqual([{ count: 0 }])
  server.kill('SIGTERM')
  expect(await server.ended).toBe(0)
  await db.database.query('drop schema public cascade; create schema public')
  await refuses(create(['--name', 'x'], there), /start the server once, or run sluice-server migrate/)
}, 120_000)

test('a key without a name is not made', async () => {
  const program = create([])
  expect(await program.ended).not.toBe(0)
  expect(program.stderr()).toContain("required option '--name <name>' not specified")
})
