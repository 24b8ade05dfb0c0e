import { Fault } from '@sluice/schema'

/** A piece of a filter, and where it stands in it. */
export type Token = Kind & { at: number }

type Kind =
  | { is: 'name'; text: string }
  /** What stood between the quotes. */
  | { is: 'text'; text: string }
  /** As it was written. */
  | { is: 'number'; text: string }
  | { is: 'sign'; text: string }
  | { is: 'join'; text: '&&' | '||' }
  | { is: 'open' | 'close' | 'comma' }

/** Throws a Fault `filter_invalid` that says where. */
export function refuse(at: number, message: string): never {
  throw new Fault('filter_invalid', { issues: [{ path: ['filter'], message: `${message}, at character ${at + 1}` }] })
}

/**
 * Each form begins where the last one ended. A name is letters, digits, `.`, `:` and `_` after a letter, `_`, `@` or `#`, and ends in
 * neither `.` nor `:`; in a text a backslash takes the quote that it is in, and is itself before anything else.
 */
const forms: readonly [RegExp, (text: string, at: number) => Kind | null][] = [
  [/[ \t\n]+|\/\/[^\n]*/y, () => null],
  [/&&|\|\|/y, (text) => ({ is: 'join', text: text as '&&' | '||' })],
  [/\?(?:!=|!~|>=|<=|=|>|<|~)|!=|!~|>=|<=|=|>|<|~/y, (text) => ({ is: 'sign', text })],
  [/-?\d+(?:\.\d+)?(?![\w.@#])/y, (text) => ({ is: 'number', text })],
  [/[\p{L}_@#][\p{L}\p{Nd}_.:]*/uy, (text, at) => ({ is: 'name', text: nameOf(text, at) })],
  [/'(?:\\'|\\(?!')|[^'\\])*'/y, (text) => ({ is: 'text', text: text.slice(1, -1).replaceAll("\\'", "'") })],
  [/"(?:\\"|\\(?!")|[^"\\])*"/y, (text) => ({ is: 'text', text: text.slice(1, -1).replaceAll('\\"', '"') })],
  [/\(/y, () => ({ is: 'open' })],
  [/\)/y, () => ({ is: 'close' })],
  [/,/y, () => ({ is: 'comma' })],
]

function nameOf(text: string, at: number): string {
  if (text.endsWith('.') || text.endsWith(':')) refuse(at, 'A name does not end so')
  if (text === '@' || text === '#') refuse(at, 'A name is missing')
  return text
}

/** What has no meaning is left out: blanks, and comments to the end of their line. */
export function tokensOf(filter: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  next: while (at < filter.length) {
    for (const [form, read] of forms) {
      form.lastIndex = at
      const [text] = form.exec(filter) ?? []
      if (text === undefined) continue
      const token = read(text, at)
      if (token) tokens.push({ ...token, at })
      at += text.length
      continue next
    }
    refuse(at, `${JSON.stringify(filter.slice(at, at + 10))} is no part of a filter`)
  }
  return tokens
}
