import { threeSteps } from '../sluice/definitions.ts'
import { engineRunning } from '../sluice/in-process.ts'

export const open = engineRunning(threeSteps)
