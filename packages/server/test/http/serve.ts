import { onTestFinished } from 'vitest'
import { createHttp, type HttpOptions, type HttpServer } from '../../src/http/server.ts'
import { createToys, type Toys } from '../rpc/toys.ts'

export interface Served extends Toys {
  server: HttpServer
  url: string
  /** A request with a credential of the owner, unless the headers say otherwise; a body that is no string is sent as JSON. */
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>
}

export interface Reply {
  status: number
  headers: Headers
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look where they expect something to be
  body: any
  text: string
}

export const loopbackConfig: HttpOptions['config'] = { host: '127.0.0.1', port: 0, corsOrigins: null, publicUrl: null, trustProxy: false, rateLimit: null }

export async function serve(options: Partial<Omit<HttpOptions, 'config'>> & { config?: Partial<HttpOptions['config']> } = {}): Promise<Served> {
  const toys = createToys()
  const server = await createHttp({ parts: toys.parts, log: toys.log, ready: async () => {}, ...options, config: { ...loopbackConfig, ...options.config } })
  const url = await server.listen()
  onTestFinished(() => server.close(500))
  return { ...toys, server, url, ask: (...args) => ask(url, ...args) }
}

export const owner = { authorization: 'Bearer owner-token' }

export async function ask(url: string, method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Reply> {
  const json = body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array)
  const response = await fetch(url + path, {
    method,
    headers: { ...owner, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: json ? JSON.stringify(body) : (body as string) }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, body: text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : undefined }
}
