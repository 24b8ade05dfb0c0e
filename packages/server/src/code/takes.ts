import type { Json } from '@sluice/schema'
import { Taken } from '../expressions/index.ts'

/**
 * What a node of a written workflow takes: a JSON tree with references in it, `$input/customer`, and transforms,
 * `{"$apply": "key of the function", "to": tree}`. A string that begins with `$` and is no reference has one `$` more, and an object
 * that would be taken for something else stands under `$literal`.
 */

const applyKey = '$apply'
const literalKey = '$literal'

/** A plain JSON value as it stands in such a tree. */
export function literal(value: Json): Json {
  if (typeof value === 'string') return value.startsWith('$') ? `$${value}` : value
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(literal)
  const copy = Object.fromEntries(Object.entries(value).map(([key, each]) => [key, literal(each)]))
  return applyKey in copy || literalKey in copy ? { [literalKey]: copy } : copy
}

/** A transform as it stands in such a tree. */
export const applied = (key: string, to: Json): Json => ({ [applyKey]: key, to })

/** The keys of the functions that a tree applies. */
export function* appliedIn(tree: Json | undefined): Generator<string> {
  if (typeof tree !== 'object' || tree === null) return
  if (Array.isArray(tree)) {
    for (const each of tree) yield* appliedIn(each)
  } else if (!(literalKey in tree)) {
    if (typeof tree[applyKey] === 'string') yield tree[applyKey]
    for (const each of Object.values(tree)) yield* appliedIn(each)
  }
}

/** The value of a tree whose references were read. What is not there is undefined, and not in its object. A transform that stands in several places is done in each. */
export function valueOf(tree: unknown, apply: (key: string, values: unknown) => unknown): unknown {
  if (tree instanceof Taken) return tree.value
  if (typeof tree === 'string') return unescaped(tree)
  if (typeof tree !== 'object' || tree === null) return tree
  if (Array.isArray(tree)) return tree.map((each) => valueOf(each, apply))
  const entries = Object.entries(tree)
  const { [applyKey]: key, [literalKey]: plain, to } = tree as Record<string, unknown>
  if (typeof key === 'string') return apply(key, valueOf(to, apply))
  if (plain !== undefined) return valueOfEntries(Object.entries(plain as object), apply)
  return valueOfEntries(entries, apply)
}

function valueOfEntries(entries: [string, unknown][], apply: (key: string, values: unknown) => unknown): Record<string, unknown> {
  const values = entries.map(([key, each]) => [key, valueOf(each, apply)] as const)
  return Object.fromEntries(values.filter(([, value]) => value !== undefined))
}

const unescaped = (text: string): string => (text.startsWith('$$') ? text.slice(1) : text)
