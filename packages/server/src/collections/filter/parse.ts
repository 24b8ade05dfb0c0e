import { recordLimits } from '@sluice/schema'
import { refuse, type Token, tokensOf } from './tokens.ts'
import type { Comparison, Operand, Operator, Tree } from './tree.ts'

const mostCallDepth = 3

/** What a filter says. An empty one says nothing; one of blanks, or of a comment alone, is a mistake. Throws a Fault `filter_invalid`. */
export function parseFilter(text: string): Tree {
  if (Buffer.byteLength(text) > recordLimits.filterBytes) refuse(0, `A filter has at most ${recordLimits.filterBytes} bytes`)
  if (text.includes('\0')) refuse(text.indexOf('\0'), 'No text that is stored has a NUL, nor has a filter')
  if (text === '') return { is: 'and', of: [] }
  const reader = readerOf(text)
  const tree = joined(reader, 1)
  const rest = reader.next()
  if (rest) refuse(rest.at, rest.is === 'close' ? 'This parenthesis closes nothing' : 'Expected && or ||')
  return tree
}

interface Reader {
  peek(): Token | undefined
  next(): Token | undefined
  /** Counts one comparison more. */
  compared(at: number): void
  end: number
}

function readerOf(text: string): Reader {
  const tokens = tokensOf(text)
  let place = 0
  let terms = 0
  return {
    peek: () => tokens[place],
    next: () => tokens[place++],
    compared(at) {
      if (++terms > recordLimits.terms) refuse(at, `A filter has at most ${recordLimits.terms} comparisons`)
    },
    end: text.length,
  }
}

/** `&&` binds tighter than `||`: alternatives of what holds together. */
function joined(reader: Reader, depth: number): Tree {
  const alternatives: Tree[][] = [[term(reader, depth)]]
  for (let join = reader.peek(); join?.is === 'join'; join = reader.peek()) {
    reader.next()
    const found = term(reader, depth)
    if (join.text === '||') alternatives.push([found])
    else alternatives.at(-1)!.push(found)
  }
  return allOf(
    'or',
    alternatives.map((all) => allOf('and', all)),
  )
}

const allOf = (is: 'and' | 'or', of: readonly Tree[]): Tree => (of.length === 1 ? of[0]! : { is, of })

function term(reader: Reader, depth: number): Tree {
  const first = reader.peek()
  if (first?.is !== 'open') return comparison(reader)
  if (depth > recordLimits.depth) refuse(first.at, `A filter is at most ${recordLimits.depth} deep`)
  reader.next()
  const tree = joined(reader, depth + 1)
  const last = reader.next()
  if (last?.is !== 'close') refuse(last?.at ?? reader.end, 'Expected a closing parenthesis')
  return tree
}

function comparison(reader: Reader): Comparison {
  const at = reader.peek()?.at ?? reader.end
  reader.compared(at)
  const left = operand(reader, 0)
  const sign = reader.next()
  if (sign?.is !== 'sign') return refuse(sign?.at ?? reader.end, 'Expected an operator, as =')
  const any = sign.text.startsWith('?')
  return { is: 'compare', left, operator: sign.text.slice(any ? 1 : 0) as Operator, any, right: operand(reader, 0) }
}

function operand(reader: Reader, depth: number): Operand {
  const token = reader.next()
  if (token?.is === 'text') return { is: 'text', text: token.text }
  if (token?.is === 'number') return numberOf(token)
  if (token?.is !== 'name') return refuse(token?.at ?? reader.end, 'Expected a field, a text or a number')
  if (reader.peek()?.is !== 'open') return { is: 'name', name: token.text }
  if (depth >= mostCallDepth) refuse(token.at, `Functions are at most ${mostCallDepth} deep`)
  reader.next()
  return { is: 'call', name: token.text, args: given(reader, depth + 1) }
}

function numberOf({ text, at }: Token & { is: 'number' }): Operand {
  const value = Number(text)
  return Number.isFinite(value) ? { is: 'number', value, text } : refuse(at, 'This number is too large')
}

/** To the closing parenthesis; a comma may stand before it. */
function given(reader: Reader, depth: number): Operand[] {
  const args: Operand[] = []
  while (reader.peek()?.is !== 'close') {
    args.push(operand(reader, depth))
    const after = reader.peek()
    if (after?.is === 'comma') reader.next()
    else if (after?.is !== 'close') refuse(after?.at ?? reader.end, 'Expected a comma or a closing parenthesis')
  }
  reader.next()
  return args
}
