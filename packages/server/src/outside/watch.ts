import type { Metrics } from '../telemetry/metrics.ts'
import type { Traces } from '../telemetry/traces.ts'
import { OutsideError } from './error.ts'
import type { HopInput } from './request.ts'

export interface Watchers {
  metrics: Pick<Metrics, 'called'>
  traces: Traces
}

/** Counts an exchange and tells its span. One that is read while it comes is over, for both, when its head is here. */
export async function watch<I extends HopInput, A extends { status: number }>(input: I, send: (input: I) => Promise<A>, { metrics, traces }: Watchers): Promise<A> {
  const { method, url, traceparent: parent = null } = input
  const at = traces.below(parent)
  const began = performance.now()
  const startedAt = Date.now()
  const over = (outcome: string, status?: number): void => {
    metrics.called(outcome, (performance.now() - began) / 1000)
    if (!traces.isOn || at === null) return
    const { protocol, hostname, port } = URL.parse(url) ?? { protocol: '', hostname: '', port: '' }
    traces.tell({
      name: method.toUpperCase(),
      kind: 'client',
      at,
      parent,
      startedAt,
      endedAt: Date.now(),
      // Of the address its host alone, as in errors: paths and queries of hooks are secrets.
      attributes: {
        'http.request.method': method.toUpperCase(),
        'url.scheme': protocol.replace(':', ''),
        'server.address': hostname,
        'server.port': Number(port) || (protocol === 'https:' ? 443 : 80),
        'http.response.status_code': status,
      },
      ...((status === undefined || status >= 400) && { failed: status === undefined ? outcome : String(status) }),
    })
  }
  try {
    const answer = await send(at === null ? input : { ...input, headers: withTraceparent(input.headers ?? {}, at) })
    over(`${Math.floor(answer.status / 100)}xx`, answer.status)
    return answer
  } catch (error) {
    over(error instanceof OutsideError ? error.code : 'aborted')
    throw error
  }
}

/** Who gives a traceparent of their own wants that trace, and has it. */
function withTraceparent(headers: Readonly<Record<string, string>>, traceparent: string): Readonly<Record<string, string>> {
  return Object.keys(headers).some((name) => name.toLowerCase() === 'traceparent') ? headers : { ...headers, traceparent }
}
