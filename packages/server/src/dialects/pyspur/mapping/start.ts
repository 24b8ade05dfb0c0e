import { Id, type JsonObject, limits, type StartRun, type TryNode } from '@sluice/schema'
import type { PartialRunRequestSchema, StartRunRequestSchema } from '../contract.ts'
import { dictOf, isCut, isDict } from './dicts.ts'
import { included } from './run.ts'

/** What PySpur starts, as the core is asked for it. PURE and total. */

export function startOf(workflow: string, { initial_inputs, files }: StartRunRequestSchema, runType: string): Omit<StartRun, 'wait'> {
  const inputs = withFiles(initial_inputs ?? {}, files ?? {})
  return { workflow, inputs, otherInputs: 'ignore', trigger: runType, ...chatOf(inputs), ...included }
}

/** The paths of files under `files` of the input they were uploaded for. */
const withFiles = (inputs: Record<string, JsonObject>, files: Record<string, string[]>): Record<string, JsonObject> =>
  Object.fromEntries(Object.entries(inputs).map(([key, value]) => [key, Object.hasOwn(files, key) ? { ...value, files: files[key]! } : value]))

/** A message into a session of ours. Ids of sessions that clients make up are input like any other. */
function chatOf(inputs: Record<string, JsonObject>): Pick<StartRun, 'sessionId' | 'message' | 'historyAs'> {
  for (const { session_id, user_message } of Object.values(inputs)) {
    const isSaid = typeof user_message === 'string' && user_message !== '' && user_message.length <= limits.messageChars
    if (isSaid && typeof session_id === 'string' && Id.safeParse(session_id).success)
      return { sessionId: session_id, message: { text: user_message }, historyAs: 'message_history' }
  }
  return {}
}

/** Outputs of loops, which are lists, those of input nodes, which are given anew, and those that were told by their size are no results to go on from. */
export function trialOf(workflow: string, { node_id, initial_inputs, partial_outputs }: PartialRunRequestSchema): TryNode {
  const inputs = initial_inputs ?? {}
  const outputs = Object.entries(partial_outputs ?? {}).filter(([key, output]) => isDict(output) && !isCut(output) && !Object.hasOwn(inputs, key))
  return { workflow, nodeId: node_id, inputs, otherInputs: 'ignore', outputs: Object.fromEntries(outputs) }
}

/** What each node gave. */
export const triedOutputs = (outputs: JsonObject): Record<string, JsonObject> =>
  Object.fromEntries(
    Object.entries(outputs).flatMap(([nodeId, output]) => {
      const dict = dictOf(output)
      return dict === null ? [] : [[nodeId, dict] as const]
    }),
  )
