import { embeddedUrl } from '../../packages/server/src/embedded/running.ts'
import { logIn } from '../sluice/caller.ts'
import { openCopier } from '../sluice/copies.ts'
import { approvalAlone } from '../sluice/definitions.ts'

/** Makes so many runs that wait for a person: one by the server that runs here, and copies of its rows. */
export async function pauseRuns(count: number, { url, dataDir }: { url: string; dataDir: string }): Promise<void> {
  const { call, draw } = await logIn(url)
  const workflow = await draw(approvalAlone)
  const { id, status } = (await call('POST', '/v1/runs', { workflow, wait: { until: 'parked' } })) as { id: string; status: string }
  if (status !== 'waiting') throw new Error(`Run ${id} is ${status}`)
  const copier = await openCopier(embeddedUrl(dataDir)!)
  try {
    await copier.wholeRuns(id, 1, count - 1)
    await copier.settle()
  } finally {
    await copier.close()
  }
}
