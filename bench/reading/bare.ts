import type { Open } from '../contestant.ts'
import { startLoader } from '../http-load/loader.ts'
import { openServed } from '../sluice/served.ts'
import { openBare } from './bare-route.ts'
import { completedRun } from './completed-run.ts'

export const open: Open = async (databaseUrl) => {
  const id = await madeBySluice(databaseUrl)
  const { url, close } = await openBare(databaseUrl)
  const loader = await startLoader({ url, path: `/runs/${id}`, method: 'GET', token: '', expect: { statusCode: 200, text: id } })
  return {
    load: (inFlight) => loader.load(inFlight),
    async close() {
      await loader.close()
      await close()
    },
  }
}

/** The run that both read; nothing of its server runs on. */
async function madeBySluice(databaseUrl: string): Promise<string> {
  const served = await openServed(databaseUrl)
  try {
    return await completedRun(served)
  } finally {
    await served.close()
  }
}
