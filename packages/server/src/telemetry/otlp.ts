import { ROOT_CONTEXT, SpanKind as Kind, SpanStatusCode, TraceFlags, type SpanContext } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, SamplingDecision, TraceIdRatioBasedSampler, type ReadableSpan, type SpanExporter } from '@opentelemetry/sdk-trace'
import type { Exporter, Place, Span, SpanKind } from './traces.ts'

/** Sends spans as OTLP over HTTP. Loaded only when there is somewhere to send them to. */

export interface OtlpOptions {
  /** Where traces are posted to, whole. */
  url: string
  /** Sent along, to be let in. */
  headers: Readonly<Record<string, string>>
  timeoutMs: number
  /** Of the resource, `service.name` among them. */
  resource: Readonly<Record<string, string>>
  /** Which of the traces that begin here are sampled, from 0 to 1. */
  ratio: number
  /** How long a span waits for others to go with. */
  delayMs: number
  /** Told of each batch: how many spans, and why they did not arrive. */
  sent(spans: number, error?: Error): void
}

const kinds: Record<SpanKind, Kind> = { server: Kind.SERVER, internal: Kind.INTERNAL, client: Kind.CLIENT }
const scope = { name: 'sluice' }
/** What matters was flushed before. */
const closeMs = 500

export function createOtlp({ url, headers, timeoutMs, resource: attributes, ratio, delayMs, sent }: OtlpOptions): Exporter {
  const exporter = watched(new OTLPTraceExporter({ url, headers: { ...headers }, timeoutMillis: timeoutMs }), sent)
  const processor = new BatchSpanProcessor({ exporter, scheduledDelayMillis: delayMs, exportTimeoutMillis: timeoutMs })
  const sampler = new TraceIdRatioBasedSampler(ratio)
  const resource = defaultResource().merge(resourceFromAttributes({ ...attributes }))

  const asReadable = ({ name, kind, startedAt, endedAt, attributes: all, failed }: Span, at: Place, parent: Place | null): ReadableSpan => ({
    name,
    kind: kinds[kind],
    spanContext: () => contextOf(at),
    ...(parent && { parentSpanContext: { ...contextOf(parent), isRemote: true } }),
    startTime: timeOf(startedAt),
    endTime: timeOf(Math.max(startedAt, endedAt)),
    duration: timeOf(Math.max(0, endedAt - startedAt)),
    status: failed === undefined ? { code: SpanStatusCode.UNSET } : { code: SpanStatusCode.ERROR, message: failed },
    attributes: { ...all, ...(failed !== undefined && { 'error.type': failed }) },
    links: [],
    events: [],
    ended: true,
    resource,
    instrumentationScope: scope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  })

  return {
    samples: (traceId) => sampler.shouldSample(ROOT_CONTEXT, traceId).decision === SamplingDecision.RECORD_AND_SAMPLED,
    send: (span, at, parent) => processor.onEnd(asReadable(span, at, parent)),
    flush: (ms) => within(ms, processor.forceFlush()),
    close: () => within(closeMs, processor.shutdown()),
  }
}

const watched = (exporter: SpanExporter, sent: OtlpOptions['sent']): SpanExporter => ({
  export: (spans, done) =>
    exporter.export(spans, (result) => {
      sent(spans.length, result.error)
      done(result)
    }),
  shutdown: () => exporter.shutdown(),
})

const contextOf = ({ traceId, spanId, sampled }: Place): SpanContext => ({ traceId, spanId, traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE })

function timeOf(ms: number): [number, number] {
  const seconds = Math.floor(ms / 1000)
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)]
}

/** A receiver that is away, or refuses, is nobody's trouble here. */
async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)))
  await Promise.race([work.catch(() => {}), late])
  clearTimeout(timer)
}
