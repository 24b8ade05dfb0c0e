import { hostOf } from '../../outside/allow-list.ts'
import { OutsideError } from '../../outside/error.ts'
import type { Outside } from '../../outside/outside.ts'
import { ModelError } from '../error.ts'

/** What the client library sends beside these tells of the machine it runs on, which is nobody's business. */
const sent = new Set(['accept', 'authorization', 'content-type', 'idempotency-key'])
const withoutBody = new Set([204, 205, 304])

export interface Bounds {
  timeoutMs: number
  idleMs: number
  maxBytes: number
}

/** `fetch` for the client library, over the guarded way out. Redirects are not followed: a model's address is what was configured. */
export function fetchOver(outside: Outside, bounds: Bounds): typeof fetch {
  return async (input, init = {}) => {
    const headers = new Headers(init.headers)
    const url = input instanceof Request ? input.url : String(input)
    const answer = await outside.open({
      method: init.method ?? 'GET',
      url,
      headers: Object.fromEntries([...headers].filter(([name]) => sent.has(name))),
      body: typeof init.body === 'string' ? init.body : null,
      traceparent: headers.get('traceparent'),
      ...bounds,
      ...(init.signal && { signal: init.signal }),
    })
    const close = (): null => (answer.close(), null)
    if (answer.status < 300 && answer.headers['content-type']?.includes('text/html')) {
      answer.close()
      throw new ModelError('answer_invalid', `${hostOf(new URL(url))} answered with a page where a model was asked: is the address the one before /chat/completions?`)
    }
    const body = withoutBody.has(answer.status) ? close() : streamOf(answer.body, answer.close)
    try {
      return new Response(body, { status: answer.status, headers: answer.headers })
    } catch {
      // A status or a header that no browser would take. The connection is not left open for it.
      answer.close()
      throw new OutsideError('network', `the answer of ${hostOf(new URL(url))} cannot be read`)
    }
  }
}

function streamOf(chunks: AsyncIterator<Uint8Array, void>, close: () => void): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await chunks.next()
        if (next.done) controller.close()
        else controller.enqueue(next.value)
      },
      cancel: close,
    },
    { highWaterMark: 0 },
  )
}
