import { threeSteps } from './definitions.ts'
import type { Served } from './served.ts'

/** The id of a run of three steps that has completed. */
export async function completedRun(served: Served): Promise<string> {
  const workflow = await served.draw(threeSteps)
  const { id, status } = (await served.call('POST', '/v1/runs', { workflow, wait: { until: 'finished' } })) as { id: string; status: string }
  if (status !== 'completed') throw new Error(`Run ${id} is ${status}`)
  return id
}
