import { setTimeout as sleep } from 'node:timers/promises'
import type { Event } from '@sluice/schema'
import { onTestFinished } from 'vitest'
import { createHttp, type HttpOptions, type HttpServer } from '../../src/http/server.ts'
import { createToys, event, ids, type Toys } from '../rpc/toys.ts'

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

export const loopbackConfig: HttpOptions['config'] = { host: '127.0.0.1', port: 0, corsOrigins: null, publicUrl: null, trustProxy: false, rateLimit: null, metricsToken: null }

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

export async function until(what: () => boolean, ms = 10_000): Promise<void> {
  const end = Date.now() + ms
  while (!what()) {
    if (Date.now() > end) throw new Error('It did not come')
    await sleep(10)
  }
}

/** An event with a long text in it. */
export const bigEvent = (seq: number, text: string): Event => ({
  ...event(seq),
  workflowId: ids.workflow,
  type: 'message',
  nodeId: 'n',
  step: 'n',
  nodeType: 'llm',
  iteration: '',
  text,
})

/** The workspace gets events without end, each of 64 KiB. Tells how many were taken. */
export function flood(served: Served): { count: number; ended: boolean } {
  const taken = { count: 0, ended: false }
  const big = 'x'.repeat(64 * 1024)
  async function* events(signal: AbortSignal) {
    try {
      while (!signal.aborted) {
        yield [bigEvent(++taken.count, big)]
        // As the real feed does: let others run.
        if (taken.count % 16 === 0) await sleep(0)
      }
    } finally {
      taken.ended = true
    }
  }
  served.parts.feed.workspace = async (_of, signal) => events(signal)
  return taken
}
