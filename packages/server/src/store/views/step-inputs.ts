import { type Json, type JsonObject, limits } from '@sluice/schema'
import type { Tx } from '../database.ts'
import type { Outline } from './outline.ts'

export interface StepPlace {
  nodeId: string
  iteration: string
}

/** What a step gave; a large output by its size alone. */
export interface StepOutput {
  node_id: string
  iteration: string
  state: string
  route: string[] | null
  output: Json
  output_bytes: number
  error: JsonObject | null
}

/**
 * What steps were given: the outputs of their predecessors by step name, as far as the path was taken. Derived when it is
 * asked for: an output is stored once, however many steps it goes to. Large ones are given by their size. What the caller has
 * read already, all steps outside of bodies among it, is not read again.
 */
export async function stepInputs(
  tx: Tx,
  runId: string,
  { sources }: Outline,
  places: readonly StepPlace[],
  read: readonly StepOutput[] | null = null,
): Promise<(place: StepPlace) => JsonObject> {
  const wanted = new Set(places.flatMap(({ nodeId, iteration }) => (sources.get(nodeId) ?? []).map(({ source }) => `${source}\n${iteration}`)))
  const found = new Map((read ?? []).map((row) => [`${row.node_id}\n${row.iteration}`, row]))
  const missing = [...wanted].filter((key) => !found.has(key) && !(read && key.endsWith('\n')))
  if (missing.length > 0) for (const row of await outputRows(tx, runId, missing)) found.set(`${row.node_id}\n${row.iteration}`, row)
  return ({ nodeId, iteration }) => {
    const input: JsonObject = {}
    for (const { source, name, handle } of sources.get(nodeId) ?? []) {
      const row = found.get(`${source}\n${iteration}`)
      if (row?.route?.includes(handle)) input[name] = valueOf(row)
    }
    return input
  }
}

function valueOf(row: StepOutput): Json {
  if (row.state === 'failed') return { error: row.error }
  return row.output_bytes > limits.listValueBytes ? { truncated: row.output_bytes } : row.output
}

const outputRows = (tx: Tx, runId: string, keys: readonly string[]): Promise<StepOutput[]> =>
  tx.query<StepOutput & Record<string, unknown>>(
    {
      name: 'view-step-inputs',
      text: `
        select node_id, iteration, state, route, case when output_bytes <= ${limits.listValueBytes} then output end as output, output_bytes, error
        from steps where run_id = $1 and (node_id, iteration) in (select * from unnest($2::text[], $3::text[]))`,
    },
    [runId, keys.map((key) => key.split('\n')[0]), keys.map((key) => key.split('\n')[1])],
  )
