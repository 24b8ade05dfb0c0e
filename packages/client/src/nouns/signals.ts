import type { SendSignal } from '@sluice/schema'
import type { Calls } from '../calls.ts'
import { keyed } from '../idempotency.ts'
import type { Input } from '../input.ts'
import type { CallOptions } from '../options.ts'

/** Words from outside that steps wait for. */
export interface Signals {
  /**
   * Sends a named message into a run, for the first step that waits for it, now or later. Answers with the signal's id.
   * Throws `ConflictError` (`run_ended`), `LimitExceededError` (`signals_full`), `NotFoundError` (`run_missing`).
   */
  send(signal: Input<typeof SendSignal>, options?: CallOptions): Promise<{ id: string }>
}

export const signalsOf = ({ repeat }: Calls): Signals => ({
  send: (signal, options) => repeat('signals.send', keyed(signal), options),
})
