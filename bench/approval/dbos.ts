import { DBOS } from '@dbos-inc/dbos-sdk'
import { keepInFlight } from '../closed-loop.ts'
import type { Open } from '../contestant.ts'
import { createReached, think } from './reached.ts'

const waitSeconds = 60

export const open: Open = async (databaseUrl) => {
  DBOS.setConfig({ name: 'bench', systemDatabaseUrl: databaseUrl, logLevel: 'error' })
  const reached = createReached()
  const workflow = DBOS.registerWorkflow(
    async () => {
      await DBOS.recv('decision', waitSeconds)
      const id = DBOS.workflowID!
      await DBOS.runStep(async () => reached.now(id), { name: 'step' })
    },
    { name: 'approval' },
  )
  await DBOS.launch()

  async function decided(): Promise<number> {
    const handle = await DBOS.startWorkflow(workflow)()
    await think()
    const reaching = reached.by(handle.workflowID)
    const begun = performance.now()
    await DBOS.send(handle.workflowID, 'approve', 'decision')
    const ms = (await reaching) - begun
    await handle.getResult()
    return ms
  }
  return { load: async (inFlight) => keepInFlight(decided, inFlight), close: () => DBOS.shutdown() }
}
