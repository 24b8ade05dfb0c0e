import { setTimeout as sleep } from 'node:timers/promises'
import { type ContestantName, contestants } from '../contestant.ts'
import { type Memory, type Spent, openMeters } from '../meters/meters.ts'
import { quantile } from '../statistics.ts'

/** For the process that runs one contestant: at each number of runs in flight, one after another. */
export interface Task {
  contestant: ContestantName
  databaseUrl: string
  postgresPid: number
  inFlight: readonly number[]
  seconds: number
}

/** Costs are a run's: CPU in milliseconds, memory in bytes of the whole process at the end. */
export type Figures = Record<'runsPerSecond' | 'p50' | 'p99' | 'statements' | 'transactions' | 'walBytes' | 'cpuNode' | 'cpuPostgres' | 'memoryNode' | 'memoryPostgres', number>

/** Compiled, planned and filled by then: a share of the measured time. */
const warmShare = 0.5

/** One figure a number in flight, in the order asked. */
export async function perform({ contestant, databaseUrl, postgresPid, inFlight, seconds }: Task): Promise<Figures[]> {
  const meters = await openMeters(databaseUrl, postgresPid)
  const { open } = await contestants[contestant].read()
  const { load, close } = await open(databaseUrl)
  const figures: Figures[] = []
  for (const each of inFlight) {
    const running = await load(each)
    await sleep(seconds * warmShare * 1000)
    await Promise.all([running.take(), meters.read()])
    await sleep(seconds * 1000)
    const [ended, spent] = await Promise.all([running.take(), meters.read()])
    figures.push(figuresOf(ended, spent, meters.memory()))
    await running.stop()
  }
  await close()
  await meters.close()
  return figures
}

function figuresOf(ended: readonly number[], { ms, ...spent }: Spent, memory: Memory): Figures {
  if (ended.length === 0) throw new Error('No run ended within the time: measure for longer')
  const aRun = (amount: number): number => amount / ended.length
  return {
    runsPerSecond: ended.length / (ms / 1000),
    p50: quantile(ended, 0.5),
    p99: quantile(ended, 0.99),
    statements: aRun(spent.statements),
    transactions: aRun(spent.transactions),
    walBytes: aRun(spent.walBytes),
    cpuNode: aRun(spent.cpuNode),
    cpuPostgres: aRun(spent.cpuPostgres),
    memoryNode: memory.node,
    memoryPostgres: memory.postgres,
  }
}
