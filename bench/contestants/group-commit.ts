import pg from 'pg'
import { keepInFlight, timed } from '../closed-loop.ts'
import type { Open } from '../contestant.ts'

const schema = `
  create table runs (id bigint primary key, created_at timestamptz not null default now());
  create table checkpoints (run_id bigint not null, step int not null, output text not null, primary key (run_id, step));`

const write = {
  name: 'write',
  text: `with started as (insert into runs (id) select unnest($1::bigint[]))
    insert into checkpoints select * from unnest($2::bigint[], $3::int[], $4::text[])`,
}

/** Step 0 is the run itself. */
interface Row {
  runId: number
  step: number
  durable(): void
  failed(error: unknown): void
}

/** A batch closes when the one before is done: what was asked meanwhile goes together, in one transaction. */
function createWriter(client: pg.Client): (runId: number, step: number) => Promise<void> {
  let waiting: Row[] = []
  let busy = false

  async function flush(batch: readonly Row[]): Promise<void> {
    const steps = batch.filter(({ step }) => step > 0)
    const values = [batch.filter(({ step }) => step === 0).map(({ runId }) => runId), steps.map(({ runId }) => runId), steps.map(({ step }) => step), steps.map(() => '{}')]
    try {
      await client.query({ ...write, values })
      for (const row of batch) row.durable()
    } catch (error) {
      for (const row of batch) row.failed(error)
    }
  }

  async function drain(): Promise<void> {
    busy = true
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      await flush(batch)
    }
    busy = false
  }

  return (runId, step) =>
    new Promise((durable, failed) => {
      waiting.push({ runId, step, durable, failed })
      if (!busy) void drain()
    })
}

export const open: Open = async (databaseUrl) => {
  const client = new pg.Client(databaseUrl)
  await client.connect()
  await client.query(schema)
  const write = createWriter(client)
  let last = 0

  async function run(): Promise<void> {
    const id = ++last
    for (const step of [0, 1, 2, 3]) await write(id, step)
  }
  return { load: async (inFlight) => keepInFlight(timed(run), inFlight), close: () => client.end() }
}
