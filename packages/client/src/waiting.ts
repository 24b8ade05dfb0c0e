import type { Wait } from '@sluice/schema'
import { TimeoutError } from './errors.ts'
import type { Input } from './input.ts'

/** Timers take no more: a longer bound is none. */
const longestMs = 2_147_483_647

/** How long the server may take because it was asked to wait: its own defaults where nothing is said. */
export const waitOf = (wait: Input<typeof Wait> | undefined): number => (wait && wait.until !== 'accepted' ? (wait.ms ?? 30_000) : 0)

type Signals = readonly (AbortSignal | undefined)[]

/** Aborted when one of the signals is, with its reason, or when the time is up, with a `TimeoutError`. To be released, or its listeners stay with signals that live on. */
export interface Bound {
  signal: AbortSignal
  abort(reason: unknown): void
  /** From now on it takes as long as it takes. */
  stopClock(): void
  release(): void
}

/** `AbortSignal.any` would do most of it; it is missing in Node 20.0, and holds on to what it has seen in some later ones. */
export function bound(signals: Signals, ms = Infinity, what = 'It'): Bound {
  const controller = new AbortController()
  const links = signals.flatMap((signal) => (signal ? [{ signal, abort: () => controller.abort(signal.reason) }] : []))
  for (const { signal, abort } of links) {
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
  }
  const timer = ms <= longestMs ? setTimeout(() => controller.abort(new TimeoutError(`${what} took longer than ${ms} ms`)), ms) : undefined
  const stopClock = (): void => clearTimeout(timer)
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    stopClock,
    release() {
      stopClock()
      for (const { signal, abort } of links) signal.removeEventListener('abort', abort)
    },
  }
}

/** Resolves after so many milliseconds; rejects with the reason of the first signal that is aborted. */
export async function sleep(ms: number, signals: Signals): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  try {
    await before(new Promise<void>((resolve) => (timer = setTimeout(resolve, ms))), signals)
  } finally {
    clearTimeout(timer)
  }
}

/** The promise, or the reason of the first signal that is aborted before it settles. */
export async function before<T>(promise: Promise<T>, signals: Signals): Promise<T> {
  const { signal, release } = bound(signals)
  try {
    return await new Promise<T>((resolve, reject) => {
      const leave = (): void => reject(signal.reason as Error)
      if (signal.aborted) leave()
      signal.addEventListener('abort', leave, { once: true })
      promise.then(resolve, reject)
    })
  } finally {
    release()
  }
}
