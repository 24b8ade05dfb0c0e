import { spawn } from 'node:child_process'
import { setPriority } from 'node:os'
import { parse } from 'node:path'
import { cpuMsOf } from './cpu-time.ts'
import { SandboxError } from './error.ts'
import { childArguments, childProgram } from './permissions.ts'
import { decodeReply, headBytes, isWhole } from './protocol.ts'
import type { Reply, Request } from './protocol.ts'

/** One child, for one request. */
export interface Child {
  /** Sends the request and reads the reply. Throws a SandboxError, or the reason of `signal`. */
  ask(request: Request, limits: { timeoutMs: number; signal?: AbortSignal | undefined }): Promise<Reply>
  kill(): void
  /** Settles when the process is gone; never throws. */
  gone: Promise<void>
}

// The interpreter counts CPU time to the millisecond, but a built-in may work for seconds without asking it; this looks from outside,
// where getting ready counts too.
const startUpMs = 700

/** Starts a child that gets ready on its own and waits to be asked. */
export function startChild(memoryBytes: number): Child {
  const process_ = spawn(process.execPath, [...childArguments(), childProgram(), String(memoryBytes)], {
    env: {},
    cwd: parse(process.execPath).root,
    stdio: ['pipe', 'pipe', 'pipe'],
    // A group of its own: Ctrl-C ends the server, which drains, and not the code it still waits for.
    detached: true,
    windowsHide: true,
  })
  const gone = Promise.withResolvers<void>()
  const output = { text: '', bytes: 0, errors: '', spawnFailed: false }
  process_.on('error', () => {
    output.spawnFailed = true
    if (process_.pid === undefined) gone.resolve()
  })
  process_.on('close', () => gone.resolve())
  // Writing to a child that is gone already; `close` tells the rest.
  process_.stdin.on('error', () => {})
  process_.stderr.setEncoding('utf8').on('data', (text: string) => (output.errors = (output.errors + text).slice(0, 4000)))
  stepBack(process_.pid)
  const kill = () => void process_.kill('SIGKILL')

  async function ask(request: Request, { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal | undefined }): Promise<Reply> {
    signal?.throwIfAborted()
    const whole = Promise.withResolvers<void>()
    const ended: { by?: Error } = {}
    const end = (error: Error) => {
      ended.by ??= error
      kill()
    }
    const aborted = () => end(signal?.reason instanceof Error ? signal.reason : new SandboxError('unavailable', 'the code was stopped'))
    const timer = setTimeout(() => end(new SandboxError('timed_out', `the code gave no output within ${timeoutMs} ms`)), timeoutMs)
    const watch = setInterval(() => {
      if ((cpuMsOf(process_.pid) ?? 0) > request.bounds.cpuMs + startUpMs) end(new SandboxError('timed_out', `the code ran for more than ${request.bounds.cpuMs} ms`))
    }, 200)
    signal?.addEventListener('abort', aborted, { once: true })
    const most = request.bounds.outputBytes + headBytes
    process_.stdout.setEncoding('utf8').on('data', (text: string) => {
      output.bytes += Buffer.byteLength(text)
      if (output.bytes > most) end(new SandboxError('output_too_large', `the output is larger than ${request.bounds.outputBytes} bytes`))
      else output.text += text
      if (isWhole(output.text)) whole.resolve()
    })
    process_.stdin.end(JSON.stringify(request))
    await Promise.race([whole.promise, gone.promise])
    clearTimeout(timer)
    clearInterval(watch)
    signal?.removeEventListener('abort', aborted)
    if (ended.by) throw ended.by
    return decodeReply(output.text) ?? explain()
  }

  /** A child that died without a whole reply. Nothing of what it wrote to its error stream is passed on. */
  function explain(): never {
    if (process_.signalCode === 'SIGABRT' || process_.exitCode === 134 || output.errors.includes('heap out of memory'))
      throw new SandboxError('out_of_memory', 'the code used up the memory of its process')
    const how = output.spawnFailed ? 'could not be started' : `ended early (${process_.signalCode ?? process_.exitCode})`
    throw new SandboxError('unavailable', `the process for the code ${how}`)
  }

  return { ask, kill, gone: gone.promise }
}

/** Code of users yields to the server. */
function stepBack(pid: number | undefined): void {
  try {
    if (pid !== undefined) setPriority(pid, 5)
  } catch {
    // Not everywhere may a process be made nicer; then it is not.
  }
}
