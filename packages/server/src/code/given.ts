import { limits, type Json } from '@sluice/schema'
import type { Frame } from './frames.ts'
import { unseen } from './frames.ts'
import { pointer, sourceOf, type Source } from './references.ts'
import { inside, literal, protectedTree } from './takes.ts'

/** What was given to a step, as the tree that a definition holds. */

/** For whom a tree is made. */
export interface Taker {
  owner: object
  frames: readonly Frame[]
  /** Tells of a mistake in the place of the input where it is, `items.0`; empty: as a whole. */
  refuse(problem: string, place: string): never
}

type Path = readonly (string | number)[]

/** Undefined: nothing was given. */
export function treeOf(given: unknown, taker: Taker, path: Path = []): Json | undefined {
  const source = sourceOf(given)
  if (source) return treeOfReference(source, taker, path)
  if (given === undefined) return undefined
  if (given === null || typeof given === 'boolean') return given
  if (typeof given === 'string') return literal(given)
  if (typeof given === 'number') return Number.isFinite(given) ? given : refuse(taker, `is ${given}, which JSON has no word for`, path)
  if (typeof given !== 'object') return refuse(taker, `is a ${typeof given}: what a step takes becomes JSON`, path)
  if (path.length >= limits.jsonDepth) return refuse(taker, `is nested deeper than ${limits.jsonDepth}, or in itself`, path.slice(0, 3))
  if ('toJSON' in given && typeof given.toJSON === 'function') return treeOf(given.toJSON(), taker, path)
  if (Array.isArray(given)) return given.map((each, at) => treeOf(each, taker, [...path, at]) ?? null)
  const made = Object.getPrototypeOf(given) as { constructor?: { name: string } } | null
  if (made !== null && made !== Object.prototype) return refuse(taker, `is a ${made.constructor?.name ?? 'thing'}: what a step takes becomes JSON`, path)
  return treeOfEntries(Object.entries(given), taker, path)
}

function treeOfEntries(given: readonly [string, unknown][], taker: Taker, path: Path): Json {
  const entries = given.map(([key, each]) => [key, treeOf(each, taker, [...path, key])] as const)
  return protectedTree(Object.fromEntries(entries.filter((entry): entry is readonly [string, Json] => entry[1] !== undefined)))
}

function treeOfReference(source: Source, taker: Taker, path: Path): Json {
  check(source, taker, path)
  // Of what the engine reads in a config nothing stands there.
  if (path.includes('__proto__')) return refuse(taker, 'is a reference under the key __proto__, where none is read', path)
  const { at } = source
  return at.is === 'place' ? pointer(at.root, at.path) : inside(at.tree, at.path)
}

/** That who takes it is of the same definition, and that it is there by then. */
export function check(source: Source, taker: Taker, path: Path): void {
  if (source.owner !== taker.owner) refuse(taker, 'is a reference of another workflow: give it to this one as its input', path)
  const problem = unseen(source.frames, taker.frames)
  if (problem !== null) refuse(taker, `is a reference to ${source.step ?? 'a value'}, ${problem}`, path)
}

const refuse = (taker: Taker, problem: string, path: Path): never => taker.refuse(problem, path.join('.'))
