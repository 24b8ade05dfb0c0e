import { Fault } from '@sluice/schema'

/** Lets `atOnce` pass, keeps `waiting` more in line, and turns the rest away as `rate_limited`. */
export type Gate = <T>(work: () => Promise<T>) => Promise<T>

export function createGate(atOnce: number, waiting: number): Gate {
  let inside = 0
  const line: (() => void)[] = []

  return async (work) => {
    if (inside >= atOnce) {
      if (line.length >= waiting) throw new Fault('rate_limited', { message: 'Too many passwords are being checked', retryAfter: 1 })
      // Whoever leaves hands its place on: `inside` stays as it is.
      await new Promise<void>((enter) => line.push(enter))
    } else inside++
    try {
      return await work()
    } finally {
      const next = line.shift()
      if (next) next()
      else inside--
    }
  }
}
