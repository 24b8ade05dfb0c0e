import { type JsonObject, limits } from '@sluice/schema'
import type { Tx } from '../database.ts'
import type { Outline } from './outline.ts'
import { type Given, type StepOutput, bySize, inputFrom } from './told-outputs.ts'

export interface StepPlace {
  nodeId: string
  iteration: string
}

/**
 * What steps were given: the outputs of their predecessors by step name, as far as the path was taken. Derived when it is
 * asked for: an output is stored once, however many steps it goes to. Large ones are given by their size. What the caller has
 * read already, all steps outside of bodies among it, is not read again.
 */
export async function stepInputs(tx: Tx, runId: string, outline: Outline, places: readonly StepPlace[]): Promise<(place: StepPlace) => JsonObject> {
  const [givenTo] = await givenInRuns(tx, [{ runId, outline, places, read: null }])
  return (place) => inputFrom(givenTo!(place), bySize.input)
}

/** Steps of one run. */
interface StepsAsked {
  runId: string
  outline: Outline
  places: readonly StepPlace[]
  read: readonly StepOutput[] | null
}

/** The same of several runs, in their order; what is missing of all of them is read at once. */
export async function givenInRuns(tx: Tx, asked: readonly StepsAsked[]): Promise<((place: StepPlace) => Given)[]> {
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
  return runs.map(
    ({ sources, found }) =>
      ({ nodeId, iteration }) =>
        (sources.get(nodeId) ?? []).flatMap(({ source, name, handle }) => {
          const row = found.get(`${source}\n${iteration}`)
          return row?.route?.includes(handle) ? [[name, row] as const] : []
        }),
  )
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
