import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** What a measured process gave one after another, and why it gave no more: null when that was all. */
export interface Performed<Result> {
  results: Result[]
  failed: string | null
}

export interface Limits {
  signal: AbortSignal
  /** A process that gives nothing for so long is wedged, and is ended. */
  silenceMs: number
}

/** From the process: a result each, then the end. */
export type Said<Result> = { result: Result } | { failed: string | null }

/** A moment to close what it opened. */
const endMs = 15_000

/**
 * Does the work that a module of ours exports as `perform`, in a process of its own, so that nobody's memory, caches and
 * collections are on another's account. What it has given stands, however it ends; rejects only when nobody wants it any more.
 */
export function inOwnProcess<Task, Result>(module: string, task: Task, { signal, silenceMs }: Limits): Promise<Performed<Result>> {
  const child = fork(fileURLToPath(new URL('performer.ts', import.meta.url)), [module], {
    serialization: 'advanced',
    signal,
    // What the libraries of others do that they will not be allowed to do for long.
    execArgv: ['--disable-warning=DeprecationWarning'],
  })
  const results: Result[] = []
  let failed: string | null | undefined
  let silence: NodeJS.Timeout | undefined

  function wedgedAfter(ms: number): void {
    clearTimeout(silence)
    silence = setTimeout(() => {
      failed ??= `It gave nothing for ${Math.round(ms / 1000)} s`
      child.kill('SIGKILL')
    }, ms)
  }

  return new Promise((resolve, reject) => {
    wedgedAfter(silenceMs)
    child.on('message', (said: Said<Result>) => {
      if ('result' in said) results.push(said.result)
      else failed = said.failed
      wedgedAfter('result' in said ? silenceMs : endMs)
    })
    child.once('error', reject)
    child.once('exit', (code, by) => {
      clearTimeout(silence)
      resolve({ results, failed: failed === undefined ? `The measured process ended with ${by ?? code}` : failed })
    })
    child.send({ task })
  })
}
