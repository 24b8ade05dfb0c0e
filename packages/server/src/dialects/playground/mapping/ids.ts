import { Fault, type FaultCode, Id, WorkflowRef } from '@sluice/schema'

/** Ids as the playground's clients read and send them: ours with a prefix, which may be left out. PURE. */

const prefixed = (prefix: string) => ({
  of: (id: string): string => `${prefix}${id}`,
  /** Without the prefix, where it has one. */
  bare: (text: string): string => (text.startsWith(prefix) ? text.slice(prefix.length) : text),
})

export const workflows = prefixed('wf_')
export const messages = prefixed('msg_')
export const logs = prefixed('log_')
export const stats = prefixed('stat_')
export const documents = prefixed('doc_')
export const files = prefixed('file_')

export type Prefixed = typeof workflows

/** The id that a client means; what is none is the id of nothing. Throws the fault of what is missing. */
export function idOr(missing: FaultCode, kind: Prefixed, text: string): string {
  const id = kind.bare(text)
  if (!Id.safeParse(id).success) throw new Fault(missing)
  return id
}

/** What a message is for: a conversation, or a workflow by its id or its handle. Throws `workflow_missing`. */
export function targetOf(text: string): string {
  const { data } = WorkflowRef.safeParse(workflows.bare(text))
  if (data === undefined) throw new Fault('workflow_missing')
  return data
}
