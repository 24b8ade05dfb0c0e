import { fork } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import type { Place } from '../race.ts'
import { approvalThenLoop } from '../sluice/definitions.ts'
import { type Served, openServed } from '../sluice/served.ts'
import type { Answer, Order } from './orders.ts'
import type { Transport } from './transports.ts'

/** For the process of the server: one run that everybody follows. */
export interface Task {
  transport: Transport
  subscribers: number
  /** Rounds of the run's loop, each of which has its events. */
  times: number
}

/** `bytesEach` is what the server's process grew by a subscriber, before anything is delivered and at its most. */
export type Figures = Record<'perSecond' | 'events' | 'cpuPerThousand' | 'idleBytesEach' | 'busyBytesEach', number>

const settleMs = 500
const withinMs = 120_000

export async function perform({ transport, subscribers, times, databaseUrl }: Task & Place): Promise<Figures> {
  const served = await openServed(databaseUrl)
  const { runId, pauseId } = await parkedRun(served, times)
  const audience = openAudience()
  const before = process.memoryUsage.rss()
  await audience.order({ do: 'open', stream: { transport, url: served.url, token: served.token, runId }, subscribers })
  await sleep(settleMs)
  const idle = process.memoryUsage.rss()
  const { delivered: known } = await audience.order({ do: 'count', until: 0, withinMs: 0 })
  const most = watchMemory()

  const begun = performance.timeOrigin + performance.now()
  const cpu = process.cpuUsage()
  await served.call('POST', `/v1/pauses/${pauseId}/decide`, { action: 'approve' })
  await served.call('GET', `/v1/runs/${runId}/wait?until=finished&ms=${withinMs}`)
  const events = await eventsOf(databaseUrl, runId)
  const { delivered, lastAt } = await audience.order({ do: 'count', until: events * subscribers, withinMs })
  if (delivered !== events * subscribers) throw new Error(`${delivered} events of ${events * subscribers} were delivered`)
  const { user, system } = process.cpuUsage(cpu)

  const busy = most()
  await audience.close()
  await served.close()
  return {
    perSecond: (delivered - known) / ((lastAt - begun) / 1000),
    events: delivered - known,
    cpuPerThousand: (user + system) / (delivered - known),
    idleBytesEach: (idle - before) / subscribers,
    busyBytesEach: (busy - before) / subscribers,
  }
}

/** A run that waits, and its pause. */
async function parkedRun(served: Served, times: number): Promise<{ runId: string; pauseId: string }> {
  const workflow = await served.draw(approvalThenLoop(times))
  const run = (await served.call('POST', '/v1/runs', { workflow, wait: { until: 'parked' } })) as { id: string; pauses: string[] }
  return { runId: run.id, pauseId: run.pauses[0]! }
}

/** Numbered from 1 without a gap. */
async function eventsOf(databaseUrl: string, runId: string): Promise<number> {
  const client = new pg.Client(databaseUrl)
  await client.connect()
  const { rows } = await client.query<{ seq: string | number }>('select seq from runs where id = $1', [runId])
  await client.end()
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
