import type { Json } from '@sluice/schema'
import * as Schema from 'effect/Schema'
import { AnyJson, isJsonObject } from './values.ts'

/** Conditions as data: a value, how it is compared, and with what. For those who fill in a form and write no CEL. */

/** `compare` gets values that are there; what it cannot compare does not match. */
const operators = {
  contains: onTexts((text, part) => text.includes(part)),
  equals: onTexts((text, other) => text === other),
  starts_with: onTexts((text, start) => text.startsWith(start)),
  not_starts_with: onTexts((text, start) => !text.startsWith(start)),
  number_equals: onNumbers((a, b) => a === b),
  greater_than: onNumbers((a, b) => a > b),
  less_than: onNumbers((a, b) => a < b),
  is_empty: isEmpty,
  is_not_empty: (value: Json) => !isEmpty(value),
} satisfies { [operator: string]: (value: Json, operand: Json | undefined) => boolean }

type Operator = keyof typeof operators

export const Rule = Schema.Struct({
  value: AnyJson.annotate({ title: 'Value', description: 'What is looked at: one `{{ expression }}` gives the value itself' }),
  operator: Schema.Literals(Object.keys(operators) as Operator[]).annotate({
    title: 'Operator',
    description:
      'Texts are compared as they are, and all else as its JSON; `number_equals`, `greater_than` and `less_than` read numbers, and texts that are numbers. Empty are null, and a text, list or object with nothing in it. Null matches `is_empty` alone, and what cannot be compared does not match.',
  }),
  operand: Schema.optionalKey(AnyJson.annotate({ title: 'Operand', description: 'What it is compared with, as it stands' })),
  or: Schema.optionalKey(Schema.Boolean.annotate({ title: 'Or', description: 'Joins the rule to those before it by or; by and unless set' })),
})
export type Rule = typeof Rule.Type

/** From left to right, without precedence: `a and b or c` is `(a and b) or c`, `a or b and c` is `(a or b) and c`. No rules match always. */
export function doMatch(rules: readonly Rule[]): boolean {
  const [first, ...others] = rules
  if (!first) return true
  return others.reduce((so, rule) => (rule.or ? so || matches(rule) : so && matches(rule)), matches(first))
}

function matches({ value, operator, operand }: Rule): boolean {
  return value === null ? operator === 'is_empty' : operators[operator](value, operand)
}

function isEmpty(value: Json): boolean {
  if (Array.isArray(value)) return value.length === 0
  return isJsonObject(value) ? Object.keys(value).length === 0 : value === null || value === ''
}

type Comparison = (value: Json, operand: Json | undefined) => boolean

function onTexts(compare: (text: string, other: string) => boolean): Comparison {
  return (value, operand) => operand !== undefined && compare(textOf(value), textOf(operand))
}

function onNumbers(compare: (number: number, other: number) => boolean): Comparison {
  return (value, operand) => {
    const [a, b] = [numberOf(value), numberOf(operand)]
    return a !== null && b !== null && compare(a, b)
  }
}

/** Many rules may look at one large value: its text is made once. */
const texts = new WeakMap<object, string>()

function textOf(value: Json): string {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const text = texts.get(value) ?? JSON.stringify(value)
  texts.set(value, text)
  return text
}

const numeric = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*$/i

function numberOf(value: Json | undefined): number | null {
  const number = typeof value === 'string' && value.length <= 400 && numeric.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : null
}
