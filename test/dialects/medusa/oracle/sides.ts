import type { Json } from '@sluice/schema'
import type { Flow } from '@sluice/server'
import type { Happened, Reported } from './engine.ts'

/** A flow is composed on both sides, with the same steps and the same handlers, and driven by the same hand; what each side tells of it is an account. */

// ── what is said of a flow ─────────────────────────────────────────────────────────────────────────────────────────────

/** What a handler comes to. */
export type Comes = { gives: Json; leaves?: Json } | { fails: string } | { failsForGood: string; leaves?: Json } | 'waits'

/** In Medusa's words: of ours they are made below. */
export interface Options {
  async?: true
  compensateAsync?: true
  maxRetries?: number
  retryInterval?: number
  autoRetry?: false
  retryIntervalAwaiting?: number
  maxAwaitingRetries?: number
  timeout?: number
  continueOnPermanentFailure?: true
  skipOnPermanentFailure?: true | string
}

/** A step: what each attempt at it comes to, the last one for all after it. Without `compensates` nothing undoes it. */
export interface Act {
  invokes?: readonly Comes[]
  compensates?: readonly Comes[]
  options?: Options
  /** Milliseconds that an attempt takes. */
  takes?: number
}

/** Stands for what a step gives, and below it for what is in that. */
export interface Value {
  readonly [key: string]: Value
}
export type Steps = Readonly<Record<string, (input?: unknown) => Value>>

export interface FlowOptions {
  /** Seconds. */
  timeout?: number
  idempotent?: true
  retentionTime?: number
}

export interface Case {
  name: string
  /** The rules of the contract that it is about. */
  rules: string
  options?: FlowOptions
  acts: Record<string, Act>
  /** A nested workflow, a step of its parent by the name `<name>-as-step`. */
  nested?: Case
  /** Steps of which neither side says which comes first. */
  beside?: readonly string[]
  theirs(steps: Steps, input: Value, at: { hook(name: string, values: unknown): unknown }): unknown
  ours(steps: Steps, input: Value, w: Flow<unknown>): unknown
  /** The hook that somebody takes up. */
  hooked?: string
  /** Runs once with `{ n: 3 }` unless it says otherwise. */
  drive?(side: Side): Promise<void>
}

/** Both sides, as they are driven. */
export interface Side {
  run(input?: Json): Promise<void>
  succeed(step: string, response?: Json, more?: Pick<Reported, 'leaves' | 'action'>): Promise<void>
  fail(step: string, response?: Json): Promise<void>
  /** Once the step waits for a report, after so many calls. */
  awaited(step: string, times?: number): Promise<void>
  /** Once its undoing waits for one. */
  undoing(step: string): Promise<void>
  over(): Promise<void>
  /** As far as it goes by itself. */
  cancel(): Promise<void>
  /** Keeps what is told of it now. */
  look(as: string): Promise<void>
}

// oxlint-disable-next-line typescript/no-explicit-any -- as it is told
export type Told = any

export interface Account {
  /** What was answered, in turn. */
  answers: Json[]
  calls: string[]
  events: string[]
  [look: string]: Told
}

// ── handlers ───────────────────────────────────────────────────────────────────────────────────────────────────────────

export const rest = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

export type Phase = 'invoke' | 'compensate'

/** Writes the call down, and says what the attempt comes to. */
export function called(calls: string[], name: string, { invokes = [{ gives: { by: name } }], compensates = [], takes = 0 }: Act) {
  return async (phase: Phase, attempt: number, given: unknown): Promise<Comes> => {
    calls.push(`${phase} ${name}#${attempt}${given === undefined ? '' : ` ${JSON.stringify(given)}`}`)
    const each = phase === 'invoke' ? invokes : compensates
    if (phase === 'invoke') await rest(takes)
    return each[attempt - 1] ?? each.at(-1)!
  }
}

export function thrown(message: string): never {
  throw new Error(message)
}

export interface Attempted {
  attempt: number
}

// ── what is told ───────────────────────────────────────────────────────────────────────────────────────────────────────

export const isUndoing = ({ steps }: Told, name: string): boolean =>
  Object.values<Told>(steps).some(({ definition, compensate }) => definition?.action === name && compensate.status === 'waiting_response')

export const eventOf = ({ type, step }: Happened): string => (step === undefined ? type : `${type} ${step}`)
export const callOf = (call: string): string => call.split(/[ #]/)[1]!

const resume = 'onResume'
export const stepIn = ({ type, step }: Happened): string => step ?? (type === resume ? resume : '')

/** What is beside each other, by its name: which of them came first, and was taken up first, says nothing. */
export function inOrder<T>(list: readonly T[], { beside }: Case, stepOf: (item: T) => string): T[] {
  const isBeside = (item: T) => beside !== undefined && [resume, ...beside].includes(stepOf(item))
  const ordered: T[] = []
  for (let at = 0; at < list.length;) {
    let end = at + 1
    while (isBeside(list[at]!) && end < list.length && isBeside(list[end]!)) end++
    ordered.push(...list.slice(at, end).toSorted((one, other) => stepOf(one).localeCompare(stepOf(other))))
    at = end
  }
  return ordered
}
