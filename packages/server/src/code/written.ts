import type { Definition, Json } from '@sluice/schema'

/**
 * What is written in TypeScript becomes a definition like any other, and functions that it names. The definition is stored and
 * versioned; the functions are there while the server runs that has loaded them.
 */

/** Where a function of a workflow is called: what it may know, and what it may touch. */
export interface StepAt {
  workspaceId: string
  workflowId: string
  runId: string
  /** The same on every attempt of the step, and another for its undoing: to be sent along as Idempotency-Key. */
  key: string
  /** That of the step, also where it is undone: what `invoke` sent along as its `key`. */
  stepKey: string
  /** 1 for the first try. */
  attempt: number
  now: Date
  /** Aborted on cancel, time-out, shutdown and loss of the claim. What ignores it is fenced all the same. */
  signal: AbortSignal
  /** The W3C trace context of this attempt: calls outside carry it on. Null: there is no trace. */
  traceparent: string | null
  /** Writes a log event of the run. */
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string): void
  /** The value of a named secret of the workspace. Throws a StepFailure `secret_missing`. */
  secret(name: string): Promise<string>
}

/** A function that a definition names. Types are for those who write it: here it takes and gives what it will. */
export type WrittenFunction =
  | {
      is: 'step'
      /** Null: a hook that nobody took up. Gives a value, `done(output, compensateInput)`, or, of an async step, nothing: then the step waits for a report. */
      invoke: ((input: never, at: StepAt) => unknown) | null
      /** Gets what the step left for it: its output, unless it said otherwise. Undefined: the step left nothing. */
      compensate: ((left: never, at: StepAt) => unknown) | null
    }
  /** A transform or a condition: free of effects, and done again wherever it is needed. */
  | { is: 'value'; of(values: never): unknown }

/** When runs of it are started by the clock. */
export interface WrittenSchedule {
  /** Among those of its workflow. */
  name: string
  cron?: string
  everyMs?: number
  timeZone?: string
  missed?: 'skip' | 'once' | 'all'
  overlap?: 'allow' | 'skip' | 'queue'
  input?: Json
  /** So many runs, and no more. */
  times?: number
}

/** By this a module's export is known, whichever copy of this file made it. */
export const writtenMark: unique symbol = Symbol.for('sluice.workflow') as never

export interface WrittenWorkflow<Types = { input?: unknown; output?: unknown; pauses?: unknown }> {
  readonly [writtenMark]: true
  /** Its handle. */
  readonly name: string
  readonly title: string
  readonly description: string
  /** Not published: its functions serve the runs of an older version that are in flight. */
  readonly superseded: boolean
  readonly definition: Definition
  /** By the names that the definition has for them. */
  readonly functions: ReadonlyMap<string, WrittenFunction>
  readonly schedules: readonly WrittenSchedule[]
  /** For the compiler alone: there is nothing in it. */
  readonly types: Types
}

export const isWritten = (value: unknown): value is WrittenWorkflow => typeof value === 'object' && value !== null && writtenMark in value

/** The name of a step's function: a step that is called by its name takes what it always took, or has another revision. */
export const stepKey = (name: string, revision = 1): string => (revision === 1 ? name : `${name}@${revision}`)

const doneMark: unique symbol = Symbol.for('sluice.done') as never

/** What a step gives, and beside it what its undoing gets. */
export interface Done<Output, Left> {
  readonly [doneMark]: true
  readonly output: Output
  readonly compensateInput: Left
}

/** To be returned by a step whose undoing needs something else than what it gives. */
export const done = <Output, Left>(output: Output, compensateInput: Left): Done<Output, Left> => ({ [doneMark]: true, output, compensateInput })

export const isDone = (value: unknown): value is Done<unknown, unknown> => typeof value === 'object' && value !== null && doneMark in value

const failureMark: unique symbol = Symbol.for('sluice.permanent-failure') as never

/** A step has failed for good: whatever attempts are left, none is made. */
export class PermanentFailure extends Error {
  override readonly name: string = 'PermanentFailure'
  readonly [failureMark] = true as const
  /** What the undoing of the failed step gets; without it nothing. */
  readonly compensateInput: unknown
  readonly code: string | undefined
  constructor(message: string, compensateInput?: unknown, options: { code?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.compensateInput = compensateInput
    this.code = options.code
  }
}

/** Throws a PermanentFailure. */
export function permanentFailure(message: string, compensateInput?: unknown, options: { code?: string; cause?: unknown } = {}): never {
  throw new PermanentFailure(message, compensateInput, options)
}

export const isPermanent = (error: unknown): error is PermanentFailure => error instanceof Error && failureMark in error
