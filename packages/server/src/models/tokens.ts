import type { Question } from './model.ts'

/**
 * The rule by which tokens are counted where no model tells: a token is up to four letters and digits in a row, or one
 * other character, with the white space before it. Of English text that is about what models count. PURE.
 */
const token = /\s*(?:[\p{L}\p{M}\p{N}]{1,4}|[^\s\p{L}\p{M}\p{N}])|\s+$/gu

export const tokensOf = (text: string): string[] => text.match(token) ?? []

export function countTokens(text: string): number {
  let count = 0
  for (const _ of text.matchAll(token)) count++
  return count
}

/** Everything that is said in a question: messages, tools and schema, the last two as JSON. */
export function promptTokens({ messages, tools, outputSchema }: Question): number {
  const said = messages.flatMap((message) => [message.content, ...(message.role === 'assistant' && message.toolCalls ? [JSON.stringify(message.toolCalls)] : [])])
  const declared = [tools, outputSchema].flatMap((each) => (each === undefined ? [] : [JSON.stringify(each)]))
  return [...said, ...declared].reduce((sum, text) => sum + countTokens(text), 0)
}
