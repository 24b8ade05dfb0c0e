import type { Place } from '../race.ts'
import type { Curve } from './curve.ts'
import { type CurveName, curves } from './curves.ts'

/** For the process that measures one curve. */
export interface Task {
  curve: CurveName
  sizes: readonly number[]
  seconds: number
}

/** The cost at each size, in the order asked. */
export async function perform({ curve, sizes, seconds, databaseUrl }: Task & Place): Promise<number[]> {
  const { open }: Curve = curves[curve]
  const opened = await open(databaseUrl)
  const costs: number[] = []
  for (const size of sizes) costs.push(await opened.at(size, seconds))
  await opened.close()
  return costs
}
