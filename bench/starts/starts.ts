import { askAll } from '../calls/calls.ts'
import { callsSection } from '../calls/section.ts'
import type { Measurement } from '../measurement.ts'
import { atLeast } from '../page/aims.ts'
import { type Start, starts as calls } from './contestants.ts'

const inFlight = [1, 16]
const baseline: Start = 'start-native'
/** They start a run and nothing beside. */
const plain: readonly Start[] = ['start-trpc', 'start-pyspur', 'start-orchestrator', 'start-medusa']

/** A run started through every face, at one server. */
export const starts: Measurement = {
  compares: Object.keys(calls),
  async measure(measuring) {
    const results = await askAll(measuring, { from: new URL('open.ts', import.meta.url), calls, inFlight })
    const of = (name: Start): number | undefined => results.of.get(name)?.at(-1)?.perSecond
    const native = of(baseline)
    const section = callsSection(measuring, results, {
      calls,
      inFlight,
      unit: 'starts/s',
      chart: { file: 'performance-starts.svg', title: 'Starts through every face' },
      notMeasured:
        'All start the same chatbot of two nodes. But for the gateway, which gives the answer, nobody waits for the end: runs go on beside the starts that come after them, and their cost is in it; before the next face is asked all have ended. ' +
        'Not measured here: large inputs, streams of answers, a model that is asked over the network.',
    })
    const aims = plain.map((name) => {
      const start = of(name)
      return atLeast(`\`${name}\`: starts/s of the native route's`, 0.7, native && start && start / native)
    })
    return { ...section, aims }
  },
}
