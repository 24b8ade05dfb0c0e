import type { Door } from './door.ts'
import type {
  CancelRun,
  DecidedPause,
  DecidePause,
  ForgetTrials,
  ForgottenTrials,
  Json,
  JsonObject,
  Report,
  ReportedStep,
  Run,
  RunInclude,
  SendSignal,
  StartRun,
  StopRun,
  Trial,
  TryNode,
  TryNodeType,
  Wait,
} from '@sluice/schema'
import type { Tx } from '../store/index.ts'

/** On whose behalf the engine acts. Whether they may is decided before. */
export interface Actor {
  workspaceId: string
  /** The user; an API key acts as the user who owns it. */
  userId: string
  /** What an idempotency key is scoped to. */
  principalId: string
  /** The trace context of what they ask, for the runs it starts. */
  traceparent?: string | null
}

export interface ForkRun {
  id: string
  /** The name or id of the step to start again from; what does not depend on it keeps its recorded outputs. */
  step: string
  /** Outputs to put in place of the recorded ones, by node id. */
  outputs?: JsonObject
  /** Another input for the new run. */
  input?: Json
  wait?: Wait
}

/**
 * The doors into run state. Every method answers when its effect is committed, and throws a Fault for what the caller can
 * act on. A run of another workspace is a missing one.
 */
export interface Engine {
  start(actor: Actor, input: StartRun): Promise<Run>
  /**
   * Starts a run with something that is there once: `take` takes it in the transaction that starts the run, so that after a
   * crash either both have happened or neither. Gives the run's id; null when `take` says that it is gone: then nothing has happened.
   */
  startTaking(actor: Actor, input: StartRun, take: (tx: Tx, runId: string) => Promise<boolean>): Promise<string | null>
  /** Answers when the run is as asked, or the time is up; the run as it then stands. */
  wait(actor: Actor, input: { id: string; include?: readonly RunInclude[] } & Wait): Promise<Run>
  /** By the run, or by its workflow: then the current one. */
  cancel(actor: Actor, input: CancelRun): Promise<Run>
  /** Cancels the current run of a workflow, or this one of it. One that has ended, or is on its way to, is left as it is. */
  stop(actor: Actor, input: StopRun): Promise<Run>
  hold(actor: Actor, input: { id: string }): Promise<Run>
  release(actor: Actor, input: { id: string }): Promise<Run>
  retryStep(actor: Actor, input: { id: string; step: string; iteration?: string }): Promise<Run>
  fork(actor: Actor, input: ForkRun): Promise<Run>
  try(actor: Actor, input: TryNode): Promise<Trial>
  /** Of a node that stands in no workflow. */
  tryType(actor: Actor, input: TryNodeType): Promise<Trial>
  forgetTrials(actor: Actor, input: ForgetTrials): Promise<ForgottenTrials>
  decide(actor: Actor, input: DecidePause): Promise<DecidedPause>
  report(actor: Actor, input: Report): Promise<ReportedStep>
  signal(actor: Actor, input: SendSignal): Promise<{ id: string }>
  deliver: Door['deliver']
  /** Hides the workflow, frees its handle and cancels its runs. */
  deleteWorkflow(actor: Actor, input: { workflow: string }): Promise<void>
}
