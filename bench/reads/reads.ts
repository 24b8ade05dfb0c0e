import { askAll } from '../calls/calls.ts'
import { callsSection } from '../calls/section.ts'
import type { Measurement } from '../measurement.ts'
import { atLeast } from '../page/aims.ts'
import { type Read, reads as calls } from './contestants.ts'

const inFlight = [1, 32]
const baseline: Read = 'read-row-bare'
/** Who is asked for one thing by its id, and not for a list. */
const single: readonly Read[] = [
  'get-run',
  'get-run-key',
  'get-run-trpc',
  'list-steps',
  'list-events',
  'pyspur-status',
  'orchestrator-status',
  'medusa-execution',
  'pocketbase-record',
  'playground-status',
]

/** The reads of every face, at one server. */
export const reads: Measurement = {
  compares: Object.keys(calls),
  async measure(measuring) {
    const results = await askAll(measuring, { from: new URL('open.ts', import.meta.url), calls, inFlight })
    const bare = results.of.get(baseline)?.at(-1)?.perSecond
    const section = callsSection(measuring, results, {
      calls,
      inFlight,
      unit: 'reads/s',
      chart: { file: 'performance-reads.svg', title: 'Reads of every face' },
      notMeasured:
        'Not measured here: large outputs, many different runs, a cold PostgreSQL, limits of requests (they are off). The sender takes its part of the cores, and most of what is read stands in the memory of PostgreSQL.',
    })
    const of = (name: Read): number | undefined => results.of.get(name)?.at(-1)?.perSecond
    const aims = single.map((name) => {
      const read = of(name)
      return atLeast(`\`${name}\`: reads/s of the bare route's`, 0.5, bare && read && read / bare)
    })
    return { ...section, aims }
  },
}
