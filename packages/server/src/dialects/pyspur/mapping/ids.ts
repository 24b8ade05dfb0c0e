import { Fault, type FaultCode, Id, WorkflowRef } from '@sluice/schema'

/** An id of the core, as a client sends it back; what is none is the id of nothing. Throws the fault of what is missing. */
export function idOr(missing: FaultCode, text: string): string {
  if (!Id.safeParse(text).success) throw new Fault(missing)
  return text
}

/** The same of a workflow, which may be named by its handle as well. */
export function workflowRef(text: string): string {
  if (!WorkflowRef.safeParse(text).success) throw new Fault('workflow_missing')
  return text
}
