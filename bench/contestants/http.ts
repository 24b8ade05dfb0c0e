import { threeSteps } from '../sluice/definitions.ts'
import { openServed } from '../sluice/served.ts'
import { startLoader } from '../http-load/loader.ts'
import type { Open } from '../contestant.ts'

const waitMs = 60_000

export const open: Open = async (databaseUrl) => {
  const served = await openServed(databaseUrl)
  const workflow = await served.draw(threeSteps)
  const loader = await startLoader({
    url: served.url,
    path: '/v1/runs',
    method: 'POST',
    token: served.token,
    body: JSON.stringify({ workflow, wait: { until: 'finished', ms: waitMs } }),
    expect: { statusCode: 201, text: '"status":"completed"' },
  })
  return {
    load: (inFlight) => loader.load(inFlight),
    async close() {
      await loader.close()
      await served.close()
    },
  }
}
