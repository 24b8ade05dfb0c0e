import { executing } from './requests.ts'
import { openMedusa, workflow } from './server.ts'

export const open = executing(async (databaseUrl) => ({ ...(await openMedusa(databaseUrl)), workflow }))
