/** A run's id with a number in place of its last six characters. */
const numbered = (id: string): string => `left(${id}, 9) || lpad(n::text, 6, '0')`

/** The rows of a table that are the run's, again for each number, with other ids. */
const copyOf = (table: string, ofRun: string, ids: Record<string, string>): string => {
  const changed = Object.entries(ids).map(([column, value]) => `'${column}', ${value}`)
  return `insert into ${table} select made.* from ${table} one, generate_series($2::int, $3::int) n,
    jsonb_populate_record(null::${table}, to_jsonb(one) || jsonb_build_object(${changed.join(', ')})) made where one.${ofRun} = $1`
}

/** Statements that copy the rows of the run $1 once for each number from $2 to $3. */
export const copies = {
  runs: copyOf('runs', 'id', { id: numbered('one.id') }),
  steps: copyOf('steps', 'run_id', { run_id: numbered('one.run_id') }),
  pauses: copyOf('pauses', 'run_id', { id: numbered('one.id'), run_id: numbered('one.run_id') }),
  events: `insert into events (workspace_id, subject_kind, subject_id, seq, workflow_id, owner, type, data, at)
   select workspace_id, subject_kind, ${numbered('subject_id')}, seq, workflow_id, owner, type, data, at
   from events, generate_series($2::int, $3::int) n where subject_kind = 'run' and subject_id = $1`,
}
