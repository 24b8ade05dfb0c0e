import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { eventually } from './processes.ts'

/** A span as it came over OTLP/HTTP, laid out for tests. */
export interface ToldSpan {
  service: string
  name: string
  /** 1 internal, 2 server, 3 client. */
  kind: number
  traceId: string
  spanId: string
  parentSpanId: string
  start: number
  end: number
  failed: boolean
  attributes: Record<string, string | number>
}

export interface TraceReceiver extends AsyncDisposable {
  url: string
  spans: ToldSpan[]
  /** The headers of the last batch. */
  headers(): Record<string, string | string[] | undefined>
  /** Everything that came, as text: to look for what must not be in it. */
  text(): string
  /** Answers with 503 from now on. */
  refuse(): void
  /** The first span that fits, now or soon. */
  told(what: string, fits: (span: ToldSpan) => boolean): Promise<ToldSpan>
}

interface Wire {
  resourceSpans: {
    resource: { attributes: WireAttribute[] }
    scopeSpans: {
      spans: {
        name: string
        kind: number
        traceId: string
        spanId: string
        parentSpanId?: string
        startTimeUnixNano: string
        endTimeUnixNano: string
        attributes: WireAttribute[]
        status: { code?: number }
      }[]
    }[]
  }[]
}
interface WireAttribute {
  key: string
  value: { stringValue?: string; intValue?: number | string }
}

const laidOut = (attributes: WireAttribute[]): Record<string, string | number> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue)]))

/** Stands where an OpenTelemetry collector stands. */
export async function traceReceiver(): Promise<TraceReceiver> {
  const spans: ToldSpan[] = []
  const texts: string[] = []
  let headers: Record<string, string | string[] | undefined> = {}
  let refusing = false
  const server = createServer((request, response) => {
    void json(request).then((body) => {
      if (refusing) return response.writeHead(503).end()
      headers = request.headers
      texts.push(JSON.stringify(body))
      for (const { resource, scopeSpans } of (body as Wire).resourceSpans)
        for (const span of scopeSpans.flatMap((scope) => scope.spans))
          spans.push({
            service: String(laidOut(resource.attributes)['service.name']),
            name: span.name,
            kind: span.kind,
            traceId: span.traceId,
            spanId: span.spanId,
            parentSpanId: span.parentSpanId ?? '',
            start: Number(span.startTimeUnixNano) / 1e6,
            end: Number(span.endTimeUnixNano) / 1e6,
            failed: span.status.code === 2,
            attributes: laidOut(span.attributes),
          })
      return response.writeHead(request.url === '/v1/traces' ? 200 : 404, { 'content-type': 'application/json' }).end('{}')
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    headers: () => headers,
    text: () => texts.join('\n'),
    refuse: () => void (refusing = true),
    async told(what, fits) {
      await eventually(`the span of ${what} among ${spans.map(({ name }) => name).join(', ')}`, () => spans.some(fits))
      return spans.find(fits)!
    },
    [Symbol.asyncDispose]: () => new Promise((resolve) => void server.close(() => resolve()).closeAllConnections()),
  }
}
