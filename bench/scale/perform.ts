import { fork } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import type { Load } from '../contestant.ts'
import { type Loader, startLoader } from '../http-load/loader.ts'
import { createLatencies, oneByOne, openListener } from '../latency/perform.ts'
import { openMeters } from '../meters/meters.ts'
import type { Place } from '../race.ts'
import { logIn } from '../sluice/caller.ts'
import { threeSteps } from '../sluice/definitions.ts'
import { quantile } from '../statistics.ts'
import type { Role } from './layouts.ts'
import type { ServerAnswer, ServerOrder } from './server.ts'

export interface Task extends Place {
  roles: readonly Role[]
  seconds: number
  inFlight: number
}

/** CPU in milliseconds a run; `connections` are those of all servers at load; `heard` from the commit to who listens, in milliseconds. */
export type Result = Record<'perSecond' | 'p50' | 'p99' | 'cpuServers' | 'cpuPostgres' | 'connections' | 'heardP50' | 'heardP99', number>

const waitMs = 60_000

export async function* perform({ databaseUrl, postgresPid, roles, seconds, inFlight }: Task): AsyncGenerator<Result> {
  const servers: Server[] = []
  for (const role of roles) servers.push(await openServer(databaseUrl, role))
  const serving = servers.filter((_, at) => roles[at] !== 'worker')
  const callers = await Promise.all(serving.map(({ url }) => logIn(url)))
  const workflow = await callers[0]!.draw(threeSteps)
  const loaders = await Promise.all(
    callers.map(({ url, token }) =>
      startLoader({
        url,
        path: '/v1/runs',
        method: 'POST',
        token,
        body: JSON.stringify({ workflow, wait: { until: 'finished', ms: waitMs } }),
        expect: { statusCode: 201, text: '"status":"completed"' },
      }),
    ),
  )
  const meters = await openMeters(databaseUrl, postgresPid)
  const client = new pg.Client(databaseUrl)
  await client.connect()
  const cpuOf = async (): Promise<number> => (await Promise.all(servers.map(({ order }) => order({ do: 'cpu' })))).reduce((sum, { cpuMs }) => sum + cpuMs, 0)

  const load = await loadOf(loaders, inFlight)
  await sleep(seconds * 1000)
  await load.take()
  await meters.read()
  const before = await cpuOf()
  await sleep(seconds * 1000)
  const ended = await load.take()
  const { ms, cpuPostgres } = await meters.read()
  const cpuServers = (await cpuOf()) - before
  const { rows } = await client.query<{ count: number }>(`select count(*)::int from pg_stat_activity where application_name like 'sluice%'`)
  await load.stop()
  if (ended.length === 0) throw new Error('None ended within the time')

  const heard = await callers[0]!.draw(threeSteps)
  const last = callers.at(-1)!
  const listener = openListener()
  await listener.order({ do: 'listen', transport: 'hear-native-sse', heard: { url: last.url, token: last.token, workflow: heard } })
  const runs = await oneByOne(callers[0]!, heard, seconds)
  const { arrivals } = await listener.order({ do: 'tell' })
  const latencies = await createLatencies(client)(runs, arrivals)
  await listener.close()

  yield {
    perSecond: ended.length / (ms / 1000),
    p50: quantile(ended, 0.5),
    p99: quantile(ended, 0.99),
    cpuServers: cpuServers / ended.length,
    cpuPostgres: cpuPostgres / ended.length,
    connections: rows[0]!.count,
    heardP50: quantile(latencies, 0.5),
    heardP99: quantile(latencies, 0.99),
  }
  await Promise.all(loaders.map((loader) => loader.close()))
  await meters.close()
  await client.end()
  for (const server of servers) await server.close()
}

/** So many in all, spread over the servers. */
async function loadOf(loaders: readonly Loader[], inFlight: number): Promise<Load> {
  const loads = await Promise.all(loaders.map((loader, at) => loader.load(Math.floor((inFlight + at) / loaders.length))))
  return {
    take: async () => (await Promise.all(loads.map((load) => load.take()))).flat(),
    stop: async () => void (await Promise.all(loads.map((load) => load.stop()))),
  }
}

interface Server {
  url: string
  order(order: ServerOrder): Promise<Exclude<ServerAnswer, { failed: string }>>
  close(): Promise<void>
}

async function openServer(databaseUrl: string, role: Role): Promise<Server> {
  const child = fork(fileURLToPath(new URL('server.ts', import.meta.url)))
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()))
  const order: Server['order'] = (asked) =>
    new Promise((resolve, reject) => {
      const gone = () => reject(new Error('A server has ended'))
      child.once('exit', gone)
      child.once('message', (answer: ServerAnswer) => {
        child.off('exit', gone)
        if ('failed' in answer) reject(new Error(answer.failed))
        else resolve(answer)
      })
      child.send(asked)
    })
  const { url } = await order({ do: 'open', databaseUrl, role })
  return {
    url,
    order,
    async close() {
      await order({ do: 'close' })
      child.disconnect()
      await ended
    },
  }
}
