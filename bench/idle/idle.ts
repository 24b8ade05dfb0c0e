import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Measurement, Measuring } from '../measurement.ts'
import { cpuOfFamily, cpuOfProcess, memoryOfFamily, memoryOfProcess } from '../meters/processes.ts'
import { count, figure, megabytes } from '../page/figure.ts'
import { table } from '../page/table.ts'
import { takeTurns } from '../race.ts'
import { medians } from '../statistics.ts'
import { pauseRuns } from './paused-runs.ts'
import { startServer } from './server-process.ts'

const names = ['idle-empty', 'idle-paused'] as const
type Name = (typeof names)[number]

const most = 100_000
/** After the start, before anything is looked at. */
const settleMs = 3_000

/** CPU in milliseconds a second. */
type Figures = Record<'firstMs' | 'readyMs' | 'memoryNode' | 'memoryPostgres' | 'cpuNode' | 'cpuPostgres', number>

/** The server itself, which does nothing: how soon it is there, and what it takes. */
export const idle: Measurement = {
  compares: names,
  async measure(measuring) {
    const paused = measuring.quick ? most / 10 : most
    const rounds = await takeTurns(measuring, names, (name) => once(name, paused, measuring))
    const label = { 'idle-empty': 'nothing in it', 'idle-paused': `${count(paused)} runs wait` }
    const rows = [...rounds].map(([name, each]) => [label[name], ...cells(medians(each))])
    const head = ['`npm start`', 'first start ms', 'start ms', 'MB Node', 'MB PostgreSQL', 'CPU ms/s Node', 'CPU ms/s PostgreSQL']
    return { markdown: [table(head, rows), wanted, `Medians of ${measuring.rounds}, ${figure(measuring.seconds)} s of rest each. ${notMeasured}`].join('\n\n'), charts: [] }
  },
}

const cells = (each: Figures): string[] => [
  ...[each.firstMs, each.readyMs].map(figure),
  ...[each.memoryNode, each.memoryPostgres].map(megabytes),
  ...[each.cpuNode, each.cpuPostgres].map(figure),
]

async function once(name: Name, paused: number, { seconds, signal, say }: Measuring): Promise<Figures> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-bench-'))
  try {
    const first = await startServer(dataDir, signal)
    if (name === 'idle-paused') await pauseRuns(paused, { url: first.url, dataDir })
    await first.stop()
    const second = await startServer(dataDir, signal)
    const figures = { firstMs: first.readyMs, readyMs: second.readyMs, ...(await atRest(second, seconds)) }
    await second.stop()
    say(`${name.padEnd(15)} ready after ${figure(figures.readyMs)} ms, ${megabytes(figures.memoryNode)} MB`)
    return figures
  } finally {
    await rm(dataDir, { recursive: true, force: true })
  }
}

async function atRest(
  { pid, postgresPid }: { pid: number; postgresPid: number },
  seconds: number,
): Promise<Pick<Figures, 'memoryNode' | 'memoryPostgres' | 'cpuNode' | 'cpuPostgres'>> {
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

const wanted = 'Wanted: ready in under 2 s on an initialised data directory, under 150 MB; runs that wait take no memory and no CPU.'

const notMeasured =
  'The first start makes the data directory; the second finds it as the first left it, and with it the runs that wait, which are copies of the rows of one that the server paused. ' +
  'Not measured here: `npm` itself, which comes before, a start after a crash, and what else the memory of the machine holds of the database.'
