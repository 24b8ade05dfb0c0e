import { askAll } from '../calls/calls.ts'
import { callsSection } from '../calls/section.ts'
import type { Measurement } from '../measurement.ts'
import { atLeast, atMost } from '../page/aims.ts'
import { type RecordCall, records as calls } from './contestants.ts'

const inFlight = [1, 16]

/** Records of declared collections, written and read. */
export const collections: Measurement = {
  compares: Object.keys(calls),
  async measure(measuring) {
    // A million records are made for each round.
    const results = await askAll({ ...measuring, rounds: 1, seconds: measuring.seconds * 2 }, { from: new URL('open.ts', import.meta.url), calls, inFlight })
    const section = callsSection({ ...measuring, rounds: 1, seconds: measuring.seconds * 2 }, results, {
      calls,
      inFlight,
      unit: 'calls/s',
      chart: { file: 'performance-records.svg', title: 'Records' },
      notMeasured: 'Not measured here: files, relations that are expanded, rules that look into other collections, counts of all that match, somebody who follows the changes.',
    })
    const at = (name: RecordCall) => results.of.get(name)?.at(0)
    const ratio = (one: number | undefined, other: number | undefined): number | undefined => one && other && one / other
    const batch = at('record-batch-50')?.perSecond
    return {
      ...section,
      aims: [
        atMost('a filtered list of records: its time at 1,000,000 of that at 10,000', 1.5, ratio(at('record-list-1m')?.p50, at('record-list-10k')?.p50)),
        atLeast('records/s in batches of 50 of those created one by one', 5, ratio(batch && batch * 50, at('record-create')?.perSecond)),
      ],
    }
  },
}
