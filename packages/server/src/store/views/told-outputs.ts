import { type Json, type JsonObject, limits } from '@sluice/schema'
import type { Tx } from '../database.ts'

/** What a step gave, as it was read: a large output not at all, its size is known. */
export interface StepOutput {
  node_id: string
  iteration: string
  state: string
  route: string[] | null
  output: Json
  output_bytes: number
  error: JsonObject | null
  /** Which of a step's values it is: unless said what it gave, else what its undoing is given, or gave. */
  value?: 'compensateInput' | 'undone'
}

/** An output in one of its places: with the node that gave it, or in what those behind it were given. */
export type Tell = (output: StepOutput) => Json

export interface Telling {
  output: Tell
  input: Tell
}

/** A large one by its size alone. */
export const listed: Tell = ({ output, output_bytes }) => (output_bytes > limits.listValueBytes ? { truncated: output_bytes } : output)

export const bySize: Telling = { output: listed, input: listed }

/** What a step was given: the outputs of its predecessors by step name. */
export type Given = readonly (readonly [name: string, output: StepOutput])[]

/** Of one that failed, whose failure was gone on from, the error. */
export const inputFrom = (given: Given, tell: Tell): JsonObject =>
  Object.fromEntries(given.map(([name, output]) => [name, output.state === 'failed' ? { error: output.error } : tell(output)]))

/**
 * Large ones as a whole too, as far as all that is told, each as often as it is told, stays within `limits.wholeOutputsBytes`:
 * what nodes gave before what they were given, small before large. That is known by the counts that stand with the outputs,
 * before any is read; small ones are told however many they are. An output is never set again, so that those that are read now
 * are of the moment that the rest is of.
 */
export async function asWhole(tx: Tx, runId: string, outputs: readonly StepOutput[], givens: readonly Given[]): Promise<Telling> {
  const inputs = givens.flatMap((given) => given.flatMap(([, output]) => (output.state === 'failed' ? [] : [output])))
  const all = [...outputs, ...inputs]
  if (!all.some(isLarge)) return bySize
  const take = createRoom(limits.wholeOutputsBytes - all.reduce((sum, output) => sum + (isLarge(output) ? 0 : output.output_bytes), 0))
  const [given, taken] = [take(outputs), take(inputs)]
  const whole = await readWhole(tx, runId, [...new Set([...given, ...taken])])
  const tellOf =
    (chosen: ReadonlySet<StepOutput>): Tell =>
    (output) =>
      (chosen.has(output) ? whole.get(output) : undefined) ?? listed(output)
  return { output: tellOf(given), input: tellOf(taken) }
}

/** Takes of the large ones that are told those that there is still room for, each as often as it is told. */
function createRoom(bytes: number): (told: readonly StepOutput[]) => Set<StepOutput> {
  let left = bytes
  return (told) => {
    const taken = new Set<StepOutput>()
    const times = Map.groupBy(told.filter(isLarge), (output) => output)
    for (const output of [...times.keys()].sort(smallFirst)) {
      const room = output.output_bytes * times.get(output)!.length
      if (room > left) continue
      left -= room
      taken.add(output)
    }
    return taken
  }
}

const isLarge = ({ output_bytes }: StepOutput): boolean => output_bytes > limits.listValueBytes

/** Always in one order, whatever they were read in. */
function smallFirst(one: StepOutput, other: StepOutput): number {
  const keys = [one, other].map(({ node_id, iteration, value = '' }) => `${node_id}\n${iteration}\n${value}`)
  return one.output_bytes - other.output_bytes || (keys[0]! < keys[1]! ? -1 : 1)
}

/** What has gone with its run meanwhile is missing. */
async function readWhole(tx: Tx, runId: string, outputs: readonly StepOutput[]): Promise<Map<StepOutput, Json>> {
  if (outputs.length === 0) return new Map()
  const rows = await tx.query<{ place: number; output: Json }>(
    {
      name: 'view-whole-outputs',
      text: `
        select one.* from unnest((select $2::text[]), (select $3::text[]), (select $4::int[]), (select $5::text[])) with ordinality as asked (node_id, iteration, bytes, value, place), lateral (
          select asked.place::int - 1 as place, case asked.value when 'compensateInput' then compensate_input when 'undone' then compensation -> 'output' else output end as output
          from steps where run_id = $1 and steps.node_id = asked.node_id and steps.iteration = asked.iteration and (asked.value <> '' or output_bytes = asked.bytes) offset 0
        ) as one`,
    },
    [
      runId,
      outputs.map(({ node_id }) => node_id),
      outputs.map(({ iteration }) => iteration),
      outputs.map(({ output_bytes }) => output_bytes),
      outputs.map(({ value = '' }) => value),
    ],
  )
  return new Map(rows.map(({ place, output }) => [outputs[place]!, output]))
}
