import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config.ts'
import { StartRefused } from '../../src/store/refused.ts'
import { tracingOf } from '../../src/telemetry/settings.ts'

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }

test.for([
  ['no endpoint', {}],
  ['an endpoint set to nothing', { OTEL_EXPORTER_OTLP_ENDPOINT: ' ' }],
  ['OTEL_SDK_DISABLED', { ...endpoint, OTEL_SDK_DISABLED: 'True' }],
  ['OTEL_TRACES_EXPORTER=none', { ...endpoint, OTEL_TRACES_EXPORTER: 'none' }],
] as const)('%s: no traces', ([, env]) => {
  expect(tracingOf(env)).toBeNull()
})

test.for([
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'https://c:4318/otlp/' }, { url: 'https://c:4318/otlp/v1/traces' }],
  [{ ...endpoint, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://traces:1/exactly/here' }, { url: 'http://traces:1/exactly/here' }],
  [{ ...endpoint, OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20x=y, x-tenant = a ,broken,=b' }, { headers: { authorization: 'Bearer x=y', 'x-tenant': 'a' } }],
  [{ ...endpoint, OTEL_EXPORTER_OTLP_HEADERS: 'a=1', OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'b=%zz' }, { headers: { b: '%zz' } }],
  [{ ...endpoint, OTEL_RESOURCE_ATTRIBUTES: 'service.name=theirs,deployment.environment=prod' }, { resource: { 'service.name': 'theirs', 'deployment.environment': 'prod' } }],
  [{ ...endpoint, OTEL_RESOURCE_ATTRIBUTES: 'service.name=theirs', OTEL_SERVICE_NAME: 'mine' }, { resource: { 'service.name': 'mine' } }],
  [{ ...endpoint, OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.25' }, { ratio: 0.25 }],
  [{ ...endpoint, OTEL_TRACES_SAMPLER: 'always_off' }, { ratio: 0 }],
  [
    { ...endpoint, OTEL_EXPORTER_OTLP_TIMEOUT: '2000', OTEL_BSP_SCHEDULE_DELAY: '50' },
    { timeoutMs: 2_000, delayMs: 50 },
  ],
] as const)('%j is read', ([env, read]) => {
  expect(tracingOf(env)).toMatchObject(read)
})

test.for([
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4317' }, /OTEL_EXPORTER_OTLP_ENDPOINT must be an http or https address/],
  [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'nowhere' }, /OTEL_EXPORTER_OTLP_TRACES_ENDPOINT must be/],
  [{ ...endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, /OTEL_EXPORTER_OTLP_PROTOCOL must be http\/json/],
  [{ ...endpoint, OTEL_EXPORTER_OTLP_TIMEOUT: '10s' }, /OTEL_EXPORTER_OTLP_TIMEOUT must be milliseconds/],
  [{ ...endpoint, OTEL_TRACES_SAMPLER: 'jaeger_remote' }, /OTEL_TRACES_SAMPLER must be/],
  [{ ...endpoint, OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '2' }, /OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1/],
] as const)('%j ends the start, in one line that says what to write', ([env, line]) => {
  expect(() => loadConfig(env)).toThrow(StartRefused)
  expect(() => loadConfig({ ...env, SLUICE_PORT: 'x' })).toThrow(line)
})
