/** Wide: what does not come within it, hangs. */
const patienceMs = 15_000

/** Resolves when `begin` says so; fails with what was waited for when that takes too long. `begin` gives back how to stop. */
export function deadline<T = void>(what: string, begin: (done: (value: T) => void, fail: (error: unknown) => void) => unknown, ms = patienceMs): Promise<T> {
  return new Promise((resolve, reject) => {
    let stop: unknown = null
    const settle =
      <V>(how: (value: V) => void) =>
      (value: V): void => {
        clearTimeout(timer)
        how(value)
        // Once `begin` has returned, should it have been quicker than itself.
        queueMicrotask(() => typeof stop === 'function' && void (stop as () => unknown)())
      }
    const timer = setTimeout(() => settle(reject)(new Error(`not within ${ms} ms: ${what}`)), ms)
    stop = begin(settle(resolve), settle(reject))
  })
}
