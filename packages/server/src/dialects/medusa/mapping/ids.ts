import { Fault, type FaultCode, Id, WorkflowRef } from '@sluice/schema'

/** Ids as Medusa's clients read and send them. PURE. */

const prefix = 'wf_exec_'

export const executionId = (runId: string): string => `${prefix}${runId}`

/** The id of a run, with the prefix or without; what is none is the id of nothing. Throws `run_missing`. */
export const runId = (text: string): string => fit(Id.safeParse(text.startsWith(prefix) ? text.slice(prefix.length) : text), 'run_missing')

/** A workflow by its handle or its id. Throws `workflow_missing`. */
export const workflowRef = (text: string): string => fit(WorkflowRef.safeParse(text), 'workflow_missing')

const longest = 200

/** Throws `run_missing`: no run has such a transaction id. */
export const transactionRef = (text: string): string => named(text, 'run_missing')

/** Throws `step_missing`. */
export const stepRef = (text: string): string => named(stepName(text), 'step_missing')

function named(text: string, missing: FaultCode): string {
  if (text === '' || text.length > longest) throw new Fault(missing)
  return text
}

function fit({ data }: { data?: string | undefined }, missing: FaultCode): string {
  if (data === undefined) throw new Fault(missing)
  return data
}

/**
 * Ids of steps are dotted paths, of which clients take the last part for the name: in there a dot of a name is a dot that is
 * none, U+2024. It looks the same, and is read back.
 */
const dot = '\u2024'

export const stepPart = (name: string): string => name.replaceAll('.', dot)

const stepName = (part: string): string => part.replaceAll(dot, '.')
