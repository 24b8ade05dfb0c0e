import { type IncomingMessage, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One request that came in. */
export interface Call {
  /** Its Idempotency-Key. */
  key: string
  /** The last part of its path: which step of a flow asks. */
  step: string
  /** When it came, by `performance.now()`. */
  at: number
  /** Whether the answer was written before the caller went. */
  answered: boolean
}

export interface Receiver {
  url: string
  /** For SLUICE_HTTP_ALLOW. */
  host: string
  /** Every request, in the order they came. */
  calls: Call[]
  /** The keys under which a step was asked for, each once. */
  keys(step?: string): string[]
  /** What happens between a request and its answer; nothing unless set. Whoever throws is never answered. */
  before: (call: Call) => unknown
  /** The first call of the step that has come, or comes. */
  called(step: string, ms?: number): Promise<Call>
  close(): Promise<void>
}

/** The service that steps call: it keeps a ledger, and answers late, or never, as it is told. */
export async function receiver(): Promise<Receiver> {
  const calls: Call[] = []
  const waiting = new Set<() => void>()
  const server = createServer((request, response) => {
    const call: Call = { key: String(request.headers['idempotency-key']), step: request.url!.split('/').at(-1)!, at: performance.now(), answered: false }
    calls.push(call)
    for (const look of waiting) look()
    void consume(request)
      .then(() => made.before(call))
      .then(() => {
        if (response.destroyed) return
        call.answered = true
        response.setHeader('content-type', 'application/json').end(JSON.stringify({ step: call.step, key: call.key }))
      })
      .catch(() => response.destroy())
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`

  const made: Receiver = {
    url: `http://${host}`,
    host,
    calls,
    keys: (step) => [...new Set(calls.filter((call) => step === undefined || call.step === step).map((call) => call.key))],
    before: () => {},
    called: (step, ms = 20_000) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(look)
          reject(new Error(`${step} was not called within ${ms} ms`))
        }, ms)
        const look = () => {
          const call = calls.find((each) => each.step === step)
          if (!call) return
          waiting.delete(look)
          clearTimeout(timer)
          resolve(call)
        }
        waiting.add(look)
        look()
      }),
    close: () => new Promise((resolve) => void server.close(() => resolve()).closeAllConnections()),
  }
  return made
}

async function consume(request: IncomingMessage): Promise<void> {
  for await (const _ of request);
}
