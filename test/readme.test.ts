import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { here, start } from './support/processes.ts'

/**
 * Executes the README as written: the service and the server as their blocks say, then the blocks after them in one shell.
 * Only the ports are others, so that the test disturbs nothing, and the data directory is a temporary one.
 */

interface Block {
  info: string
  code: string
}

const blocksOf = (text: string): Block[] => [...text.matchAll(/^```sh(.*)\n([\s\S]*?)^```$/gm)].map(([, info, code]) => ({ info: info!.trim(), code: code! }))

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

test('the README does what it says, as written', { timeout: 120_000 }, async () => {
  const [sluicePort, servicePort, dataDir] = [await freePort(), await freePort(), await mkdtemp(join(tmpdir(), 'sluice-readme-'))]
  const readme = (await readFile(here('../../README.md'), 'utf8')).replaceAll('7878', String(sluicePort)).replaceAll(/\b4000\b/g, String(servicePort))
  const [commands, service, server, ...steps] = blocksOf(readme)
  expect([service!.info, server!.info]).toEqual(['service', 'server'])
  expect(commands!.code).toContain('npm start')

  const charging = start(
    commandOf(service!.code)
      .words.slice(1)
      .map((word) => (word.endsWith('.mjs') ? here(`../../${word}`) : word)),
  )
  const serving = commandOf(server!.code)
  expect(serving.words).toEqual(['npm', 'start'])
  // `npm start` is this program, after the set-up that has run already where tests run.
  const sluice = start([here('../../.ci/with-workspace.mjs'), 'serve'], { ...serving.env, SLUICE_PORT: String(sluicePort), SLUICE_DATA_DIR: dataDir, HOME: process.env['HOME']! })
  try {
    await charging.says(/payment service/)
    await sluice.says(/ready at/, 60_000)
    const script = steps.map((step, index) => `echo "--- ${index}"\n${step.code}`).join('\n')
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], { env: { PATH: process.env['PATH']!, HOME: dataDir }, timeout: 60_000 })
    const said = stdout
      .split(/^--- \d+$/m)
      .slice(1)
      .map((part) => part.trim())
    expect(said[0]).toBe('')
    expect(said[1]).toBe('invoice')
    expect(said[2]).toMatch(/kind: 'pause',\s+step: 'approval'/)
    expect(said[3]).toMatch(/^approved\n\{ charge: 'ch_1', amount: 1250 \}$/)
    expect(said[4]!.split('\n')[0]).toBe('1 run.queued')
    expect(said[4]!.split('\n').at(-1)).toMatch(/^\d+ run\.completed$/)
    const ledger = (await (await fetch(`http://127.0.0.1:${servicePort}/ledger`)).json()) as { count: number }[]
    expect(ledger.map((entry) => entry.count)).toEqual([1])
  } finally {
    charging.kill('SIGTERM')
    sluice.kill('SIGTERM')
    await Promise.all([charging.ended, sluice.ended])
    await rm(dataDir, { recursive: true, force: true })
  }
})
