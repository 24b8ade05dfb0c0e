import type { Json, JsonObject } from '@sluice/schema'
import { compileCel, compileJinja, compilePython, compilePath, compileReference, compileTemplate, pick, type Reference, Taken } from '../expressions/index.ts'
import type { Place as Path, Reading, Readings } from '../nodes/contract.ts'
import { listed } from './names.ts'

/** How the strings of a config are read: which way each, and what stands in it. */

export type { Path }

/** A string of a config that is read as something. */
export interface Reader {
  /** Top-level variables and step names (`nodes.x`) it reads. */
  names: ReadonlySet<string>
  steps: ReadonlySet<string>
  /** Whether it reads `nodes` in any other way than by the name of a step. */
  whole: boolean
  /** All that it looks up in the scope: `names`, and names of its own that may not be set. */
  variables: ReadonlySet<string>
  /** Of what it names, as it names it, what is no step when these are the steps before. */
  missing(known: ReadonlySet<string>): string[]
  /** False when it gives the same whatever the scope. */
  dynamic: boolean
  /** What is wrong with it although it compiles. */
  complaint: string | null
  read(scope: object): Json
}

/** The reading of each path, most exact pattern first. What no pattern names is a template. */
export function readingsOf(readings: Readings = {}): (path: Path) => Reading {
  const patterns = Object.entries(readings).map(([pattern, reading]) => ({ segments: pattern.split('.'), reading }))
  const looseness = (segments: string[]): number => segments.reduce((sum, segment) => sum + (segment === '**' ? 100 : segment === '*' ? 1 : 0), 0)
  patterns.sort((a, b) => looseness(a.segments) - looseness(b.segments) || b.segments.length - a.segments.length)
  return (path) => patterns.find(({ segments }) => fits(segments, path))?.reading ?? 'template'
}

function fits(segments: readonly string[], path: Path): boolean {
  const open = segments.at(-1) === '**'
  const length = open ? segments.length - 1 : segments.length
  if (open ? path.length <= length : path.length !== length) return false
  for (let at = 0; at < length; at++) if (segments[at] !== '*' && segments[at] !== String(path[at])) return false
  return true
}

const none: ReadonlySet<string> = new Set()
const outputs: ReadonlySet<string> = new Set(['nodes'])
const data: ReadonlySet<string> = new Set(['data'])
const noneMissing = (): string[] => []
const missingOf =
  (steps: ReadonlySet<string>) =>
  (known: ReadonlySet<string>): string[] =>
    [...steps].filter((step) => !known.has(step)).map((step) => `nodes.${step}`)

const asItStands = (source: string): Reader => ({
  names: none,
  steps: none,
  whole: false,
  variables: none,
  missing: noneMissing,
  dynamic: false,
  complaint: null,
  read: () => source,
})

/** What names `data` alone: of the scope it sees nothing else. */
function readerOfData(named: ReadonlySet<string>, needed: ReadonlySet<string>, read: (names: object) => Json): Reader {
  const names = named.has('data') ? data : none
  const strange = [...needed].filter((name) => name !== 'data')
  const complaint = strange.length === 0 ? null : `${listed(strange)} is not known here; there is only data`
  return { names, steps: none, whole: false, variables: names, missing: noneMissing, dynamic: true, complaint, read: (scope) => read(pick(scope, names)) }
}

function readerOfReference({ from, step, read }: Reference): Reader {
  const names: ReadonlySet<string> = new Set([from === 'steps' ? 'nodes' : from])
  const steps: ReadonlySet<string> = new Set(step === null ? [] : [step])
  const missing = (known: ReadonlySet<string>): string[] => [...steps].filter((each) => !known.has(each))
  // Into a tree of which only who reads it as one knows what is a value: nobody takes it for JSON.
  return { names, steps, whole: false, variables: names, missing, dynamic: true, complaint: null, read: (scope) => new Taken(read(scope)) as unknown as Json }
}

/** Compiles a string as it is read. Throws an ExpressionError. */
export function readerOf(source: string, reading: Reading): Reader {
  if (reading === 'raw') return asItStands(source)
  if (reading === 'template' || reading === 'value') {
    const { names, steps, whole, variables, dynamic, render, value } = compileTemplate(source)
    return { names, steps, whole, variables, missing: missingOf(steps), dynamic, complaint: null, read: reading === 'template' ? render : value }
  }
  if (reading === 'jinja') {
    const { steps, needed, dynamic, render } = compileJinja(source)
    const missing = (known: ReadonlySet<string>): string[] => [...needed].filter((step) => !known.has(step))
    return { names: outputs, steps, whole: false, variables: outputs, missing, dynamic, complaint: null, read: render }
  }
  if (reading === 'jinja-data' || reading === 'jinja-data-value') {
    if (!source.includes('{{')) return asItStands(source)
    const { steps: named, needed, text, value } = compileJinja(source)
    return readerOfData(named, needed, reading === 'jinja-data' ? text : value)
  }
  if (reading === 'python') {
    const { names, condition } = compilePython(source)
    return readerOfData(names, names, condition)
  }
  if (reading === 'path') {
    const { steps, read } = compilePath(source)
    const missing = (known: ReadonlySet<string>): string[] => (steps.size === 0 || [...steps].some((step) => known.has(step)) ? [] : [[...steps].at(-1)!])
    return { names: outputs, steps, whole: false, variables: outputs, missing, dynamic: true, complaint: null, read }
  }
  if (reading === 'reference') {
    const reference = compileReference(source)
    return reference ? readerOfReference(reference) : asItStands(source)
  }
  const { names, steps, whole, type, evaluate, condition } = compileCel(source)
  const isCondition = reading === 'condition'
  const complaint = isCondition && type !== 'bool' && type !== 'dyn' ? `A condition gives true or false; this one gives ${type}` : null
  return { names, steps, whole, variables: names, missing: missingOf(steps), dynamic: true, complaint, read: isCondition ? condition : evaluate }
}

/** All strings of a config, with their places. */
export function* stringsIn(value: Json | undefined, path: Path = []): Generator<{ path: Path; text: string }> {
  if (typeof value === 'string') yield { path, text: value }
  else if (Array.isArray(value)) for (const [at, each] of value.entries()) yield* stringsIn(each, [...path, at])
  else if (typeof value === 'object' && value !== null) for (const [key, each] of Object.entries(value)) yield* stringsIn(each, [...path, key])
}

/** What stands at a dotted path, `*` standing for every key or index. */
export function valuesAt(config: JsonObject, path: string): { path: Path; value: Json }[] {
  let found: { path: Path; value: Json }[] = [{ path: [], value: config }]
  for (const segment of path.split('.')) {
    found = found.flatMap(({ path: at, value }) => {
      if (typeof value !== 'object' || value === null) return []
      const entries: [string | number, Json][] = Array.isArray(value) ? [...value.entries()] : Object.entries(value)
      return entries.filter(([key]) => segment === '*' || String(key) === segment).map(([key, each]) => ({ path: [...at, key], value: each }))
    })
  }
  return found
}

export const dotted = (...parts: (string | number | Path)[]): string => parts.flat().join('.')
