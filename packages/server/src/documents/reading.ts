import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { setPriority } from 'node:os'
import { dirname, extname, join, parse, sep } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { deserialize } from 'node:v8'
import { DocumentError } from './document-error.ts'
import type { Reply, Task } from './task.ts'

/** `reader.ts` among the sources, `reader.js` among what was built. */
const program = fileURLToPath(new URL(`./reader${extname(import.meta.url)}`, import.meta.url))

/**
 * The interpreter is the boundary, and Node's permissions are the second belt: a reader may read its own program and the library
 * for PDFs, and may write nothing and start nothing but the thread that watches it.
 */
function permissions(): string[] {
  const library = (createRequire(import.meta.url).resolve.paths('unpdf') ?? []).map((folder) => join(folder, 'unpdf')).find((folder) => existsSync(folder))
  const readable = [dirname(program) + sep, fileURLToPath(new URL('../../package.json', import.meta.url)), ...(library ? [library + sep, realpathSync(library) + sep] : [])]
  return ['--permission', '--allow-worker', ...readable.map((path) => `--allow-fs-read=${path}`)]
}

/** For a process to start and for its reply to come, beyond what the task itself may take. */
const graceMs = 5_000

/**
 * Has a task done by a process of its own, which ends with it. A thread would not do: of a heap that fills up V8 ends the process
 * with all its threads, and what is outside of the heap it does not count. Throws DocumentError, what `source` throws, and the reason of `signal`.
 */
export async function readApart(task: Task, source: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<Exclude<Reply, { kind: 'error' }>> {
  signal.throwIfAborted()
  const child = start(task)
  const [gone, chunks] = [wentAway(child), [] as Buffer[]]
  const output = child.stdio[3] as Readable
  output.on('data', (chunk: Buffer) => chunks.push(chunk))
  const kill = (): void => void child.kill('SIGKILL')
  const late = { is: false }
  const timer = setTimeout(() => {
    late.is = true
    kill()
  }, task.bounds.ms + graceMs)
  signal.addEventListener('abort', kill, { once: true })
  try {
    const failure: { of?: Error } = {}
    // Not waited for: a source that gives nothing more may never hear that nobody takes it.
    given(child, task, source).catch((error: unknown) => {
      if (isBrokenPipe(error)) return
      failure.of ??= error instanceof Error ? error : new Error('The file could not be given to its reader', { cause: error })
      kill()
    })
    await gone
    signal.throwIfAborted()
    if (failure.of) throw failure.of
    const reply = replyIn(chunks)
    if (!reply || late.is) throw explained(task)
    if (reply.kind === 'error') throw new DocumentError(reply.code, reply.message)
    return reply
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', kill)
    kill()
  }
}

function start({ bounds }: Task): ChildProcess {
  const child = spawn(process.execPath, [...permissions(), `--max-old-space-size=${bounds.heapMiB}`, '--disallow-code-generation-from-strings', '--no-warnings', program], {
    env: {},
    cwd: parse(process.execPath).root,
    stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
    // A group of its own: Ctrl-C ends the server, which drains, and not what it still waits for.
    detached: true,
    windowsHide: true,
  })
  stepBack(child.pid)
  return child
}

const wentAway = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    child.once('close', () => resolve())
    child.once('error', () => child.pid === undefined && resolve())
  })

async function given(child: ChildProcess, task: Task, source: AsyncIterable<Uint8Array>): Promise<void> {
  async function* all() {
    yield Buffer.from(`${JSON.stringify(task)}\n`)
    yield* source
  }
  await pipeline(Readable.from(all(), { objectMode: false }), child.stdin!)
}

/** It went before it had taken all: what it was given says more than this. */
const isBrokenPipe = (error: unknown): boolean => error instanceof Error && 'code' in error && ['EPIPE', 'ERR_STREAM_PREMATURE_CLOSE', 'ECONNRESET'].includes(String(error.code))

function replyIn(chunks: readonly Buffer[]): Reply | null {
  try {
    return deserialize(Buffer.concat(chunks)) as Reply
  } catch {
    return null
  }
}

const explained = ({ kind, bounds }: Task): DocumentError =>
  new DocumentError('document_too_large', `${kind === 'read' ? 'To read it' : 'To answer this'} takes more than ${bounds.cpuMs / 1000} s or ${bounds.memoryMiB} MiB of memory`, {
    passing: true,
  })

/** Reading yields to the server. */
function stepBack(pid: number | undefined): void {
  try {
    if (pid !== undefined) setPriority(pid, 5)
  } catch {
    // Not everywhere may a process be made nicer; then it is not.
  }
}
