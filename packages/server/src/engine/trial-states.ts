import type { Tx } from '../store/database.ts'
import { type RunRow, type TrialRow, readRun } from '../store/rows/runs.ts'
import { type StepRecord, stepsOf } from '../store/rows/steps.ts'
import { type TrialSession, type TrialState, lockTrialStates, makeTrialStates, writeTrialStates } from '../store/rows/trial-states.ts'
import type { StepRow } from './state.ts'

/**
 * What producers keep from one trial of a session to the next.
 *
 * A trial takes the states over in the transaction that stores its run, and they bear its id until what came of it is written.
 * That follows from the run's rows alone, so whoever comes first writes it, under their locks and once: the server that waits for
 * the trial, or, when that is gone, the next trial. Of a trial that failed they stay as they were; of one whose time was up they begin anew.
 */

export type Producers = NonNullable<TrialRow['producers']>

/** Another trial of the session goes on from the same states, and has not ended. */
export class SessionBusy extends Error {
  override readonly name = 'SessionBusy'
  readonly runId: string
  constructor(runId: string) {
    super(`The trial ${runId} of the session is under way`)
    this.runId = runId
  }
}

interface Producer {
  id: string
  type: string
}

/** For the trial `runId`, in the transaction that stores its run. Throws `SessionBusy`. */
export async function takeStates(tx: Tx, session: TrialSession, producers: readonly Producer[], runId: string): Promise<Producers> {
  const types = new Map(producers.map(({ id, type }) => [id, type]))
  await makeTrialStates(tx, session, producers)
  const rows = await settled(tx, await lockTrialStates(tx, session, producers))
  const taken = rows.map((row): TrialState => {
    const type = types.get(row.node_id)!
    return row.type === type ? { ...row, run_id: runId } : { ...fresh, node_id: row.node_id, type, run_id: runId }
  })
  await writeTrialStates(tx, session, taken)
  return Object.fromEntries(taken.map(({ node_id, state, count }) => [node_id, { state, count }]))
}

/** Once the trial has ended. */
export async function giveBack(tx: Tx, session: TrialSession, producers: readonly Producer[], runId: string): Promise<void> {
  const rows = (await lockTrialStates(tx, session, producers)).filter((row) => row.run_id === runId)
  if (rows.length > 0) await writeTrialStates(tx, session, await settled(tx, rows))
}

const fresh = { state: null, count: 0 }

/** The states with what has come of the trials that had them. */
async function settled(tx: Tx, rows: readonly TrialState[]): Promise<TrialState[]> {
  const after = new Map<string, TrialOutcome | null>()
  for (const id of new Set(rows.flatMap(({ run_id }) => run_id ?? []))) {
    const run = await readRun(tx, id)
    if (run && run.ended_at === null) throw new SessionBusy(id)
    after.set(id, run ? trialOutcome(run, await stepsOf(tx, [id])) : null)
  }
  return rows.map((row) => {
    const outcome = row.run_id === null ? null : after.get(row.run_id)!
    if (outcome?.error?.code === 'timed_out') return { ...row, ...fresh, run_id: null }
    return { ...row, ...(outcome?.status === 'completed' && outcome.producers[row.node_id]), run_id: null }
  })
}

export interface TrialOutcome {
  status: 'completed' | 'failed' | 'cancelled'
  error: { code: string; message: string } | null
  /** Where the producers stand, by node id. */
  producers: Producers
  ended: boolean
}

/** The step of a node; of a producer that of its last item, and in a drawn body that of the last iteration. */
export function lastStepOf(steps: readonly StepRecord[], nodeId: string): StepRecord | undefined {
  const all = steps.filter((step) => step.node_id === nodeId)
  const itself = all.find(({ iteration }) => iteration === '')
  return !itself || (itself.body as StepRow['body'])?.items ? all.findLast(({ iteration }) => iteration !== '') : itself
}

/** What a trial that has ended came to. */
export function trialOutcome(run: RunRow, steps: readonly StepRecord[]): TrialOutcome {
  const { nodeId, producers = {} } = run.trial!
  const itself = steps.find((step) => step.node_id === nodeId && step.iteration === '')
  const body = itself?.body as StepRow['body'] | undefined
  const step = lastStepOf(steps, nodeId)
  const reason = run.reason as TrialOutcome['error']
  const isFailed = run.status !== 'cancelled' && (run.status !== 'completed' || step?.state === 'failed')
  return {
    status: isFailed ? 'failed' : run.status === 'cancelled' ? 'cancelled' : 'completed',
    error: reason?.code === 'timed_out' ? reason : ((step?.error ?? itself?.error ?? reason) as TrialOutcome['error']),
    producers: Object.fromEntries(
      steps.flatMap((each) => {
        const its = each.iteration === '' ? (each.body as StepRow['body']) : null
        if (!its?.items) return []
        const before = Object.hasOwn(producers, each.node_id) ? producers[each.node_id]! : fresh
        return [[each.node_id, { state: its.items.state, count: before.count + its.next }]]
      }),
    ),
    ended: !isFailed && body?.items !== undefined && body.next === 0,
  }
}
