// Plain JavaScript for Node 18: this runs before anything is installed.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** A native binary from npm, so that the Node of the machine does not matter. */
export const pnpm = 'pnpm@12.21.0'

/** What an installation depends on; the same value means there is nothing to install. */
function wanted(home) {
  const hash = createHash('sha256').update(`${pnpm} ${process.platform} ${process.arch}`)
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml']) hash.update(readFileSync(join(home, file)))
  return hash.digest('hex')
}

const contentOf = (path) => (existsSync(path) ? readFileSync(path, 'utf8').trim() : null)

/** Installs what is missing in a workspace, ours or that of the bench; quick when nothing is. Throws with one line, after what pnpm said. */
export async function install(home = root) {
  const hash = wanted(home)
  const modules = join(home, 'node_modules')
  const stamp = join(modules, '.sluice-lock')
  if (contentOf(stamp) === hash) return
  await alone(home, async () => {
    if (contentOf(stamp) === hash) return
    process.stdout.write('Installing dependencies (once) ...\n')
    const { code, output } = await run(home, 'npx', ['-y', pnpm, 'install', '--frozen-lockfile', '--reporter=append-only'])
    if (code !== 0) {
      process.stderr.write(output)
      throw new Error(`The dependencies could not be installed (pnpm ended with ${code}, see above). Check the connection to the npm registry, then start again.`)
    }
    mkdirSync(modules, { recursive: true })
    writeFileSync(stamp, hash)
  })
}

/** Two commands in a fresh clone: the second one waits for the first. A file whose process is gone stops nobody. */
async function alone(home, work) {
  const busy = busyIn(home)
  for (;;) {
    try {
      writeFileSync(busy, String(process.pid), { flag: 'wx' })
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw new Error(`The directory ${home} cannot be written (${error.code}). Run as the user it belongs to.`)
      if (!lives(Number(contentOf(busy)))) rmSync(busy, { force: true })
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
  try {
    await work()
  } finally {
    rmSync(busy, { force: true })
  }
}

function lives(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

const busyIn = (home) => join(home, '.sluice-installing')

function run(home, command, args) {
  // CI: pnpm asks nothing. Nobody is at the keyboard as far as it is concerned.
  const child = spawn(command, args, { cwd: home, env: { ...process.env, CI: 'true' }, stdio: ['ignore', 'pipe', 'pipe'] })
  const stop = (signal) => {
    child.kill(signal)
    rmSync(busyIn(home), { force: true })
    process.exit(1)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop)
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  child.stderr.on('data', (chunk) => (output += chunk))
  const ended = new Promise((resolve) => {
    child.on('error', (error) => resolve({ code: error.code, output: `${output}${error.message}\n` }))
    child.on('close', (code, signal) => resolve({ code: signal ?? code, output }))
  })
  return ended.finally(() => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(signal, stop)
  })
}

/** The Node of the workspace; where npm has none for the platform, the one that runs this, if it is new enough. */
export function node() {
  const installed = join(root, 'node_modules/.bin/node')
  if (existsSync(installed)) return installed
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath
  throw new Error(`npm has no Node 24 for ${process.platform} ${process.arch}, and this is Node ${process.versions.node}. Install Node 24 or newer, then start again.`)
}
