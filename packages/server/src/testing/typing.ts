import type { Json, JsonObject, Run, RunEvent, StartRun, Step } from '@sluice/schema'

/** What carries the types of a workflow with it. */
export interface Typed {
  readonly types: { input?: unknown; output?: unknown; pauses?: unknown }
}

export type InputOf<W extends Typed> = W['types'] extends { input: infer In } ? In : unknown
export type OutputOf<W extends Typed> = W['types'] extends { output: infer Out } ? Out : Json
/** The inputs of a decision, by the node that asks for it. */
export type PausesOf<W extends Typed> = W['types'] extends { pauses: infer Pauses extends object } ? Pauses : AnyPauses

export interface AnyPauses {
  [node: string]: JsonObject
}

export type StartOptions = Partial<Omit<StartRun, 'workflow' | 'input' | 'wait' | 'include'>>

/** Asked for where the workflow needs one. */
export type StartArguments<In> = unknown extends In
  ? [input?: unknown, options?: StartOptions]
  : undefined extends In
    ? [input?: In, options?: StartOptions]
    : [input: In, options?: StartOptions]

/** What is said of a decision beside its inputs. */
export interface DecisionOptions {
  comments?: string
}

/** The inputs are asked for where the form of the pause asks for them. */
export type DecisionArguments<Inputs> = {} extends Inputs ? [inputs?: Inputs, options?: DecisionOptions] : [inputs: Inputs, options?: DecisionOptions]

/** A run of a test. */
export interface TestRun<Output = unknown, Pauses = AnyPauses> {
  readonly id: string
  /**
   * What it returns, once it has completed. Throws a RunFailedError when it ended otherwise, and a StillWaitingError when it has not
   * ended and nothing is at work on it: then it is the test's turn.
   */
  result(): Promise<Output>
  /** As it stands, once nothing is at work on it. */
  get(): Promise<Run>
  /** One for each node and iteration, in the order they came to be. */
  steps(): Promise<Step[]>
  /** All that has happened so far. */
  events(): Promise<RunEvent[]>
  /** For the compiler alone. */
  readonly types?: { pauses: Pauses }
}
