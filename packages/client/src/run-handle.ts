import type { CancelRun, Json, OneRun, Run, RunEvent, RunStatus, terminalEvents, Wait } from '@sluice/schema'
import type { Calls } from './calls.ts'
import { RunFailedError, TimeoutError } from './errors.ts'
import type { Input } from './input.ts'
import type { Runs } from './nouns/runs.ts'
import type { CallOptions } from './options.ts'
import { bound } from './waiting.ts'

export interface RunEventsOptions extends CallOptions {
  /** The `cursor` of the last event that is known; from the first event unless given. */
  after?: string | undefined
}

export interface ResultOptions {
  /** In all; as long as it takes unless given. */
  timeoutMs?: number | undefined
  signal?: AbortSignal | undefined
}

/** One run, to hold on to. `Output` is what its workflow returns. */
export interface RunHandle<Output = Json> {
  readonly id: string
  /** As the last call of this handle found it; events do not move it. */
  readonly status: RunStatus
  /** All of it, as the last call of this handle found it. */
  readonly run: Run
  /**
   * Every event from the first on, each once and in order, and the end after the terminal one. Connects again by itself, after
   * a cut at any place and with a renewed token. Events of a type that this package does not know arrive as they came.
   */
  events(options?: RunEventsOptions): AsyncGenerator<RunEvent, void, undefined>
  /** Waits for the end, over restarts of the server too. The output, or throws `RunFailedError` {code, step, run}; `TimeoutError` when it takes longer. */
  result(options?: ResultOptions): Promise<Output>
  refresh(options?: CallOptions): Promise<this>
  /** With `compensate` what it did is undone first. Throws `ConflictError` (`run_compensating`). */
  cancel(how?: Omit<Input<typeof CancelRun>, 'id' | 'workflow'>, options?: CallOptions): Promise<this>
  hold(options?: CallOptions): Promise<this>
  release(options?: CallOptions): Promise<this>
  /** Until it is `parked` or `finished` (the default), or `ms` (30,000) are over: `status` tells. */
  wait(what?: Input<typeof Wait>, options?: CallOptions): Promise<this>
}

/** Of the calls that wait for a result, each this long: proxies end what is silent for a minute. */
const sliceMs = 30_000

/** A run outlives its server; so does the wait for it, for about five minutes of pauses between attempts. */
const patientRetries = 30

/** Events of a run are numbered from 1: after 0 is all of them. */
const beginning = '0'

/** Total: a new way to end does not compile until it stands here. */
const terminal: Record<(typeof terminalEvents)[number], true> = {
  'run.completed': true,
  'run.failed': true,
  'run.cancelled': true,
  'run.compensated': true,
}

export function runHandle<Output>(first: Run, runs: Runs, calls: Calls): RunHandle<Output> {
  let run = first
  const id: Input<typeof OneRun> = { id: run.id }

  async function moved(call: Promise<Run>): Promise<RunHandle<Output>> {
    run = await call
    return handle
  }

  async function finished({ timeoutMs = Infinity, signal: ended }: ResultOptions): Promise<Run> {
    const { signal, release } = bound([ended], timeoutMs, `Run ${run.id}`)
    const until = Date.now() + timeoutMs
    try {
      while (run.endedAt === null) {
        const ms = Math.max(0, Math.min(sliceMs, until - Date.now()))
        await moved(runs.wait({ ...id, until: 'finished', ms }, { signal, retries: patientRetries }))
        if (run.endedAt === null && Date.now() >= until) throw new TimeoutError(`Run ${run.id} has not ended within ${timeoutMs} ms`)
      }
      return run
    } finally {
      release()
    }
  }

  const handle: RunHandle<Output> = {
    id: run.id,
    get status() {
      return run.status
    },
    get run() {
      return run
    },
    events: ({ after = beginning, ...options } = {}) =>
      calls.follow<RunEvent>('events.subscribe', { runId: run.id }, { ...options, after, isLast: ({ type }) => Object.hasOwn(terminal, type) }),
    async result(options = {}) {
      const { status, output } = await finished(options)
      if (status !== 'completed') throw new RunFailedError(run)
      return output as Output
    },
    refresh: (options) => moved(runs.get(id, options)),
    cancel: (how, options) => moved(runs.cancel({ ...how, ...id }, options)),
    hold: (options) => moved(runs.hold(id, options)),
    release: (options) => moved(runs.release(id, options)),
    wait: (what, options) => moved(runs.wait({ ...what, ...id }, options)),
  }
  return handle
}
