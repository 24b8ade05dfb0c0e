import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { createClient } from '@sluice/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { approval, flow } from '../support/flow.ts'
import { here } from '../support/processes.ts'
import { testServer } from '../support/server.ts'

/**
 * What is published, as somebody finds it who has installed the two tarballs: an empty project with strict settings, whose
 * compiler looks into every declaration it meets (no skipLibCheck). What npm would fetch stands where npm would put it.
 */

const run = promisify(execFile)
const root = here('../../')
let project: string

const folderOf = (name: string, from: string): string => dirname(createRequire(join(root, from, 'package.json')).resolve(`${name}/package.json`))
const modules = (...names: string[]): string => join(project, 'node_modules', ...names)
const compilers = { 'TypeScript 7': join(root, 'node_modules/typescript/bin/tsc'), 'TypeScript 5.9': join(folderOf('typescript', 'test/openapi-client'), 'bin/tsc') }

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'sluice-packed-'))
  await run(process.execPath, [compilers['TypeScript 7'], '-b', 'packages/client/src/cli'], { cwd: root })
  for (const name of ['schema', 'client']) {
    // The pnpm that installed this workspace: what it packs is what it publishes.
    await run('npx', ['-y', 'pnpm@12.21.0', 'pack', '--out', join(project, `${name}.tgz`)], {
      cwd: join(root, 'packages', name),
      env: { ...process.env, npm_config_prefer_offline: 'true' },
    })
    await mkdir(modules('@sluice', name), { recursive: true })
    await run('tar', ['xzf', join(project, `${name}.tgz`), '-C', modules('@sluice', name), '--strip-components=1'])
  }
  await cp(folderOf('zod', 'packages/schema'), modules('zod'), { recursive: true })
  for (const name of ['client', 'server']) await cp(folderOf(`@trpc/${name}`, `packages/${name}`), modules('@trpc', name), { recursive: true })
  const nodeTypes = folderOf('@types/node', '.')
  await cp(nodeTypes, modules('@types/node'), { recursive: true })
  await cp(join(nodeTypes, '../../undici-types'), modules('undici-types'), { recursive: true })
  // Theirs stand beside them, where they are: nothing of the SDK needs them.
  for (const name of ['commander', 'log-update', 'json-schema-to-typescript']) await symlink(join(root, 'packages/client/node_modules', name), modules(name))
  await writeFile(join(project, 'package.json'), JSON.stringify({ name: 'bare', private: true, type: 'module' }))
}, 120_000)

afterAll(() => rm(project, { recursive: true, force: true }))

const program = `
import { createClient, ConflictError } from '@sluice/client'
const sluice = createClient({ url: 'http://127.0.0.1:7878', apiKey: process.env.SLUICE_KEY! })
const run = await sluice.workflow('invoice').start({ customer: 'c_42', amount: 1250 }, { idempotencyKey: 'inv-42' })
for await (const event of run.events()) {                       // resumes by cursor, ends with the run
  if (event.type === 'pause.opened')
    await sluice.pauses.approve(event.pause.id, { inputs: { limit: 2000 }, comments: 'fine' })
      .catch((error) => { if (!(error instanceof ConflictError)) throw error })
}
console.log(await run.result())                                  // output, or RunFailedError {code, step}
for await (const pause of sluice.pauses.list({ status: 'open' })) console.log(pause.message, pause.dueAt)
`

/** What must compile, and what must not. */
const uses = `
import { createClient, RunFailedError, SluiceError, type FeedItem, type Listing, type RunHandle, type Sluice } from '@sluice/client'
import type { Json, Page, Pause, Run, RunEvent } from '@sluice/schema'

interface Order { customer: string; amount: number }
declare module '@sluice/client' {
  interface WorkflowTypes { shipment: { input: Order; output: { parcel: string } } }
}

const sluice: Sluice = createClient({ url: new URL('http://127.0.0.1:7878'), login: { email: 'a@b.c', password: 'x' }, signal: AbortSignal.timeout(1000) })
export async function known(order: Order): Promise<string> {
  const run = await sluice.workflow('shipment').start(order, { wait: { until: 'parked' }, lane: { key: 'a' }, tags: ['x'] })
  // @ts-expect-error the input of this workflow is known
  await sluice.workflow('shipment').start({ customer: 1 })
  return (await run.result()).parcel
}
export async function unknown(order: Order): Promise<Json> {
  const run: RunHandle = await sluice.workflow('anything').start(order)
  // @ts-expect-error nobody knows what comes out
  void (await run.result()).parcel
  return run.result({ timeoutMs: 1000 })
}
export async function lists(): Promise<void> {
  const list: Listing<Pause> = sluice.pauses.list({ status: 'open', limit: 10 })
  const page: Page<Pause> = await list
  for await (const pause of list) void pause.decision?.by.id
  for await (const { items } of list.pages()) void items[0]?.message
  // @ts-expect-error there is no such status
  void sluice.pauses.list({ status: 'opened' })
  // @ts-expect-error a run has an id
  void sluice.runs.get({})
  void page.nextCursor
}
export async function events(run: RunHandle): Promise<void> {
  for await (const event of run.events({ after: '3', signal: AbortSignal.timeout(1000) })) {
    const known: RunEvent = event
    // @ts-expect-error only some events are about a pause
    void known.pause
    switch (event.type) {
      case 'step.failed': void event.error.code; break
      case 'run.completed': void event.output; break
      default: void event.seq
    }
  }
  for await (const item of sluice.events.subscribe()) if (item.type === 'snapshot') void item.runs?.length
  const feed: AsyncGenerator<FeedItem, void, undefined> = sluice.workflow('a').events()
  void feed
}
export async function errors(run: RunHandle): Promise<Run | null> {
  try {
    await run.result()
    return null
  } catch (error) {
    if (error instanceof RunFailedError) return error.run
    if (error instanceof SluiceError && error.code === 'rate_limited') return null
    throw error
  }
}
export const signedIn = async (): Promise<string> => (await sluice.auth.login({ email: 'a@b.c', password: 'x' })).tokens.token
`

async function check(compiler: string, folder: string, files: Record<string, string>, options: object): Promise<string> {
  const where = join(project, folder)
  await mkdir(where, { recursive: true })
  for (const [name, text] of Object.entries(files)) await writeFile(join(where, name), text)
  const compilerOptions = { noEmit: true, strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false, target: 'es2022', ...options }
  await writeFile(join(where, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }))
  return run(process.execPath, [compiler, '-p', where], { maxBuffer: 64 * 1024 * 1024 }).then(
    () => '',
    (error: { stdout: string }) => error.stdout,
  )
}

describe('the two packages in a bare project', () => {
  for (const [name, compiler] of Object.entries(compilers)) {
    const places = {
      'nodenext, for Node': { module: 'nodenext', moduleResolution: 'nodenext', lib: ['es2022'], types: ['node'] },
      'bundler, for a page': { module: 'esnext', moduleResolution: 'bundler', lib: ['es2022', 'dom', 'dom.iterable'], types: [] },
    }
    for (const [place, options] of Object.entries(places))
      test(`type-check under ${name}, ${place}`, { timeout: 120_000 }, async () => {
        const first = options.types.length > 0 ? program : program.replace('process.env.SLUICE_KEY!', "'sk_1'")
        expect(await check(compiler, `${name} ${place}`.replaceAll(/\W+/g, '-'), { 'program.ts': first, 'uses.ts': uses }, options)).toBe('')
      })
  }

  test('and a check that finds something says so', { timeout: 60_000 }, async () => {
    const wrong = "import { createClient } from '@sluice/client'\nvoid createClient({ uri: 'x' })\nexport const n: number = createClient({ url: 'x' }).workflow('a').workflow\n"
    const said = await check(compilers['TypeScript 7'], 'wrong', { 'wrong.ts': wrong }, { module: 'nodenext', moduleResolution: 'nodenext', types: [] })
    expect(said).toContain("'uri' does not exist")
    expect(said).toContain("Type 'string' is not assignable to type 'number'")
  })

  test('run in Node as they are', { timeout: 60_000 }, async () => {
    await using server = await testServer()
    const admin = createClient({ url: server.url, token: server.token })
    await admin.workflows.create({ name: 'Invoice', definition: flow({ in: 'input', ask: approval(), out: 'output' }, ['in > ask > out']) })
    const key = await admin.keys.create({ name: 'bare' })
    await writeFile(join(project, 'program.ts'), program.replace('http://127.0.0.1:7878', server.url))
    const { stdout } = await run(process.execPath, [join(project, 'program.ts')], { cwd: project, env: { ...process.env, SLUICE_KEY: key.secret }, timeout: 30_000 })
    expect(stdout).toBe("{ customer: 'c_42', amount: 1250, limit: 2000 }\n")
  })
})

describe('the command line in a bare project', () => {
  test('runs under every Node from 20 on that is here, and what it pulls is what the program is held to', { timeout: 120_000 }, async () => {
    await using server = await testServer()
    const sluice = createClient({ url: server.url, token: server.token })
    const schema = { type: 'object', required: ['amount'], properties: { amount: { type: 'number' } } }
    await sluice.workflows.create({ name: 'Bill', definition: flow({ in: { type: 'input', config: { schema } }, out: 'output' }, ['in > out']) })
    await sluice.workflows.publish({ workflow: 'bill' })
    const env = { ...process.env, SLUICE_URL: server.url, SLUICE_KEY: (await sluice.keys.create({ name: 'bare' })).secret }
    const manifest = JSON.parse(await readFile(modules('@sluice/client/package.json'), 'utf8')) as { bin: { sluice: string } }
    const bin = modules('@sluice/client', manifest.bin.sluice)
    expect((await readFile(bin, 'utf8')).split('\n')[0]).toBe('#!/usr/bin/env node')
    const folder = join(project, 'pulled')
    await mkdir(folder)
    for (const node of await nodes()) {
      const said = async (...args: string[]): Promise<string> => (await run(node, [bin, ...args], { cwd: folder, env, timeout: 30_000 })).stdout
      expect(await said('--help'), node).toContain('Usage: sluice')
      expect(JSON.parse(await said('run', 'start', 'bill', '--amount', '3', '--wait')), node).toEqual({ amount: 3 })
      expect(await said('run', 'start', 'bill', '--amount', '3', '--watch'), node).toMatch(/ run\.completed \{"amount":3\}\n$/)
      expect(await said('pull'), node).toBe('Wrote: sluice.d.ts and sluice.js (1 workflow)\n')
    }
    const use = `
import { createClient } from '@sluice/client'
import { versions } from './sluice.js'
const sluice = createClient({ url: process.env.SLUICE_URL!, apiKey: process.env.SLUICE_KEY!, versions })
const { amount } = await (await sluice.workflow('bill').start({ amount: 4 })).result()
console.log(amount.toFixed(1))
`
    const files = { 'use.ts': use, 'sluice.d.ts': await readFile(join(folder, 'sluice.d.ts'), 'utf8'), 'sluice.js': await readFile(join(folder, 'sluice.js'), 'utf8') }
    for (const compiler of Object.values(compilers))
      expect(await check(compiler, 'pulled', files, { module: 'nodenext', moduleResolution: 'nodenext', lib: ['es2022'], types: ['node'] })).toBe('')
    expect((await run(process.execPath, [join(folder, 'use.ts')], { cwd: folder, env, timeout: 30_000 })).stdout).toBe('4.0\n')
    expect(
      await check(
        compilers['TypeScript 7'],
        'pulled',
        { 'use.ts': use.replace('amount: 4', "amount: '4'") },
        { module: 'nodenext', moduleResolution: 'nodenext', types: ['node'] },
      ),
    ).toContain("Type 'string' is not assignable to type 'number'")
  })

  /** This one, and others that the path leads to. */
  async function nodes(): Promise<string[]> {
    const found = new Set([process.execPath])
    for (const folder of (process.env['PATH'] ?? '').split(delimiter))
      await realpath(join(folder, 'node')).then(
        (path) => found.add(path),
        () => {},
      )
    const versions = await Promise.all(
      [...found].map((path) =>
        run(path, ['--version']).then(
          ({ stdout }) => Number(/^v(\d+)/.exec(stdout)?.[1]),
          () => 0,
        ),
      ),
    )
    return [...found].filter((_, at) => versions[at]! >= 20)
  }
})

describe('what is published of the SDK', () => {
  const filesOf = async (ending: string): Promise<[string, string][]> => {
    const names = (await readdir(modules('@sluice/client/dist'), { recursive: true })).filter((name) => name.endsWith(ending))
    return Promise.all(names.map(async (name): Promise<[string, string]> => [name, await readFile(modules('@sluice/client/dist', name), 'utf8')]))
  }

  test('names the words of @sluice/schema and nothing else of ours, and never any', async () => {
    const files = (await filesOf('.d.ts')).filter(([file]) => !file.startsWith('cli/'))
    expect(files.length).toBeGreaterThan(20)
    for (const [name, text] of files) {
      const code = text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
      expect(code, name).not.toMatch(/\bany\b/)
      for (const [, from] of code.matchAll(/from '([^']+)'|import\('([^']+)'\)/g)) expect(from, name).toMatch(/^(@sluice\/schema|\.{1,2}\/(?!cli\/)[\w/.-]+)$/)
    }
  })

  test("runs on fetch and tRPC's link for it: a page can load it as it is", async () => {
    for (const [name, text] of (await filesOf('.js')).filter(([file]) => !file.startsWith('cli/')))
      for (const [, from] of text.matchAll(/^(?:import|export) [^;]*?from '([^']+)'/gm))
        expect(from, name).toMatch(/^(\.{1,2}\/(?!cli\/)[\w/-]+\.js|@trpc\/client\/links\/httpLink)$/)
  })

  test('depends on the schema of the same version', async () => {
    const manifest = JSON.parse(await readFile(modules('@sluice/client/package.json'), 'utf8')) as { version: string; dependencies: object; exports: object }
    expect(manifest.dependencies).toMatchObject({ '@sluice/schema': manifest.version, '@trpc/client': expect.stringMatching(/^11\./) })
    expect(manifest.exports).toEqual({ '.': { types: './dist/index.d.ts', default: './dist/index.js' } })
  })
})
