import { httpLink } from '@trpc/client/links/httpLink'
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

/** A request of the REST API: for bytes, which tRPC has no room for. */
export interface Moved extends Pick<Asked, 'procedure' | 'timeoutMs' | 'signals'> {
  method: 'GET' | 'POST' | 'PUT'
  /** `/v1/files`, with its query. */
  path: string
  accept: string
  body?: Blob | ArrayBuffer | Uint8Array<ArrayBuffer>
  /** As the header has it. */
  range?: string
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
  /** A 2xx whose body is still to be read; the signals end that, too. */
  move(asked: Moved): Promise<Response>
}

export interface TransportOptions {
  url: string | URL
  credentials: Credentials
  fetch: typeof fetch
}

type Timed = Pick<Asked, 'procedure' | 'timeoutMs' | 'signals'>
type Work<T> = (proof: Proof, bound: Bound) => Promise<T>

/**
 * Calls go over tRPC's `httpLink`, each in a request of its own: a batch would share one time-out, one signal and one
 * credential, and its members count for the limits all the same. Streams are read by us, because tRPC's subscriptions
 * connect again by rules of their own.
 */
export function createTransport({ url, credentials, fetch }: TransportOptions): Transport {
  const root = new URL(url).href.replace(/[?#].*$/, '').replace(/\/+$/, '')
  const endpoint = `${root}/trpc`
  const request = requestBy(fetch)
  const exchange = linkTo(endpoint, request)

  async function attempt<T>({ procedure, timeoutMs, signals }: Timed, proof: Proof, work: Work<T>): Promise<T> {
    const held = bound(signals, timeoutMs, procedure)
    try {
      held.signal.throwIfAborted()
      // A fetch of the caller's may not know of signals.
      return await before(work(proof, held), [held.signal])
    } catch (error) {
      held.release()
      const thrown: unknown = held.signal.aborted ? held.signal.reason : error instanceof SluiceError ? error : lost(procedure, error)
      held.abort(thrown)
      throw thrown
    }
  }

  async function send<T>(asked: Timed, work: Work<T>): Promise<T> {
    const proof = await before(credentials.current(), asked.signals)
    try {
      return await attempt(asked, proof, work)
    } catch (error) {
      const renewed = error instanceof UnauthenticatedError ? await before(credentials.renew(proof), asked.signals) : null
      if (!renewed) throw error
      return attempt(asked, renewed, work)
    }
  }

  return {
    call: (asked) =>
      send(asked, async (proof, held) => {
        const answer = await exchange(asked, proof, held.signal)
        held.release()
        return answer
      }),
    open: (asked) =>
      send(asked, async (proof, held) => {
        const query = asked.input === undefined ? '' : `?input=${encodeURIComponent(JSON.stringify(asked.input))}`
        const headers = { accept: 'text/event-stream', ...proof }
        const response = await request(`${endpoint}/${asked.procedure}${query}`, { method: 'GET', headers, signal: held.signal })
        held.stopClock()
        return { response, bound: held, renew: async () => (await before(credentials.renew(proof), asked.signals)) !== null }
      }),
    move: (asked) =>
      send(asked, async (proof, held) => {
        const { method, path, accept, body, range } = asked
        const headers = { accept, ...proof, ...(body && { 'content-type': 'application/octet-stream' }), ...(range !== undefined && { range }) }
        const response = await request(root + path, { method, headers, signal: held.signal, ...(body && { body }) })
        held.stopClock()
        return releasing(response, held)
      }),
  }
}

type Request = (address: string, init: Asking) => Promise<Response>
type Asking = RequestInit & { headers: { accept: string } & Proof }

/** A 2xx of what was asked for; anything else is thrown as the error that it tells of. */
function requestBy(fetch: TransportOptions['fetch']): Request {
  return async (address, init) => {
    // A key goes to the server it was given for, and not where that may lead.
    const response = await fetch(address, { ...init, redirect: 'error' })
    if (!response.ok) throw refusalOf(response.status, response.headers, await response.json().catch(() => null))
    if (init.headers.accept !== '*/*' && !response.headers.get('content-type')?.startsWith(init.headers.accept)) throw new NetworkError(notOurs, { status: response.status })
    return response
  }
}

/** The same answer, which lets go of its bound when its body is at its end. */
function releasing(response: Response, held: Bound): Response {
  const { body, status, statusText, headers } = response
  if (!body) {
    held.release()
    return response
  }
  const reader = body.getReader()
  const kept = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read()
        if (!done) return controller.enqueue(value)
        held.release()
        controller.close()
      } catch (error) {
        held.release()
        controller.error(error)
      }
    },
    async cancel(reason) {
      held.release()
      await reader.cancel(reason)
    },
  })
  return new Response(kept, { status, statusText, headers })
}

type Exchange = (asked: Asked, proof: Proof, signal: AbortSignal) => Promise<unknown>

/** One call, one request, and the value that it is answered with. */
function linkTo(url: string, request: Request): Exchange {
  const accept = 'application/json'
  const link = httpLink({
    url,
    headers: ({ op }) => ({ ...(op.context as Proof), accept }),
    fetch: (address, init) => request(address as string, init as Asking),
  })({})
  return ({ procedure, method, input }, proof, signal) =>
    new Promise((resolve, reject) => {
      const op = { id: 0, type: method === 'GET' ? 'query' : 'mutation', path: procedure, input, context: proof, signal } as const
      link({ op, next: never }).subscribe({
        next: ({ result }) => resolve('data' in result ? result.data : undefined),
        // There is a `meta` only of an answer that was read, and then was not tRPC's; else the cause is what `request` threw.
        error: ({ meta, cause }) => reject(meta ? new NetworkError(notOurs, { status: (meta['response'] as Response).status }) : cause),
      })
    })
}

/** The link is the last of its chain. */
const never = (): never => {
  throw new Error('There is no link after this one')
}

const notOurs = 'The answer is not one of Sluice: is the address right?'

/** What Node's fetch tells, as the cause of its error, of a request that never left. Browsers tell nothing. */
const neverSent = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT'])

export function lost(procedure: string, error: unknown): NetworkError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : ''
  const said = cause instanceof Error ? cause.message || code : String(cause)
  return new NetworkError(`${procedure} got no answer: ${said}`, { sent: !neverSent.has(code), cause: error })
}
