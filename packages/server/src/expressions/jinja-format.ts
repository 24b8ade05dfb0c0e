import type { Budget } from './budget.ts'
import { ExpressionError } from './error.ts'
import type { Named } from './jinja-callable.ts'
import { rounded } from './jinja-rounding.ts'
import { Tuple, isDict, kindOf, numberIn, repr, str } from './jinja-values.ts'

/** Python's formatting with `%`, as far as texts and numbers go. */

const directive = /%(?:\(([^()]{0,200})\))?([-+ 0#]{0,5})(\d{0,4})(?:\.(\d{0,2}))?([a-zA-Z%])/g
const widest = 1_000

export function percentFormat(budget: Budget, pattern: string, given: unknown): string {
  const values = given instanceof Tuple ? [...given] : [given]
  const named = isDict(given) ? new Map(Object.entries(given)) : null
  return formatted(budget, pattern, values, named)
}

/** `values` in their order, or, of directives with a name, those of `named`. */
export function formatted(budget: Budget, pattern: string, values: readonly unknown[], named: Named | null): string {
  budget.tick(pattern.length)
  let at = 0
  let isByName = false
  const next = (name: string | undefined): unknown => {
    if (name === undefined) {
      if (at >= values.length) throw new ExpressionError('The format asks for more values than there are')
      return values[at++]
    }
    isByName = true
    if (!named?.has(name)) throw new ExpressionError(`The format asks for “${name}”, which is not there`)
    return named.get(name)
  }
  const text = pattern.replace(directive, (_whole, name: string | undefined, flags: string, width: string, places: string | undefined, conversion: string) => {
    if (conversion === '%') return '%'
    if (Number(width) > widest) throw new ExpressionError(`A format is at most ${widest} wide`)
    const made = padded(converted(budget, conversion, next(name), places === undefined ? null : Number(places), flags), flags, Number(width), conversion)
    budget.spend(made.length)
    return made
  })
  if (!isByName && at < values.length && !(values.length === 1 && named)) throw new ExpressionError('There are more values than the format asks for')
  return text
}

function converted(budget: Budget, conversion: string, value: unknown, places: number | null, flags: string): string {
  if (conversion === 's' || conversion === 'r') {
    const text = conversion === 's' ? str(budget, value) : repr(budget, value)
    return places === null ? text : text.slice(0, places)
  }
  const number = numberIn(value)
  if (number === undefined) throw new ExpressionError(`%${conversion} asks for a number, not ${kindOf(value)}`)
  const digits = digitsOf(conversion, Math.abs(number), places ?? 6)
  return number < 0 ? `-${digits}` : flags.includes('+') ? `+${digits}` : flags.includes(' ') ? ` ${digits}` : digits
}

function digitsOf(conversion: string, size: number, places: number): string {
  switch (conversion) {
    case 'd':
    case 'i':
    case 'u':
      return String(Math.trunc(size))
    case 'f':
    case 'F':
      return rounded(size, places).toFixed(places)
    case 'e':
      return size.toExponential(places).replace(/e([-+])(\d)$/, 'e$10$2')
    case 'x':
      return Math.trunc(size).toString(16)
    case 'X':
      return Math.trunc(size).toString(16).toUpperCase()
    case 'o':
      return Math.trunc(size).toString(8)
    default:
      throw new ExpressionError(`%${conversion} is no format here`)
  }
}

function padded(text: string, flags: string, width: number, conversion: string): string {
  if (flags.includes('-')) return text.padEnd(width)
  if (!flags.includes('0') || conversion === 's' || conversion === 'r') return text.padStart(width)
  const [sign, digits] = /^[-+ ]/.test(text) ? [text.charAt(0), text.slice(1)] : ['', text]
  return sign + digits.padStart(width - sign.length, '0')
}
