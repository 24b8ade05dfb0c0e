import type { Load } from './contestant.ts'

/** One of what is kept in flight; gives the milliseconds that count. */
export type Timed = () => Promise<number>

/** All of it counts, from the call to its end. */
export const timed =
  (work: () => Promise<unknown>): Timed =>
  async () => {
    const begun = performance.now()
    await work()
    return performance.now() - begun
  }

/** Keeps so many in flight. The first one that fails ends them all. */
export function keepInFlight(one: Timed, inFlight: number): Load {
  let ended: number[] = []
  let stopped = false
  let failure: { cause: unknown } | undefined

  async function again(): Promise<void> {
    while (!stopped) {
      const ms = await one()
      // Not before: what is taken meanwhile is another list.
      ended.push(ms)
    }
  }
  const all = Promise.all(
    Array.from({ length: inFlight }, () =>
      again().catch((cause: unknown) => {
        failure ??= { cause }
        stopped = true
      }),
    ),
  )
  const check = () => {
    if (failure) throw new Error('One of the load failed', failure)
  }

  return {
    async take() {
      check()
      const taken = ended
      ended = []
      return taken
    },
    async stop() {
      stopped = true
      await all
      check()
    },
  }
}
