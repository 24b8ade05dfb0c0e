import type { Database } from '../../packages/server/src/store/database.ts'

/** What a database holds that no story leaves behind: statements of it, each of which should find nothing. */
const wanted: Readonly<Record<string, string>> = {
  'events of a subject are numbered 1, 2, 3 …': `
    select subject_kind, subject_id, count(*)::int as events, min(seq) as first, max(seq) as last from events
    group by subject_kind, subject_id having max(seq) - min(seq) + 1 <> count(*)
      -- Of a session that was deleted that alone is told.
      or (min(seq) <> 1 and not (count(*) = 1 and min(type) = 'deleted'))`,
  'a run has told of all its events': `
    select id, seq from runs where seq <> coalesce((select max(seq) from events where subject_kind = 'run' and subject_id = runs.id), 0)`,
  'a run that has ended tells so once, at last': `
    select runs.id, runs.status, (select count(*)::int from events where subject_kind = 'run' and subject_id = runs.id and type ~ '^run[.](completed|failed|cancelled|compensated)$') as ends from runs
    where (runs.ended_at is not null) <> (runs.status in ('completed', 'failed', 'cancelled', 'compensated'))
       or (runs.ended_at is not null and (select count(*) from events where subject_kind = 'run' and subject_id = runs.id and type ~ '^run[.](completed|failed|cancelled|compensated)$') <> 1)
       or (runs.ended_at is null and exists (select from events where subject_kind = 'run' and subject_id = runs.id and type ~ '^run[.](completed|failed|cancelled|compensated)$'))`,
  'nothing of an ended run is under way': `
    select runs.id, steps.node_id, steps.state from runs join steps on steps.run_id = runs.id
    where runs.ended_at is not null and steps.state not in ('completed', 'failed', 'skipped', 'cancelled', 'pending')`,
  'no pause of an ended run is open': `
    select pauses.id from pauses join runs on runs.id = pauses.run_id where pauses.status = 'open' and runs.ended_at is not null`,
  'a file has all of its bytes': `
    select id, bytes from files where stored_at is not null and bytes <> coalesce((select sum(length(data)) from file_chunks where file_id = files.id), 0)`,
  'what came of a file that did not come whole is gone': `
    select id from files where stored_at is null`,
  'what is used is in use': `
    select id from files where stored_at is not null and (unused_at is null) <> exists (select from file_uses where file_id = files.id)`,
}

/** Each statement that found something, with the first of it. */
export async function audit(database: Pick<Database, 'query'>): Promise<string[]> {
  const found: string[] = []
  for (const [what, statement] of Object.entries(wanted)) {
    const rows = await database.query(statement)
    if (rows.length > 0) found.push(`${what}: ${rows.length} do not, such as ${JSON.stringify(rows[0])}`)
  }
  return found
}
