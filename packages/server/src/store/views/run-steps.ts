import { type Json, type RunStep, type Step, type StepCompensation, limits } from '@sluice/schema'
import type { StepRecord } from '../rows/steps.ts'
import type { StepOutput, Tell } from './told-outputs.ts'

/** A row of `steps`, or the JSON of one: then its times are texts. Large values are not in it: their sizes are. */
export interface ToldStep extends StepOutput, Pick<StepRecord, 'run_id' | 'attempts' | 'failures' | 'waiting_for' | 'skip_reason'> {
  reported: boolean
  compensate_input: Json
  /** Null: it has none of its own. */
  compensate_input_bytes: number | null
  compensation: (Omit<StepCompensation, 'lastAttemptAt'> & { lastAttemptAt: number | null }) | null
  /** Of the output of its undoing, where that is large. */
  undone_bytes: number | null
  started_at: Date | string | null
  last_attempt_at: Date | string | null
  retry_at: Date | string | null
  timed_out_at: Date | string | null
  ended_at: Date | string | null
}

/** Of a row of `steps`. A small undoing has a small output: only of a large one it is looked for. */
export const toldStepColumns = `
  steps.run_id, node_id, iteration, state, attempts, failures, case when output_bytes <= ${limits.listValueBytes} then output end as output, output_bytes, route, steps.error, waiting_for,
  skip_reason, reported is not null as reported, octet_length(compensate_input::text) as compensate_input_bytes,
  case when octet_length(compensate_input::text) <= ${limits.listValueBytes} then compensate_input end as compensate_input,
  case when octet_length(compensation::text) <= ${limits.listValueBytes} then null else octet_length((compensation -> 'output')::text) end as undone_bytes,
  case when octet_length(compensation::text) <= ${limits.listValueBytes} or octet_length((compensation -> 'output')::text) <= ${limits.listValueBytes} then compensation
    when compensation is not null then json_build_object('state', compensation -> 'state', 'attempts', compensation -> 'attempts', 'failures', compensation -> 'failures',
      'lastAttemptAt', compensation -> 'lastAttemptAt', 'error', compensation -> 'error') end as compensation,
  steps.started_at, last_attempt_at, retry_at, timed_out_at, steps.ended_at`

/** Those outside of bodies of the run that the statement around it reads, in the order in which they began. */
export const stepsOfRun = `select ${toldStepColumns} from steps where run_id = runs.id and iteration = '' order by steps.started_at nulls last, settled, node_id limit ${limits.stepsPerRun}`

/** What they come to in an answer, in bytes, of the run that the statement around it reads. */
export const weightOfSteps = `
  (select sum(500 + least(output_bytes, ${limits.listValueBytes}) + coalesce(octet_length(error::text), 0) + coalesce(least(octet_length(compensate_input::text), ${limits.listValueBytes}), 0)
    + coalesce(least(octet_length(compensation::text), ${limits.listValueBytes}), 0)) from steps where run_id = id and iteration = '')`

const iso = (instant: Date | string | null): string | null => instant && new Date(instant).toISOString()

/** Its values, each with its size: what it gave, what its undoing is given where that is another, and what that gave. */
export function valuesOf(row: ToldStep): StepOutput[] {
  const { node_id, iteration, state, route, error } = row
  const one = { node_id, iteration, state, route, error, output: null }
  return [
    row,
    ...(row.compensate_input_bytes === null ? [] : [{ ...one, value: 'compensateInput' as const, output: row.compensate_input, output_bytes: row.compensate_input_bytes }]),
    ...(row.undone_bytes === null ? [] : [{ ...one, value: 'undone' as const, output: row.compensation?.output ?? null, output_bytes: row.undone_bytes }]),
  ]
}

export function toldStep(row: ToldStep, names: ReadonlyMap<string, string>, tell: Tell, values: readonly StepOutput[] = valuesOf(row)): RunStep {
  const { compensation } = row
  const given = values.find(({ value }) => value === 'compensateInput')
  const undone = values.find(({ value }) => value === 'undone')
  return {
    key: `${row.run_id}/${encodeURIComponent(row.node_id)}/${row.iteration === '' ? '-' : row.iteration}`,
    runId: row.run_id,
    nodeId: row.node_id,
    step: names.get(row.node_id) ?? row.node_id,
    iteration: row.iteration,
    state: row.state as Step['state'],
    attempts: row.attempts,
    failures: row.failures,
    output: tell(row),
    route: row.route,
    error: row.error as Step['error'],
    ...(given && { compensateInput: tell(given) }),
    reported: row.reported,
    waitingFor: row.waiting_for as Step['waitingFor'],
    skipReason: row.skip_reason as Step['skipReason'],
    compensation: compensation && {
      state: compensation.state,
      attempts: compensation.attempts,
      failures: compensation.failures,
      lastAttemptAt: compensation.lastAttemptAt === null ? null : new Date(compensation.lastAttemptAt).toISOString(),
      error: compensation.error,
      output: undone ? tell(undone) : compensation.output,
    },
    startedAt: iso(row.started_at),
    lastAttemptAt: iso(row.last_attempt_at),
    retryAt: iso(row.retry_at),
    timedOutAt: iso(row.timed_out_at),
    endedAt: iso(row.ended_at),
  }
}
