import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Definition } from '@sluice/schema'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Program, endAll, eventually, here, start } from './support/processes.ts'
import { type Caller, admin, callerOf } from './support/server.ts'

/** `sluice-server backup` and `restore`, as an operator uses them: files of a PostgreSQL that works all the while. */

const main = here('../../packages/server/src/main.ts')
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-backup-'))
})
afterEach(async () => {
  endAll()
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
})

const settings = (dataDir: string) => ({ SLUICE_DATA_DIR: dataDir, SLUICE_PORT: '0', SLUICE_LOG_LEVEL: 'warn', SLUICE_ADMIN_PASSWORD: admin.password, SLUICE_RATE_LIMIT: 'off' })
const command = (dataDir: string, ...args: string[]): Program => start([main, ...args], settings(dataDir))

async function serve(dataDir: string): Promise<{ program: Program; url: string }> {
  const program = command(dataDir, 'serve')
  const [, url] = await program.says(/^Sluice is ready at (http:\S+)$/m, 60_000)
  return { program, url: url! }
}
const login = async (url: string): Promise<string> =>
  (await callerOf(url, '').call<{ token: string }>('POST', '/v1/auth/login', { email: admin.email, password: admin.password })).token

async function stop({ program }: { program: Program }): Promise<void> {
  program.kill('SIGTERM')
  expect(await program.ended).toBe(0)
}

const asks: Definition = {
  kind: 'workflow',
  nodes: [
    { id: 'in', type: 'input' },
    { id: 'ask', type: 'human', config: { kind: 'approval', message: 'Go on?' } },
    { id: 'out', type: 'output', config: { map: { n: '{{ input.n }}' } } },
  ],
  links: [
    { source: 'in', target: 'ask' },
    { source: 'ask', target: 'out' },
  ],
}
const sleeps: Definition = {
  kind: 'workflow',
  nodes: [
    { id: 'in', type: 'input' },
    { id: 'nap', type: 'delay', config: { ms: 4_000 } },
    { id: 'out', type: 'output', config: { map: { n: '{{ input.n }}' } } },
  ],
  links: [
    { source: 'in', target: 'nap' },
    { source: 'nap', target: 'out' },
  ],
}

/** Starts runs one after another until told to stop; keeps what was acknowledged, with when. */
function load(caller: Caller, workflow: { id: string }) {
  const acknowledged: { id: string; n: number; at: number }[] = []
  const state = { stopping: false }
  const work = Array.from({ length: 4 }, async (_, client) => {
    for (let index = 0; !state.stopping; index++) {
      const n = index * 4 + client
      const run = await caller.start(workflow, { input: { n } })
      acknowledged.push({ id: run.id, n, at: performance.now() })
    }
  })
  return {
    acknowledged,
    async stop() {
      state.stopping = true
      await Promise.all(work)
    },
  }
}

test('a backup of a server at work, restored elsewhere: all that was acknowledged before it is there, and goes on', { timeout: 180_000 }, async () => {
  const [from, to, file] = [join(folder, 'from'), join(folder, 'to'), join(folder, 'sluice.backup')]
  const first = await serve(from)
  const token = await login(first.url)
  const caller = callerOf(first.url, token)
  const [asking, sleeping] = [await caller.workflow(asks, 'Asks'), await caller.workflow(sleeps, 'Sleeps')]
  const { secret } = await caller.call<{ secret: string }>('POST', '/v1/keys', { name: 'before' })
  await caller.call('PUT', '/v1/secrets/stripe', { value: 'sk_live_1' })
  const key = randomUUID()
  const paused = await caller.start(asking, { input: { n: 1 }, idempotencyKey: key, wait: { until: 'parked', ms: 20_000 } })
  const busy = load(caller, sleeping)
  await eventually('runs are under way', () => busy.acknowledged.length >= 40)
  const before = [...busy.acknowledged]
  const [, cursor] = /^id: (\S+)$/m.exec(await streamOf(first.url, token, paused.id)) ?? []

  const made = command(from, 'backup', file)
  expect(await made.ended, made.stderr()).toBe(0)
  expect(made.stdout()).toMatch(/^Wrote .*sluice\.backup: \d+ files, \d+\.\d MiB$/m)
  expect(statSync(file).mode & 0o077).toBe(0)
  await eventually('the server goes on', () => busy.acknowledged.length > before.length + 10)
  await busy.stop()
  // What happens after it is not in it.
  const late = await caller.start(asking, { input: { n: 2 } })
  await stop(first)

  const restored = command(to, 'restore', file)
  expect(await restored.ended, restored.stderr()).toBe(0)
  const second = await serve(to)
  // The login, the key and the idempotency key of before: the secret of the server came along.
  const again = callerOf(second.url, token)
  for (const { id, n } of before) expect(await again.wait(id), id).toMatchObject({ status: 'completed', output: { n } })
  expect((await callerOf(second.url, secret).get(paused)).status).toBe('waiting')
  expect((await again.start(asking, { input: { n: 1 }, idempotencyKey: key })).id).toBe(paused.id)
  const [pause] = await again.pauses(paused)
  await again.decide(pause!, 'approve')
  expect(await again.wait(paused)).toMatchObject({ status: 'completed', output: { n: 1 } })
  await expect(again.get(late)).rejects.toThrow('run_missing')
  // The cursor of before goes on, and events are numbered without a gap.
  expect((await again.events(paused)).map(({ seq }) => seq)).toEqual((await again.events(paused)).map((_, at) => at + 1))
  expect(await streamOf(second.url, token, paused.id, cursor)).toMatch(/run\.completed/)
  const fresh = await again.start(sleeping, { input: { n: 7 } })
  expect((await again.wait(fresh)).output).toEqual({ n: 7 })
  await stop(second)
})

/** What a run tells from a cursor on, until it ends or a moment has passed. */
async function streamOf(url: string, token: string, run: string, after?: string): Promise<string> {
  const response = await fetch(`${url}/v1/runs/${run}/events`, {
    headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream', ...(after !== undefined && { 'last-event-id': after }) },
  })
  let text = ''
  const end = setTimeout(() => void reader.cancel(), 1_500)
  const reader = response.body!.getReader()
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) text += Buffer.from(piece.value).toString()
  clearTimeout(end)
  return text
}

test('a backup or a restore that is killed leaves nothing that looks whole; nothing that is there is replaced', { timeout: 120_000 }, async () => {
  const [from, to, file] = [join(folder, 'from'), join(folder, 'to'), join(folder, 'sluice.backup')]
  const server = await serve(from)
  const token = await login(server.url)
  const run = await callerOf(server.url, token).run(sleeps, { input: { n: 1 }, until: 'accepted' })

  const killed = command(from, 'backup', file)
  await eventually('it has begun to write', () => readdirSync(folder).some((name) => name.endsWith('.partial')))
  killed.kill('SIGKILL')
  await killed.ended
  expect(existsSync(file)).toBe(false)
  const made = command(from, 'backup', file)
  expect(await made.ended, made.stderr()).toBe(0)
  const twice = command(from, 'backup', file)
  expect(await twice.ended).toBe(1)
  expect(twice.stderr()).toMatch(/is there already/)
  await stop(server)

  const cut = command(to, 'restore', file)
  await eventually('it has begun to write', () => existsSync(join(to, 'postgres.new')))
  cut.kill('SIGKILL')
  await cut.ended
  expect(existsSync(join(to, 'postgres'))).toBe(false)
  const restored = command(to, 'restore', file)
  expect(await restored.ended, restored.stderr()).toBe(0)
  const over = command(to, 'restore', file)
  expect(await over.ended).toBe(1)
  expect(over.stderr().trim().split('\n')).toEqual([expect.stringMatching(/^There is a database in /)])

  // Without a server: from the directory itself.
  const other = join(folder, 'other.backup')
  const still = command(to, 'backup', other)
  expect(await still.ended, still.stderr()).toBe(0)
  const second = await serve(to)
  expect((await callerOf(second.url, token).get(run)).id).toBe(run.id)
  await stop(second)
})

test('where the database is no business of ours it says so', async () => {
  for (const name of ['backup', 'restore']) {
    const asked = start([main, name, join(folder, 'x')], { ...settings(folder), SLUICE_DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none' })
    expect(await asked.ended).toBe(1)
    expect(asked.stderr()).toMatch(/^SLUICE_DATABASE_URL is set: .* with its own programs/)
  }
  const nothing = command(join(folder, 'none'), 'backup', join(folder, 'x'))
  expect(await nothing.ended).toBe(1)
  expect(nothing.stderr()).toMatch(/^There is no database in /)
})
