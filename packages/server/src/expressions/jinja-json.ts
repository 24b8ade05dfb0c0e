import type { Budget } from './budget.ts'
import { ExpressionError } from './error.ts'
import { isDict, isList, kindOf, numberIn, repr } from './jinja-values.ts'

/** JSON as Jinja's `tojson` writes it: Python's spaces, keys in order, ASCII alone, and nothing that HTML would take for its own. */
export function jsonOf(budget: Budget, value: unknown, indent: number | null): string {
  const width = Math.max(indent ?? 0, 0)
  budget.spend(width)
  const shift = indent === null ? null : ' '.repeat(width)
  return written(budget, value, shift, '\n').replace(/[<>&']/g, (found) => escaped(found))
}

function written(budget: Budget, value: unknown, shift: string | null, newline: string): string {
  budget.spend(1)
  if (value === null || typeof value === 'boolean') return String(value)
  if (numberIn(value) !== undefined) return repr(budget, value)
  if (typeof value === 'string') {
    budget.spend(value.length * 2)
    return JSON.stringify(value).replace(/[^ -~]/g, escaped)
  }
  const deeper = shift === null ? newline : newline + shift
  const within = (open: string, parts: string[], close: string): string => {
    if (parts.length === 0) return open + close
    budget.spend(parts.length * (deeper.length + 2))
    return shift === null ? open + parts.join(', ') + close : `${open}${deeper}${parts.join(`,${deeper}`)}${newline}${close}`
  }
  if (isList(value))
    return within(
      '[',
      value.map((each) => written(budget, each, shift, deeper)),
      ']',
    )
  if (!isDict(value)) throw new ExpressionError(`${kindOf(value)} cannot be written as JSON`)
  const keys = Object.keys(value).toSorted()
  return within(
    '{',
    keys.map((key) => `${written(budget, key, shift, deeper)}: ${written(budget, value[key], shift, deeper)}`),
    '}',
  )
}

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
