import type { Run } from '@sluice/schema'
import type { AtWork } from './stubs.ts'

/** A run has ended, and not with a result. */
export class RunFailedError extends Error {
  override readonly name: string = 'RunFailedError'
  readonly run: Run
  /** Why it ended, as `reason.code` of the run. */
  readonly code: string
  /** The step that was the reason. */
  readonly step: string | undefined

  constructor(run: Run) {
    const { reason, status } = run
    super(`Run ${run.id} ${status}${reason ? `: ${reason.message} (${[reason.code, reason.step].filter(Boolean).join(' in ')})` : ''}`)
    this.run = run
    this.code = reason?.code ?? status
    this.step = reason?.step
  }
}

/** A run has not ended, and goes on only when the test does something: decides, reports, sends a signal, or skips time. */
export class StillWaitingError extends Error {
  override readonly name: string = 'StillWaitingError'
  readonly run: Run

  constructor(run: Run, wanted: string) {
    super(`${wanted}: run ${run.id} ${run.status === 'waiting' ? 'waits' : `is ${run.status}`}${run.waitingOn.length > 0 ? ` for ${run.waitingOn.map(described).join(', ')}` : ''}`)
    this.run = run
  }
}

/** What moves each kind of wait. */
const verbs: Record<Run['waitingOn'][number]['kind'], string> = {
  pause: 'pauses.approve, decline or override',
  report: 'report or reportFailure',
  signal: 'signal',
  timer: 'skip',
  retry: 'runs.retryStep',
  child: 'what its child waits for',
  queue: 'the run before it',
  rate: 'time',
  hold: 'a release',
  version: 'functions that this test has not given',
}

function described({ kind, step, signal, until, missing }: Run['waitingOn'][number]): string {
  const what = [`a ${kind}`, step && `of ${step}`, signal && `named ${signal}`, until && `until ${until}`, missing && missing.join(', ')].filter(Boolean).join(' ')
  return `${what} (moved by ${verbs[kind]})`
}

/** Steps have been at work for longer than a test is patient. */
export class StillAtWorkError extends Error {
  override readonly name: string = 'StillAtWorkError'

  constructor(atWork: readonly AtWork[], ms: number) {
    const steps = atWork.map(({ workflow, step, runId }) => `${step} of ${workflow} in run ${runId}`)
    super(
      `After ${ms} ms ${steps.length > 0 ? steps.join(', ') : 'a run'} is still at work. Let it end, give startTesting a longer patienceMs, or skip with { whileWorking: true } to let its time-out come`,
    )
  }
}
