import type { Credentials, Proof } from './credentials.ts'
import { NetworkError, SluiceError, UnauthenticatedError } from './errors.ts'
import { refusalOf } from './refusal.ts'
import { before, type Bound, bound } from './waiting.ts'

/** One call of a procedure, as `runs.get`. */
export interface Asked {
  procedure: string
  method: 'GET' | 'POST'
  input: unknown
  /** Until all of the answer is here; of a stream, until it begins. */
  timeoutMs: number
  signals: readonly (AbortSignal | undefined)[]
}

/** An answer that has begun. Its bound is released by who reads it. */
export interface Opened {
  response: Response
  bound: Bound
  /** For a stream that says in itself that its credential is refused: whether there is another one to come back with. */
  renew(): Promise<boolean>
}

/** Sends a call once, as whoever the credentials say. One that is refused for its credential is sent again with a renewed one. */
export interface Transport {
  /** What the procedure answered with. */
  call(asked: Asked): Promise<unknown>
  open(asked: Asked): Promise<Opened>
}

export interface TransportOptions {
  url: string | URL
  credentials: Credentials
  fetch: typeof fetch
}

type Reader<T> = (response: Response, bound: Bound, proof: Proof) => Promise<T>

export function createTransport({ url, credentials, fetch }: TransportOptions): Transport {
  const base = new URL(url).href.replace(/[?#].*$/, '').replace(/\/+$/, '')

  async function attempt<T>(asked: Asked, accept: string, proof: Proof, read: Reader<T>): Promise<T> {
    const { procedure, method, input, timeoutMs, signals } = asked
    const body = input === undefined ? undefined : JSON.stringify(input)
    const query = method === 'GET' && body !== undefined ? `?input=${encodeURIComponent(body)}` : ''
    const held = bound(signals, timeoutMs, procedure)
    const work = async (): Promise<T> => {
      const response = await fetch(`${base}/trpc/${procedure}${query}`, {
        method,
        headers: { accept, ...proof, ...(method === 'POST' && { 'content-type': 'application/json' }) },
        ...(method === 'POST' && body !== undefined && { body }),
        // A key goes to the server it was given for, and not where that may lead.
        redirect: 'error',
        signal: held.signal,
      })
      if (!response.ok) throw refusalOf(response.status, response.headers, await jsonOf(response))
      return read(response, held, proof)
    }
    try {
      held.signal.throwIfAborted()
      // A fetch of the caller's may not know of signals.
      return await before(work(), [held.signal])
    } catch (error) {
      held.release()
      const thrown: unknown = held.signal.aborted ? held.signal.reason : error instanceof SluiceError ? error : lost(procedure, error)
      held.abort(thrown)
      throw thrown
    }
  }

  async function send<T>(asked: Asked, accept: string, read: Reader<T>): Promise<T> {
    const proof = await before(credentials.current(), asked.signals)
    try {
      return await attempt(asked, accept, proof, read)
    } catch (error) {
      const renewed = error instanceof UnauthenticatedError ? await before(credentials.renew(proof), asked.signals) : null
      if (!renewed) throw error
      return attempt(asked, accept, renewed, read)
    }
  }

  return {
    call: (asked) =>
      send(asked, 'application/json', async (response, held) => {
        const answer = resultOf(await response.text(), response.status)
        held.release()
        return answer
      }),
    open: (asked) =>
      send(asked, 'text/event-stream', async (response, held, proof) => {
        if (!response.headers.get('content-type')?.startsWith('text/event-stream')) throw new NetworkError(notOurs, { status: response.status })
        held.stopClock()
        return { response, bound: held, renew: async () => (await before(credentials.renew(proof), asked.signals)) !== null }
      }),
  }
}

const notOurs = 'The answer is not one of Sluice: is the address right?'

async function jsonOf(response: Response): Promise<unknown> {
  try {
    return JSON.parse(await response.text())
  } catch {
    return null
  }
}

/** tRPC's envelope. A procedure without an answer has no `data`. */
function resultOf(text: string, status: number): unknown {
  const envelope = JSON.parse(text) as { result?: { data?: unknown } } | null
  if (!envelope?.result) throw new NetworkError(notOurs, { status })
  return envelope.result.data
}

/** What Node's fetch tells, as the cause of its error, of a request that never left. Browsers tell nothing. */
const neverSent = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT'])

export function lost(procedure: string, error: unknown): NetworkError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : ''
  const said = cause instanceof Error ? cause.message || code : String(cause)
  return new NetworkError(`${procedure} got no answer: ${said}`, { sent: !neverSent.has(code), cause: error })
}
