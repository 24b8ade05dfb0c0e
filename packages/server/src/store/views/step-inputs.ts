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
export async function stepInputs(tx: Tx, runId: string, outline: Outline, places: readonly StepPlace[]): Promise<(place: StepPlace) => JsonObject> {
  const [inputOf] = await inputsOfRuns(tx, [{ runId, outline, places, read: null }])
  return inputOf!
}

/** Steps of one run. */
interface StepsAsked {
  runId: string
  outline: Outline
  places: readonly StepPlace[]
  read: readonly StepOutput[] | null
}

/** The same of several runs, in their order; what is missing of all of them is read at once. */
export async function inputsOfRuns(tx: Tx, asked: readonly StepsAsked[]): Promise<((place: StepPlace) => JsonObject)[]> {
  const runs = asked.map(({ runId, outline: { sources }, places, read }) => {
    const wanted = new Set(places.flatMap(({ nodeId, iteration }) => (sources.get(nodeId) ?? []).map(({ source }) => `${source}\n${iteration}`)))
    const found = new Map((read ?? []).map((row) => [`${row.node_id}\n${row.iteration}`, row]))
    const missing = [...wanted].filter((key) => !found.has(key) && !(read && key.endsWith('\n')))
    return { runId, sources, found, missing }
  })
  if (runs.some((run) => run.missing.length > 0)) {
    const missing = runs.flatMap((run) => run.missing.map((key) => [run.runId, ...key.split('\n')] as const))
    const foundOf = new Map(runs.map(({ runId, found }) => [runId, found]))
    for (const row of await outputRows(tx, missing)) foundOf.get(row.run_id)!.set(`${row.node_id}\n${row.iteration}`, row)
  }
  return runs.map(({ sources, found }) => ({ nodeId, iteration }) => {
    const input: JsonObject = {}
    for (const { source, name, handle } of sources.get(nodeId) ?? []) {
      const row = found.get(`${source}\n${iteration}`)
      if (row?.route?.includes(handle)) input[name] = valueOf(row)
    }
    return input
  })
}

function valueOf(row: StepOutput): Json {
  if (row.state === 'failed') return { error: row.error }
  return row.output_bytes > limits.listValueBytes ? { truncated: row.output_bytes } : row.output
}

/** By run, node and iteration; each found by its key, however few there were when it was planned. */
const outputRows = (tx: Tx, keys: readonly (readonly string[])[]): Promise<(StepOutput & { run_id: string })[]> =>
  tx.query<StepOutput & { run_id: string } & Record<string, unknown>>(
    {
      name: 'view-step-inputs',
      text: `
        select one.* from unnest((select $1::text[]), (select $2::text[]), (select $3::text[])) as asked (run_id, node_id, iteration), lateral (
          select run_id, node_id, iteration, state, route, case when output_bytes <= ${limits.listValueBytes} then output end as output, output_bytes, error
          from steps where steps.run_id = asked.run_id and steps.node_id = asked.node_id and steps.iteration = asked.iteration offset 0
        ) as one`,
    },
    [0, 1, 2].map((part) => keys.map((key) => key[part])),
  )
