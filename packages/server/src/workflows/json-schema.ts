import { createRequire } from 'node:module'
import { limits, type Issue, type Json, type JsonObject } from '@sluice/schema'
import type { Ajv2020, ErrorObject, ValidateFunction } from 'ajv/dist/2020.js'
import { Recent } from '../expressions/index.ts'
import { bytesOf } from './form.ts'

/**
 * The JSON Schemas people give for what comes in and goes out. A schema is a program that a stranger wrote: what can make
 * it run long is refused (patterns, references to itself, references that multiply), and the work of one check, subschemas
 * times values, is bounded.
 */

/** Values of a schema with every reference written out. */
const maxParts = 5_000
const maxChecks = 50_000_000
const maxIssues = 100
/** Up to here everything wrong is said at once; of larger values only the first thing. */
const allIssuesBytes = 64 * 1024

const refusedKeywords: Record<string, string> = {
  pattern: 'pattern is not supported: a regular expression can run for hours',
  patternProperties: 'patternProperties is not supported: a regular expression can run for hours',
  $dynamicRef: '$dynamicRef is not supported',
  $dynamicAnchor: '$dynamicAnchor is not supported',
  $recursiveRef: '$recursiveRef is not supported',
  $anchor: '$anchor is not supported',
}

/** Keywords whose value is data, a map of schemas, or anything but a schema. */
const dataKeywords = new Set(['const', 'enum', 'default', 'examples', 'required', 'dependentRequired'])
const mapKeywords = new Set(['properties', '$defs', 'definitions', 'dependentSchemas'])

/** Elsewhere may stand data, which nothing here has looked at. */
const localRef = /^#\/(\$defs|definitions)\/[^/]+$/

type SchemaIssue = { path: (string | number)[]; message: string }

interface Checker {
  parts: number
  all: ValidateFunction
  /** Made when the first large value comes. */
  first(): ValidateFunction
}

const recent = new Recent<Checker | SchemaIssue[]>(4_000_000)

/** What keeps a schema from being used. */
export function schemaIssues(schema: Json): SchemaIssue[] {
  const prepared = prepare(schema)
  return Array.isArray(prepared) ? prepared : []
}

/** Everything about a value that its schema does not allow; nothing when it fits. */
export function checkValue(schema: JsonObject, value: Json): Issue[] {
  const prepared = prepare(schema)
  if (Array.isArray(prepared)) return prepared.map(({ message }) => ({ path: [], message: `The schema cannot be used: ${message}` }))
  if (prepared.parts * sizeOf(value, maxChecks / prepared.parts) > maxChecks) return [{ path: [], message: 'The value is too large to be checked against this schema' }]
  const validate = bytesOf(value) > allIssuesBytes ? prepared.first() : prepared.all
  return validate(value) ? [] : (validate.errors ?? []).slice(0, maxIssues).map(issueOf)
}

function issueOf({ instancePath, message, keyword, params }: ErrorObject): Issue {
  const path = instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
  const extra: unknown = keyword === 'additionalProperties' ? params['additionalProperty'] : undefined
  return { path: typeof extra === 'string' ? [...path, extra] : path, message: typeof extra === 'string' ? 'This key is not known here' : (message ?? 'is not valid') }
}

function prepare(schema: Json): Checker | SchemaIssue[] {
  const key = JSON.stringify(schema)
  return recent.of(key, () => compile(schema), key.length + 5_000)
}

function compile(schema: Json): Checker | SchemaIssue[] {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) return [{ path: [], message: 'A JSON Schema is an object' }]
  // They would name the schema among all others that are checked here.
  const { $schema: _draft, $id: _id, ...own } = schema
  const issues = refusals(own, [])
  if (issues.length > 0) return issues.slice(0, maxIssues)
  const parts = expandedSize(own, own, new Set(), new Map())
  if (typeof parts === 'string') return [{ path: [], message: parts }]
  if (parts > maxParts) return [{ path: [], message: `A schema has at most ${maxParts} parts, references written out` }]
  let first: ValidateFunction | undefined
  try {
    return { parts, all: newAjv(true).compile(own), first: () => (first ??= newAjv(false).compile(own)) }
  } catch (error) {
    return [{ path: [], message: (error as Error).message }]
  }
}

/** With the first schema: most servers meet none for a long time. */
function load(): typeof Ajv2020 {
  const library: { Ajv2020: typeof Ajv2020 } = createRequire(import.meta.url)('ajv/dist/2020.js')
  return library.Ajv2020
}

function newAjv(allErrors: boolean): Ajv2020 {
  const Ajv = load()
  const ajv = new Ajv({ strict: false, allErrors, validateFormats: false, inlineRefs: false, logger: false })
  // The library compares each element with each; ours keeps their texts.
  ajv.removeKeyword('uniqueItems')
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    error: { message: 'must not hold the same twice' },
    validate: (isOn: boolean, items: Json[]) => !isOn || new Set(items.map(sortedText)).size === items.length,
  })
  return ajv
}

const sortedText = (value: Json): string =>
  JSON.stringify(value, (_key, each: Json) =>
    typeof each === 'object' && each !== null && !Array.isArray(each) ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1))) : each,
  )

/** The subschemas directly inside one, with their places. */
function* inside(schema: JsonObject): Generator<{ path: (string | number)[]; schema: Json }> {
  for (const [keyword, value] of Object.entries(schema)) {
    if (dataKeywords.has(keyword) || typeof value !== 'object' || value === null) continue
    if (Array.isArray(value)) for (const [at, each] of value.entries()) yield { path: [keyword, at], schema: each }
    else if (mapKeywords.has(keyword)) for (const [name, each] of Object.entries(value)) yield { path: [keyword, name], schema: each }
    else yield { path: [keyword], schema: value }
  }
}

function refusals(schema: Json, path: (string | number)[]): SchemaIssue[] {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) return []
  if (path.length > limits.jsonDepth) return [{ path, message: `A schema is nested at most ${limits.jsonDepth} levels deep` }]
  const issues: SchemaIssue[] = []
  for (const [keyword, value] of Object.entries(schema)) {
    if (Object.hasOwn(refusedKeywords, keyword)) issues.push({ path: [...path, keyword], message: refusedKeywords[keyword]! })
    if (keyword === '$id' || (keyword === '$ref' && !(typeof value === 'string' && localRef.test(value))))
      issues.push({ path: [...path, keyword], message: 'A reference leads to a definition of the same schema: #/$defs/name' })
  }
  for (const part of inside(schema)) issues.push(...refusals(part.schema, [...path, ...part.path]))
  return issues
}

/** Values inside a schema with references written out, or what is wrong with the references. */
function expandedSize(schema: Json, root: JsonObject, open: ReadonlySet<string>, known: Map<string, number>): number | string {
  if (typeof schema !== 'object' || schema === null) return 1
  let size = 1
  for (const part of Object.values(schema)) {
    const inner = expandedSize(part, root, open, known)
    if (typeof inner === 'string') return inner
    size += inner
  }
  const ref = Array.isArray(schema) ? undefined : schema['$ref']
  if (typeof ref !== 'string') return size
  if (open.has(ref)) return `${ref} refers to itself`
  const target = known.get(ref) ?? expandedSize(at(root, ref), root, new Set([...open, ref]), known)
  if (typeof target === 'string') return target
  known.set(ref, target)
  return size + target
}

function at(root: JsonObject, pointer: string): Json {
  let value: Json | undefined = root
  for (const part of pointer.split('/').slice(1)) {
    const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return true
    value = (value as JsonObject)[key]!
  }
  return value
}

/** Values inside a value, counted up to a little more than `enough`. */
function sizeOf(value: Json, enough: number): number {
  let count = 1
  if (typeof value !== 'object' || value === null) return count
  for (const each of Object.values(value)) {
    count += sizeOf(each, enough - count)
    if (count > enough) break
  }
  return count
}
