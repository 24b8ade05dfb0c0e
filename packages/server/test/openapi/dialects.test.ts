import { Fault, faults, type FaultCode, type Json, type JsonObject } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { medusa } from '../../src/dialects/medusa/index.ts'
import { orchestrator } from '../../src/dialects/orchestrator/index.ts'
import { openai } from '../../src/dialects/openai/index.ts'
import { playground } from '../../src/dialects/playground/index.ts'
import { pocketbase } from '../../src/dialects/pocketbase/index.ts'
import { pyspur } from '../../src/dialects/pyspur/index.ts'
import { rowsOfDialect } from '../../src/http/dialect-rows.ts'
import { describeDialect } from '../../src/openapi/dialect.ts'
import { problemOf } from '../../src/rpc/faults.ts'
import { ask, serve } from '../http/serve.ts'
import { contractOf } from './contract.ts'

/** What every dialect's document promises; that of the native face has its own. */

describe.for([pyspur, orchestrator, medusa, pocketbase, playground, openai].map((dialect) => [dialect.name, dialect] as const))('%s', ([, dialect]) => {
  const contract = contractOf(describeDialect(dialect))
  const operations = [...contract.operations.values()]

  test('what is described is what is served, below each of its mounts', () => {
    const streamed = (dialect.streams ?? []).flatMap(({ path }) => dialect.mounts.map((mount) => `GET ${mount}${path}`))
    const told = dialect.realtime ? dialect.mounts.map((mount) => `GET ${mount}${dialect.realtime!.path}`) : []
    const served = [...rowsOfDialect(dialect).map(({ method, path }) => `${method} ${path}`), ...streamed, ...told]
    const described = dialect.mounts.flatMap((mount) => operations.map(({ method, path }) => `${method} ${mount}${path}`))
    expect(served.toSorted()).toEqual(described.toSorted())
    expect(contract.document.servers.map(({ url }) => url)).toEqual(dialect.mounts.map((mount) => mount || '/'))
  })

  test('every address is one that it owns', () => {
    for (const { path } of operations)
      expect(
        dialect.prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}/`)),
        path,
      ).toBe(true)
  })

  test('a running server answers at every address, and asks for a credential in the manner of the dialect', async () => {
    const { url } = await serve({ dialects: [dialect] })
    for (const operation of operations.filter(({ security }) => security?.length !== 0)) {
      const path = operation.path.replaceAll(/\{\w+\}/g, 'x')
      const { status, body } = await ask(url, operation.method, path, operation.requestBody ? {} : undefined, { authorization: '' })
      expect([operation.id, status]).toEqual([operation.id, 401])
      expect(contract.check(body, operation.responses[status]!.content!['application/json']!.schema), operation.id).toBeNull()
    }
  })

  test('every schema, key and parameter says what it means, every operation what it does under one tag that is explained', () => {
    const { schemas } = contract.document.components
    expect(Object.entries(schemas).flatMap(([name, schema]) => [...('description' in schema ? [] : [name]), ...silentKeys(schema).map((key) => `${name}.${key}`)])).toEqual([])
    expect(operations.flatMap(({ id, parameters }) => parameters.flatMap(({ name, description }) => (description ? [] : [`${id} ${name}`])))).toEqual([])
    const forms = operations.flatMap(({ id, requestBody }) => Object.values(requestBody?.content ?? {}).flatMap(({ schema }) => silentKeys(schema).map((key) => `${id} ${key}`)))
    expect(forms).toEqual([])
    const explained = contract.document.tags.map(({ name }) => name)
    for (const { id, summary, tags } of operations) expect([id, Boolean(summary), tags.length, tags.every((tag) => explained.includes(tag))]).toEqual([id, true, 1, true])
  })

  test('no meaning is said of what is not there', () => {
    const { schemas } = contract.document.components
    const known = new Set([
      ...operations.flatMap(({ parameters }) => parameters.map(({ name }) => name)),
      ...Object.entries(schemas).flatMap(([name, schema]) => keysOf(schema).flatMap((key) => [key, `${name}.${key}`])),
    ])
    expect(Object.keys(dialect.meanings.schemas).filter((name) => !Object.hasOwn(schemas, name))).toEqual([])
    expect(Object.keys(dialect.meanings.keys).filter((key) => !known.has(key))).toEqual([])
  })

  test('every operation that has something to say has an example, and every example is as its schema says', () => {
    for (const { id, parameters, requestBody, responses } of operations) {
      const json = [requestBody?.content['application/json'], responses['200']?.content?.['application/json']].filter((media) => media !== undefined)
      for (const media of json) expect([id, Object.hasOwn(media, 'example')]).toEqual([id, true])
      const media = [requestBody?.content, ...Object.values(responses).map(({ content }) => content)].flatMap((content) => Object.values(content ?? {}))
      for (const { schema, example } of [...parameters, ...media]) if (example !== undefined) expect(contract.check(example, schema), id).toBeNull()
    }
  })

  test('errors look as the dialect renders them, whatever their code, and have a status that is one of an error', () => {
    const { schema } = operations[0]!.responses['500']!.content!['application/json']!
    for (const code of Object.keys(faults) as FaultCode[]) {
      const issues = [{ path: ['definition', 'nodes', 0], nodeId: 'a', field: 'config.map', message: 'm' }]
      const { status, body } = dialect.errors.render(problemOf(new Fault(code, { issues, details: { any: [1] } })), 'r')
      expect([code, contract.check(body, schema), status >= 400]).toEqual([code, null, true])
    }
  })

  test('patterns are such that every language reads them', () => {
    for (const [, text] of JSON.stringify(contract.document).matchAll(/"pattern":("(?:[^"\\]|\\.)*")/g)) expect(JSON.parse(text!)).not.toMatch(/\\[pP]\{|\(\?[<!=]/)
  })
})

function silentKeys(schema: JsonObject): string[] {
  const own = isObject(schema['properties']) ? Object.entries(schema['properties']) : []
  return [...own.flatMap(([key, property]) => (isObject(property) && !('description' in property) && !('$ref' in property) ? [key] : [])), ...kindsOf(schema).flatMap(silentKeys)]
}

const keysOf = (schema: JsonObject): string[] => [...(isObject(schema['properties']) ? Object.keys(schema['properties']) : []), ...kindsOf(schema).flatMap(keysOf)]

const kindsOf = (schema: JsonObject): JsonObject[] => ['anyOf', 'oneOf'].flatMap((of) => (Array.isArray(schema[of]) ? schema[of] : [])).filter(isObject)

const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)
