import type { Load } from './contestant.ts'

/** Keeps so many runs in flight. The first one that fails ends them all. */
export function keepInFlight(run: () => Promise<unknown>, inFlight: number): Load {
  let ended: number[] = []
  let stopped = false
  let failure: { cause: unknown } | undefined

  async function one(): Promise<void> {
    while (!stopped) {
      const begun = performance.now()
      await run()
      ended.push(performance.now() - begun)
    }
  }
  const all = Promise.all(
    Array.from({ length: inFlight }, () =>
      one().catch((cause: unknown) => {
        failure ??= { cause }
        stopped = true
      }),
    ),
  )
  const check = () => {
    if (failure) throw new Error('A run failed', failure)
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
