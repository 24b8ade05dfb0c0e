import { fork } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { logIn } from '../sluice/caller.ts'
import { approvalThenLoop } from '../sluice/definitions.ts'
import { type Served, openServed } from '../sluice/served.ts'
import type { Answer, Order } from './orders.ts'
import type { Transport } from './transports.ts'

/** How a run is followed. */
export interface Following {
  transport: Transport
  subscribers: number
  /** Rounds of the run's loop, each of which has its events. */
  times: number
}

/**
 * `lastMs` from the decision that lets the run go on to the last delivery; deliveries are counted from there on. `bytesEach` is
 * what the server's process grew by a subscriber, before anything is delivered and at its most.
 */
export type Figures = Record<'lastMs' | 'perSecond' | 'deliveries' | 'cpuPerThousand' | 'idleBytesEach' | 'busyBytesEach', number>

export interface Followed {
  /** A run that waits, that so many follow, and that is decided when each of them has what was told so far. Throws when not every event reaches everybody. */
  follow(following: Following): Promise<Figures>
  close(): Promise<void>
}

const settleMs = 500
const withinMs = 60_000
/** What one login may have open is limited. */
const mostOfOne = 1_000

/** A server in this process, whose runs are followed from another one. */
export async function openFollowed(databaseUrl: string): Promise<Followed> {
  const served = await openServed(databaseUrl)
  const client = new pg.Client(databaseUrl)
  await client.connect()
  return {
    async follow({ transport, subscribers, times }) {
      const { runId, pauseId } = await parkedRun(served, times)
      const tokens = await Promise.all(Array.from({ length: Math.ceil(subscribers / mostOfOne) }, async () => (await logIn(served.url)).token))
      const audience = openAudience()
      const before = process.memoryUsage.rss()
      await audience.order({ do: 'open', stream: { transport, url: served.url, tokens, runId }, subscribers })
      const { delivered: known } = await audience.order({ do: 'count', until: subscribers * (await eventsOf(client, runId)), withinMs })
      await sleep(settleMs)
      const idle = process.memoryUsage.rss()
      const most = watchMemory()

      const begun = performance.timeOrigin + performance.now()
      const cpu = process.cpuUsage()
      await served.call('POST', `/v1/pauses/${pauseId}/decide`, { action: 'approve' })
      await served.call('GET', `/v1/runs/${runId}/wait?until=finished&ms=${withinMs}`)
      const events = await eventsOf(client, runId)
      const { delivered, lastAt } = await audience.order({ do: 'count', until: events * subscribers, withinMs })
      const { user, system } = process.cpuUsage(cpu)
      const busy = most()
      await audience.close()
      if (delivered !== events * subscribers) throw new Error(`${delivered} events of ${events * subscribers} were delivered`)
      const deliveries = delivered - known
      return {
        lastMs: lastAt - begun,
        perSecond: deliveries / ((lastAt - begun) / 1000),
        deliveries,
        cpuPerThousand: (user + system) / deliveries,
        idleBytesEach: (idle - before) / subscribers,
        busyBytesEach: (busy - before) / subscribers,
      }
    },
    async close() {
      await client.end()
      await served.close()
    },
  }
}

/** A run that waits, and its pause. */
async function parkedRun(served: Served, times: number): Promise<{ runId: string; pauseId: string }> {
  const workflow = await served.draw(approvalThenLoop(times))
  const run = (await served.call('POST', '/v1/runs', { workflow, wait: { until: 'parked' } })) as { id: string; pauses: string[] }
  return { runId: run.id, pauseId: run.pauses[0]! }
}

/** Numbered from 1 without a gap. */
async function eventsOf(client: pg.Client, runId: string): Promise<number> {
  const { rows } = await client.query<{ seq: string | number }>('select seq from runs where id = $1', [runId])
  return Number(rows[0]!.seq)
}

/** The most memory that was seen until asked. */
function watchMemory(): () => number {
  let most = 0
  const look = () => void (most = Math.max(most, process.memoryUsage.rss()))
  const timer = setInterval(look, 20)
  return () => {
    clearInterval(timer)
    look()
    return most
  }
}

/** Orders are answered one after another. */
function openAudience() {
  const child = fork(fileURLToPath(new URL('audience.ts', import.meta.url)))
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()))
  return {
    order: (order: Order): Promise<Exclude<Answer, { failed: string }>> =>
      new Promise((resolve, reject) => {
        const gone = () => reject(new Error('The process of the subscribers has ended'))
        child.once('exit', gone)
        child.once('message', (answer: Answer) => {
          child.off('exit', gone)
          if ('failed' in answer) reject(new Error(answer.failed))
          else resolve(answer)
        })
        child.send(order)
      }),
    async close() {
      child.disconnect()
      await ended
    },
  }
}
