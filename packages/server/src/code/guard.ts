import { url as inspected } from 'node:inspector'
import { Worker } from 'node:worker_threads'

export interface Guard {
  /** The file of this place in the list is being loaded. */
  loading(file: number): void
  done(): void
}

/** Longer than what awaits for ever, which is told in the ordinary way. */
const graceMs = 2_000

/**
 * Ends the process when a module holds it up: of a loop at its top level that never ends, nothing else in this thread ever
 * hears. Who looks at it with a debugger may take their time.
 */
export function guardLoading(files: readonly string[], patienceMs: number): Guard {
  if (files.length === 0 || inspected() !== undefined) return { loading: () => {}, done: () => {} }
  const cell = new Int32Array(new SharedArrayBuffer(4))
  const say = (at: number): void => {
    Atomics.store(cell, 0, at)
    Atomics.notify(cell, 0)
  }
  const watcher = new Worker(watch, { eval: true, workerData: { cell, files, ms: patienceMs + graceMs, done: files.length }, stdout: false, stderr: false })
  watcher.unref()
  // Without it a start is as it was.
  watcher.on('error', () => {})
  return { loading: say, done: () => say(files.length) }
}

/** Says why with what is left to it: streams of a worker go by way of the thread that is held up. */
const watch = `
  const { workerData: { cell, files, ms, done } } = require('node:worker_threads')
  const { writeSync } = require('node:fs')
  for (let at = Atomics.load(cell, 0); at !== done; at = Atomics.load(cell, 0)) {
    if (Atomics.wait(cell, 0, at, ms) !== 'timed-out') continue
    writeSync(2, files[at] + ' holds the start up for more than ' + Math.round(ms / 1000) + ' s: what it does at its top level does not end\\n')
    process.kill(process.pid, 'SIGKILL')
  }`
