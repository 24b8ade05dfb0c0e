import { startLoader } from '../http-load/loader.ts'
import type { Repeated } from '../http-load/requests.ts'
import { openMeters } from '../meters/meters.ts'
import { gather } from '../perform.ts'
import type { Place } from '../race.ts'
import { quantile } from '../statistics.ts'
import type { OpenCalls } from './calls.ts'

/** For the process of the server: each of these calls, in this order. */
export interface Task extends Place {
  /** The address of the module that exports `open`. */
  from: string
  calls: readonly string[]
  inFlight: readonly number[]
  seconds: number
}

/** Costs are those of one call, those of what it began included. */
export type CallFigures = Record<'perSecond' | 'p50' | 'p99' | 'statements' | 'cpuNode' | 'cpuPostgres', number>

/** As many figures as numbers in flight that it got through, and why there are no more of them. */
export interface CallResult {
  name: string
  figures: CallFigures[]
  failed: string | null
}

/** Filled by then, before each number in flight. */
const warmShare = 0.5
/** Those in flight tend to end together, in waves. */
const fewestTurns = 2

export async function* perform({ from, calls, inFlight, seconds, databaseUrl, postgresPid }: Task): AsyncGenerator<CallResult> {
  const meters = await openMeters(databaseUrl, postgresPid)
  const { open } = (await import(from)) as { open: OpenCalls }
  const { requests, settled, close } = await open(databaseUrl)

  async function measure(name: string, request: Repeated): Promise<CallResult> {
    const loader = await startLoader(request)
    const figures: CallFigures[] = []
    let failed: string | null = null
    try {
      for (const each of inFlight) {
        const load = await loader.load(each)
        await gather(load, seconds * warmShare, each)
        await meters.read()
        const ended = await gather(load, seconds, each * fewestTurns)
        const { ms, statements, cpuNode, cpuPostgres } = await meters.read()
        await load.stop()
        if (ended.length === 0) throw new Error('None ended within the time')
        const ofOne = (amount: number): number => amount / ended.length
        const [p50, p99] = [quantile(ended, 0.5), quantile(ended, 0.99)]
        figures.push({ perSecond: ended.length / (ms / 1000), p50, p99, statements: ofOne(statements), cpuNode: ofOne(cpuNode), cpuPostgres: ofOne(cpuPostgres) })
      }
    } catch (error) {
      failed = `with ${inFlight[figures.length]} in flight: ${error instanceof Error ? error.message : String(error)}`
    }
    await loader.close()
    await settled?.()
    return { name, figures, failed }
  }

  for (const name of calls) yield await measure(name, requests[name]!)
  await close()
  await meters.close()
}
