import { Fault, type JsonObject } from '@sluice/schema'

/**
 * Which parts of an execution are asked for, in Medusa's words: a list with commas. As soon as one of them stands without a sign
 * the list is what is wanted; else `+a` (or ` a`, which is what a `+` of an address becomes) adds to what is told anyway, `-a`
 * takes away, and `*a` or `a.*` asks for all of it. `a.b` is a part of a part. The id is always there. PURE.
 */

/** In the order in which they are told. */
const known = ['id', 'workflow_id', 'transaction_id', 'context', 'execution', 'state', 'created_at', 'updated_at', 'deleted_at', 'run_id', 'retention_time'] as const
export type Field = (typeof known)[number]

const defaults: readonly Field[] = ['id', 'workflow_id', 'transaction_id', 'context', 'execution', 'state', 'created_at', 'updated_at', 'deleted_at']

/** They alone have parts. */
const deep: readonly string[] = ['context', 'execution'] satisfies Field[]

export interface Selection {
  has(field: Field): boolean
  /** Of a value of this field what is asked for. */
  of(field: Field, value: unknown): unknown
}

/** Throws `input_invalid` for a field that there is not. */
export function selectionOf(fields: string | undefined): Selection {
  const paths = pathsOf(fields)
  const unknown = [...paths].filter((path) => !isField(path))
  if (unknown.length > 0) throw new Fault('input_invalid', { message: `Requested fields [${unknown.slice(0, 20).join(', ')}] are not valid` })
  const byField = Map.groupBy(paths, (path) => path.split('.', 1)[0]!)
  return {
    has: (field) => byField.has(field),
    of: (field, value) =>
      byField.get(field)!.includes(field)
        ? value
        : partsOf(
            value,
            byField.get(field)!.map((path) => path.slice(field.length + 1)),
          ),
  }
}

export const fieldsInOrder: readonly Field[] = known

function isField(path: string): boolean {
  const [field = '', ...rest] = path.split('.')
  return rest.length === 0 ? known.some((each) => each === field) : deep.includes(field)
}

function pathsOf(fields: string | undefined): Set<string> {
  const paths = new Set<string>(defaults)
  if (fields === undefined) return paths
  const named = fields.split(',').filter(Boolean)
  if (named.length === 0 || !named.every(isSigned)) return new Set(['id', ...named.flatMap((name) => allOf(whole(plain(name))))])
  for (const name of named) {
    if (name.startsWith('-')) drop(paths, whole(plain(name)))
    else for (const path of allOf(whole(plain(name)))) paths.add(path)
  }
  return paths.add('id')
}

const isSigned = (name: string): boolean => /^[-+ *]/.test(name) || name.endsWith('.*')
const plain = (name: string): string => name.replace(/^[+ \t-]+/, '').trim()

/** All of something is the thing. */
const whole = (name: string): string => name.replace(/^\*/, '').replace(/\.\*$/, '')

/** `*` by itself is all that is told anyway. */
const allOf = (path: string): readonly string[] => (path === '' ? defaults : [path])

function drop(paths: Set<string>, path: string): void {
  for (const each of paths) if (each === path || each.startsWith(`${path}.`)) paths.delete(each)
}

// ── parts of a value ───────────────────────────────────────────────────────────────────────────────────────────────────

/** Of lists that of each. What is not there is left out. */
function partsOf(value: unknown, paths: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((each) => partsOf(each, paths))
  if (!isObject(value)) return value
  const found = Map.groupBy(
    paths.flatMap((path) => stepInto(value, path) ?? []),
    ({ key }) => key,
  )
  return Object.fromEntries(
    Object.keys(value).flatMap((key): [string, unknown][] => {
      const steps = found.get(key)
      if (!steps) return []
      const rest = steps.map((step) => step.rest)
      return [[key, rest.includes('') ? value[key] : partsOf(value[key], rest)]]
    }),
  )
}

/** The longest key that the path begins with: ids of steps have dots. */
function stepInto(value: JsonObject, path: string): { key: string; rest: string } | null {
  for (let end = path.length; end > 0; end = path.lastIndexOf('.', end - 1)) {
    const key = path.slice(0, end)
    if (Object.hasOwn(value, key)) return { key, rest: path.slice(end + 1) }
  }
  return null
}

const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)
