import type { Dispatcher } from 'undici'
import { orAborted } from './aborted.ts'
import { hostOf } from './allow-list.ts'
import { OutsideError, asOutsideError } from './error.ts'
import { headersOf, send } from './exchange.ts'
import { hopOf } from './request.ts'
import type { HopInput } from './request.ts'

export interface StreamRequest extends HopInput {
  /** Of the whole exchange, the body included. */
  timeoutMs: number
  /** How long nothing may come, from the first byte awaited to the last. */
  idleMs: number
  /** Of the body. */
  maxBytes: number
  signal?: AbortSignal
}

export interface StreamedAnswer {
  status: number
  /** Lower-case names; a header that came several times is joined by `, `. */
  headers: Record<string, string>
  /** To be read once. Throws as `open` does. */
  body: AsyncIterator<Uint8Array, void>
  /** Closes the connection. Who reads to the end, or an error, need not. */
  close(): void
}

/**
 * Sends a request and gives its answer as it comes. A redirect is given back as it came. Nothing is decompressed: it is
 * asked for plain, and an answer that is compressed all the same is refused.
 */
export async function openStream(dispatcher: Dispatcher, input: StreamRequest): Promise<StreamedAnswer> {
  const hop = hopOf(input)
  hop.headers.set('accept-encoding', 'identity')
  const host = hostOf(hop.url)
  const watch = watchOver(input, host)
  try {
    const reply = await orAborted(send(dispatcher, hop, watch.signal), watch.signal)
    const headers = headersOf(reply.headers)
    // It may fail before anybody reads.
    reply.body.on('error', () => {})
    const close = (): void => {
      watch.end()
      reply.body.destroy()
    }
    if (/^\s*(identity\s*)?$/.test(headers['content-encoding'] ?? '')) {
      return { status: reply.statusCode, headers, body: chunksOf(reply.body, input.maxBytes, watch, host, close), close }
    }
    close()
    throw new OutsideError('network', `the answer of ${host} is compressed although it was asked not to be`)
  } catch (error) {
    watch.end()
    throw watch.reasonOf(error)
  }
}

async function* chunksOf(raw: AsyncIterable<Uint8Array>, maxBytes: number, watch: Watch, host: string, close: () => void): AsyncGenerator<Uint8Array, void> {
  let arrived = 0
  try {
    for await (const chunk of raw) {
      watch.touch()
      arrived += chunk.byteLength
      if (arrived > maxBytes) throw new OutsideError('too_large', `the answer of ${host} is larger than ${maxBytes} bytes`)
      yield chunk
    }
  } catch (error) {
    throw watch.reasonOf(error)
  } finally {
    close()
  }
}

interface Watch {
  signal: AbortSignal
  touch(): void
  end(): void
  /** What is to be said instead of what was thrown. */
  reasonOf(error: unknown): unknown
}

function watchOver({ signal, timeoutMs, idleMs }: StreamRequest, host: string): Watch {
  const ours = new AbortController()
  const late = (within: number, what: string) => () => ours.abort(new OutsideError('timed_out', `no ${what} from ${host} within ${within} ms`))
  const whole = setTimeout(late(timeoutMs, 'whole answer'), timeoutMs)
  const idle = setTimeout(late(idleMs, 'sign of life'), idleMs)
  return {
    signal: signal ? AbortSignal.any([signal, ours.signal]) : ours.signal,
    touch: () => void idle.refresh(),
    end() {
      clearTimeout(whole)
      clearTimeout(idle)
    },
    reasonOf: (error) => (signal?.aborted ? signal.reason : ours.signal.aborted ? ours.signal.reason : asOutsideError(error, host)),
  }
}
