import { z } from 'zod'
import type { Method } from '../rpc/trpc.ts'

type Shape = Record<string, z.ZodType>

/** What an address takes, by where it stands. */
export interface Takes {
  path: Shape
  query: Shape
  header: Shape
  body: z.ZodType | null
}

/** Fields that are read from a header, too; where there is no body, they are described as headers alone. */
const headers = { idempotencyKey: 'Idempotency-Key', lastEventId: 'Last-Event-ID' } as const

/** Splits an input: the keys that the path names, then headers, then the query or the body, by the method. */
export function takenAt(name: string, input: z.ZodType | undefined, method: Method, path: string, hidden: readonly string[]): Takes {
  const takes: Takes = { path: {}, query: {}, header: {}, body: null }
  const hasBody = method !== 'GET' && method !== 'DELETE'
  const object = objectOf(input)
  if (!object) return { ...takes, body: hasBody && input ? input : null }
  const whole = Object.keys(object.shape).length
  const rest = Object.fromEntries(Object.entries<z.ZodType>(object.shape).filter(([key]) => !hidden.includes(key)))
  for (const [, key] of path.matchAll(/\{(\w+)\}/g)) {
    const field = rest[key!]
    if (!field) throw new Error(`${name} is at ${path}, but its input has no ${key}`)
    takes.path[key!] = required(field)
    delete rest[key!]
  }
  for (const [key, header] of Object.entries(headers)) {
    if (!rest[key]) continue
    takes.header[header] = rest[key]
    if (!hasBody) delete rest[key]
  }
  if (!hasBody) takes.query = rest
  else if (Object.keys(rest).length === whole) takes.body = whole > 0 ? input! : null
  else if (Object.keys(rest).length > 0) takes.body = object.def.catchall ? z.strictObject(rest) : z.object(rest)
  return takes
}

/** What an address takes when two doors share it: of a key that both have, what either takes. */
export function either(one: Takes, other: Takes): Takes {
  const query = { ...one.query }
  for (const [key, field] of Object.entries(other.query)) {
    const mine = query[key]
    query[key] =
      !mine || mine === field
        ? field
        : z
            .union([required(mine), required(field)])
            .optional()
            .meta({ description: bothSay(mine, field) })
  }
  return { ...one, query, header: { ...one.header, ...other.header } }
}

const bothSay = (reply: z.ZodType, stream: z.ZodType): string => `Of a list: ${reply.description ?? ''}. Of a stream: ${stream.description ?? ''}`

const required = (field: z.ZodType): z.ZodType => (field instanceof z.ZodOptional ? (field.unwrap() as z.ZodType) : field)

/** The object under optional, default and the like. */
export function objectOf(schema: z.ZodType | undefined): z.ZodObject | undefined {
  let inner: unknown = schema
  while (inner instanceof z.ZodOptional || inner instanceof z.ZodDefault || inner instanceof z.ZodNullable || inner instanceof z.ZodReadonly) inner = inner.unwrap()
  return inner instanceof z.ZodObject ? inner : undefined
}
