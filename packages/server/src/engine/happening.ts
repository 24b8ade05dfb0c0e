import type { DecisionAction, Json, JsonObject, StepError } from '@sluice/schema'
import type { PauseRequest } from '../nodes/contract.ts'
import type { Payload } from './payload.ts'
import type { Listener, TimerKind, Usage } from './turn.ts'

/** What an attempt was of: a result that names an older attempt is a late worker's, and changes nothing. */
export interface AttemptRef {
  nodeId: string
  iteration: string
  phase: 'invoke' | 'compensate'
  attempt: number
  /** What the attempt logged: recorded with its outcome, or not at all. */
  logs?: { level: 'debug' | 'info' | 'warn' | 'error'; message: string }[]
}

export interface StepRef {
  nodeId: string
  iteration: string
}

/** What a step turned out to wait for. */
export type Waiting =
  | { for: 'pause'; pause: PauseRequest; input: Json }
  | { for: 'signal'; name: string; timeoutMs: number | null }
  | { for: 'report'; remind?: { everyMs: number; times: number } }
  | { for: 'timer'; at: number; output?: Json | undefined }
  | { for: 'child'; runId: string }

/** What a producer does next: gives an item, has none any more, or waits for the signal by which it comes. */
export type Production =
  | { item: Payload; route: string[]; state: Json }
  | { ended: Payload }
  | { awaits: string; listens: Pick<Listener, 'kind' | 'name' | 'after'> | null; state: Json }

/** Everything that can happen to a run. All of it comes through one door. */
export type Happening =
  | { is: 'started' }
  /** A worker took the run over, or read it anew: what is under way, but not with it (`mine`: task ids), is lost. */
  | { is: 'claimed'; mine?: ReadonlySet<string> }
  | ({
      is: 'completed'
      output: Payload
      route: string[]
      context?: JsonObject | undefined
      usage?: Usage | undefined
      pushes?: { queue: string; payload: Payload }[] | undefined
      compensateInput?: Json | undefined
    } & AttemptRef)
  | ({ is: 'failed'; error: StepError; retry: boolean; retryAfterMs?: number | null; timedOut: boolean; compensateInput?: Json | undefined } & AttemptRef)
  | ({ is: 'waits'; waiting: Waiting } & AttemptRef)
  /** Of a producer with what it goes on from. */
  | ({ is: 'fanned'; total: number | null; concurrency: number; collect: boolean; start?: Json; from?: Json } & AttemptRef)
  /** A loop's answer: once more, or no more, with what it gives then. */
  | ({ is: 'asked'; more: boolean; output: Payload } & StepRef)
  /** A producer's answer; `took`: it took what had come for it. */
  | ({ is: 'produced'; took: boolean } & Production & StepRef)
  /** The body could not be asked: its config failed, or what came out of it is too large. */
  | ({ is: 'unanswerable'; error: StepError } & StepRef)
  | { is: 'gathered'; output: Payload }
  | { is: 'decided'; pauseId: string; action: DecisionAction; by: { id: string; label: string | null }; inputs: JsonObject | null; comments: string | null; key: string | null }
  | ({
      is: 'reported'
      phase: 'invoke' | 'compensate'
      outcome: { completed: Payload; compensateInput: Json | undefined } | { failed: StepError }
      fingerprint: string
    } & StepRef)
  | { is: 'signalled'; name: string; payload: Payload }
  /** Out of a durable queue, or by a webhook, for the item of a producer that waits for it. */
  | ({ is: 'delivered'; payload: Payload } & StepRef)
  | ({ is: 'due'; timer: TimerKind } & StepRef)
  /** `failures` is how often the step had failed when it started this child: so that one that ends before its step waits is not lost. */
  | ({ is: 'childEnded'; runId: string; failures?: number; outcome: { completed: Payload } | { failed: StepError } } & StepRef)
  | { is: 'cancelled'; undo: boolean }
  | { is: 'held' }
  | { is: 'released' }
  | ({ is: 'retryNow' } & StepRef)
  /** The worker has died of this run too often. */
  | { is: 'poisoned' }
  /** No handlers here for these node types. */
  | { is: 'unserved' }
