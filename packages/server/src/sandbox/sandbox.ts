import { availableParallelism } from 'node:os'
import type { Json } from '@sluice/schema'
import { startChild } from './child-process.ts'
import type { Child } from './child-process.ts'
import { SandboxError } from './error.ts'
import type { Bounds } from './protocol.ts'

/**
 * Runs JavaScript of users: QuickJS, inside a process that is used once.
 * X1. Code sees the language, `input` and a console; no process, network, file, environment, timer or module.
 * X2. Code is bounded: CPU time, memory, output, log; what exceeds is killed, and the server goes on.
 * X3. No child runs code twice, so that nothing of one execution is seen by another.
 * X4. Every child is reaped: after its execution, when it has idled, on close, and when the server dies.
 */
export interface Sandbox {
  /**
   * `source` is the body of `async function (input) { … }`; what it returns is the output, nothing is null.
   * Throws a SandboxError, or the reason of `signal`.
   */
  run(execution: Execution): Promise<{ output: Json; logs: string[] }>
  /** Kills all children and waits until they are gone. */
  close(): Promise<void>
}

export interface Execution {
  source: string
  input: Json
  /** Wall clock, 20,000 unless set: for a busy machine, and for systems that do not tell the CPU time of a process. */
  timeoutMs?: number
  signal?: AbortSignal
}

export interface SandboxOptions extends Partial<Bounds> {
  /** All of the interpreter; 64 MiB unless set. */
  memoryBytes?: number
  /** Executions at a time; the rest wait their turn. */
  concurrency?: number
  /** Children kept ready, from the first execution on. Cold an execution takes 150 to 400 ms, warm 20 to 50 (2 busy cores); a ready child holds 65 MB. */
  warm?: number
  /** After which a child that waits for work is let go. */
  idleMs?: number
}

const MiB = 1024 * 1024

export function createSandbox(options: SandboxOptions = {}): Sandbox {
  const bounds: Bounds = { cpuMs: options.cpuMs ?? 5000, outputBytes: options.outputBytes ?? 2 * MiB }
  const turns = createTurns(options.concurrency ?? Math.max(2, availableParallelism()))
  const pool = createPool({ warm: options.warm ?? 1, idleMs: options.idleMs ?? 60_000, memoryBytes: options.memoryBytes ?? 64 * MiB })

  return {
    async run({ source, input, timeoutMs = 20_000, signal }) {
      await turns.take(signal)
      let child: Child | undefined
      try {
        child = pool.take()
        const { head, output } = await child.ask({ source, input: JSON.stringify(input), bounds }, { timeoutMs, signal })
        if (!head.ok) throw new SandboxError(head.code, head.message, { line: head.line, logs: head.logs })
        return { output: JSON.parse(output) as Json, logs: head.logs }
      } finally {
        child?.kill()
        turns.give()
      }
    },
    close: () => pool.close(),
  }
}

/** Children that are ready, and all that live. */
function createPool({ warm, idleMs, memoryBytes }: { warm: number; idleMs: number; memoryBytes: number }) {
  const ready: Child[] = []
  const living = new Set<Child>()
  let closed = false
  let idle: NodeJS.Timeout | undefined

  function start(): Child {
    const child = startChild(memoryBytes)
    living.add(child)
    void child.gone.then(() => {
      living.delete(child)
      if (ready.includes(child)) ready.splice(ready.indexOf(child), 1)
    })
    return child
  }
  function release(): void {
    for (const child of ready.splice(0)) child.kill()
  }
  return {
    take(): Child {
      if (closed) throw new SandboxError('unavailable', 'the sandbox is closed')
      const child = ready.shift() ?? start()
      while (ready.length < warm) ready.push(start())
      clearTimeout(idle)
      idle = setTimeout(release, idleMs).unref()
      return child
    },
    async close(): Promise<void> {
      closed = true
      clearTimeout(idle)
      ready.length = 0
      for (const child of living) child.kill()
      await Promise.all([...living].map((child) => child.gone))
    },
  }
}

/** First come, first served. Who gives up leaves the queue. */
function createTurns(most: number) {
  let free = most
  const queue: (() => void)[] = []
  return {
    async take(signal?: AbortSignal): Promise<void> {
      signal?.throwIfAborted()
      if (free > 0) return void free--
      const turn = Promise.withResolvers<void>()
      const leave = () => {
        const at = queue.indexOf(turn.resolve)
        if (at < 0) return
        queue.splice(at, 1)
        turn.reject(signal?.reason)
      }
      queue.push(turn.resolve)
      signal?.addEventListener('abort', leave, { once: true })
      await turn.promise
      signal?.removeEventListener('abort', leave)
    },
    give(): void {
      const next = queue.shift()
      if (next) next()
      else free++
    },
  }
}
