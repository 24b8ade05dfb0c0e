import { exits, Interrupted } from './failure.ts'

/**
 * Work that Ctrl-C leaves, with a word on what becomes of it; a second one leaves at once. The listener stays until the work is
 * over: without one, what restores the cursor of a terminal would end the process by the signal, and nothing more be said.
 */
export async function leavable<T>(word: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const leave = new AbortController()
  const onInterrupt = (): void => {
    if (leave.signal.aborted) process.exit(exits.interrupted)
    leave.abort(new Interrupted(word))
  }
  process.on('SIGINT', onInterrupt)
  try {
    return await work(leave.signal)
  } finally {
    process.off('SIGINT', onInterrupt)
  }
}
