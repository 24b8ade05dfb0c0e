import { DBOS } from '@dbos-inc/dbos-sdk'
import { keepInFlight, timed } from '../closed-loop.ts'
import type { Open } from '../contestant.ts'

export const open: Open = async (databaseUrl) => {
  DBOS.setConfig({ name: 'bench', systemDatabaseUrl: databaseUrl, logLevel: 'error' })
  const workflow = DBOS.registerWorkflow(
    async () => {
      for (const name of ['first', 'second', 'third']) await DBOS.runStep(async () => null, { name })
    },
    { name: 'three steps' },
  )
  await DBOS.launch()
  return { load: async (inFlight) => keepInFlight(timed(workflow), inFlight), close: () => DBOS.shutdown() }
}
