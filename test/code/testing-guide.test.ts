import { execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { here } from '../support/processes.ts'

const root = here('../../')
const run = promisify(execFile)
const guide = await readFile(join(root, 'docs/testing.md'), 'utf8')
const blocks = [...guide.matchAll(/^```ts (.+)\n([\s\S]*?)^```$/gm)].map(([, info, code]) => ({ info: info!, code: code! }))

/** What the pieces of the guide are pieces of. */
const prelude = `import { createClient } from '@sluice/client'
import { defineWorkflow, type } from '@sluice/server'
import { startTesting } from '@sluice/server/testing'
import { charge, trial } from '../../../examples/testing/trial.ts'
const order = defineWorkflow('order', (w) => w.result(null, { pauses: [w.pause('approval', { message: '?', form: type<{ by: 'air' }>() })] }))
await using sluice = await startTesting({ workflows: [order, trial] })
const run = await sluice.start(order)
`

test('every piece of the guide compiles, and the program in it is the example', { timeout: 240_000 }, async () => {
  expect(blocks.length).toBe(guide.match(/^```ts/gm)!.length)
  const [first, ...pieces] = blocks
  expect(await readFile(join(root, 'examples/testing', first!.info), 'utf8')).toContain(first!.code)
  const folder = join(root, 'test/code/.generated')
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  try {
    const files = pieces.map((_, at) => `piece-${at}.ts`)
    for (const [at, { code }] of pieces.entries()) await writeFile(join(folder, files[at]!), `${prelude}\n{\n${code}}\n`)
    const options = { noEmit: true, composite: false, incremental: false, noUnusedLocals: false, allowUnreachableCode: true }
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ extends: '../../../tsconfig.base.json', compilerOptions: options, files }))
    const { stdout } = await run(join(root, 'node_modules/.bin/tsc'), ['-p', folder]).catch((error: { stdout: string }) => error)
    expect(stdout).toBe('')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('the example passes with the test runner of Node, and its process ends by itself', { timeout: 180_000 }, async () => {
  const { stdout } = await run(process.execPath, ['--test', '--test-reporter=tap', join(root, 'examples/testing/trial.test.ts')], { timeout: 170_000 })
  expect(stdout).toContain('# pass 2')
  expect(stdout).toContain('# fail 0')
})

test('a test that is killed leaves no PostgreSQL and no file behind', { timeout: 240_000 }, async () => {
  const place = await mkdtemp(join(tmpdir(), 'sluice-killed-'))
  try {
    const program = join(place, 'killed.mts')
    const source = `const { startTesting } = await import(${JSON.stringify(`${root}packages/server/src/testing.ts`)})
      await startTesting()
      process.kill(process.pid, 'SIGKILL')`
    await writeFile(program, source)
    const child = spawn(process.execPath, [program], { stdio: 'ignore', env: { ...process.env, TMPDIR: place } })
    const made = new Set<string>()
    const looking = setInterval(() => void readdir(place).then((names) => names.forEach((name) => made.add(name))), 50)
    const by = await new Promise((resolve) => child.on('exit', (_code, signal) => resolve(signal)))
    clearInterval(looking)
    expect(by).toBe('SIGKILL')
    expect([...made].some((name) => name.startsWith('sluice-testing-'))).toBe(true)
    await expect.poll(() => readdir(place), { timeout: 30_000 }).toEqual(['killed.mts'])
  } finally {
    await rm(place, { recursive: true, force: true })
  }
})
