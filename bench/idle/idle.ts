import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Measurement, Measuring } from '../measurement.ts'
import { cpuOfFamily, cpuOfProcess, memoryOfFamily, memoryOfProcess } from '../meters/processes.ts'
import { type Aim, atMost, under } from '../page/aims.ts'
import { count, figure, megabytes } from '../page/figure.ts'
import { table } from '../page/table.ts'
import { sectionOf } from '../page/words.ts'
import { takeTurns } from '../race.ts'
import { medians } from '../statistics.ts'
import { pauseRuns } from './paused-runs.ts'
import { type ServerProcess, withServer } from './server-process.ts'

const names = ['idle-empty', 'idle-paused'] as const
type Name = (typeof names)[number]

const most = 100_000
/** After the start, before anything is looked at: a server that came to rest gives memory back once. */
const settleMs = 5_000
/** The kernel counts CPU in hundredths of a second: less would not tell little from nothing. */
const fewestSeconds = 5

/** CPU in milliseconds a second. */
type Rest = Record<'memoryNode' | 'memoryPostgres' | 'cpuNode' | 'cpuPostgres', number>
type Figures = Rest & Record<'firstMs' | 'coldMs' | 'readyMs', number>

/** The server itself, which does nothing: how soon it is there, and what it takes. */
export const idle: Measurement = {
  compares: names,
  async measure(measuring) {
    const { quick, rounds } = measuring
    const seconds = quick ? measuring.seconds : Math.max(fewestSeconds, measuring.seconds)
    const paused = quick ? most / 10 : most
    // A directory each, in which the server is started as often as there are rounds.
    const found = await takeTurns({ ...measuring, rounds: 1 }, names, (name) => inDirectory(name, paused, { ...measuring, seconds }))
    const of = new Map([...found].map(([name, [figures]]) => [name, figures!]))
    const label = { 'idle-empty': 'nothing in it', 'idle-paused': `${count(paused)} runs wait` }
    const head = ['`npm start`', 'first start ms', 'start ms, nothing compiled', 'start ms', 'MB Node', 'MB PostgreSQL', 'CPU ms/s Node', 'CPU ms/s PostgreSQL']
    const rows = [...of].map(([name, each]) => [label[name], ...cells(each)])
    return { markdown: sectionOf(table(head, rows), `Medians of ${rounds}, ${figure(seconds)} s of rest each. ${notMeasured}`), charts: [], aims: aimsOf(of, paused) }
  },
}

const cells = (each: Figures): string[] => [
  ...[each.firstMs, each.coldMs, each.readyMs].map(figure),
  ...[each.memoryNode, each.memoryPostgres].map(megabytes),
  ...[each.cpuNode, each.cpuPostgres].map(figure),
]

/** Two starts of the same server differ by as much: less cannot be told from nothing. */
const nothing = { megabytes: 10, cpuMs: 5 }

function aimsOf(of: Map<Name, Figures>, paused: number): Aim[] {
  const [empty, full] = names.map((name) => of.get(name))
  const more = (key: keyof Rest): number | undefined => empty && full && full[key] - empty[key]
  const ofMany = `what ${count(paused)} paused runs take at rest`
  return [
    under('a start on an initialised data directory, until the server is ready', 2_000, empty?.readyMs, ' ms'),
    under('a start with nothing compiled, until the server is ready', 5_000, empty?.coldMs, ' ms'),
    under("memory of the server's process at rest", 150, mega(empty?.memoryNode), ' MB'),
    atMost(`${ofMany}: memory of the server's process`, nothing.megabytes, mega(more('memoryNode')), ' MB'),
    atMost(`${ofMany}: CPU of the server's process`, nothing.cpuMs, more('cpuNode'), ' ms/s'),
    atMost(`${ofMany}: CPU of PostgreSQL`, nothing.cpuMs, more('cpuPostgres'), ' ms/s'),
  ]
}

const mega = (bytes: number | undefined): number | undefined => bytes && bytes / 1024 ** 2

async function inDirectory(name: Name, paused: number, { rounds, seconds, signal, say }: Measuring): Promise<Figures> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-bench-'))
  try {
    const firstMs = await withServer(dataDir, signal, async ({ url, readyMs }) => {
      if (name === 'idle-paused') await pauseRuns(paused, { url, dataDir })
      return readyMs
    })
    const coldMs = await withServer(dataDir, signal, async ({ readyMs }) => readyMs, join(dataDir, 'compiled'))
    const found: Figures[] = []
    for (let round = 0; round < rounds; round++)
      found.push(await withServer(dataDir, signal, async (server) => ({ firstMs, coldMs, readyMs: server.readyMs, ...(await atRest(server, seconds)) })))
    const figures = medians(found)
    say(`${name.padEnd(15)} ready after ${figure(figures.readyMs)} ms, ${megabytes(figures.memoryNode)} MB`)
    return figures
  } finally {
    await rm(dataDir, { recursive: true, force: true })
  }
}

async function atRest({ pid, postgresPid }: ServerProcess, seconds: number): Promise<Rest> {
  const cpu = () => ({ node: cpuOfProcess(pid), postgres: cpuOfFamily(postgresPid) })
  await sleep(settleMs)
  const before = cpu()
  await sleep(seconds * 1000)
  const after = cpu()
  return {
    memoryNode: memoryOfProcess(pid),
    memoryPostgres: memoryOfFamily(postgresPid),
    cpuNode: (after.node - before.node) / seconds,
    cpuPostgres: (after.postgres - before.postgres) / seconds,
  }
}

const notMeasured =
  'All faces are served, as they always are. The first start makes the data directory; the others find it as the first left it, and with it the runs that wait, which are copies of the rows of one that the server paused. ' +
  'A start with nothing compiled reads and compiles all of its code, as the very first one after an installation does. ' +
  'The memory of Node is that of its whole process (RSS), that of PostgreSQL of all its processes with what they share counted once (PSS). ' +
  'Not measured here: `npm` itself, which comes before, a start after a crash, and what else the memory of the machine holds of the database.'
