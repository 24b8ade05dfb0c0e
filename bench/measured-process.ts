import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/**
 * Does the work that a module of ours exports as `perform`, in a process of its own, so that nobody's memory, caches and
 * collections are on another's account. Throws what it threw, or how it ended instead.
 */
export function inOwnProcess<Task, Result>(module: string, task: Task, signal: AbortSignal): Promise<Result> {
  const child = fork(fileURLToPath(new URL('performer.ts', import.meta.url)), [module], {
    serialization: 'advanced',
    signal,
    // What the libraries of others do that they will not be allowed to do for long.
    execArgv: ['--disable-warning=DeprecationWarning'],
  })
  return new Promise((resolve, reject) => {
    let answer: Performed<Result> | undefined
    child.once('message', (message: Performed<Result>) => (answer = message))
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      if (answer && 'result' in answer) resolve(answer.result)
      else reject(new Error(answer?.failed ?? `The measured process ended with ${signal ?? code}`))
    })
    child.send({ task })
  })
}

export type Performed<Result> = { result: Result } | { failed: string }
