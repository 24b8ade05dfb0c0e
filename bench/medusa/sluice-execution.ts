import { completedRun } from '../sluice/completed-run.ts'
import { openServed } from '../sluice/served.ts'
import { reading } from './requests.ts'

export const open = reading(async (databaseUrl) => {
  const served = await openServed(databaseUrl)
  return { ...served, execution: `wf_exec_${await completedRun(served)}` }
})
