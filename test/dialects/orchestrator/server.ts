import type { JsonObject } from '@sluice/schema'
import { orchestrator } from '../../../packages/server/src/dialects/orchestrator/index.ts'
import { describeDialect } from '../../../packages/server/src/openapi/dialect.ts'
import { contractOf, type Operation } from '../../../packages/server/test/openapi/contract.ts'
import { testServer, type TestServer } from '../../support/server.ts'

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
 * A client of the Orchestrator's API. Whatever is answered has been checked: the document has the status, and the body is as its
 * schema says; where there is no operation, the body is an error of the document.
 */
export interface Client {
  /** Paths as they stand behind `/api`. A body that is a form, or a text, is sent as it is. */
  call(method: string, path: string, body?: unknown, asked?: Asked): Promise<Answer>
}

export interface Orchestrator extends Client, AsyncDisposable {
  server: TestServer
}

const contract = contractOf(describeDialect(orchestrator))
const operations = [...contract.operations.values()].map((operation) => ({ operation, shape: shapeOf(operation.path), literals: operation.path.replaceAll(/\{\w+\}/g, '').length }))

/** Of a path with or without the slash at its end. */
function shapeOf(path: string): RegExp {
  const literal = path.replace(/\/$/, '').replaceAll(/[.*+?^$()|[\]\\]/g, String.raw`\$&`)
  return new RegExp(`^${literal.replaceAll(/\{\w+\}/g, '[^/]+')}/?$`)
}

/** The operation at a path: as the server, a literal segment wins over a parameter. */
export function operationAt(method: string, path: string): Operation | undefined {
  const [plain = ''] = path.split('?')
  const fitting = operations.filter(({ operation, shape }) => operation.method === method && shape.test(plain))
  return fitting.sort((one, other) => other.literals - one.literals)[0]?.operation
}

const errorSchema: JsonObject = { $ref: '#/components/schemas/ApiError' }

/** What is wrong with an answer; null: it is as the document says. */
export function breach(operation: Operation | undefined, status: number, body: unknown): string | null {
  if (!operation) return status === 404 || status === 405 ? contract.check(body, errorSchema) : `${status} where no operation is`
  const response = operation.responses[status]
  if (!response) return `${status} is not described`
  const schema = response.content?.['application/json']?.schema
  if (!schema) return body === null || response.content !== undefined ? null : 'a body that is not described'
  return contract.check(body, schema)
}

export function clientOf(url: string, token: string): Client {
  return {
    async call(method, path, body, { as = token, headers = {} } = {}) {
      const asIs = body instanceof FormData || typeof body === 'string'
      const response = await fetch(`${url}/api${path}`, {
        method,
        headers: {
          ...(as !== '' && { authorization: `Bearer ${as}` }),
          ...(body !== undefined && !(body instanceof FormData) && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: asIs ? body : JSON.stringify(body) }),
      })
      const text = await response.text()
      const answered: unknown = text === '' ? null : JSON.parse(text)
      const wrong = breach(operationAt(method, `/api${path}`), response.status, answered)
      if (wrong !== null) throw new Error(`${method} /api${path}: ${response.status} is not as described: ${wrong}\n${text.slice(0, 2_000)}`)
      return { status: response.status, headers: response.headers, body: answered }
    },
  }
}

/** A server with a client for it: `await using flows = await orchestratorServer()`. Settings as the environment gives them. */
export async function orchestratorServer(settings?: Record<string, string>): Promise<Orchestrator> {
  const server = await testServer(settings)
  return { ...clientOf(server.url, server.token), server, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}

/** The body of an answer of this status; fails for any other. */
export async function ok(call: Promise<Answer>, status = 200): Promise<Answer['body']> {
  const answer = await call
  if (answer.status !== status) throw new Error(`${answer.status} in place of ${status}: ${JSON.stringify(answer.body)}`)
  return answer.body
}
