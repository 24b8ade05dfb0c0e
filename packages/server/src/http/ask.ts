import type { IncomingHttpHeaders } from 'node:http'
import { isDeepStrictEqual } from 'node:util'
import { Fault, type Issue, type JsonObject } from '@sluice/schema'
import type { z } from 'zod'
import { coerce, fieldsOf } from './coerce.ts'
import { checkText } from './json.ts'
import type { Form } from './form.ts'
import type { QueryValues } from './query.ts'

/** A request as it came over the wire, read but not judged. */
export interface Wire {
  path: ReadonlyMap<string, string>
  query: QueryValues
  /** Undefined: there was none. */
  body: unknown
  /** What came instead of a body. */
  form?: Form | null
  headers: IncomingHttpHeaders
}

/** Headers that mean a field, where the input has it. */
const headerFields = [
  ['idempotency-key', 'idempotencyKey'],
  ['last-event-id', 'lastEventId'],
] as const

/**
 * Path, body and query as one input; the path goes before the body, the body before the query. A key that comes twice
 * with different values is a fault, because whoever sent it meant something that would not happen. What came as text is
 * read by the schema. Unknown keys go through: the schema refuses or drops them.
 */
export function askBySchema(schema: z.core.$ZodType | undefined, wire: Wire): unknown {
  const fields = fieldsOf(schema)
  const { body } = wire
  if (body !== undefined && !isObject(body)) {
    if (fields || wire.path.size > 0) throw new Fault('input_invalid', { issues: [{ path: [], message: 'expected an object' }] })
    return body
  }
  const input: Record<string, unknown> = {}
  const issues: Issue[] = []
  const put = (key: string, value: unknown) => {
    if (!Object.hasOwn(input, key)) input[key] = value
    else if (!isDeepStrictEqual(input[key], value)) issues.push({ path: [key], message: 'given twice, with different values' })
  }
  for (const [key, text] of wire.path) put(key, coerce(fields?.[key], [text]))
  for (const [key, value] of Object.entries(body ?? {})) put(key, value)
  for (const [key, texts] of wire.form?.fields ?? []) put(key, coerce(fields?.[key], texts))
  for (const [key, files] of wire.form?.files ?? []) put(key, files)
  for (const [key, texts] of wire.query) put(key, coerce(fields?.[key], texts))
  for (const [header, key] of headerFields) {
    const value = wire.headers[header]
    if (typeof value !== 'string' || value === '' || !fields || !(key in fields)) continue
    checkText(value)
    put(key, value)
  }
  if (issues.length > 0) throw new Fault('input_invalid', { issues })
  return input
}

const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)
