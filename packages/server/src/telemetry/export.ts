import type { Log } from '../telemetry.ts'
import type { Metrics } from './metrics.ts'
import type { Tracing } from './settings.ts'
import { createTraces, untraced, type Traces } from './traces.ts'

/** Traces that go where the settings say. What sends them is loaded only when there is such a place. */
export async function exportTraces(tracing: Tracing | null, { metrics, log }: { metrics: Pick<Metrics, 'exported'>; log: Log }): Promise<Traces> {
  if (!tracing) return untraced
  const { createOtlp } = await import('./otlp.ts')
  let arrives = true
  const exporter = createOtlp({
    ...tracing,
    sent(spans, error) {
      metrics.exported(spans, error ? 'failed' : 'sent')
      // One line for each turn of events: a receiver that is away is asked every few seconds.
      if (error && arrives) log.warn({ err: error }, 'Traces do not arrive')
      if (!error && !arrives) log.info('Traces arrive again')
      arrives = !error
    },
  })
  return createTraces(exporter)
}
