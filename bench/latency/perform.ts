import { fork } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { keepInFlight, timed } from '../closed-loop.ts'
import type { Place } from '../race.ts'
import { threeSteps } from '../sluice/definitions.ts'
import { openServed, type Served } from '../sluice/served.ts'
import { quantile } from '../statistics.ts'
import type { Arrival, ListenerAnswer, ListenerOrder } from './listener.ts'
import type { Transport } from './transports.ts'

/** For the process of the server: who listens, one after another; `seconds` each, alone and at load. */
export interface Task extends Place {
  transports: readonly Transport[]
  seconds: number
  /** Runs of another workflow in flight, when it is not alone. */
  inFlight: number
}

/** Milliseconds from the commit to who listens. */
export type Latencies = Record<'p50Alone' | 'p99Alone' | 'p50Loaded' | 'p99Loaded', number>

export interface Result {
  name: Transport
  figures: Latencies
}

/** After a run, before the next one: alone is alone. */
const apartMs = 10
/** The last ones are on their way. */
const lateMs = 500

export async function* perform({ databaseUrl, transports, seconds, inFlight }: Task): AsyncGenerator<Result> {
  const served = await openServed(databaseUrl)
  const client = new pg.Client(databaseUrl)
  await client.connect()
  const latenciesOf = createLatencies(client)
  const beside = await served.draw(threeSteps)
  // As hot as the later ones find it.
  const warming = keepInFlight(
    timed(() => runOf(served, beside)),
    inFlight,
  )
  await sleep(seconds * 1000)
  await warming.stop()
  for (const name of transports) {
    const workflow = await served.draw(threeSteps)
    const listener = openListener()
    await listener.order({ do: 'listen', transport: name, heard: { url: served.url, token: served.token, workflow } })
    const figures: number[] = []
    for (const others of [0, inFlight]) {
      const load = keepInFlight(
        timed(() => runOf(served, beside)),
        others,
      )
      const runs = await oneByOne(served, workflow, seconds)
      await load.stop()
      const { arrivals } = await listener.order({ do: 'tell' })
      const latencies = await latenciesOf(runs, arrivals)
      figures.push(quantile(latencies, 0.5), quantile(latencies, 0.99))
    }
    await listener.close()
    const [p50Alone, p99Alone, p50Loaded, p99Loaded] = figures as [number, number, number, number]
    yield { name, figures: { p50Alone, p99Alone, p50Loaded, p99Loaded } }
  }
  await client.end()
  await served.close()
}

/** The id of a run of it that has completed. */
const runOf = async ({ call }: Pick<Served, 'call'>, workflow: string): Promise<string> =>
  ((await call('POST', '/v1/runs', { workflow, wait: { until: 'finished' } })) as { id: string }).id

/** Runs one after another; the ids of those that completed. */
export async function oneByOne(served: Pick<Served, 'call'>, workflow: string, seconds: number): Promise<string[]> {
  const ids: string[] = []
  const end = performance.now() + seconds * 1000
  while (performance.now() < end) {
    ids.push(await runOf(served, workflow))
    await sleep(apartMs)
  }
  await sleep(lateMs)
  return ids
}

/** What PostgreSQL says of when each run's end was committed: the moment it began to write it to disk. */
export function createLatencies(client: pg.Client): (runs: readonly string[], arrivals: readonly Arrival[]) => Promise<number[]> {
  return async (runs, arrivals) => {
    const { rows } = await client.query<{ id: string; at: number }>(
      `select subject_id as id, (extract(epoch from pg_xact_commit_timestamp(xid::xid)) * 1000)::float8 as at
       from events where subject_kind = 'run' and type = 'run.completed' and subject_id = any($1) order by xid, position`,
      [runs],
    )
    if (arrivals.length !== rows.length) throw new Error(`${arrivals.length} ends were heard of ${rows.length} runs`)
    const committed = new Map(rows.map(({ id, at }) => [id, at]))
    // Where the transport does not name them they come in the order of the log.
    return arrivals.map(({ runId, at }, place) => at - (runId === null ? rows[place]!.at : committed.get(runId)!))
  }
}

export function openListener() {
  const child = fork(fileURLToPath(new URL('listener.ts', import.meta.url)))
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()))
  return {
    order: (order: ListenerOrder): Promise<Exclude<ListenerAnswer, { failed: string }>> =>
      new Promise((resolve, reject) => {
        const gone = () => reject(new Error('The process that listens has ended'))
        child.once('exit', gone)
        child.once('message', (answer: ListenerAnswer) => {
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
