/** A few places, and a line before them. */
export interface Places {
  /** Does it as soon as there is a place. Throws the reason of `signal` to who is still in the line. */
  with<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>
  /** Settles when everybody who has a place now has left it. */
  left(): Promise<void>
}

export function createPlaces(count: number): Places {
  let free = count
  const line: (() => void)[] = []
  const working = new Set<Promise<unknown>>()

  async function turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (free > 0) {
      free--
      return
    }
    const called = Promise.withResolvers<void>()
    const leave = (): void => {
      const at = line.indexOf(called.resolve)
      if (at >= 0) line.splice(at, 1)
      called.reject(signal.reason)
    }
    line.push(called.resolve)
    signal.addEventListener('abort', leave, { once: true })
    try {
      await called.promise
    } finally {
      signal.removeEventListener('abort', leave)
    }
  }

  /** The place goes to who is next, or is free. */
  function leave(): void {
    const next = line.shift()
    if (next) next()
    else free++
  }

  return {
    async with(signal, work) {
      await turn(signal)
      const done = work()
      working.add(done)
      try {
        return await done
      } finally {
        working.delete(done)
        leave()
      }
    },
    async left() {
      await Promise.allSettled(working)
    },
  }
}
