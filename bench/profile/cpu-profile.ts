import { type Profiler, Session } from 'node:inspector/promises'
import { causeOf } from './causes.ts'

/** Microseconds: fine enough for functions that take a hundredth of a second's work. */
const samplingInterval = 250

/** What the main thread was at while it was profiled, idleness left out: shares of 1. */
export interface SelfTimes {
  causes: Map<string, number>
  functions: FunctionTime[]
}

export interface FunctionTime {
  /** Its name and where it stands. */
  at: string
  cause: string
  share: number
}

/** Profiles this process until asked. Needs no flag. */
export async function profileCpu(): Promise<() => Promise<SelfTimes>> {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: samplingInterval })
  await session.post('Profiler.start')
  return async () => {
    const { profile } = await session.post('Profiler.stop')
    session.disconnect()
    return selfTimes(profile)
  }
}

function selfTimes({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): SelfTimes {
  const taken = new Map<number, number>()
  for (const [at, id] of samples.entries()) taken.set(id, (taken.get(id) ?? 0) + timeDeltas[at]!)
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)))
  const byId = new Map(nodes.map((node) => [node.id, node]))

  const callsOf = (id: number | undefined): Profiler.ProfileNode['callFrame'][] => {
    const node = id === undefined ? undefined : byId.get(id)
    return node ? [node.callFrame, ...callsOf(parents.get(node.id))] : []
  }

  const busy = nodes.filter(({ callFrame }) => callFrame.functionName !== '(idle)' && callFrame.url !== 'node:inspector')
  const whole = busy.reduce((sum, { id }) => sum + (taken.get(id) ?? 0), 0) || 1
  const causes = new Map<string, number>()
  const functions = new Map<string, FunctionTime>()
  for (const { id, callFrame } of busy) {
    const share = (taken.get(id) ?? 0) / whole
    if (share === 0) continue
    const cause = causeOf(callsOf(id))
    causes.set(cause, (causes.get(cause) ?? 0) + share)
    const at = nameOf(callFrame)
    const known = functions.get(`${cause} ${at}`)
    if (known) known.share += share
    else functions.set(`${cause} ${at}`, { at, cause, share })
  }
  return { causes, functions: [...functions.values()].toSorted((a, b) => b.share - a.share) }
}

function nameOf({ functionName, url, lineNumber }: { functionName: string; url: string; lineNumber: number }): string {
  const file = url.replace(/^.*\/(?:node_modules|packages|bench)\/(?!\.pnpm)/, '')
  return `${functionName || '(anonymous)'}${file && ` ${file}:${lineNumber + 1}`}`
}
