import { threeSteps } from '../sluice/definitions.ts'
import { openServed } from '../sluice/served.ts'
import { executing } from './requests.ts'

export const open = executing(async (databaseUrl) => {
  const served = await openServed(databaseUrl)
  return { ...served, workflow: await served.draw(threeSteps) }
})
