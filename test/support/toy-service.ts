import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { text } from 'node:stream/consumers'
import type { Json } from '@sluice/schema'
import { deadline } from './deadline.ts'

/** One request as the service saw it. */
export interface Visit {
  /** The last part of its path. */
  name: string
  method: string
  key: string | null
  authorization: string | null
  traceparent: string | null
  body: Json
  at: number
  /** Whether the caller hung up before it was answered. */
  left: boolean
}

/**
 * A service of the world outside, with a ledger of who came:
 * `/ok/NAME` answers · `/fail/TIMES/NAME` answers 503 so many times first · `/refuse/NAME` answers 422 ·
 * `/slow/MS/NAME` takes its time · `/gate/NAME` answers once `open(NAME)` was called · `/hang/NAME` never does.
 * The answer is `{name, visit, body}`, `visit` counting those of the name.
 */
export interface ToyService extends AsyncDisposable {
  url: string
  host: string
  /** The visits of a name, oldest first. */
  visits(name: string): Visit[]
  /** All visits, oldest first. */
  ledger: readonly Visit[]
  /** The most that were being served at once, over names that begin so. */
  mostAtOnce(start: string): number
  /** Resolves when so many of a name have come; fails after a while. */
  came(name: string, times?: number): Promise<Visit>
  /** Resolves when a caller hung up on a request of the name. */
  left(name: string): Promise<void>
  /** Lets all that wait at a gate go on, and all that come later through. */
  open(name: string): void
}

export async function toyService(): Promise<ToyService> {
  const ledger: Visit[] = []
  const inside = new Map<string, number>()
  const peaks = new Map<string, number>()
  const gates = new Map<string, PromiseWithResolvers<void>>()
  const watchers = new Set<() => void>()
  const changed = (): void => watchers.forEach((watch) => watch())
  const of = (name: string): Visit[] => ledger.filter((visit) => visit.name === name)
  const gate = (name: string): PromiseWithResolvers<void> => gates.get(name) ?? gates.set(name, Promise.withResolvers()).get(name)!
  const when = (what: string, holds: () => boolean): Promise<void> =>
    deadline(what, (done) => {
      const look = (): void => {
        if (holds()) done()
      }
      watchers.add(look)
      look()
      return () => watchers.delete(look)
    })
  /** The groups a name counts in: all it begins with, up to a hyphen. */
  const groups = (name: string): string[] => name.split('-').map((_, at, parts) => parts.slice(0, at + 1).join('-'))
  const count = (name: string, by: number): void => {
    for (const group of groups(name)) {
      inside.set(group, (inside.get(group) ?? 0) + by)
      peaks.set(group, Math.max(peaks.get(group) ?? 0, inside.get(group)!))
    }
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, how = '', ...rest] = request.url!.split('?')[0]!.split('/').map(decodeURIComponent)
    const name = rest.at(-1) ?? ''
    const visit: Visit = {
      name,
      method: request.method!,
      key: (request.headers['idempotency-key'] as string | undefined) ?? null,
      authorization: request.headers.authorization ?? null,
      traceparent: (request.headers['traceparent'] as string | undefined) ?? null,
      body: null,
      at: performance.now(),
      left: false,
    }
    const written = await text(request)
    visit.body = written === '' ? null : (JSON.parse(written) as Json)
    ledger.push(visit)
    const number = of(name).length
    response.on('close', () => {
      visit.left = !response.writableFinished
      changed()
    })
    count(name, 1)
    changed()
    const status = how === 'fail' && number <= Number(rest[0]) ? 503 : how === 'refuse' ? 422 : 200
    if (how === 'slow') await sleep(Number(rest[0]))
    if (how === 'gate') await gate(name).promise
    if (how === 'hang') await new Promise<void>((resolve) => void response.on('close', resolve))
    count(name, -1)
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ name, visit: number, body: visit.body }))
  }

  const server = createServer((request, response) => void serve(request, response).catch(() => response.destroy()))
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: `http://${host}`,
    host,
    visits: of,
    ledger,
    mostAtOnce: (start) => peaks.get(start) ?? 0,
    async came(name, times = 1) {
      await when(`${times} visits of ${name}`, () => of(name).length >= times)
      return of(name)[times - 1]!
    },
    left: (name) => when(`hanging up on ${name}`, () => of(name).some((visit) => visit.left)),
    open: (name) => gate(name).resolve(),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => void server.close(() => resolve()))
    },
  }
}
