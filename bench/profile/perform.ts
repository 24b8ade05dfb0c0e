import { setTimeout as sleep } from 'node:timers/promises'
import type { Contestants } from '../contestant.ts'
import { openMeters } from '../meters/meters.ts'
import { cpuOfThreads } from '../meters/processes.ts'
import type { Place } from '../race.ts'
import { type FunctionTime, profileCpu } from './cpu-profile.ts'
import { type StatementTime, nameStatements, timeStatements } from './statement-times.ts'

/** For the process that runs one contestant under the profiler. */
export interface Task {
  /** The address of the module that exports the `contestants`. */
  field: string
  contestant: string
  inFlight: number
  seconds: number
}

/** Of one run, in milliseconds of CPU. */
export interface Profiled {
  runs: number
  perSecond: number
  cpuNode: number
  cpuPostgres: number
  /** Of Node's CPU, without the profiler's: what its main thread was at, and its other threads. */
  causes: [cause: string, ms: number][]
  /** Shares of Node's CPU, the largest first. */
  functions: FunctionTime[]
  /** Milliseconds inside PostgreSQL and calls of one run, the longest first. */
  statements: StatementTime[]
}

const shownFunctions = 40

export async function* perform({ field, contestant, inFlight, seconds, databaseUrl, postgresPid }: Task & Place): AsyncGenerator<Profiled> {
  nameStatements()
  const meters = await openMeters(databaseUrl, postgresPid)
  const { contestants } = (await import(field)) as { contestants: Contestants }
  const { open } = await contestants[contestant]!.read()
  const { load, close } = await open(databaseUrl)
  const running = await load(inFlight)
  await sleep(seconds * 1000)

  const readStatements = await timeStatements(databaseUrl)
  const endProfile = await profileCpu()
  await running.take()
  await meters.read()
  const before = cpuOfThreads()
  await sleep(seconds * 1000)
  const runs = (await running.take()).length
  const spent = await meters.read()
  const threads = sharesBetween(before, cpuOfThreads())
  const statements = await readStatements()
  const { causes, functions } = await endProfile()
  if (runs === 0) throw new Error('None ended within the time')
  const cpuNode = ((1 - threads.profiler) * spent.cpuNode) / runs
  yield {
    runs,
    perSecond: runs / (spent.ms / 1000),
    cpuNode,
    cpuPostgres: spent.cpuPostgres / runs,
    causes: [
      ...[...causes].map(([cause, share]): [string, number] => [cause, share * threads.main * cpuNode]),
      ["V8's helper threads: compiler, garbage collection", threads.v8 * cpuNode],
      ["Node's other threads: the pool and its like", threads.others * cpuNode],
    ],
    functions: functions.slice(0, shownFunctions).map((each) => ({ ...each, share: each.share * threads.main })),
    statements: statements.map(({ name, calls, ms }) => ({ name, calls: calls / runs, ms: ms / runs })),
  }
  await running.stop()
  await close()
  await meters.close()
}

/** Of the CPU of this process, `profiler`; the others of what is left of it. */
type Shares = Record<'profiler' | 'main' | 'v8' | 'others', number>

const kindOf = (thread: string): keyof Shares => {
  if (thread === 'main') return 'main'
  // It makes the profile out of the samples.
  if (thread.startsWith('v8:Prof')) return 'profiler'
  return thread.startsWith('V8') ? 'v8' : 'others'
}

/** How the CPU of this process divided between two looks at its threads. */
function sharesBetween(before: Map<string, number>, after: Map<string, number>): Shares {
  const spent = { profiler: 0, main: 0, v8: 0, others: 0 }
  for (const [thread, ms] of after) spent[kindOf(thread)] += Math.max(0, ms - (before.get(thread) ?? 0))
  const { profiler, main, v8, others } = spent
  const ours = main + v8 + others || 1
  return { profiler: profiler / (ours + profiler), main: main / ours, v8: v8 / ours, others: others / ours }
}
