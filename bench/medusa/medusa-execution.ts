import { reading } from './requests.ts'
import { openMedusa } from './server.ts'

export const open = reading(async (databaseUrl) => {
  const server = await openMedusa(databaseUrl)
  return { ...server, execution: await server.execution() }
})
