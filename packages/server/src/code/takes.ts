import type { Json } from '@sluice/schema'
// Not by the room's index: a module of workflows loads no evaluator.
import { Taken } from '../expressions/reference.ts'

/**
 * What a node of a written workflow takes: a JSON tree with references in it, `$input/customer`, and in it transforms,
 * `{"$apply": "key of the function", "to": tree}`, what stands in the value of one, `{"$of": tree, "path": ["a", 0]}`, and what
 * depends on a condition, `{"$if": tree, "holds": tree, "else": tree}`, of which only the one that counts is done. A string that
 * begins with `$` and is no reference has one `$` more, and an object that would be taken for something else stands under `$literal`.
 */

const applyKey = '$apply'
const literalKey = '$literal'
const marks = [applyKey, '$of', '$if', literalKey]

/** A plain JSON value as it stands in such a tree. */
export function literal(value: Json): Json {
  if (typeof value === 'string') return value.startsWith('$') ? `$${value}` : value
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(literal)
  return protectedTree(Object.fromEntries(Object.entries(value).map(([key, each]) => [key, literal(each)])))
}

/** An object of trees as one itself, whatever its keys are. */
export const protectedTree = (trees: { [key: string]: Json }): Json => (marks.some((mark) => mark in trees) ? { [literalKey]: trees } : trees)

/** A transform as it stands in such a tree. */
export const applied = (key: string, to: Json): Json => ({ [applyKey]: key, to })

/** What stands at a path in the value of a tree; that itself where there is no path. */
export const inside = (of: Json, path: readonly string[]): Json => (path.length === 0 ? of : { $of: of, path: path.map(literal) })

/** One of two trees; undefined where the condition is. */
export const chosen = (condition: Json, holds: Json | undefined, otherwise: Json | undefined): Json => ({
  $if: condition,
  ...(holds !== undefined && { holds }),
  ...(otherwise !== undefined && { else: otherwise }),
})

/** The keys of the functions that a tree applies. */
export function* appliedIn(tree: Json | undefined): Generator<string> {
  if (typeof tree !== 'object' || tree === null) return
  if (Array.isArray(tree)) {
    for (const each of tree) yield* appliedIn(each)
  } else if (!(literalKey in tree)) {
    if (typeof tree[applyKey] === 'string') yield tree[applyKey]
    for (const each of Object.values(tree)) yield* appliedIn(each)
  } else if (typeof tree[literalKey] === 'object' && tree[literalKey] !== null) {
    for (const each of Object.values(tree[literalKey])) yield* appliedIn(each)
  }
}

/** The value of a tree whose references were read. What is not there is undefined, and not in its object. A transform that stands in several places is done in each. */
export function valueOf(tree: unknown, apply: (key: string, values: unknown) => unknown): unknown {
  if (tree instanceof Taken) return tree.value
  if (typeof tree === 'string') return unescaped(tree)
  if (typeof tree !== 'object' || tree === null) return tree
  if (Array.isArray(tree)) return tree.map((each) => valueOf(each, apply))
  const { [applyKey]: key, to, $of: of, path, $if: condition, holds, else: otherwise, [literalKey]: plain } = tree as Record<string, unknown>
  if (typeof key === 'string') return apply(key, valueOf(to, apply))
  if (of !== undefined) return (valueOf(path, apply) as string[]).reduce(at, valueOf(of, apply))
  if (condition !== undefined) return either(valueOf(condition, apply), holds, otherwise, apply)
  return valueOfEntries(Object.entries((plain as object | undefined) ?? tree), apply)
}

function either(condition: unknown, holds: unknown, otherwise: unknown, apply: (key: string, values: unknown) => unknown): unknown {
  return condition === undefined ? undefined : valueOf(condition ? holds : otherwise, apply)
}

const at = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined

function valueOfEntries(entries: [string, unknown][], apply: (key: string, values: unknown) => unknown): Record<string, unknown> {
  const values = entries.map(([key, each]) => [key, valueOf(each, apply)] as const)
  return Object.fromEntries(values.filter(([, value]) => value !== undefined))
}

const unescaped = (text: string): string => (text.startsWith('$$') ? text.slice(1) : text)
