// npm start, npm test: sees to it that the workspace is installed, then runs the command in it with its own Node.
// Plain JavaScript for Node 18: this runs before anything is installed.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { join } from 'node:path'
import { install, node, root } from './workspace.mjs'

const commands = {
  serve: [join(root, 'packages/server/src/main.ts'), 'serve'],
  test: [join(root, '.ci/test.mjs')],
}

const [name, ...rest] = process.argv.slice(2)
const command = commands[name]

try {
  if (!command) throw new Error(`Say one of: ${Object.keys(commands).join(', ')}`)
  await install()
  attend(node(), [...command, ...rest])
} catch (error) {
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}

/**
 * Stands in front of a child: hands signals on and ends as it ends. The child has a process group of its own, so that
 * Ctrl-C reaches it once, through us; and a channel, whose closing tells it that we were killed.
 */
function attend(program, args) {
  const child = spawn(program, args, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'], detached: true })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    process.stderr.write(`${program} cannot be run: ${error.message}\n`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
  // npm killed without a chance to hand its signal on would leave us, and the server, behind.
  if (process.env.npm_lifecycle_event) {
    const parent = process.ppid
    setInterval(() => process.ppid !== parent && child.connected && child.disconnect(), 500).unref()
  }
}
