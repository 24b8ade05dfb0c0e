import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Json, JsonObject } from '@sluice/schema'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import type { Document } from '../../src/openapi/description.ts'

/** An operation of a document, found by its id. */
export interface Operation {
  id: string
  method: string
  path: string
  summary: string
  tags: string[]
  parameters: { in: 'path' | 'query' | 'header'; name: string; required?: boolean; description?: string; schema: JsonObject; example?: unknown }[]
  requestBody?: { required: boolean; content: Record<string, { schema: JsonObject; example?: unknown }> }
  responses: Record<string, { content?: Record<string, { schema: JsonObject; example?: unknown }>; headers?: JsonObject }>
  security?: JsonObject[]
}

/** A document as a contract: what may be sent, and whether what came is as it says. */
export interface Contract {
  document: Document
  operations: ReadonlyMap<string, Operation>
  /** Null when the value is as the schema says; else what is wrong. */
  check(value: unknown, schema: JsonObject): string | null
}

/** The committed document. */
export const committed = (name = 'sluice'): Document => JSON.parse(readFileSync(fileURLToPath(new URL(`../../../../openapi/${name}.json`, import.meta.url)), 'utf8')) as Document

/** As servers of ours write times. */
const writtenTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(\d{3})?Z$/

export function contractOf(document: Document, time = writtenTime): Contract {
  const ajv = new Ajv2020({ strict: false, allErrors: true, formats: { binary: true, 'date-time': time } })
  ajv.addSchema({ $id: 'openapi:/', components: document.components })
  const compiled = new Map<string, ValidateFunction>()
  const operations = new Map<string, Operation>()
  for (const [path, methods] of Object.entries(document.paths))
    for (const [method, said] of Object.entries(methods)) {
      const {
        operationId,
        parameters = [],
        responses,
        ...rest
      } = said as unknown as Partial<Pick<Operation, 'parameters'>> & Omit<Operation, 'parameters'> & { operationId: string }
      const resolved = Object.entries(responses).map(([status, response]) => [
        status,
        '$ref' in response ? document.components['responses']![(response.$ref as string).split('/').at(-1)!] : response,
      ])
      operations.set(operationId, { ...rest, id: operationId, method: method.toUpperCase(), path, parameters, responses: Object.fromEntries(resolved) as Operation['responses'] })
    }
  return {
    document,
    operations,
    check(value, schema) {
      const text = JSON.stringify(schema).replaceAll('"#/components/', '"openapi:/#/components/')
      const validate = compiled.get(text) ?? ajv.compile(JSON.parse(text) as object)
      compiled.set(text, validate)
      return validate(value) ? null : ajv.errorsText(validate.errors)
    },
  }
}

/** An input as the operation takes it. Throws for a key that it is not said to take. */
export function requestOf(operation: Operation, input: JsonObject): { path: string; query: string; body: JsonObject | undefined } {
  const rest = new Map(Object.entries(input))
  const query = new URLSearchParams()
  let { path } = operation
  for (const { in: place, name } of operation.parameters) {
    const value = rest.get(name)
    if (value === undefined || place === 'header') continue
    rest.delete(name)
    if (place === 'path') path = path.replace(`{${name}}`, encodeURIComponent(textOf(value)))
    else for (const each of Array.isArray(value) ? value : [value]) query.append(name, textOf(each))
  }
  if (rest.size > 0 && !operation.requestBody) throw new Error(`${operation.id} is not said to take ${[...rest.keys()].join(', ')}`)
  return {
    path,
    query: query.size > 0 ? `?${query.toString()}` : '',
    body: operation.requestBody && (rest.size > 0 || operation.requestBody.required) ? Object.fromEntries(rest) : undefined,
  }
}

const textOf = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value))
