import { spawnSync } from 'node:child_process'
import { chownSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Program, endAll, eventually, here, runs, start } from './support/processes.ts'

const toy = here('toy-server.ts')
let dataDir: string
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'sluice-start-'))
})
afterEach(async () => {
  const left = postgresPid()
  endAll()
  if (left !== null) await eventually('PostgreSQL ends with its server', () => !runs(left))
  await rm(dataDir, { recursive: true, force: true, maxRetries: 5 })
})

const serve = (env: Record<string, string> = {}, through: readonly string[] = []): Program => start([toy], { SLUICE_DATA_DIR: dataDir, SLUICE_PORT: '0', ...env }, through)

const ready = async (server: Program): Promise<string> => (await server.says(/^Sluice is ready at (http:\S+)$/m))[1]!

function postgresPid(): number | null {
  try {
    return Number(readFileSync(join(dataDir, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[0])
  } catch {
    return null
  }
}

const count = async (url: string): Promise<number> => ((await (await fetch(url)).json()) as { count: number }).count

/** One line, without a stack, exit code 1, and nothing left running. */
async function refuses(server: Program, line: RegExp): Promise<void> {
  expect(await server.ended).toBe(1)
  expect(server.stderr()).toMatch(line)
  expect(server.stderr().trimEnd().split('\n')).toHaveLength(1)
}

test('the first start prints the credentials of the admin, the second one does not, and no log ever does', async () => {
  const first = serve()
  await ready(first)
  const [, password] = await first.says(/^Admin password: (\S+)/m)
  expect(first.stdout()).toContain('Admin email: admin@sluice.local')
  first.kill('SIGTERM')
  expect(await first.ended).toBe(0)
  const log = first
    .stdout()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .join('\n')
  expect(log).toContain('The toy runs')
  expect(log).not.toContain(password)
  expect(log).not.toContain(readFileSync(join(dataDir, 'postgres/password'), 'utf8').trim())

  const second = serve()
  expect(await count(await ready(second))).toBe(2)
  expect(second.stdout()).not.toMatch(/Admin|password:/)
})

test('what npm start runs is the whole server: it is healthy, its admin can log in, and it starts a second time without a word of installing', { timeout: 90_000 }, async () => {
  const npmStart = () => start([here('../../.ci/with-workspace.mjs'), 'serve'], { SLUICE_DATA_DIR: dataDir, SLUICE_PORT: '0', HOME: process.env['HOME'] ?? dataDir })
  const first = npmStart()
  const url = await ready(first)
  const [, password] = await first.says(/^Admin password: (\S+)/m)
  expect((await fetch(`${url}/health`)).status).toBe(200)
  expect((await fetch(`${url}/ready`)).status).toBe(200)
  const login = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ email: 'admin@sluice.local', password }) }
  expect((await fetch(`${url}/v1/auth/login`, login)).status).toBe(200)
  first.kill('SIGINT')
  expect(await first.ended).toBe(0)
  expect(postgresPid()).toBeNull()

  const second = npmStart()
  const again = await ready(second)
  expect(second.stdout()).not.toMatch(/Installing|Admin/)
  expect((await fetch(`${again}/v1/auth/login`, login)).status).toBe(200)
})

test('a password of the settings is not printed', async () => {
  const server = serve({ SLUICE_ADMIN_PASSWORD: 'correct horse battery' })
  await ready(server)
  await server.says(/Admin password: the one of SLUICE_ADMIN_PASSWORD/)
  expect(server.stdout()).not.toContain('correct horse')
})

test('Ctrl-C ends the server cleanly, and PostgreSQL with it', async () => {
  const server = serve()
  await ready(server)
  const postgres = postgresPid()!
  expect(runs(postgres)).toBe(true)
  server.kill('SIGINT')
  expect(await server.ended).toBe(0)
  expect(runs(postgres)).toBe(false)
  expect(postgresPid()).toBeNull()
  expect(server.stderr()).toBe('')
})

test('a second signal ends the server at once, although it still drains', async () => {
  const server = serve({ TOY_DRAIN_MS: '60000' })
  await ready(server)
  server.kill('SIGTERM')
  await server.says(/Shutting down/)
  await new Promise((resolve) => setTimeout(resolve, 500))
  const asked = performance.now()
  server.kill('SIGTERM')
  expect(await server.ended).not.toBe(0)
  expect(performance.now() - asked).toBeLessThan(5_000)
})

test('a server that hangs while it drains has ended within 10 s', async () => {
  const server = serve({ TOY_DRAIN_MS: '60000' })
  await ready(server)
  const asked = performance.now()
  server.kill('SIGTERM')
  expect(await server.ended).toBe(0)
  expect(performance.now() - asked).toBeLessThan(15_000)
})

test('after kill -9 PostgreSQL ends too, and the next start works with all that was committed', async () => {
  const killed = serve()
  await ready(killed)
  const postgres = postgresPid()!
  killed.kill('SIGKILL')
  await killed.ended
  await eventually('PostgreSQL has ended', () => !runs(postgres))
  expect(await count(await ready(serve()))).toBe(2)
})

test('PostgreSQL killed: the server stays and answers again', async () => {
  const server = serve()
  const url = await ready(server)
  const postgres = postgresPid()!
  process.kill(postgres, 'SIGKILL')
  await eventually('PostgreSQL is another process', async () => {
    await fetch(url)
    return postgresPid() !== null && postgresPid() !== postgres
  })
  await eventually('requests are answered', async () => (await fetch(url)).ok, 10_000)
  expect(await count(url)).toBe(1)
})

test('a server whose output nobody reads any more goes on, and ends cleanly', async () => {
  const server = serve({ SLUICE_LOG_LEVEL: 'debug' })
  const url = await ready(server)
  const postgres = postgresPid()!
  server.turnAway()
  process.kill(postgres, 'SIGKILL')
  await eventually('PostgreSQL is back, which is logged', async () => (await fetch(url)).ok && postgresPid() !== postgres)
  server.kill('SIGTERM')
  expect(await server.ended).toBe(0)
})

test('a data directory in use: the second server names the process that holds it and its address', async () => {
  const holder = serve({ SLUICE_PORT: '0' })
  await ready(holder)
  await refuses(serve(), new RegExp(`in use by process ${holder.pid} \\(http://127\\.0\\.0\\.1:\\d+\\).*SLUICE_DATA_DIR`))
  expect(await count((await holder.says(/(http:\S+)$/m))[1]!)).toBe(1)
})

test('a taken port: one line that says so, and PostgreSQL is ended', async () => {
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  const { port } = taken.address() as { port: number }
  try {
    await refuses(serve({ SLUICE_PORT: String(port) }), new RegExp(`Port ${port} on 127.0.0.1 is taken.*SLUICE_PORT`))
    expect(postgresPid()).toBeNull()
  } finally {
    taken.close()
  }
})

test.for([
  [{ SLUICE_PORT: 'seventy' }, /SLUICE_PORT must be a port/],
  [{ SLUICE_PROT: '7878' }, /SLUICE_PROT is not a setting of Sluice: did you mean SLUICE_PORT\?/],
  [{ SLUICE_DATABASE_URL: 'postgresql://sluice:hidden-word@127.0.0.1:1/sluice' }, /PostgreSQL is not available.*127\.0\.0\.1:1\/sluice.*SLUICE_DATABASE_URL/],
  [{ SLUICE_DATA_DIR: '/dev/null/sluice' }, /\/dev\/null\/sluice.*SLUICE_DATA_DIR/],
  [{ SLUICE_HOST: '192.0.2.1' }, /192\.0\.2\.1 is not an address of this machine.*SLUICE_HOST/],
] as const)('wrong settings %j: one line that says what to do', async ([env, line]) => {
  const server = serve({ ...env })
  await refuses(server, line)
  expect(server.stderr()).not.toContain('hidden-word')
})

test('killing what stands in front of the server ends the server and PostgreSQL', async () => {
  const attend = `import { attend } from ${JSON.stringify(here('../../.ci/attend.mjs'))}; attend(process.execPath, [${JSON.stringify(toy)}])`
  const front = start(['--input-type=module', '--eval', attend], { SLUICE_DATA_DIR: dataDir, SLUICE_PORT: '0' })
  const url = await ready(front)
  const postgres = postgresPid()!
  front.kill('SIGKILL')
  await eventually('PostgreSQL has ended', () => !runs(postgres))
  await expect(fetch(url)).rejects.toThrow('fetch failed')
})

test('a signal to what stands in front of the server reaches it, and its exit code comes back', async () => {
  const attend = `import { attend } from ${JSON.stringify(here('../../.ci/attend.mjs'))}; attend(process.execPath, [${JSON.stringify(toy)}])`
  const front = start(['--input-type=module', '--eval', attend], { SLUICE_DATA_DIR: dataDir, SLUICE_PORT: '0' })
  await ready(front)
  front.kill('SIGINT')
  expect(await front.ended).toBe(0)
  expect(postgresPid()).toBeNull()
})

// As root, everything above ran as root. This one is somebody else then, if the tree can be read by others; else it is us once more.
test('it runs as a normal user, in a home of its own', async () => {
  const nobody = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups']
  const mayRead = process.getuid?.() === 0 && spawnSync(nobody[0]!, [...nobody.slice(1), process.execPath, '--check', toy]).status === 0
  if (mayRead) chownSync(dataDir, 65_534, 65_534)
  const server = serve({ HOME: dataDir }, mayRead ? nobody : [])
  expect(await count(await ready(server))).toBe(1)
  server.kill('SIGTERM')
  expect(await server.ended).toBe(0)
})
