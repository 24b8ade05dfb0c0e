import type { CancelRun, DecisionAction, Json, ListPauses, ListSteps, OneRun, Pause, Run, RunEvent, RunStatus, Step, terminalEvents, Wait } from '@sluice/schema'
import type { Calls } from './calls.ts'
import { ConflictError, NotFoundError, RunFailedError, TimeoutError } from './errors.ts'
import type { Input } from './input.ts'
import type { Listing } from './listing.ts'
import type { DecisionInput, Pauses as PausesNoun } from './nouns/pauses.ts'
import type { Runs } from './nouns/runs.ts'
import type { CallOptions } from './options.ts'
import type { AnswerArgument, AnyPauses, PauseAt, PausingNode } from './typing.ts'
import { bound } from './waiting.ts'

export interface RunEventsOptions extends CallOptions {
  /** The `cursor` of the last event that is known; from the first event unless given. */
  after?: string | undefined
}

export interface ResultOptions {
  /** Milliseconds in all; as long as it takes unless given. */
  timeoutMs?: number | undefined
  signal?: AbortSignal | undefined
}

/** One run, to hold on to. `Output` is what its workflow returns, `Pauses` what its decisions carry, by node. */
export interface RunHandle<Output = Json, Pauses = AnyPauses> {
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
  /** One for each node and iteration, in the order they came to be. */
  steps(filter?: Omit<Input<typeof ListSteps>, 'id'>, options?: CallOptions): Listing<Step>
  /** What it has asked, newest first; `{ status: 'open' }` is what it still asks. */
  pauses(filter?: Omit<Input<typeof ListPauses>, 'runId' | 'workflow'>, options?: CallOptions): Listing<Pause>
  /** Asks how the run stands now. */
  refresh(options?: CallOptions): Promise<this>
  /** With `compensate` what it did is undone first. Throws `ConflictError` (`run_compensating`). */
  cancel(how?: Omit<Input<typeof CancelRun>, 'id' | 'workflow'>, options?: CallOptions): Promise<this>
  /** Freezes it: what is under way ends, nothing new starts. Throws `ConflictError` (`run_ended`, `run_not_holdable`). */
  hold(options?: CallOptions): Promise<this>
  /** Lets it go on. Throws `ConflictError` (`run_not_held`, `run_ended`). */
  release(options?: CallOptions): Promise<this>
  /** Until it is `parked`, `paused` or `finished` (the default), or `ms` milliseconds (30,000) are over: `status` tells. */
  wait(what?: Input<typeof Wait>, options?: CallOptions): Promise<this>
  /**
   * Decides the pause of this node, named by its id or title, as `pauses.approve` does. Throws `NotFoundError` (`pause_missing`)
   * when it has not asked yet, `ConflictError` (`pause_ambiguous`) when several of its iterations ask at once, or
   * (`pause_decided`) when somebody else was quicker.
   */
  approve<Node extends PausingNode<Pauses>>(node: Node, ...answer: AnswerArgument<Pauses[Node]>): Promise<PauseAt<Node>>
  /** The inputs are the output of the step. */
  override<Node extends PausingNode<Pauses>>(node: Node, ...answer: AnswerArgument<Pauses[Node]>): Promise<PauseAt<Node>>
  decline<Node extends PausingNode<Pauses>>(node: Node, answer?: DecisionInput): Promise<PauseAt<Node>>
}

/** What a handle speaks through. */
export interface RunNouns {
  runs: Runs
  pauses: PausesNoun
}

/** Of the calls that wait for a result, each this long: proxies end what is silent for a minute. */
const sliceMs = 30_000

/** A run outlives its server; so does the wait for it, for two to four minutes of pauses between attempts. */
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

export function runHandle<Output, Pauses = AnyPauses>(first: Run, { runs, pauses }: RunNouns, calls: Calls): RunHandle<Output, Pauses> {
  let run = first
  const id: Input<typeof OneRun> = { id: run.id }

  async function moved(call: Promise<Run>): Promise<RunHandle<Output, Pauses>> {
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

  const decided = (action: DecisionAction) =>
    async function <Node extends string>(node: Node, answer?: object): Promise<PauseAt<Node>> {
      const { id: pause } = await pauseOf(node)
      return (await pauses.decide({ ...answer, id: pause, action })) as PauseAt<Node>
    }

  /** The open one; else the last one, so that the server says how that was decided. */
  async function pauseOf(node: string): Promise<Pause> {
    const asked: Pause[] = []
    for await (const pause of pauses.list({ runId: run.id })) if (pause.nodeId === node || pause.step === node) asked.push(pause)
    const open = asked.filter(({ status }) => status === 'open')
    if (open.length > 1)
      throw new ConflictError({
        code: 'pause_ambiguous',
        kind: 'conflict',
        message: `${open.length} pauses of ${node} are open`,
        details: { runId: run.id, pauses: open.map((each) => each.id) },
      })
    const found = open[0] ?? asked[0]
    if (!found) throw new NotFoundError({ code: 'pause_missing', kind: 'not_found', message: `${node} has asked nothing in run ${run.id}`, details: { runId: run.id } })
    return found
  }

  const handle: RunHandle<Output, Pauses> = {
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
    steps: (filter, options) => runs.steps({ ...filter, ...id }, options),
    pauses: (filter, options) => pauses.list({ ...filter, runId: run.id }, options),
    refresh: (options) => moved(runs.get(id, options)),
    cancel: (how, options) => moved(runs.cancel({ ...how, ...id }, options)),
    hold: (options) => moved(runs.hold(id, options)),
    release: (options) => moved(runs.release(id, options)),
    wait: (what, options) => moved(runs.wait({ ...what, ...id }, options)),
    approve: decided('approve'),
    override: decided('override'),
    decline: decided('decline'),
  }
  return handle
}
