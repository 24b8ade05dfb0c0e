import type { Json, JsonObject } from '@sluice/schema'
import { expect, test } from 'vitest'
import { inputSchema } from '../../packages/server/test/openapi/input-schema.ts'
import { contracts, dialects, documented, entries, procedures } from './faces.ts'
import { noNames, streamEntries } from './operations.ts'
import { kindsIn } from './world.ts'

/** What the matrix is generated from is whole: nothing that a server does is without an entry, and no entry is about nothing. */

/** The addresses of events, of documents and sockets. */
const streamPaths = [...procedures.flatMap(({ streams }) => streams), ...dialects.flatMap(({ streams = [], sockets = [] }) => [...streams, ...sockets].map(({ path }) => path))]

test('every operation of every document and every procedure has an entry, and every entry is of one', () => {
  const streamed = new Set(streamPaths)
  const inDocuments = [...documented].filter(([, { path }]) => !streamed.has(path)).map(([id]) => id)
  const overTrpc = procedures.map(({ name }) => name.replace(/^dialects\./, ''))
  expect(Object.keys(entries).toSorted()).toEqual([...new Set([...inDocuments, ...overTrpc])].toSorted())
  expect(Object.keys(streamEntries).toSorted()).toEqual([...new Set(streamPaths)].toSorted())
})

/** A key that names a thing, by how such keys are called; and a schema that says so of itself. */
const namesOne =
  /^(id|ids|.*(Id|Ids|_id|_ids)|workflows?|runs?|sessions?|user|to|webhook|queue|workspace|defaultWorkspace|assignee|principal|files?|chatbot|model|secret|connection|kept|topics|subscriptions|label|url|filter|where|key)$/
const saysSo = /\b(ids?|handles?)\b/i

/** Where in a schema something is named, as `run.id`, `operations[].nodeId`. */
function placesIn(schema: JsonObject, root: JsonObject, at = '', depth = 0): string[] {
  const { $ref, anyOf, oneOf, allOf, properties, items, additionalProperties } = schema as Record<string, Json | undefined>
  if (depth > 8) return []
  if (typeof $ref === 'string') {
    const target = $ref
      .split('/')
      .slice(1)
      .reduce<Json | undefined>((found, key) => (found as JsonObject | undefined)?.[key], root)
    return target ? placesIn(target as JsonObject, root, at, depth + 1) : []
  }
  const found: string[] = []
  for (const each of [anyOf, oneOf, allOf].flatMap((some) => (some as JsonObject[] | undefined) ?? [])) found.push(...placesIn(each, root, at, depth + 1))
  if (items && typeof items === 'object') found.push(...placesIn(items as JsonObject, root, `${at}[]`, depth + 1))
  if (additionalProperties && typeof additionalProperties === 'object') found.push(...placesIn(additionalProperties as JsonObject, root, `${at}{}`, depth + 1))
  for (const [key, inner] of Object.entries((properties as Record<string, JsonObject> | undefined) ?? {})) {
    const path = at === '' ? key : `${at}.${key}`
    if (namesOne.test(key) || (typeof inner['description'] === 'string' && saysSo.test(inner['description']))) found.push(path)
    found.push(...placesIn(inner, root, path, depth + 1))
  }
  return found
}

/** Where in what is sent something is named. */
function namedIn(value: Json, at = ''): string[] {
  if (typeof value === 'string') return kindsIn(value).length > 0 ? [at] : []
  if (Array.isArray(value)) return value.flatMap((each) => namedIn(each, `${at}[]`))
  if (value === null || typeof value !== 'object') return []
  return Object.entries(value).flatMap(([key, inner]) => namedIn(inner, at === '' ? key : `${at}.${key}`))
}

/** Of each operation the places that its schemas have. */
const places = new Map<string, string[]>()
for (const [id, operation] of documented) {
  const { document } = contracts[id.split('.')[0]!] ?? contracts['sluice']!
  const bodies = Object.values(operation.requestBody?.content ?? {}).map(({ schema }) => schema)
  const schemas = [
    { properties: Object.fromEntries(operation.parameters.map(({ name, schema, description }) => [name, { ...schema, description: description ?? '' }])) },
    ...bodies,
  ]
  places.set(id, [...new Set(schemas.flatMap((schema) => placesIn(schema as JsonObject, document as unknown as JsonObject)))])
}
// What has no REST is described nowhere: it is asked of the procedure itself.
for (const { name, input } of procedures)
  if (!places.has(name) && !name.startsWith('dialects.') && input) {
    const schema = inputSchema(input)
    places.set(name, [...new Set(placesIn(schema, schema))])
  }

test('every place of every schema that names a thing is tried with one of another workspace, or is said to name none', () => {
  const untried: string[] = []
  const needed = new Set<RegExp>()
  for (const [id, found] of places) {
    const tried = new Set([...(entries[id]?.sends ?? []), ...(streamEntries[documented.get(id)?.path ?? '']?.sends ?? [])].flatMap((sent) => namedIn(sent)))
    for (const place of found) {
      if ([...tried].some((each) => each === place || each.startsWith(`${place}.`) || each.startsWith(`${place}[]`) || each.startsWith(`${place}{}`))) continue
      const said = noNames.filter(({ at }) => at.test(`${id} ${place}`))
      for (const { at } of said) needed.add(at)
      if (said.length > 0) continue
      untried.push(`${id} ${place}`)
    }
  }
  expect(untried).toEqual([])
  expect(noNames.filter(({ at }) => !needed.has(at))).toEqual([])
})
