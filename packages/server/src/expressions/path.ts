import type { Json } from '@sluice/schema'
import { ExpressionError } from './error.ts'

/** A place in the outputs of the steps before, as text: `step.key.0`. It is followed, never evaluated. */
export interface StepPath {
  /** The names that its step may have, the longest first: a name may have dots in it. None, if the path is blank. */
  steps: ReadonlySet<string>
  /** What stands there, by own keys and by indexes of lists; null where nothing does. */
  read(scope: object): Json
}

const maxSource = 2_000
/** Each segment is one more name to look for. */
const maxSegments = 64

/** Throws an ExpressionError for a path that is too long. */
export function compilePath(source: string): StepPath {
  const path = source.trim()
  const segments = path === '' ? [] : path.split('.')
  if (path.length > maxSource || segments.length > maxSegments) throw new ExpressionError(`A path has at most ${maxSegments} segments and ${maxSource} characters`)
  const starts = segments.map((_, at) => ({ step: segments.slice(0, at + 1).join('.'), rest: segments.slice(at + 1) })).reverse()
  return {
    steps: new Set(starts.map(({ step }) => step)),
    read(scope) {
      const outputs = inside(scope, 'nodes')
      const start = starts.find(({ step }) => inside(outputs, step) !== undefined)
      return start ? ((start.rest.reduce(inside, inside(outputs, start.step)) ?? null) as Json) : null
    },
  }
}

function inside(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  if (Array.isArray(value)) return /^\d{1,9}$/.test(key) ? (value[Number(key)] as unknown) : undefined
  return Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined
}
