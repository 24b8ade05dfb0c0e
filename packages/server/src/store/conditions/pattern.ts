/** The patterns of LIKE: `%` is any text, `_` any character, and `\` takes the next one as it is. */

const escape = '\\'

/** PostgreSQL refuses a pattern that ends with an escape of nothing. */
export function endsOpen(pattern: string): boolean {
  const [escapes = ''] = /\\*$/.exec(pattern) ?? []
  return escapes.length % 2 === 1
}

/** A text as a pattern that fits it alone. */
export const literal = (text: string): string => text.replaceAll(/[\\%_]/g, '\\$&')

/** A–Z alone, as `lower()` has it under the collation "C". */
export const foldAscii = (text: string): string => text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase())

type Part = { any: true } | { one: true } | { character: string }

/** Whether all of a text fits. In time of at most text × pattern: what a `%` took is tried again, never what an earlier one did. */
export function fits(pattern: string): (text: string) => boolean {
  const parts = partsOf(pattern)
  return (text) => {
    const characters = Array.from(text)
    let part = 0
    let at = 0
    let retry: { part: number; at: number } | null = null
    for (;;) {
      const wanted = parts[part]
      if (wanted && 'any' in wanted) retry = { part: ++part, at }
      else if (at === characters.length && !wanted) return true
      else if (wanted && at < characters.length && ('one' in wanted || wanted.character === characters[at])) {
        part++
        at++
      } else if (retry && retry.at < characters.length) {
        at = ++retry.at
        part = retry.part
      } else return false
    }
  }
}

function partsOf(pattern: string): Part[] {
  const parts: Part[] = []
  const characters = Array.from(pattern)
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!
    if (character === escape) parts.push({ character: characters[++at] ?? escape })
    else if (character === '_') parts.push({ one: true })
    else if (character !== '%') parts.push({ character })
    else if (!('any' in (parts.at(-1) ?? {}))) parts.push({ any: true })
  }
  return parts
}
