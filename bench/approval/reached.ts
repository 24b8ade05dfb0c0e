import { setTimeout as sleep } from 'node:timers/promises'

/** Who decides takes a moment, the same for all; whatever still goes on of the waiting run has ended by then. */
export const think = (): Promise<void> => sleep(100)

/** When each run reached its step. */
export interface Reached {
  /** To be called at the first line of the step. */
  now(run: string): void
  /** The moment, as `performance.now` has it. */
  by(run: string): Promise<number>
}

export function createReached(): Reached {
  const waiting = new Map<string, (at: number) => void>()
  return {
    now(run) {
      waiting.get(run)?.(performance.now())
      waiting.delete(run)
    },
    by: (run) => new Promise((resolve) => waiting.set(run, resolve)),
  }
}
