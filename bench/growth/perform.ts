import type { Place } from '../race.ts'
import type { Costs, Curve } from './curve.ts'
import { type CurveName, curves } from './curves.ts'

/** For the process that measures one curve. */
export interface Task {
  curve: CurveName
  sizes: readonly number[]
  seconds: number
}

/** The costs at each size, in the order asked. */
export async function* perform({ curve, sizes, seconds, databaseUrl }: Task & Place): AsyncGenerator<Costs> {
  const { open }: Curve = curves[curve]
  const opened = await open(databaseUrl)
  for (const size of sizes) yield await opened.at(size, seconds)
  await opened.close()
}
