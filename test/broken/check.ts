import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Variant } from './variant.ts'
import { variantNamed, variants } from './variants.ts'

/** `npm test -- --broken [NAME…]`: of each variant, runs the test that has to notice, and says whether it did. The last line counts. */
const root = fileURLToPath(new URL('../../', import.meta.url))
// A fault may hang what it breaks: a test that ends by its time-out has noticed. Some hold the processor for long: this ends what never would.
const limitMs = 15 * 60_000
// For vitest to end what its tests have started.
const farewellMs = 20_000

/** The group of processes under way: vitest, and all that its tests have started. */
let group: number | undefined
function endGroup(signal: NodeJS.Signals): void {
  try {
    if (group !== undefined) process.kill(-group, signal)
  } catch {
    // All of them have ended.
  }
}
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    endGroup('SIGTERM')
    setTimeout(() => {
      endGroup('SIGKILL')
      process.exit(1)
    }, 3_000)
  })

interface Results {
  testResults: { assertionResults: { fullName: string; title: string; status: string; failureMessages: string[] }[] }[]
}

/** What came of it: the failure that was noticed, or why nothing was. */
async function tried({ name, caughtBy }: Variant): Promise<{ caught: boolean; said: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-broken-'))
  const file = join(folder, 'results.json')
  try {
    // As it stands in the source: what is put into it when it runs may be anything.
    const literally = caughtBy.test.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&').replaceAll(/%[a-z]/g, '.*')
    const project = caughtBy.file.startsWith('packages/') ? 'rooms' : 'house'
    const args = ['run', '--project', project, '--reporter=json', `--outputFile.json=${file}`, caughtBy.file, '-t', literally]
    const child = spawn(join(root, 'node_modules/.bin/vitest'), args, { cwd: root, env: { ...process.env, BROKEN_VARIANT: name }, stdio: 'ignore', detached: true })
    group = child.pid
    const timers = [setTimeout(() => child.kill('SIGTERM'), limitMs), setTimeout(() => endGroup('SIGKILL'), limitMs + farewellMs)]
    await new Promise((resolve) => child.on('close', resolve))
    for (const timer of timers) clearTimeout(timer)
    // A server whose fault keeps it from ending does not end with its test.
    endGroup('SIGKILL')
    group = undefined
    const results = JSON.parse(readFileSync(file, 'utf8')) as Results
    const ran = results.testResults.flatMap((each) => each.assertionResults).filter(({ status }) => status === 'passed' || status === 'failed')
    const failed = ran.find(({ status }) => status === 'failed')
    if (failed) return { caught: true, said: failed.failureMessages[0]?.split('\n')[0]?.slice(0, 160) ?? 'failed' }
    return { caught: false, said: ran.length === 0 ? 'no test ran, or its file could not be loaded' : `${ran.length} passed all the same` }
  } catch {
    return { caught: false, said: 'vitest did not come to an end' }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const asked = process.argv.slice(2)
const chosen = asked.length === 0 ? variants : asked.map((name) => variantNamed(name)!)
let missed = 0
for (const variant of chosen) {
  const began = Date.now()
  const { caught, said } = await tried(variant)
  if (!caught) missed++
  process.stdout.write(`${caught ? 'caught' : 'MISSED'} ${variant.name} (${variant.promise}, ${((Date.now() - began) / 1000).toFixed(0)} s): ${said}\n`)
}
process.stdout.write(`${chosen.length - missed} passed, ${missed} failed\n`)
process.exitCode = missed > 0 ? 1 : 0
