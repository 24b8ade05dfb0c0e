import { createClient } from '@sluice/client'
import type { Json, RunEvent } from '@sluice/schema'
import { createTRPCClient, createWSClient, wsLink } from '@trpc/client'
import { WebSocket } from 'ws'
import type { AppRouter } from '../../packages/server/src/rpc/router.ts'
import { deadline } from '../support/deadline.ts'
import { readSocket, readStream } from '../support/events.ts'

/** The transports that tell the events of a run as they are, from the first to the last. */
export interface Transport {
  name: string
  events(run: string): Promise<RunEvent[]>
}

export interface Transports {
  all: readonly Transport[]
  close(): Promise<void>
}

const patienceMs = 20_000

export function transportsOf(url: string, token: string): Transports {
  const headers = { authorization: `Bearer ${token}` }
  const path = (run: string): string => `${url}/v1/runs/${run}/events?after=0`
  const sluice = createClient({ url, token, retries: 0 })
  const gathered = (name: string, of: (run: string) => AsyncIterable<RunEvent>) => ({
    name,
    events: (run: string): Promise<RunEvent[]> =>
      deadline(
        `${name} tells ${run} to its end`,
        (done, fail) => {
          void (async () => {
            const all: RunEvent[] = []
            for await (const event of of(run)) all.push(event)
            done(all)
          })().catch(fail)
        },
        patienceMs,
      ),
  })
  class Authorized extends WebSocket {
    constructor(target: string) {
      super(target, { headers })
    }
  }
  const client = createWSClient({ url: `${url.replace('http', 'ws')}/trpc`, WebSocket: Authorized as never })
  const trpc = createTRPCClient<AppRouter>({ links: [wsLink({ client })] })
  const overSocket: Transport = {
    name: 'tRPC over a WebSocket',
    events: (runId) =>
      deadline(
        `tRPC over a WebSocket tells ${runId} to its end`,
        (done, fail) => {
          const all: RunEvent[] = []
          const subscription = trpc.events.subscribe.subscribe(
            { runId, after: '0' },
            { onData: (item) => void all.push((item as unknown as { data: Json }).data as never), onError: fail, onComplete: () => done(all) },
          )
          return () => subscription.unsubscribe()
        },
        patienceMs,
      ),
  }
  return {
    all: [
      gathered('tRPC over SSE', async function* (run) {
        yield* (await sluice.run(run)).events()
      }),
      overSocket,
      gathered('native SSE', async function* (run) {
        for await (const { item } of readStream(path(run), headers)) yield item as RunEvent
      }),
      gathered('a plain WebSocket', async function* (run) {
        for await (const item of readSocket(path(run), headers)) yield item as RunEvent
      }),
    ],
    close: () => client.close(),
  }
}
