import { spawn } from 'node:child_process'
import { constants } from 'node:os'

/**
 * Stands in front of a child: hands signals on and ends as it ends. The child has a process group of its own, so that
 * Ctrl-C reaches it once, through us; and a channel, whose closing tells it that we were killed.
 */
export function attend(program, args) {
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
