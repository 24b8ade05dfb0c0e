import type { NodeSettings, RetrySettings } from '@sluice/schema'
import type { OnFailure } from './draft.ts'
import type { Shape } from './shapes.ts'
import type { Given, LeftOf, OutputOf, Resolved, Stored } from './values.ts'
import type { StepAt } from './written.ts'

/** What a step of a workflow in code is, to those who write it. */

export interface Retry {
  /** In all, the first one too. */
  attempts: number
  /** Between them. Without it 1 s, then twice as long each time. */
  everyMs?: number
  /** Growth of the delay from one to the next; 1 where `everyMs` is set. */
  factor?: number
  /** Share of the delay that is drawn at random; 0 where `everyMs` is set. */
  jitter?: number
  /** The next attempt is made when somebody asks for it (`runs.retryStep`), and not before. */
  manual?: boolean
}

/** How a step is tried, and what becomes of the run when it has failed for good. */
export interface Trying<F extends OnFailure = OnFailure> {
  retry?: Retry
  /** Of one attempt, 10 minutes unless set; of an async step, until its report has come, and unlimited unless set. */
  timeoutMs?: number
  /**
   * `stop` (unless set): nothing new starts, and what was done is undone. `continue`: the run goes on, and the step's value is undefined.
   * `skip`: all that comes after it is skipped, and the run completes. `{ skipTo }`: what comes before that step is skipped.
   */
  onFailure?: F
}

/**
 * What a step does, and what undoes it. Write `input`, `invoke` and `compensate` in this order: the types of each come from those before it.
 */
export interface Handlers<Input, R, T, A extends boolean> {
  /** Of an async step what is reported, of any other what it gives: with a schema it is held against that. */
  output?: Shape<T>
  /** When `invoke` gives nothing, the step waits for a report from outside: `steps.report`, with `at.runId` and the name of the step. */
  async?: A
  /** While no report has come, `invoke` is called again, so many times at most. */
  remind?: { everyMs: number; times?: number }
  invoke: (input: Input, at: StepAt) => R
  /**
   * Undoes the step when a later one has failed, or itself: called with what the step left for it, which is what it gave, or what it said
   * by `done`. A step that failed left nothing, unless it said so by `permanentFailure`.
   */
  compensate?: (left: Left<R, T, A> | undefined, at: StepAt) => unknown
  /** When `compensate` gives nothing, its end is reported too, with `phase: 'compensate'`. */
  compensateAsync?: boolean
  /** Another one than before, 1 unless set: runs in flight go on with the handlers of the revision that they began with, or wait for them. */
  revision?: number
}

type Left<R, T, A extends boolean> = A extends true ? Exclude<Stored<LeftOf<R>>, null> | Stored<T> : Stored<LeftOf<R>>

/** What a step gives to those after it. */
export type StepOutput<R, T, A extends boolean, F extends OnFailure> = Came<R, T, A> | (F extends 'stop' ? never : undefined)
type Came<R, T, A extends boolean> = A extends true ? Exclude<Stored<OutputOf<R>>, null> | Stored<T> : Stored<OutputOf<R>>

export type StepOptions<I, R, T, A extends boolean, F extends OnFailure> = Trying<F> & {
  /** What `invoke` gets: values, references, objects and lists of them. */
  input?: I
} & Handlers<Resolved<I>, R, T, A>

/** Those of any step, for who does not call them. */
export type StepHandlers = Omit<Handlers<never, unknown, unknown, boolean>, 'compensate'> & { compensate?: (left: never, at: StepAt) => unknown }

/** A step that any number of workflows use. */
export interface WrittenStep<in Input, out Output> {
  readonly name: string
  readonly options: Trying & StepHandlers
  /** For the compiler alone. */
  readonly types?: { takes: (input: Input) => void; gives: Output }
}

/** Defines a step to be used by `w.step(reserve, { items: w.input.items })`. What it takes is said by the parameter of `invoke`. */
export const defineStep = <Input, R, T = unknown, const A extends boolean = false, const F extends OnFailure = 'stop'>(
  name: string,
  options: Trying<F> & Handlers<Input, R, T, A>,
): WrittenStep<Input, StepOutput<R, T, A, F>> => ({ name, options })

/** The input of a step that is asked for where it takes one. */
export type InputArguments<Input, Options> = unknown extends Input ? [input?: unknown, options?: Options] : [input: Given<Input>, options?: Options]

/** As a definition has them. */
export function settingsOf({ retry, timeoutMs }: Trying, compensate?: NodeSettings['compensate']): { settings?: NodeSettings } {
  const settings = { ...(retry && { retry: retryOf(retry) }), ...(timeoutMs !== undefined && { timeoutMs }), ...(compensate && { compensate }) }
  return Object.keys(settings).length === 0 ? {} : { settings }
}

function retryOf({ attempts, everyMs, factor, jitter, manual }: Retry): RetrySettings {
  const steady = everyMs === undefined ? {} : { backoffMs: everyMs, factor: 1, jitter: 0 }
  return { maxAttempts: attempts, ...steady, ...(factor !== undefined && { factor }), ...(jitter !== undefined && { jitter }), ...(manual === true && { manual }) }
}
