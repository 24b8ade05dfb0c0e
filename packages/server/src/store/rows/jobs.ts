import type { Tx } from '../database.ts'

/**
 * Jobs of the queue `runs`, written as pg-boss's own `insert` and `fetch` leave them, so that they go along in a statement of
 * ours: a taken one comes back when its worker falls silent. Where the run has one already, that one stands.
 */
export const hire = (from: string): string => `
  insert into sluice_jobs.job (id, name, data, state, singleton_key, policy, started_on, heartbeat_on, heartbeat_seconds, retry_limit, retry_delay,
    expire_seconds, deletion_seconds, keep_until)
  select j.id, queue.name, jsonb_build_object('runId', run_id), (case when taken then 'active' else 'created' end)::sluice_jobs.job_state, run_id, queue.policy,
    case when taken then now() end, case when taken then now() end, queue.heartbeat_seconds, queue.retry_limit, queue.retry_delay,
    queue.expire_seconds, queue.deletion_seconds, now() + queue.retention_seconds * interval '1 second'
  from sluice_jobs.queue, (select * from ${from}) j (id, run_id, taken)
  where queue.name = 'runs'
  on conflict do nothing`

/** Claims a run that nobody has: its job is ours from the start, and its epoch raised. False where it has a job already. */
export async function takeRun(tx: Tx, job: { id: string; runId: string }): Promise<boolean> {
  const rows = await tx.query(
    {
      name: 'runs-take',
      text: `
        with hired as (${hire('(values ($1::uuid, $2::text, true)) as asked')} returning singleton_key)
        update runs set epoch = epoch + 1 from hired where runs.id = hired.singleton_key returning runs.id`,
    },
    [job.id, job.runId],
  )
  return rows.length > 0
}
