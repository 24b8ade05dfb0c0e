import type { Open } from '../contestant.ts'
import { startLoader } from '../http-load/loader.ts'
import { openServed } from '../sluice/served.ts'
import { completedRun } from './completed-run.ts'

export const open: Open = async (databaseUrl) => {
  const served = await openServed(databaseUrl)
  const id = await completedRun(served)
  const loader = await startLoader({ url: served.url, path: `/v1/runs/${id}`, method: 'GET', token: served.token, expect: { statusCode: 200, text: id } })
  return {
    load: (inFlight) => loader.load(inFlight),
    async close() {
      await loader.close()
      await served.close()
    },
  }
}
