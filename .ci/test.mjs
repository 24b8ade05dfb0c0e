// Everything that is checked, in order. The last line counts: each static check is one, each test is one.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { root } from './workspace.mjs'

const bin = (name) => join(root, 'node_modules/.bin', name)
// Some 15 minutes on two quiet cores: this ends what hangs, not what is slow.
const limitMs = 45 * 60_000
let running

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
setTimeout(() => giveUp(`The tests took more than ${limitMs / 60_000} minutes`), limitMs).unref()

for (const [name, program, args] of checks) {
  const started = Date.now()
  const { code, output } = await run(program, args, 'pipe')
  process.stdout.write(`${code === 0 ? 'ok  ' : 'FAIL'} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)\n${code === 0 ? '' : output}`)
  add({ passed: Number(code === 0), failed: Number(code !== 0) })
}
add(await vitest())
finish()

function finish() {
  process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`)
  process.exit(total.failed > 0 ? 1 : 0)
}

/** Its own count; what it could not even load, or what it failed of beside its tests, counts as one failure each. */
async function vitest() {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-results-'))
  const results = join(folder, 'results.json')
  const { code } = await run(bin('vitest'), ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${results}`], 'inherit')
  try {
    const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(results, 'utf8'))
    const unloaded = testResults.filter(({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed')).length
    const failed = numFailedTests + unloaded
    return { passed: numPassedTests, failed: failed || Number(code !== 0) }
  } catch {
    return { passed: 0, failed: 1 }
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
