import { ExpressionError } from './error.ts'

/** A Jinja template in tokens, in one pass: as Jinja reads it by default, which trims nothing that a `-` does not ask for. */

export interface Token {
  /** `print` and `tag` open what `close` closes. */
  is: 'text' | 'print' | 'tag' | 'close' | 'name' | 'string' | 'integer' | 'float' | 'operator' | 'end'
  value: string
  /** Where it begins. */
  at: number
}

/** Expressions and tags of one template. */
const maxTags = 5_000

const opening = /\{[{%#]/g
const closing = { print: /-\}\}\s*|\}\}/y, tag: /-%\}\s*|\+?%\}/y }
const rawBegins = /\{%[-+]?\s*raw\s*(?:-%\}\s*|\+?%\})/y
const rawEnds = /\{%([-+]?)\s*endraw\s*(?:-%\}\s*|\+?%\})/g
const commentEnds = /-#\}\s*|\+?#\}/g
const space = /\s+/y
const words: readonly (readonly [Token['is'], RegExp])[] = [
  ['float', /\d[\d_]*(?:\.\d[\d_]*(?:e[-+]?\d+)?|e[-+]?\d+)/iy],
  ['integer', /\d[\d_]*/y],
  ['name', /[\p{ID_Start}_]\p{ID_Continue}*/uy],
  ['string', /'[^'\\]*(?:\\[^][^'\\]*)*'|"[^"\\]*(?:\\[^][^"\\]*)*"/y],
  ['operator', /\*\*|\/\/|[=!<>]=|[-+*/%~<>=()[\]{},.:|]/y],
]
const closes: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' }

/** Throws an ExpressionError. */
export function tokensOf(template: string): Token[] {
  const source = template.replace(/\r\n?/g, '\n').replace(/\n$/, '')
  const tokens: Token[] = []
  let at = 0
  const matched = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const found = pattern.exec(source)
    if (found) at = found.index + found[0].length
    return found
  }
  const text = (to: number, trimmed: boolean): void => {
    const value = trimmed ? source.slice(at, to).trimEnd() : source.slice(at, to)
    if (value !== '') tokens.push({ is: 'text', value, at })
  }
  const inside = (is: 'print' | 'tag', begun: number): void => {
    tokens.push({ is, value: '', at: begun })
    const open: string[] = []
    while (open.length > 0 || !matched(closing[is])) {
      if (matched(space)) continue
      const token = wordAt(at)
      if (!token)
        throw new ExpressionError(at >= source.length ? 'It is not closed' : `${quoted(source.slice(at, at + 1))} has no meaning here`, {
          offset: at >= source.length ? begun : at,
        })
      if (token.is === 'operator') nest(open, token)
      tokens.push(token)
    }
    tokens.push({ is: 'close', value: '', at })
  }
  const wordAt = (begun: number): Token | undefined => {
    for (const [is, pattern] of words) {
      // The 0 and the 1 of x.0.1 are no number with a fraction.
      if (is === 'float' && isDot(tokens.at(-1))) continue
      const found = matched(pattern)
      if (found) return { is, value: is === 'string' ? unescaped(found[0].slice(1, -1), begun) : found[0], at: begun }
    }
    return undefined
  }
  for (let tags = 0; at < source.length; tags++) {
    if (tags > maxTags) throw new ExpressionError(`A template has at most ${maxTags} expressions and tags`)
    opening.lastIndex = at
    const begun = opening.exec(source)?.index ?? source.length
    text(begun, source[begun + 2] === '-')
    at = begun
    if (begun === source.length) break
    if (matched(rawBegins)) {
      rawEnds.lastIndex = at
      const end = rawEnds.exec(source)
      if (!end) throw new ExpressionError('{% raw %} is not closed', { offset: begun })
      text(end.index, end[1] === '-')
      at = rawEnds.lastIndex
    } else if (source[begun + 1] === '#') {
      at += 2
      if (!matched(commentEnds)) throw new ExpressionError('The comment is not closed', { offset: begun })
    } else {
      at += /[-+]/.test(source[begun + 2] ?? '') ? 3 : 2
      inside(source[begun + 1] === '{' ? 'print' : 'tag', begun)
    }
  }
  tokens.push({ is: 'end', value: '', at: source.length })
  return tokens
}

const isDot = (token: Token | undefined): boolean => token?.is === 'operator' && token.value === '.'

/** Within brackets what would close the tag does not. */
function nest(open: string[], { value, at }: Token): void {
  const closer = closes[value]
  if (closer) open.push(closer)
  else if (/[)\]}]/.test(value) && open.pop() !== value) throw new ExpressionError(`${quoted(value)} closes nothing`, { offset: at })
}

export const quoted = (word: string): string => `“${word}”`

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', v: '\v', a: '\u0007', '\\': '\\', "'": "'", '"': '"', '\n': '' }

/** As in Python; what is no escape keeps its backslash. */
export function unescaped(source: string, at: number): string {
  if (!source.includes('\\')) return source
  return source.replace(/\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})|([^]))/g, (whole, ...groups: (string | undefined)[]) => {
    const [byte, short, long, octal, single] = groups
    if (single !== undefined) return escapes[single] ?? whole
    const code = octal === undefined ? parseInt((byte ?? short ?? long)!, 16) : parseInt(octal, 8)
    if (code > 0x10ffff) throw new ExpressionError('There is no such character', { offset: at })
    return String.fromCodePoint(code)
  })
}
