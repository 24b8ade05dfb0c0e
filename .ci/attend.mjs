import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'

/**
 * Stands in front of a child: hands signals on and ends as it ends. The child has a process group of its own, so that
 * Ctrl-C reaches it once, through us; and a channel, whose closing tells it that we were killed.
 */
export function attend(program, args, env = process.env) {
  const child = spawn(program, args, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'], detached: true, env })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    process.stderr.write(`${program} cannot be run: ${error.message}\n`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
  if (process.env.npm_lifecycle_event) watchNpm(() => child.connected && child.disconnect())
}

/** npm killed without a chance to hand its signal on would leave us, and the server, behind. */
function watchNpm(gone) {
  const parent = process.ppid
  // npm runs scripts through a shell, which may stay between us, or may have become us.
  const above = /^[^\0]*sh\0-c\0/.test(ofProcess(parent, 'cmdline')) ? parentOf(parent) : undefined
  setInterval(() => {
    if (process.ppid !== parent || (above !== undefined && parentOf(parent) !== above)) gone()
  }, 500).unref()
}

const parentOf = (pid) => ofProcess(pid, 'stat').split(') ').at(-1).split(' ')[1]

/** Linux tells; elsewhere nothing is known of processes above our parent. */
function ofProcess(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}
