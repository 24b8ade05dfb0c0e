/** What a request asked, as a toy server sees it. */
export interface Seen {
  method: string
  /** `runs.get` */
  procedure: string
  input: unknown
  headers: Headers
  at: number
}

export type Reply = Response | Promise<Response>

export interface ToyFetch {
  fetch: typeof fetch
  seen: Seen[]
}

/** A fetch that needs no server: each request is answered by the next reply, the last one again and again. A reply that throws is a request without an answer. */
export function toyFetch(...replies: ((seen: Seen, signal: AbortSignal) => Reply)[]): ToyFetch {
  const seen: Seen[] = []
  return {
    seen,
    async fetch(target, init = {}) {
      const url = new URL(target instanceof Request ? target.url : target)
      const asked = init.method === 'GET' ? url.searchParams.get('input') : (init.body as string | undefined)
      const request: Seen = {
        method: init.method!,
        procedure: url.pathname.replace('/trpc/', ''),
        input: asked ? JSON.parse(asked) : undefined,
        headers: new Headers(init.headers),
        at: performance.now(),
      }
      seen.push(request)
      return replies[Math.min(seen.length, replies.length) - 1]!(request, init.signal!)
    },
  }
}

export const answer = (data?: unknown) => (): Response => Response.json({ result: { data } })

/** As a procedure refuses: tRPC's shape around ours. */
export const refuse =
  (status: number, data: { code: string; kind: string; [key: string]: unknown }, headers: Record<string, string> = {}) =>
  (): Response =>
    Response.json({ error: { message: `It is ${data.code}`, code: -32000, data: { issues: [], details: {}, requestId: 'req_1', status, ...data } } }, { status, headers })

/** As Node's fetch fails: before the request left, or after. */
export const lose =
  (code: 'ECONNREFUSED' | 'ECONNRESET' = 'ECONNRESET') =>
  (): never => {
    throw new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) })
  }

/** Never answers; fails when it is aborted, as a fetch does. */
export const hang = (_: Seen, signal: AbortSignal): Promise<Response> =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error))
  })

/** An event stream of these bytes, which then ends, is cut, or stays open. */
export function streamOf(bytes: Uint8Array, then: 'end' | 'cut' | 'open' = 'end', onLeft: () => void = () => {}): Response {
  let sent = false
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (!sent) {
        sent = true
        controller.enqueue(bytes.length > 0 ? bytes : bytesOf(':\n'))
      } else if (then === 'end') controller.close()
      else if (then === 'cut') controller.error(new TypeError('terminated'))
      else await new Promise<void>(() => {})
    },
    cancel: onLeft,
  })
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
}

/** One message as tRPC writes it. */
export const frame = (data: unknown, id?: string): string => `data: ${JSON.stringify(data)}\n${id === undefined ? '' : `id: ${id}\n`}\n\n`
export const connected = 'event: connected\ndata: {}\n\n\n'
export const farewell = 'event: return\ndata: \n\n\n'
export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
