import type { CancelRun, DecidedPause, DecidePause, Json, JsonObject, OtherInputs, Report, Run, RunInclude, SendSignal, StartRun, Step, StepError, Wait } from '@sluice/schema'

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

/** The outcome of a trial: a run of part of a draft. */
export interface Trial {
  runId: string
  status: 'completed' | 'failed' | 'cancelled'
  nodeId: string
  input: Json
  output: Json
  error: StepError | null
  /** Outputs of all nodes that ran, by node id. */
  outputs: JsonObject
  durationMs: number
}

export interface TryNode {
  workflow: string
  nodeId: string
  /** The node's input, keyed by step name of its predecessors; they are not run. */
  input?: JsonObject
  /** Values of the input nodes that are run, by id or title, in place of an input. */
  inputs?: JsonObject
  /** What becomes of inputs that name no input node. */
  otherInputs?: OtherInputs
  /** Outputs of other nodes, by node id; what is not given is run. */
  outputs?: JsonObject
  /** Config to try instead of the draft's. */
  config?: JsonObject
  /** Keep config and sample in the draft. */
  save?: boolean
  timeoutMs?: number
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
  /** Answers when the run is as asked, or the time is up; the run as it then stands. */
  wait(actor: Actor, input: { id: string; include?: readonly RunInclude[] } & Wait): Promise<Run>
  /** By the run, or by its workflow: then the current one. */
  cancel(actor: Actor, input: CancelRun): Promise<Run>
  hold(actor: Actor, input: { id: string }): Promise<Run>
  release(actor: Actor, input: { id: string }): Promise<Run>
  retryStep(actor: Actor, input: { id: string; step: string; iteration?: string }): Promise<Run>
  fork(actor: Actor, input: ForkRun): Promise<Run>
  try(actor: Actor, input: TryNode): Promise<Trial>
  decide(actor: Actor, input: DecidePause): Promise<DecidedPause>
  report(actor: Actor, input: Report): Promise<Step>
  signal(actor: Actor, input: SendSignal): Promise<{ id: string }>
  /** Hides the workflow, frees its handle and cancels its runs. */
  deleteWorkflow(actor: Actor, input: { workflow: string }): Promise<void>
}
