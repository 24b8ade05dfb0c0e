import { setTimeout as sleep } from 'node:timers/promises'
import type { Contestants, Load } from './contestant.ts'
import { type Memory, type Spent, openMeters } from './meters/meters.ts'
import { quantile } from './statistics.ts'

/** For the process that runs one contestant: at each number in flight, one after another. */
export interface Task {
  /** The address of the module that exports the `contestants`. */
  field: string
  contestant: string
  databaseUrl: string
  postgresPid: number
  inFlight: readonly number[]
  seconds: number
}

/** Costs are those of one: CPU in milliseconds. Memory is that of whole processes at the end, in bytes. */
export type Figures = Record<'perSecond' | 'p50' | 'p99' | 'statements' | 'transactions' | 'walBytes' | 'cpuNode' | 'cpuPostgres' | 'memoryNode' | 'memoryPostgres', number>

/** Filled by then: a share of the measured time, before each number in flight. */
const warmShare = 0.5
/** As long once before all of them, with so many: one at a time takes long until its code is compiled. */
const warmInFlight = 16
/** Those in flight tend to end together, in waves: fewer than these would show the wave, not the rate. */
const fewestTurns = 2
/** Beyond the time, for those that are slow. */
export const patienceMs = 20_000
/** Who gives no figures for so long is wedged: beyond three times the patience, for opening and for the end of those in flight. */
export const silenceMs = (seconds: number): number => seconds * 1000 * (1 + 2 * warmShare) + 3 * patienceMs + 50_000
const sliceMs = 50

/** Figures for each number in flight, in the order asked. */
export async function* perform({ field, contestant, databaseUrl, postgresPid, inFlight, seconds }: Task): AsyncGenerator<Figures> {
  const meters = await openMeters(databaseUrl, postgresPid)
  const { contestants } = (await import(field)) as { contestants: Contestants }
  const { open } = await contestants[contestant]!.read()
  const { load, close } = await open(databaseUrl)
  const most = Math.min(warmInFlight, Math.max(...inFlight))
  const warming = await load(most)
  await gather(warming, seconds * warmShare, most)
  await warming.stop()
  for (const each of inFlight) {
    const running = await load(each)
    await gather(running, seconds * warmShare, each)
    await meters.read()
    const ended = await gather(running, seconds, each * fewestTurns)
    yield figuresOf(ended, await meters.read(), meters.memory())
    await running.stop()
  }
  await close()
  await meters.close()
}

/** All that ended in so many seconds, and until there are so many of them. */
export async function gather(load: Load, seconds: number, fewest: number): Promise<number[]> {
  const end = performance.now() + seconds * 1000
  await sleep(seconds * 1000)
  let ended = await load.take()
  while (ended.length < fewest && performance.now() < end + patienceMs) {
    await sleep(sliceMs)
    ended = ended.concat(await load.take())
  }
  return ended
}

function figuresOf(ended: readonly number[], { ms, ...spent }: Spent, memory: Memory): Figures {
  if (ended.length === 0) throw new Error('None ended within the time')
  const ofOne = (amount: number): number => amount / ended.length
  return {
    perSecond: ended.length / (ms / 1000),
    p50: quantile(ended, 0.5),
    p99: quantile(ended, 0.99),
    statements: ofOne(spent.statements),
    transactions: ofOne(spent.transactions),
    walBytes: ofOne(spent.walBytes),
    cpuNode: ofOne(spent.cpuNode),
    cpuPostgres: ofOne(spent.cpuPostgres),
    memoryNode: memory.node,
    memoryPostgres: memory.postgres,
  }
}
