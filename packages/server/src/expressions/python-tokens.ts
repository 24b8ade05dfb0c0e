import { ExpressionError } from './error.ts'
import { quoted, unescaped } from './jinja-tokens.ts'

/** A Python expression in tokens, in one pass: what its statements and its other literals need is refused by name. */

export interface PythonToken {
  is: 'name' | 'text' | 'integer' | 'float' | 'operator' | 'end'
  value: string
  /** Where it begins. */
  at: number
}

/** White space, comments and lines that go on. A line that ends outside brackets ends the expression. */
const between = /(?:[ \t\f]|\\\r?\n|#[^\r\n]*)+/y
const lineEnd = /\r\n?|\n/y
const name = /[\p{ID_Start}_]\p{ID_Continue}*/uy
const text = /([a-zA-Z]{0,2})(?:('''|""")((?:[^\\]|\\[^])*?)\2|'((?:[^'\\\r\n]|\\[^])*)'|"((?:[^"\\\r\n]|\\[^])*)")/y
const float = /(?:\d+(?:_\d+)*)?\.\d+(?:_\d+)*(?:[eE][-+]?\d+)?|\d+(?:_\d+)*(?:\.(?:[eE][-+]?\d+)?|[eE][-+]?\d+)/y
const integer = /0[xX][\da-fA-F]+|0[oO][0-7]+|0[bB][01]+|\d+(?:_\d+)*/y
const operator = /\*\*|\/\/|[=!<>]=|[-+*/%<>()[\]{},.:]/y
/** What Python has and conditions have not. */
const foreign = /:=|->|&&|\|\||<<|>>|[@&|^~=!?;$`]/y
const whole = /^(?:[^\\]|\\(?:x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}|[^xuUN]))*$/

const instead: Readonly<Record<string, string>> = {
  '=': ': write == to compare',
  '&&': ': write and',
  '||': ': write or',
  '!': ': write not',
  '&': ': write and',
  '|': ': write or',
}

/** Throws an ExpressionError. */
export function pythonTokens(source: string): PythonToken[] {
  const tokens: PythonToken[] = []
  let at = 0
  let open = 0
  const matched = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const found = pattern.exec(source)
    if (found) at = pattern.lastIndex
    return found
  }
  const fail = (message: string, offset: number): never => {
    throw new ExpressionError(message, { offset })
  }
  const word = (): PythonToken => {
    const begun = at
    const string = matched(text)
    if (string) return { is: 'text', value: textOf(string, begun), at: begun }
    for (const [is, pattern] of [
      ['name', name],
      ['float', float],
      ['integer', integer],
    ] as const) {
      const found = matched(pattern)
      if (!found) continue
      if (is !== 'name') numberEnds(source, begun, at)
      return { is, value: found[0], at: begun }
    }
    const strange = matched(foreign)
    const known = strange && source[at] !== '=' ? strange : null
    if (known) return fail(`${quoted(known[0])} is not available in conditions${instead[known[0]] ?? ''}`, begun)
    at = begun
    const sign = matched(operator)
    if (sign) return { is: 'operator', value: sign[0], at: begun }
    const character = String.fromCodePoint(source.codePointAt(begun)!)
    return fail(character === '"' || character === "'" ? 'The text is not closed' : `${quoted(character)} has no meaning here`, begun)
  }
  for (;;) {
    if (matched(between)) continue
    if (at >= source.length) break
    const ended = at
    if (matched(lineEnd)) {
      if (open === 0 && tokens.length > 0 && source.slice(at).trim() !== '') fail('The expression ends with its line', ended)
      continue
    }
    const token = word()
    if (token.is === 'operator') open += /[([{]/.test(token.value) ? 1 : /[)\]}]/.test(token.value) ? -1 : 0
    tokens.push(token)
  }
  tokens.push({ is: 'end', value: '', at: source.length })
  return tokens
}

function textOf([, prefix, , long, single, double]: RegExpExecArray, at: number): string {
  const kind = prefix!.toLowerCase()
  const written = (long ?? single ?? double)!.replace(/\r\n?/g, '\n')
  if (kind === 'r') return written
  if (kind !== '' && kind !== 'u') throw new ExpressionError(`Texts with ${quoted(prefix!)} before them are not available in conditions`, { offset: at })
  if (!whole.test(written)) throw new ExpressionError('An escape in the text is not complete, or not available', { offset: at })
  return unescaped(written, at)
}

function numberEnds(source: string, begun: number, end: number): void {
  const number = source.slice(begun, end)
  const isOdd = /[\p{ID_Continue}]/u.test(source[end] ?? '') || (/^0\d*[1-9]/.test(number.replaceAll('_', '')) && /^\d[\d_]*$/.test(number))
  if (isOdd) throw new ExpressionError(`${quoted(number + (/^[\p{ID_Continue}]*/u.exec(source.slice(end)) ?? [''])[0])} is no number`, { offset: begun })
}
