import { Fault, type StepError } from '@sluice/schema'

/** How a start was refused that nobody waits for, as it is kept for whoever looks: what a bug says stays in the log. */
export function refusedStart(error: unknown): StepError {
  if (!(error instanceof Fault)) return { code: 'internal', message: 'The run could not be started' }
  const { code, message, details, issues } = error
  const told = { ...details, ...(issues.length > 0 && { issues: issues.map((issue) => ({ ...issue })) }) }
  return { code, message, ...(Object.keys(told).length > 0 && { details: told }) }
}
