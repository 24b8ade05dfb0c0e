import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { testDatabase } from '../support/database.ts'
import { here, start } from '../support/processes.ts'
import { admin, callerOf, secret } from '../support/server.ts'
import { type Folder, face, folder, saying } from './folder.ts'

/** The command line, and a program of one's own: what only a process of its own can show. */

const server = here('../../packages/server/src/main.ts')
const settings = (databaseUrl: string): Record<string, string> => ({
  SLUICE_DATABASE_URL: databaseUrl,
  SLUICE_PORT: '0',
  SLUICE_SECRET: secret,
  SLUICE_ADMIN_EMAIL: admin.email,
  SLUICE_ADMIN_PASSWORD: admin.password,
  SLUICE_LOG_LEVEL: 'error',
  SLUICE_DRAIN_MS: '0',
})

/** A program of these lines, in a file of its own. */
async function program(lines: string): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'sluice-program-'))
  await writeFile(join(path, 'program.ts'), lines)
  return { path: join(path, 'program.ts'), [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

const unrunnable: Record<string, [text: string, line: RegExp]> = {
  'has TypeScript that does not vanish': [`export enum Size { small }`, /bad\.ts cannot be loaded: TypeScript enum is not supported in strip-only mode \(line 2\): .*`as const`/],
  'does not parse': [`export const = 1`, /bad\.ts cannot be loaded: .+ \(line 2\)$/],
}

test.for(Object.entries(unrunnable))('the command ends with one line when a module %s', async ([, [text, line]]) => {
  await using db = await testDatabase()
  await using modules = await folder({ 'bad.ts': text })
  const command = start([server, '--workflows', modules.path], settings(db.url))
  expect(await command.ended).toBe(1)
  const said = command.stderr().trim().split('\n')
  expect(said.at(-1)).toMatch(line)
  expect(command.stdout()).not.toContain('ready')
})

test('the command takes a folder from where it is typed, also through npm start, in place of the one of the settings', async () => {
  await using db = await testDatabase()
  await using modules = await folder({ 'greet.ts': saying('greet', 'hello') })
  const env = { ...settings(db.url), SLUICE_WORKFLOWS: '/nowhere' }
  // npm runs its scripts at the root of the project, and tells where it was called.
  const command = start([here('../../.ci/with-workspace.mjs'), 'serve', '--workflows', `./${basename(modules.path)}`], { ...env, INIT_CWD: dirname(modules.path) })
  try {
    const [, url] = await command.says(/ready at (\S+)/, 60_000)
    const { token } = await callerOf(url!, '').call<{ token: string }>('POST', '/v1/auth/login', admin)
    expect(await callerOf(url!, token).start('greet', { wait: { until: 'finished' } })).toMatchObject({ status: 'completed', output: 'hello' })
  } finally {
    command.kill('SIGTERM')
  }
  expect(await command.ended).toBe(0)
})

test('a module that keeps the process busy for ever ends the start, and is named', async () => {
  await using modules = await folder({ 'fine.ts': saying('fine', 'x'), 'loop.ts': 'for (;;);' })
  await using loading = await program(
    `import { loadWorkflows } from ${JSON.stringify(here('../../packages/server/src/code/load.ts'))}\nawait loadWorkflows(${JSON.stringify(modules.path)}, { patienceMs: 500 })`,
  )
  const command = start([loading.path])
  expect(await command.ended).toBe('SIGKILL')
  expect(command.stderr()).toMatch(/loop\.ts holds the start up for more than \d+ s: what it does at its top level does not end\n$/)
})

const mistakes: Record<string, [text: string, said: string]> = {
  'a module throws': [`\nthrow new Error('no warehouse\\nand more')`, 'no warehouse (line 3)'],
  'it asks somebody in vain': [`throw new Error('connect ECONNREFUSED 127.0.0.1:5432')`, 'connect ECONNREFUSED 127.0.0.1:5432 (line 2)'],
  'what it imports throws': [`import './sub/throws.ts'`, 'no shop (sub/throws.ts, line 2)'],
  'a reference is used as a value': [`export const bad = defineWorkflow('bad', (w) => ({\n  next: w.input.a + 1\n}))`, 'to a step as input (line 3)'],
  'a file is imported by another name': [`import './sub/kinds.js'`, 'an import names the file as it is there, kinds.ts'],
  'a type is imported as a value': [`import { Order } from './sub/kinds.ts'`, '(line 2): where that is a type, say `import type`'],
  'what it is written with is not installed': [`import '@sluice/server'`, 'install it in the project of the folder, as docs/code.md says'],
  'nothing composes a workflow': [`export const bad = defineWorkflow('bad', { title: 'Bad' })`, `needs a function that composes it: defineWorkflow('bad', (w) => …) (line 2)`],
}

test('what is wrong with a module is said with its line, and with the way to mend it', async () => {
  await using modules = await folder({
    ...Object.fromEntries(Object.values(mistakes).map(([text], at) => [`${at}/bad.ts`, text])),
    ...Object.fromEntries(
      Object.keys(mistakes).flatMap((_, at) => [
        [`${at}/sub/kinds.ts`, 'export interface Order {}'],
        [`${at}/sub/throws.ts`, `throw new Error('no shop')`],
      ]),
    ),
  })
  await using loading = await program(`
    import { loadWorkflows } from ${JSON.stringify(here('../../packages/server/src/code/load.ts'))}
    for (let at = 0; at < ${Object.keys(mistakes).length}; at++) await loadWorkflows(${JSON.stringify(modules.path)} + '/' + at).catch(({ message }) => console.log(message))
  `)
  const command = start([loading.path])
  expect(await command.ended).toBe(0)
  const said = command.stdout().trim().split('\n')
  for (const [at, [mistake, [, end]]] of Object.entries(mistakes).entries()) {
    const line = said[at]!.replaceAll(`${modules.path}/${at}/`, '')
    expect(line, mistake).toMatch(/^bad\.ts cannot be loaded: /)
    expect(line.endsWith(end), `${mistake}: ${line}`).toBe(true)
  }
})

test('a server runs in a program with the workflows written there, and leaves nothing running', async () => {
  await using db = await testDatabase()
  await using own = await program(`
    import { defineWorkflow, startServer, type } from ${JSON.stringify(face)}
    const greet = defineWorkflow('greet', { input: type<{ name: string }>() }, (w) => ({ said: w.step('say', { input: w.input.name, invoke: (name) => 'Hello ' + name }) }))
    const wrong = await startServer({ prot: 1 } as object).catch((error: Error) => error)
    console.log('refused', wrong instanceof Error && wrong.name, wrong instanceof Error && wrong.message)
    const bad = await startServer({ workflows: [greet, defineWorkflow('greet', () => 1)], databaseUrl: ${JSON.stringify(db.url)}, port: 0, onLog: () => {} }).catch((error: Error) => error)
    console.log('refused', bad instanceof Error && bad.message)
    {
      await using server = await startServer({ workflows: [greet], databaseUrl: ${JSON.stringify(db.url)}, port: 0, rateLimit: 'off', onLog: () => {} })
      const headers = { 'x-api-key': await server.createKey('program', ['runs.start', 'runs.read']), 'content-type': 'application/json' }
      const body = JSON.stringify({ workflow: 'greet', input: { name: 'Ada' }, wait: { until: 'finished' } })
      console.log(JSON.stringify((await (await fetch(server.url + '/v1/runs', { method: 'POST', headers, body })).json()).output))
      console.log((await fetch(server.url + '/v1/workflows', { headers })).status)
    }
    console.log('closed')`)
  const { SLUICE_SECRET, SLUICE_ADMIN_EMAIL, SLUICE_ADMIN_PASSWORD } = settings(db.url)
  const command = start([own.path], { SLUICE_SECRET: SLUICE_SECRET!, SLUICE_ADMIN_EMAIL: SLUICE_ADMIN_EMAIL!, SLUICE_ADMIN_PASSWORD: SLUICE_ADMIN_PASSWORD! })
  // Nothing of it keeps the program: it ends by itself.
  expect(await command.ended, command.stderr()).toBe(0)
  const lines = command.stdout().trim().split('\n')
  expect(lines).toEqual([
    'refused StartRefused SLUICE_PROT is not a setting of Sluice: did you mean SLUICE_PORT?',
    expect.stringMatching(/^refused Two workflows are named greet, in this program and in this program: rename one/),
    '{"said":"Hello Ada"}',
    '403',
    'closed',
  ])
})

test('a module of workflows loads nothing of the server', async () => {
  await using own = await program(`
    import { registerHooks } from 'node:module'
    const seen = []
    registerHooks({ load: (url, context, next) => (seen.push(url), next(url, context)) })
    const { defineWorkflow } = await import(${JSON.stringify(face)})
    defineWorkflow('greet', (w) => w.input)
    console.log(JSON.stringify(seen))`)
  const command = start([own.path])
  expect(await command.ended).toBe(0)
  const seen = JSON.parse(command.stdout()) as string[]
  const ours = new Set(seen.flatMap((url) => /packages\/(schema|server\/src\/(?:code|[\w/-]+))/.exec(url)?.[1] ?? []))
  expect([...ours].toSorted()).toEqual(['schema', 'server/src/code', 'server/src/expressions/error', 'server/src/expressions/reference', 'server/src/index'])
  expect(new Set(seen.flatMap((url) => /.*node_modules\/([^/]+)/.exec(url)?.[1] ?? []))).toEqual(new Set(['zod']))
})
