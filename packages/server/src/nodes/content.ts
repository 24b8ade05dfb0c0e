import type { Json, JsonObject } from '@sluice/schema'

/** What a model is told of a value. PURE. */

/** Of one result: some 8,000 tokens. */
export const mostCharacters = 32 * 1024
const longestNotice = 100

/** A text as it is, everything else as JSON; cut where it is long, and then it says so. */
export function contentOf(value: Json): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return cutTo(text, mostCharacters)
}

/** The beginning of a text, no more than so many characters with what is said of the rest. */
export function cutTo(text: string, most: number): string {
  if (text.length <= most) return text
  const kept = text.slice(0, Math.max(0, most - longestNotice)).toWellFormed()
  return `${kept}\n… (${text.length - kept.length} more characters are left out)`
}

/** What a call came to, as the node `tool` gives it. */
export const answeredCall = (value: Json): { output: JsonObject } => ({ output: { content: contentOf(value), value } })

const longestRefusal = 4_000

/** A call that the model could make better: it is told how. */
export function refusedCall(message: string): { output: JsonObject } {
  const error = cutTo(message, longestRefusal)
  return { output: { content: `error: ${error}`, value: { error } } }
}
