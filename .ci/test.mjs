// Everything that is checked, in order. The last line counts: each static check is one, each test is one.
//   --long           also the long forms (docs/guarantees.md says which there are)
//   --seed N|random  other random cases than those that are always tried
//   --broken [NAME]  in place of all this: the product with one fault at a time, and the tests that have to notice
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { root } from './workspace.mjs'

const bin = (name) => join(root, 'node_modules/.bin', name)
// Some 20 minutes on two quiet cores: this ends what hangs, not what is slow.
const limitMs = 45 * 60_000
let running

const { values: asked, positionals: named } = parseArgs({
  options: { long: { type: 'boolean' }, seed: { type: 'string' }, broken: { type: 'boolean' } },
  allowPositionals: true,
})
if (named.length > 0 && !asked.broken) throw new Error(`Not known: ${named.join(' ')}`)
if (asked.long) process.env.SLUICE_TEST_LONG = '1'
if (asked.seed) process.env.SLUICE_TEST_SEED = asked.seed

const checks = [
  ['types', bin('tsc'), ['-b']],
  ['lint', bin('oxlint'), ['--deny-warnings']],
  ['format', bin('oxfmt'), ['--check', '.']],
  ['layering', process.execPath, [join(root, '.ci/layering.mjs')]],
  ['openapi', process.execPath, [join(root, 'packages/server/src/main.ts'), 'openapi', join(root, 'openapi'), '--check']],
]

const total = { passed: 0, failed: 0 }
const add = ({ passed, failed }) => {
  total.passed += passed
  total.failed += failed
}

// Whoever waits for us may give up: nothing of ours is left behind then.
const giveUp = (why) => {
  process.stdout.write(`\n${why}\n`)
  running?.kill('SIGTERM')
  total.failed += 1
  setTimeout(() => finish(), 5_000).unref()
}
process.on('disconnect', () => giveUp('The caller has gone'))
process.channel?.unref()
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => giveUp(`Stopped by ${signal}`))
if (!asked.long && !asked.broken) setTimeout(() => giveUp(`The tests took more than ${limitMs / 60_000} minutes`), limitMs).unref()

if (asked.broken) {
  const { code } = await run(process.execPath, [join(root, 'test/broken/check.ts'), ...named], 'inherit')
  process.exit(code)
}
for (const [name, program, args] of checks) await check(name, program, args)
const traffic = mkdtempSync(join(tmpdir(), 'sluice-traffic-'))
process.env.SLUICE_TEST_TRAFFIC = traffic
add(await vitest())
delete process.env.SLUICE_TEST_TRAFFIC
// All that the servers of the tests were asked and answered, against the documents.
await check('traffic', process.execPath, [join(root, 'test/support/traffic-check.ts'), traffic, '150'], true)
rmSync(traffic, { recursive: true, force: true })
finish()

async function check(name, program, args, told = false) {
  const started = Date.now()
  const { code, output } = await run(program, args, 'pipe')
  process.stdout.write(`${code === 0 ? 'ok  ' : 'FAIL'} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)\n${code === 0 && !told ? '' : output}`)
  add({ passed: Number(code === 0), failed: Number(code !== 0) })
}

function finish() {
  process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`)
  process.exit(total.failed > 0 ? 1 : 0)
}

/**
 * Its own count; what it could not even load, or what it failed of beside its tests, counts as one failure each. What failed is
 * tried once more, file by file, when the machine has nothing else to do: a test that only then passes is named, and does not
 * count as failed. It depends on speed or on its neighbours, and is to be mended; what it tests holds.
 */
async function vitest() {
  const first = await tests([])
  const files = [...new Set(first.failed.map(({ file }) => file))]
  if (first.unexplained || files.length === 0 || files.length > 5) return { passed: first.passed, failed: first.failed.length + first.unexplained }
  process.stdout.write(`\nOnce more, alone: ${files.map((file) => relative(root, file)).join(', ')}\n`)
  const second = await tests(files)
  const still = first.failed.filter(({ file, name }) => !second.succeeded.has(`${file} ${name}`))
  const unsteady = first.failed.filter((test) => !still.includes(test))
  for (const { file, name } of unsteady) process.stdout.write(`UNSTEADY, passed when tried alone: ${relative(root, file)}: ${name}\n`)
  return { passed: first.passed + unsteady.length, failed: still.length + second.unexplained }
}

/** The tests of these files, or all. `unexplained` counts what went wrong and no test says. */
async function tests(files) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-results-'))
  const results = join(folder, 'results.json')
  const alone = files.length > 0 ? ['--maxWorkers=1', ...files] : []
  const { code } = await run(bin('vitest'), ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${results}`, ...alone], 'inherit')
  try {
    const { numPassedTests, testResults } = JSON.parse(readFileSync(results, 'utf8'))
    const failed = []
    const succeeded = new Set()
    for (const { name: file, status, assertionResults } of testResults) {
      const broken = assertionResults.filter((test) => test.status === 'failed')
      // Not loaded, or what it does before and after its tests failed.
      if (status === 'failed' && broken.length === 0) failed.push({ file, name: '' })
      if (status === 'passed') succeeded.add(`${file} `)
      for (const test of broken) failed.push({ file, name: test.fullName })
      for (const test of assertionResults) if (test.status === 'passed') succeeded.add(`${file} ${test.fullName}`)
    }
    return { passed: numPassedTests, failed, succeeded, unexplained: Number(code !== 0 && failed.length === 0) }
  } catch {
    return { passed: 0, failed: [], succeeded: new Set(), unexplained: 1 }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function run(program, args, output) {
  // `.bin` first: what the tools start in their turn is the Node of the workspace too.
  const env = { ...process.env, PATH: `${join(root, 'node_modules/.bin')}${delimiter}${process.env.PATH}` }
  const child = spawn(program, args, { cwd: root, env, stdio: ['ignore', output, output] })
  running = child
  let said = ''
  child.stdout?.on('data', (chunk) => (said += chunk))
  child.stderr?.on('data', (chunk) => (said += chunk))
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ code: 1, output: `${error.message}\n` }))
    child.on('close', (code) => resolve({ code: code ?? 1, output: said }))
  })
}
