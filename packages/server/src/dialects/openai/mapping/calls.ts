import type { ToolCall } from '@sluice/schema'
import type { ChatCompletionMessageToolCall } from '../contract.ts'

/** The ids of calls say which run waits for them: a client that keeps nothing but messages finds it again, on any server. PURE. */

const idOf = (runId: string, callId: string): string => `call_${runId}_${callId}`

export const toldCall = (runId: string, { id, name, arguments: given }: ToolCall): ChatCompletionMessageToolCall => ({
  id: idOf(runId, id),
  type: 'function',
  function: { name, arguments: JSON.stringify(given) },
})

/** Null: it is none of ours. */
export function callOf(id: string): { runId: string; callId: string } | null {
  const [, runId, callId] = /^call_([0-9a-z]{15})_([^\n]{1,64})$/.exec(id) ?? []
  return runId === undefined || callId === undefined ? null : { runId, callId }
}
