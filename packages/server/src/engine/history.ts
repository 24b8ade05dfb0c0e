import { type Definition, type Json, type JsonObject, type StartRun, limits } from '@sluice/schema'
import type { Catalogue, ReceivedMessage } from '../nodes/contract.ts'
import type { Tx } from '../store/database.ts'
import { sessionHistory } from '../store/rows/sessions.ts'
import { inputNodesOf } from '../workflows/input-nodes.ts'

/**
 * What a round is given of its session: the messages so far, without its own. So far is when it is accepted: what a round
 * before it has yet to answer is not among them. However many of its input nodes are given them, they are bounded together.
 */
async function historyFor(tx: Tx, sessionId: string, receivers: number): Promise<ReceivedMessage['history']> {
  return receivers === 0 ? [] : sessionHistory(tx, sessionId, Math.floor(limits.historyBytes / receivers))
}

/** A message that starts a round. */
export type RoundMessage = Omit<ReceivedMessage, 'history'> & { messageId: string }

/**
 * What the input nodes get of a message: one value for all of them, or, where one has a form of its own for messages, each its
 * own, by id. Those of chatbots get the messages before it too.
 */
export async function received(
  tx: Tx,
  definition: Definition,
  catalogue: Catalogue,
  { messageId, ...message }: RoundMessage,
): Promise<{ input: JsonObject } | { byNode: ReadonlyMap<string, Json> }> {
  const nodes = inputNodesOf(definition, catalogue).map(({ id, type }) => ({ id, receives: catalogue.get(type)?.alias?.receives }))
  const isChat = definition.kind === 'chatbot'
  const isKeyed = nodes.some(({ receives }) => receives)
  const receivers = isKeyed ? nodes.filter(({ receives }) => isChat || receives).length : Number(isChat)
  const history = await historyFor(tx, message.sessionId, receivers)
  const plain = { ...message, messageId, ...(isChat && { history }) }
  if (!isKeyed) return { input: plain }
  return { byNode: new Map(nodes.map(({ id, receives }) => [id, receives ? receives({ ...message, history }) : plain])) }
}

/** The start with the messages so far in what is an object of its input and has none of its own, where it asks for them. */
export async function remembering(tx: Tx, start: StartRun): Promise<StartRun> {
  const { input, inputs, sessionId, historyAs } = start
  if (sessionId === undefined || historyAs === undefined) return start
  const given = [...Object.values(inputs ?? {}), input]
  const history = await historyFor(tx, sessionId, given.filter((value) => lacks(value, historyAs)).length)
  const filled = (value: Json): Json => (lacks(value, historyAs) ? { ...value, [historyAs]: history } : value)
  return {
    ...start,
    ...(input !== undefined && { input: filled(input) }),
    ...(inputs !== undefined && { inputs: Object.fromEntries(Object.entries(inputs).map(([key, value]) => [key, filled(value)])) }),
  }
}

/** Whether it is an object that has nothing, null or an empty list there. */
function lacks(value: Json | undefined, key: string): value is JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const there = Object.hasOwn(value, key) ? value[key] : null
  return there === null || (Array.isArray(there) && there.length === 0)
}
