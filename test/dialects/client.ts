import type { JsonObject } from '@sluice/schema'
import type { Dialect } from '../../packages/server/src/dialects/dialect.ts'
import { describeDialect } from '../../packages/server/src/openapi/dialect.ts'
import { contractOf, type Operation } from '../../packages/server/test/openapi/contract.ts'

/** An answer that the document has been asked about already. */
export interface Answer {
  status: number
  headers: Headers
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look where they expect something to be
  body: any
}

export interface Asked {
  /** A token in place of the admin's; '' for none. */
  as?: string
  headers?: Record<string, string>
}

/**
 * A client of a dialect's API. Whatever is answered has been checked: the document has the status, and the body is as its schema
 * says; where there is no operation, the body is an error of the document.
 */
export interface Client {
  /** A body that is a form, or a text, is sent as it is. */
  call(method: string, path: string, body?: unknown, asked?: Asked): Promise<Answer>
}

export interface Clients {
  /** Its paths are sent behind `prefix`. */
  of(url: string, token: string, prefix?: string): Client
  /** What is wrong with an answer; null: it is as the document says. */
  breach(operation: Operation | undefined, status: number, body: unknown): string | null
  operationAt(method: string, path: string): Operation | undefined
}

/** Clients of a dialect. `errors` is what its document calls the body of an error; `described` makes a path that was sent the one that is described. */
export function clientsOf(dialect: Dialect, errors: string, described: (path: string) => string = (path) => path): Clients {
  const contract = contractOf(describeDialect(dialect))
  const operations = [...contract.operations.values()].map((operation) => ({
    operation,
    shape: shapeOf(operation.path),
    literals: operation.path.replaceAll(/\{\w+\}/g, '').length,
  }))
  const errorSchema: JsonObject = { $ref: `#/components/schemas/${errors}` }

  /** As the server: a literal segment wins over a parameter. */
  function operationAt(method: string, path: string): Operation | undefined {
    const [plain = ''] = described(path).split('?')
    const fitting = operations.filter(({ operation, shape }) => operation.method === method && shape.test(plain))
    return fitting.sort((one, other) => other.literals - one.literals)[0]?.operation
  }

  function breach(operation: Operation | undefined, status: number, body: unknown): string | null {
    if (!operation) return status === 404 || status === 405 ? contract.check(body, errorSchema) : `${status} where no operation is`
    const response = operation.responses[status]
    if (!response) return `${status} is not described`
    const schema = response.content?.['application/json']?.schema
    if (!schema) return body === null || response.content !== undefined ? null : 'a body that is not described'
    return contract.check(body, schema)
  }

  return {
    breach,
    operationAt,
    of: (url, token, prefix = '') => ({
      async call(method, path, body, { as = token, headers = {} } = {}) {
        const asIs = body instanceof FormData || typeof body === 'string'
        const response = await fetch(url + prefix + path, {
          method,
          headers: {
            ...(as !== '' && { authorization: `Bearer ${as}` }),
            ...(body !== undefined && !(body instanceof FormData) && { 'content-type': 'application/json' }),
            ...headers,
          },
          ...(body !== undefined && { body: asIs ? body : JSON.stringify(body) }),
        })
        const isJson = response.headers.get('content-type')?.startsWith('application/json') === true
        const bytes = Buffer.from(await response.arrayBuffer())
        const answered: unknown = bytes.length === 0 ? null : isJson ? JSON.parse(bytes.toString()) : bytes
        const wrong = breach(operationAt(method, prefix + path), response.status, answered)
        if (wrong !== null) throw new Error(`${method} ${prefix}${path}: ${response.status} is not as described: ${wrong}\n${bytes.toString().slice(0, 2_000)}`)
        return { status: response.status, headers: response.headers, body: answered }
      },
    }),
  }
}

/** Of a path with or without the slash at its end. */
function shapeOf(path: string): RegExp {
  const literal = path.replace(/\/$/, '').replaceAll(/[.*+?^$()|[\]\\]/g, String.raw`\$&`)
  return new RegExp(`^${literal.replaceAll(/\{\w+\}/g, '[^/]+')}/?$`)
}

/** The body of an answer of this status; fails for any other. */
export async function ok(call: Promise<Answer>, status = 200): Promise<Answer['body']> {
  const answer = await call
  if (answer.status !== status) throw new Error(`${answer.status} in place of ${status}: ${JSON.stringify(answer.body)}`)
  return answer.body
}
