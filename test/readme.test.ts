import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { here, start } from './support/processes.ts'

/**
 * Executes the README as written: the service and the server as their blocks say, then the blocks after them in one shell,
 * where a program stands in the file that its block names. Only the ports and the folders are others.
 */

interface Block {
  language: string
  info: string
  code: string
}

const blocksOf = (text: string): Block[] =>
  [...text.matchAll(/^```(sh|ts)(.*)\n([\s\S]*?)^```$/gm)].map(([, language, info, code]) => ({ language: language!, info: info!.trim(), code: code! }))

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** The program and the settings of a line such as `A=1 B=2 npm start`. */
function commandOf(line: string): { env: Record<string, string>; words: string[] } {
  const words = line.trim().split(/\s+/)
  const env: Record<string, string> = {}
  for (let setting = /^(\w+)=(.*)$/.exec(words[0]!); setting; setting = /^(\w+)=(.*)$/.exec(words[0]!)) {
    env[setting[1]!] = setting[2]!
    words.shift()
  }
  return { env, words }
}

/** A program becomes its file; a command runs. A line before each tells whose output follows. */
const stepOf = ({ language, info, code }: Block, index: number): string =>
  `echo '--- ${index}'\n${language === 'ts' ? `cat > ${info} <<'END OF THE PROGRAM'\n${code}END OF THE PROGRAM\n` : code}`

const strict = ['--ignoreConfig', '--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', '--skipLibCheck', 'false']

const typed = {
  ...{ noEmit: true, strict: true, module: 'nodenext', target: 'es2024', skipLibCheck: true, allowImportingTsExtensions: true },
  ...{ types: ['node'], typeRoots: [here('../../node_modules/@types')] },
}

const own = `
import { defineWorkflow, type Flow } from '@sluice/server'
import { startTesting, type Testing } from '@sluice/server/testing'
const greet = defineWorkflow('greet', (w: Flow<{ name: string }>) => w.step('say', { input: w.input.name, invoke: async (name) => 'Hello ' + name.trim() }))
export const started = (): Promise<Testing> => startTesting({ workflows: [greet] })
console.log(greet.name, typeof startTesting)
`

test('the README does what it says, as written', { timeout: 240_000 }, async () => {
  const [sluicePort, servicePort, home] = [await freePort(), await freePort(), await mkdtemp(join(tmpdir(), 'sluice-readme-'))]
  const project = join(home, 'first-workflow')
  const readme = (await readFile(here('../../README.md'), 'utf8'))
    .replaceAll('7878', String(sluicePort))
    .replaceAll(/\b4000\b/g, String(servicePort))
    .replaceAll('../first-workflow', project)
    .replaceAll('../sluice/', here('../../'))
  const [commands, service, server, ...rest] = blocksOf(readme)
  // What stands in a file of the repository is shown as it stands there.
  const [shown, steps] = [rest.filter(({ info }) => info.startsWith('examples/')), rest.filter(({ info }) => !info.startsWith('examples/'))]
  expect(shown.map(({ info }) => info)).toEqual(['examples/workflows/refund.ts'])
  for (const { info, code } of shown) expect(code).toBe(await readFile(here(`../../${info}`), 'utf8'))
  expect([service!.info, server!.info]).toEqual(['service', 'server'])
  expect(commands!.code).toContain('npm start')

  const charging = start(
    commandOf(service!.code)
      .words.slice(1)
      .map((word) => (word.endsWith('.mjs') ? here(`../../${word}`) : word)),
  )
  const serving = commandOf(server!.code)
  expect(serving.words.slice(0, 3)).toEqual(['npm', 'start', '--'])
  const env = { SLUICE_DATA_DIR: join(home, 'data'), HOME: process.env['HOME']! }
  // `npm start` is this program, after the set-up that has run already where tests run.
  const sluice = start([here('../../.ci/with-workspace.mjs'), 'serve', ...serving.words.slice(3)], {
    ...env,
    ...serving.env,
    INIT_CWD: here('../../'),
    SLUICE_PORT: String(sluicePort),
  })
  try {
    await charging.says(/payment service/)
    await sluice.says(/ready at/, 60_000)
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', steps.map(stepOf).join('\n')], {
      cwd: here('../../'),
      // npm needs all of what it is told on this machine.
      env: { ...process.env, ...env, npm_config_prefer_offline: 'true', npm_config_update_notifier: 'false' },
      timeout: 180_000,
    })
    const said = stdout
      .split(/^--- \d+\n/m)
      .slice(1)
      .map((part) => part.trim())
    const told = Object.fromEntries(steps.map(({ info }) => [info, [] as string[]]))
    for (const [index, { info }] of steps.entries()) told[info]!.push(said[index]!)

    expect(told['project']).toEqual(['packed/sluice-schema.tgz\npacked/sluice-client.tgz\npacked/sluice-server.tgz'])
    expect(told['run']![0]).toMatch(/^drawn: invoice\n1 run\.queued\n[\s\S]*\n\d+ run\.completed\n\{ charge: 'ch_1', amount: 1250 \}$/)
    expect(told['run']![0]!.match(/pause\.\w+/g)).toEqual(['pause.opened', 'pause.decided'])
    expect(told['cli']![0]).toMatch(/^Wrote: sluice\.d\.ts .*\n\{\s+"charge": "ch_2",\s+"amount": 40\s+\}$/)
    expect(told['order']![0]).toMatch(/kind: 'report',\s+step: 'ship'[\s\S]*\n24\.00 t-1$/)
    expect(told['rest']![0]).toMatch(/kind: 'pause',\s+step: 'approval'/)
    expect(told['rest']![1]).toMatch(/^approved\n\{ charge: 'ch_3', amount: 2400 \}$/)
    expect(told['rest']![2]!.split('\n')[0]).toBe('1 run.queued')
    expect(told['rest']![2]!.split('\n').at(-1)).toMatch(/^\d+ run\.completed$/)
    expect(told['rest']![3]).toMatch(/^Charge 5000 to c_9\?\n.+\ncompleted$/)
    expect(told['rest']![4]).toMatch(/^counter\n\d+\nSUCCESS$/)
    const ledger = (await (await fetch(`http://127.0.0.1:${servicePort}/ledger`)).json()) as { count: number }[]
    expect(ledger.map((entry) => entry.count)).toEqual([1, 1, 1, 1])

    // Its programs type-check with strict settings, and every declaration that they reach.
    const types = ['--types', 'node', '--typeRoots', here('../../node_modules/@types')]
    const checked = await promisify(execFile)(here('../../node_modules/.bin/tsc'), [...strict, ...types, 'draw.ts', 'run.ts'], {
      cwd: project,
    }).catch((error: { stdout: string }) => error)
    expect(checked.stdout).toBe('')
    // So does what a project writes with the server as a package, and it runs.
    const installed = join(project, 'node_modules/@sluice/server')
    await mkdir(installed)
    await promisify(execFile)('tar', ['-xzf', here('../../packed/sluice-server.tgz'), '-C', installed, '--strip-components=1'])
    // What it depends on is that of the workspace, but for what the project has already.
    const dependencies = here('../../packages/server/node_modules')
    await mkdir(join(installed, 'node_modules'))
    for (const name of await readdir(dependencies))
      if (!name.startsWith('.') && !['@sluice', 'zod'].includes(name)) await symlink(join(dependencies, name), join(installed, 'node_modules', name))
    await writeFile(join(project, 'own.ts'), own)
    const ownChecked = await promisify(execFile)(here('../../node_modules/.bin/tsc'), [...strict, ...types, 'own.ts'], { cwd: project }).catch((error: { stdout: string }) => error)
    expect(ownChecked.stdout).toBe('')
    expect((await promisify(execFile)(process.execPath, ['own.ts'], { cwd: project })).stdout).toBe('greet function\n')
    const { stdout: usage } = await promisify(execFile)(process.execPath, [join(installed, 'dist/main.js'), '--help'])
    expect(usage).toContain('Usage: sluice-server')
    // What knows a workflow by its type is compiled as part of a project that has that of the workflow.
    const references = ['examples', 'packages/server', 'packages/schema'].map((path) => ({ path: here(`../../${path}`) }))
    await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ files: ['order.ts'], references, compilerOptions: typed }))
    const typedToo = await promisify(execFile)(here('../../node_modules/.bin/tsc'), ['-b'], { cwd: project }).catch((error: { stdout: string }) => error)
    expect(typedToo.stdout).toBe('')
  } finally {
    charging.kill('SIGTERM')
    sluice.kill('SIGTERM')
    await Promise.all([charging.ended, sluice.ended])
    await rm(home, { recursive: true, force: true })
  }
})
