import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

export interface Program {
  pid: number
  /** What it wrote so far. */
  stdout(): string
  stderr(): string
  /** The first match of what it writes; fails when it ends before, or after `ms`. */
  says(pattern: RegExp, ms?: number): Promise<RegExpExecArray>
  kill(signal: NodeJS.Signals): void
  /** Nobody reads what it writes from now on. */
  turnAway(): void
  /** How it ended: its exit code, or the signal. */
  ended: Promise<number | NodeJS.Signals>
}

const running = new Set<ChildProcess>()

const variant = process.env['BROKEN_VARIANT']
/** A folder for what goes over the wire: traffic.ts. */
const traffic = process.env['SLUICE_TEST_TRAFFIC']
/** What is loaded before the program: the fault that it is to have, and who notes what it answers. */
const before = [...(variant ? ['../broken/load.ts'] : []), ...(traffic ? ['./traffic.ts'] : [])].flatMap((path) => ['--import', new URL(path, import.meta.url).href])

/** Runs a program of ours with this Node. Its environment is what is given, and the way to programs. */
export function start(args: readonly string[], env: Record<string, string> = {}, through: readonly string[] = []): Program {
  const [program, ...rest] = [...through, process.execPath, ...before, ...args]
  const child = spawn(program!, rest, {
    env: { PATH: process.env['PATH']!, ...(variant && { BROKEN_VARIANT: variant }), ...(traffic && { SLUICE_TEST_TRAFFIC: traffic }), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  const said = { stdout: '', stderr: '' }
  const listeners = new Set<() => void>()
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (chunk: string) => {
      said[stream] += chunk
      for (const listener of listeners) listener()
    })
  }
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.on('close', (code, signal) => {
      running.delete(child)
      resolve(code ?? signal!)
    })
  })
  return {
    pid: child.pid!,
    stdout: () => said.stdout,
    stderr: () => said.stderr,
    says: (pattern, ms = 60_000) =>
      new Promise((resolve, reject) => {
        const everything = () => `it wrote:\n${said.stdout}${said.stderr}`
        const look = () => {
          const match = pattern.exec(said.stdout)
          if (match) done(() => resolve(match))
        }
        const done = (settle: () => void) => {
          listeners.delete(look)
          clearTimeout(timer)
          settle()
        }
        const timer = setTimeout(() => done(() => reject(new Error(`${pattern} did not come within ${ms} ms; ${everything()}`))), ms)
        listeners.add(look)
        void ended.then(() => (look(), done(() => reject(new Error(`ended without ${pattern}; ${everything()}`)))))
        look()
      }),
    kill: (signal) => child.kill(signal),
    turnAway() {
      child.stdout.destroy()
      child.stderr.destroy()
    },
    ended,
  }
}

/** Kills what a test left running. */
export function endAll(): void {
  for (const child of running) child.kill('SIGKILL')
}

/** Whether the process runs: a zombie does not. */
export function runs(pid: number): boolean {
  try {
    return !/^[ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!)
  } catch {
    if (existsSync('/proc/self/stat')) return false
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  }
}

/** Waits until the condition holds; fails after `ms`. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>, ms = 20_000): Promise<void> {
  const end = performance.now() + ms
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
