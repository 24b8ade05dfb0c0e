import type { Refusal, Unreached } from '../executing.ts'

/** Of no thing here. */
export const absent = '01k2v9absent000'

/** The faults that every dialect has, and that are met before an operation is looked at, or where its body is read. */
export const general: Readonly<Record<string, Refusal>> = {
  credential_missing: () => ({ token: '' }),
  credential_invalid: () => ({ token: 'not.a.token' }),
  permission_denied: (_, { powerless }) => ({ token: '', headers: { 'x-api-key': powerless } }),
  json_malformed: () => ({ content: 'application/json', raw: '{"a":' }),
  media_unsupported: () => ({ content: 'text/nothing', raw: 'text' }),
  body_too_large: () => ({ content: 'application/json', raw: `"${'x'.repeat(1024 * 1024 + 1)}"` }),
}

/** With another value in a part of its address, or in a field of its body. */
export const elsewhere =
  (...names: string[]): Refusal =>
  ({ path, query, body }) => {
    const within = (place: object | null): string | undefined => names.find((name) => place !== null && name in place)
    const [inPath, inQuery, inBody] = [within(path), within(query), within(typeof body === 'object' ? body : null)]
    if (inPath !== undefined) return { path: { ...path, [inPath]: absent } }
    if (inQuery !== undefined) return { query: { ...query, [inQuery]: absent } }
    if (inBody !== undefined) return { body: { ...(body as object), [inBody]: absent } }
    throw new Error(`nothing of ${names.join(', ')} to put another value in`)
  }

/** What only an outage or a limit brings. */
export const outages: readonly Unreached[] = [
  { code: 'rate_limited', because: 'servers of tests have no limit: test/proof and test/fuzz meet it' },
  { code: 'internal', because: 'is a bug of the server' },
  { code: 'unavailable', because: 'PostgreSQL is there' },
]
export const full: Unreached = { code: 'storage_full', because: 'the disk has room: test/faults fills one' }

/** What takes more than an example to happen, and is held where its promise is. */
export const elsewhereHeld = (by: string, ...codes: string[]): Unreached[] =>
  codes.map((code) => ({ code, because: `takes a place of its own, as ${by} has some: held against its schema alone` }))
