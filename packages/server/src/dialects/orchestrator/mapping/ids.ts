import { Fault, type FaultCode, Id, LinkId, NodeId, WorkflowRef } from '@sluice/schema'

/** Ids as a client sends them; what is none of ours is the id of nothing. Each throws the fault of what is missing. */

export function idOr(missing: FaultCode, text: string): string {
  if (!Id.safeParse(text).success) throw new Fault(missing)
  return text
}

/** A workflow may be named by its handle as well. */
export function workflowRef(text: string): string {
  if (!WorkflowRef.safeParse(text).success) throw new Fault('workflow_missing')
  return text
}

/** A node of a workflow. */
export const nodeRef = ({ workflow_id, node_id }: { workflow_id: string; node_id: string }): { workflow: string; nodeId: string } => ({
  workflow: workflowRef(workflow_id),
  nodeId: nodeIdOf(node_id),
})

/** Of a node of a workflow that is known already. */
export function nodeIdOf(text: string): string {
  if (!NodeId.safeParse(text).success) throw new Fault('node_missing')
  return text
}

/** A link of a workflow. */
export function connectionRef({ workflow_id, connection_id }: { workflow_id: string; connection_id: string }): { workflow: string; linkId: string } {
  const workflow = workflowRef(workflow_id)
  if (!LinkId.safeParse(connection_id).success) throw new Fault('link_missing')
  return { workflow, linkId: connection_id }
}
