import pg from 'pg'
import { embeddedUrl } from '../../packages/server/src/embedded/running.ts'
import { approvalAlone } from '../sluice/definitions.ts'
import { logIn } from '../sluice/caller.ts'

/** Makes so many runs that wait for a person: one by the server that runs here, and copies of its rows. */
export async function pauseRuns(count: number, { url, dataDir }: { url: string; dataDir: string }): Promise<void> {
  const { call, draw } = await logIn(url)
  const workflow = await draw(approvalAlone)
  const { id, status } = (await call('POST', '/v1/runs', { workflow, wait: { until: 'parked' } })) as { id: string; status: string }
  if (status !== 'waiting') throw new Error(`Run ${id} is ${status}`)
  const client = new pg.Client(embeddedUrl(dataDir)!)
  await client.connect()
  try {
    for (const copy of copies) await client.query(copy, [id, count - 1])
    await client.query('vacuum analyze')
  } finally {
    await client.end()
  }
}

/** A run's id with a number in place of its last six characters. */
const numbered = (id: string): string => `left(${id}, 9) || lpad(n::text, 6, '0')`

/** The rows of a table that are the run's, again for each number, with other ids. */
const copyOf = (table: string, ofRun: string, ids: Record<string, string>): string => {
  const changed = Object.entries(ids).map(([column, value]) => `'${column}', ${value}`)
  return `insert into ${table} select made.* from ${table} one, generate_series(1, $2::int) n,
    jsonb_populate_record(null::${table}, to_jsonb(one) || jsonb_build_object(${changed.join(', ')})) made where one.${ofRun} = $1`
}

const copies = [
  copyOf('runs', 'id', { id: numbered('one.id') }),
  copyOf('steps', 'run_id', { run_id: numbered('one.run_id') }),
  copyOf('pauses', 'run_id', { id: numbered('one.id'), run_id: numbered('one.run_id') }),
  `insert into events (workspace_id, subject_kind, subject_id, seq, workflow_id, owner, type, data, at)
   select workspace_id, subject_kind, ${numbered('subject_id')}, seq, workflow_id, owner, type, data, at
   from events, generate_series(1, $2::int) n where subject_kind = 'run' and subject_id = $1`,
]
