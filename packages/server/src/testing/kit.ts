import type { Json, Pause, Step, StepError } from '@sluice/schema'
import type { WrittenStep } from '../code/steps.ts'
import type { Done, StepAt, WrittenWorkflow } from '../code/written.ts'
import type { FailOptions, Stub } from './stubs.ts'
import type { SkipOptions, Span } from './time.ts'
import type { DecisionArguments, DecisionOptions, InputOf, OutputOf, PausesOf, StartArguments, StartOptions, TestRun } from './typing.ts'

/** What stands in the place of a step's handlers; what is not given is the step's own. */
export interface StubHandlers<Input, Output> {
  invoke?: (input: Input, at: StepAt) => Output | Done<Output, unknown> | PromiseLike<Output | Done<Output, unknown>>
  compensate?: (left: never, at: StepAt) => unknown
}
export type StubOf<Input, Output> = StubHandlers<Input, Output> | NonNullable<StubHandlers<Input, Output>['invoke']>

/** Which of several iterations is meant, and what else a report may say. */
export interface ReportOptions {
  iteration?: string
  /** `compensate`: of the step's undoing. */
  phase?: 'invoke' | 'compensate'
  /** What the step's undoing gets; its output unless set. */
  compensateInput?: Json
}

/** What a test says to its server. */
export interface Verbs {
  /** Starts a run. Throws a Fault: `input_invalid`, `workflow_missing` for one that `startTesting` was not given. */
  start<W extends WrittenWorkflow>(workflow: W, ...given: StartArguments<InputOf<W>>): Promise<TestRun<OutputOf<W>, PausesOf<W>>>
  /** Of a workflow by its handle or id, such as one that was drawn. */
  start<Output = Json>(workflow: string, input?: unknown, options?: StartOptions): Promise<TestRun<Output>>
  /** The runs of a workflow, oldest first, whoever started them: a schedule, another run. */
  runs<W extends WrittenWorkflow>(workflow: W): Promise<TestRun<OutputOf<W>, PausesOf<W>>[]>
  runs(workflow: string): Promise<TestRun[]>
  /**
   * Skips time: what falls due in it happens, each at its moment and one after the other: retries, timers, reminders, time-outs, pauses that expire,
   * schedules. Answers when all that follows from it has come to rest. Steps at work are waited for. Throws StillAtWorkError.
   */
  skip(span: Span, options?: SkipOptions): Promise<void>
  /** Skips from moment to moment until the run has ended; what it returns. Throws RunFailedError; StillWaitingError when it waits for more than time. */
  finish<Output>(run: TestRun<Output, unknown>): Promise<Output>
  /** Answers when nothing is at work: all runs wait, or have ended. Throws StillAtWorkError. */
  settle(): Promise<void>
  /** Puts a handler in the place of a step's own, for all runs from now on; by the step itself it is typed. Throws TypeError for a step that the workflow does not have. */
  stub<Input, Output>(workflow: WrittenWorkflow, step: WrittenStep<Input, Output>, does: StubOf<Input, Output>): Stub<Input>
  stub<Input = unknown>(workflow: WrittenWorkflow, step: string, does: StubOf<Input, unknown>): Stub<Input>
  /** Makes a step fail: `{ times: 2 }` twice, and then it does what it does; `{ permanent: true }` for good, without another attempt. */
  fail(workflow: WrittenWorkflow, step: string | { readonly name: string }, error?: string | Error, options?: FailOptions): Stub
  /** The calls of a step, and of its undoing, that is left as it is. */
  watch(workflow: WrittenWorkflow, step: string | { readonly name: string }): Stub
  readonly pauses: TestPauses
  /** The outcome of a step that waits for a report; it is waited for. */
  report(run: TestRun<unknown, unknown>, step: string, output?: unknown, options?: ReportOptions): Promise<Step>
  /** A failure counts as a failed attempt. */
  reportFailure(run: TestRun<unknown, unknown>, step: string, error?: string | StepError, options?: Omit<ReportOptions, 'compensateInput'>): Promise<Step>
  /** A message into the run, for the first step that waits for it, now or later. */
  signal(run: TestRun<unknown, unknown>, name: string, payload?: unknown): Promise<void>
}

/** A server with a time of its own, until it is closed. */
export interface Testing<Client = undefined> extends Verbs, AsyncDisposable {
  /** What the time is. */
  now(): Date
  /** What `createClient` gave, where it was given. */
  readonly client: Client
  /** Where the server listens: on this machine alone, at a port that nobody else has. */
  readonly url: string
  /** Of an owner of the workspace. */
  readonly apiKey: string
  /** What is under way is cut off, and the database goes. Also by `await using`. */
  close(): Promise<void>
}

/** Decides pauses, by the name of the node that asks. One that is about to open is waited for. */
export interface TestPauses {
  approve<Pauses, Node extends keyof Pauses & string>(run: TestRun<unknown, Pauses>, node: Node, ...answer: DecisionArguments<Pauses[Node]>): Promise<Pause>
  /** The inputs are the output of the step. */
  override<Pauses, Node extends keyof Pauses & string>(run: TestRun<unknown, Pauses>, node: Node, ...answer: DecisionArguments<Pauses[Node]>): Promise<Pause>
  decline<Pauses>(run: TestRun<unknown, Pauses>, node: keyof Pauses & string, options?: DecisionOptions): Promise<Pause>
  /** Those that are open, oldest first. */
  open(run: TestRun<unknown, unknown>): Promise<Pause[]>
}
