import type { Json, JsonObject } from '@sluice/schema'
import type { Message } from '../../model.ts'
import { isObject } from '../fitting.ts'

/** What was called since the person spoke, and what came of it. PURE. */
export interface Called {
  name: string
  arguments: JsonObject
  /** Null: nothing came yet. */
  content: string | null
}

export function transcriptOf(messages: readonly Message[]): Called[] {
  const since = messages.slice(messages.findLastIndex(({ role }) => role === 'user') + 1)
  const contents = new Map(since.flatMap((message) => (message.role === 'tool' ? [[message.callId, message.content] as const] : [])))
  return since
    .flatMap((message) => (message.role === 'assistant' ? (message.toolCalls ?? []) : []))
    .map(({ id, name, arguments: given }) => ({ name, arguments: given, content: contents.get(id) ?? null }))
}

/** What a tool gave: an error, JSON, or else a text. */
export type Given = { error: string } | { value: Json } | { text: string }

export function givenIn(content: string): Given {
  const [, error] = /^error: ([\s\S]*)$/i.exec(content) ?? []
  if (error !== undefined) return { error: error.trim() }
  try {
    return unwrapped(JSON.parse(content) as Json)
  } catch {
    return { text: content }
  }
}

function unwrapped(value: Json): Given {
  if (!isObject(value)) return { value }
  const { error } = value
  if (typeof error === 'string') return { error }
  if (isObject(error) && typeof error['message'] === 'string') return { error: error['message'] }
  return isObject(value['value']) && typeof value['content'] === 'string' ? { value: value['value'] } : { value }
}

export const sameCall = (called: Called, call: { name: string; arguments: JsonObject }): boolean =>
  called.name === call.name && canonical(called.arguments) === canonical(call.arguments)

/** Stores may give the keys of an object in another order. */
const canonical = (value: Json): string =>
  JSON.stringify(value, (_, inner: Json) => (isObject(inner) ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1))) : inner))
