import type { OtlpOptions } from './otlp.ts'

/** Where traces go, and which. */
export type Tracing = Omit<OtlpOptions, 'sent'>

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The variables that OpenTelemetry has for traces, as far as they apply here (docs/operations.md). Null: nothing is
 * exported. Throws an Error that names a wrong variable and what it should be.
 */
export function tracingOf(env: Environment): Tracing | null {
  const given = (name: string): string | undefined => env[name]?.trim() || undefined
  const ofTraces = (name: string): string | undefined => given(`OTEL_EXPORTER_OTLP_TRACES_${name}`) ?? given(`OTEL_EXPORTER_OTLP_${name}`)
  const url = endpointOf(given('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'), given('OTEL_EXPORTER_OTLP_ENDPOINT'))
  const isOff = given('OTEL_SDK_DISABLED')?.toLowerCase() === 'true' || given('OTEL_TRACES_EXPORTER')?.toLowerCase() === 'none'
  if (url === null || isOff) return null
  if (ofTraces('PROTOCOL') === 'grpc') throw new Error('OTEL_EXPORTER_OTLP_PROTOCOL must be http/json or http/protobuf: traces are sent as JSON over HTTP')
  const attributes = pairs(given('OTEL_RESOURCE_ATTRIBUTES') ?? '')
  return {
    url,
    headers: pairs(ofTraces('HEADERS') ?? ''),
    timeoutMs: milliseconds('OTEL_EXPORTER_OTLP_TIMEOUT', ofTraces('TIMEOUT'), 10_000),
    resource: { ...attributes, 'service.name': given('OTEL_SERVICE_NAME') ?? attributes['service.name'] ?? 'sluice' },
    ratio: ratioOf(given('OTEL_TRACES_SAMPLER'), given('OTEL_TRACES_SAMPLER_ARG')),
    delayMs: milliseconds('OTEL_BSP_SCHEDULE_DELAY', given('OTEL_BSP_SCHEDULE_DELAY'), 5_000),
  }
}

/** The one for traces is taken as it stands; the one for all signals is where `v1/traces` is. */
function endpointOf(traces: string | undefined, all: string | undefined): string | null {
  const text = traces ?? (all && `${all.replace(/\/$/, '')}/v1/traces`)
  if (text === undefined) return null
  const url = URL.parse(text)
  if (url && (url.protocol === 'http:' || url.protocol === 'https:')) return url.href
  throw new Error(`${traces === undefined ? 'OTEL_EXPORTER_OTLP_ENDPOINT' : 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'} must be an http or https address`)
}

/** `name=value,name=value`, the values percent-encoded. */
function pairs(text: string): Record<string, string> {
  const found = text.split(',').flatMap((part): [string, string][] => {
    const at = part.indexOf('=')
    return at < 1 ? [] : [[part.slice(0, at).trim(), decoded(part.slice(at + 1).trim())]]
  })
  return Object.fromEntries(found)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function milliseconds(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new Error(`${name} must be milliseconds from 1 to 999999`)
  return Number(text)
}

/** Of traces that begin here. One that comes from outside brings its own decision along. */
function ratioOf(sampler = 'always_on', argument = '1'): number {
  const ratio = { always_on: 1, always_off: 0, traceidratio: Number(argument) }[sampler.replace(/^parentbased_/, '')]
  if (ratio === undefined) throw new Error('OTEL_TRACES_SAMPLER must be always_on, always_off or traceidratio, or one of these after parentbased_')
  if (!(ratio >= 0 && ratio <= 1)) throw new Error('OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1')
  return ratio
}
