import { inspect } from 'node:util'
import type { Json } from '@sluice/schema'
import { ReferenceMisuse } from './errors.ts'
import type { Frame } from './frames.ts'
import type { Ref } from './values.ts'

/** References at run time: proxies that know where their value stands, and refuse to be taken for it. */

/** Where the value of a reference stands. */
export interface Source {
  /** What made it: a definition takes no references of another. */
  owner: object
  /** In which branches it was made. */
  frames: readonly Frame[]
  /** The step whose value it is, if it is one's. */
  step: string | null
  at:
    | { is: 'place'; root: 'input' | 'steps' | 'run'; path: readonly string[] }
    /** Computed of a tree when it is needed, and then `path` in that. */
    | { is: 'computed'; tree: Json; path: readonly string[] }
}

const sources = new WeakMap<object, Source>()

/** Undefined: it is no reference. */
export const sourceOf = (value: unknown): Source | undefined => ((typeof value === 'function' || typeof value === 'object') && value !== null ? sources.get(value) : undefined)

/** As it stands in a tree: `$steps/charge/id`. */
export const pointer = (root: string, path: readonly string[]): string => [`$${root}`, ...path.map(escaped)].join('/')
const escaped = (segment: string): string => segment.replaceAll('~', '~0').replaceAll('/', '~1')

function nameOf({ at, step }: Source): string {
  if (at.is === 'place') return pointer(at.root, at.path)
  return [step ?? 'a transform', ...at.path].join('/')
}

const remedy = 'it has its value when a run comes to it. Compute with w.transform, branch with w.when, or give it to a step as input'
const asText = new Set(['toString', 'valueOf', 'toLocaleString'])

/** Makes a reference. What it gives for a key is a reference, whatever the key: what a run will have there nobody knows yet. */
export function reference<T>(source: Source): Ref<T> {
  const name = nameOf(source)
  const refuse = (use: string): never => {
    throw new ReferenceMisuse(`${name} is a reference and cannot be ${use}: ${remedy}`)
  }
  // A function, so that calling it (`items.map(…)`) is told of as what it is.
  const target = Object.assign(() => undefined, { [inspect.custom]: () => `Reference(${name})` })
  const below = new Map<string, unknown>()
  const proxy = new Proxy(target, {
    get(_target, key) {
      if (key === Symbol.toPrimitive) return refuse('used as a text or a number')
      if (key === Symbol.iterator || key === Symbol.asyncIterator) return refuse('iterated over')
      if (typeof key === 'symbol') return undefined
      if (key === 'then') return refuse('awaited, nor returned from an async function')
      if (key === 'toJSON') return refuse('written as JSON')
      if (asText.has(key)) return refuse('used as a text or a number')
      if (!below.has(key)) below.set(key, reference(deeper(source, key)))
      return below.get(key)
    },
    apply: () => refuse('called, nor any method of its value'),
    has: (_target, key) => (typeof key === 'symbol' ? false : refuse('asked for its keys')),
    ownKeys: () => refuse('spread, nor asked for its keys'),
    set: () => refuse('written to'),
    deleteProperty: () => refuse('written to'),
    defineProperty: () => refuse('written to'),
  })
  sources.set(proxy, source)
  // The proxy has every key there is: that its type says only those that T has is all that the cast does.
  return proxy as unknown as Ref<T>
}

const deeper = ({ at, ...source }: Source, key: string): Source => ({ ...source, at: { ...at, path: [...at.path, key] } })
