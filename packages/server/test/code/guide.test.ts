import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

/** The guide to workflows in code does what it says: its programs compile, and define workflows. */

const here = (path: string) => fileURLToPath(new URL(`../../../../${path}`, import.meta.url))
const strict = [
  '--ignoreConfig',
  '--noEmit',
  '--strict',
  '--noUncheckedIndexedAccess',
  '--module',
  'nodenext',
  '--target',
  'es2024',
  '--skipLibCheck',
  '--allowImportingTsExtensions',
]

/** What the parts of workflows are parts of. */
const prelude = `import { defineStep, defineWorkflow, done, type, type Flow } from '@sluice/server'
import { z } from 'zod'
interface Order { id: string; customer: string; address: string; total: number; items: string[] }
interface Call { idempotencyKey?: string; signal?: AbortSignal; runId?: string }
const payments = { charge: async (_of: string, _amount: number, _call: Call) => ({ id: 'ch', receiptTo: 'x@y' }), refund: async (_charge: string, _call: Call) => {} }
const carrier = { order: async (_to: string, _call: Call) => {}, recall: async (_tracking?: string) => {} }
const warehouse = { reserve: async (_items: string[]) => 'r', release: async (_of: string) => {}, check: async (_of: string) => true, count: async (items: string[]) => items.length }
const mails = { send: async (text: string) => text }
const printer = { print: async (page: { gross: number; first: string | undefined; run: string }) => page.run }
void [defineStep, defineWorkflow, done, type, z, payments, carrier, warehouse, mails, printer]
`

/** What workflows are written with, without the server behind it: the compiler has enough to do. */
async function standIn(folder: string): Promise<void> {
  const source = `export * from '${here('packages/server/src/code/index.ts')}'\n`
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'package.json'), '{ "type": "module", "exports": { ".": { "types": "./index.d.ts", "default": "./index.js" } } }')
  await Promise.all(['index.d.ts', 'index.js'].map((file) => writeFile(join(folder, file), source)))
}

test('every program of the guide compiles with strict settings, and each that defines a workflow defines it', { timeout: 120_000 }, async () => {
  const guide = await readFile(here('docs/code.md'), 'utf8')
  const blocks = [...guide.matchAll(/^```ts (.+)\n([\s\S]*?)^```$/gm)].map(([, info, code]) => ({ info: info!, code: code! }))
  expect(blocks.length).toBe(guide.match(/^```ts/gm)!.length)
  const home = await mkdtemp(join(tmpdir(), 'sluice-guide-'))
  try {
    const files: string[] = []
    const loaded: string[] = []
    for (const [at, { info, code }] of blocks.entries()) {
      const [name, kind] = info === 'in a workflow' ? [`part-${at}.ts`] : info.split(' ')
      const isPart = info === 'in a workflow'
      await writeFile(join(home, name!), isPart ? `${prelude}export const part = defineWorkflow('part-${at}', (w: Flow<Order>) => {\n${code}})\n` : code)
      files.push(name!)
      if (kind !== 'client') loaded.push(name!)
    }
    await standIn(join(home, 'node_modules', '@sluice', 'server'))
    await symlink(here('packages/client'), join(home, 'node_modules', '@sluice', 'client'))
    await symlink(here('packages/server/node_modules/zod'), join(home, 'node_modules', 'zod'))
    await writeFile(join(home, 'package.json'), '{ "type": "module" }')
    const run = promisify(execFile)
    const types = ['--types', 'node', '--typeRoots', here('node_modules/@types')]
    const checked = await run(here('node_modules/.bin/tsc'), [...strict, ...types, ...files], { cwd: home }).catch((error: { stdout: string }) => error)
    expect(checked.stdout).toBe('')
    const load = `for (const file of ${JSON.stringify(loaded)}) for (const each of Object.values(await import('./' + file))) if (each.definition) console.log(each.name)`
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', load], { cwd: home })
    expect(stdout.trim().split('\n').length).toBeGreaterThanOrEqual(loaded.length)
  } finally {
    await rm(home, { recursive: true, force: true })
  }
})
