import { type Backoff, delayAfter } from './backoff.ts'
import { NetworkError, NotFoundError, SluiceError } from './errors.ts'
import { type Listing, listing } from './listing.ts'
import type { CallOptions } from './options.ts'
import { follow } from './stream.ts'
import type { Asked, Moved, Transport } from './transport.ts'
import { sleep } from './waiting.ts'

/** How a call is sent, beyond what callers may say. */
export interface Sending extends CallOptions {
  /** What the call asks the server to wait: the attempt may take so much longer. */
  waitMs?: number | undefined
}

/** What the nouns are made of. Each verb names a procedure and says what is safe with it. */
export interface Calls {
  /** Changes nothing. */
  read<T>(procedure: string, input?: unknown, options?: Sending): Promise<T>
  /** Changes nothing, page by page; the filter may begin at a cursor. */
  list<T>(procedure: string, filter?: object, options?: CallOptions): Listing<T>
  /** Twice is not the same as once: it is sent again only when it surely was not carried out. */
  write<T>(procedure: string, input?: unknown, options?: Sending): Promise<T>
  /** Twice is the same as once, by its nature or by its idempotency key. */
  repeat<T>(procedure: string, input?: unknown, options?: Sending): Promise<T>
  /** Twice is the same as once, but for the second finding nothing: then the first has done it. */
  remove(procedure: string, input?: unknown, options?: Sending): Promise<void>
  /** Bytes, by the REST twin of a procedure. A GET changes nothing; anything else is sent again only when it surely was not carried out. */
  bytes(procedure: string, moved: Omit<Moved, 'procedure' | 'timeoutMs' | 'signals'>, options?: CallOptions): Promise<Response>
  /** A subscription from after a cursor on. */
  follow<T>(procedure: string, input: object, how?: FollowOptions<T>): AsyncGenerator<T, void, undefined>
}

export interface FollowOptions<T> extends CallOptions {
  after?: string | undefined
  isLast?: (item: T) => boolean
}

export interface CallDefaults {
  timeoutMs: number
  retries: number
  backoff: Backoff
  signal: AbortSignal | undefined
}

/** Asked to come again later than this, a call tells its caller instead. */
const longestRetryAfter = 60

type Safety = 'read' | 'write' | 'repeat' | 'remove'

export function createCalls(transport: Transport, defaults: CallDefaults): Calls {
  const { backoff } = defaults

  const call = (procedure: string, safety: Safety, input: unknown, options?: Sending): Promise<unknown> =>
    repeating(safety, options, (timing) => transport.call({ procedure, method: safety === 'read' ? 'GET' : 'POST', input, ...timing }))

  async function repeating<T>(safety: Safety, options: Sending | undefined, attempt: (timing: Pick<Asked, 'timeoutMs' | 'signals'>) => Promise<T>): Promise<T | undefined> {
    const { signal, timeoutMs = defaults.timeoutMs, retries = defaults.retries, waitMs = 0 } = options ?? {}
    const signals = [signal, defaults.signal]
    let unsure = false
    for (let failures = 1; ; failures++) {
      try {
        return await attempt({ timeoutMs: timeoutMs + waitMs, signals })
      } catch (error) {
        if (safety === 'remove' && unsure && error instanceof NotFoundError) return undefined
        if (failures > retries || signals.some((each) => each?.aborted) || !mayRepeat(error, safety)) throw error
        unsure ||= !wasNotDone(error)
        await sleep(delayAfter(failures, backoff, error.retryAfter), signals)
      }
    }
  }

  const read = <T>(procedure: string, input?: unknown, options?: Sending) => call(procedure, 'read', input, options) as Promise<T>

  return {
    read,
    list: <T>(procedure: string, filter: object = {}, options?: CallOptions) =>
      // An offset says where the first page begins; from there on the cursor does.
      listing<T>((cursor) => read(procedure, { ...filter, ...(cursor !== undefined && { cursor, offset: undefined }) }, options)),
    write: <T>(procedure: string, input?: unknown, options?: Sending) => call(procedure, 'write', input, options) as Promise<T>,
    repeat: <T>(procedure: string, input?: unknown, options?: Sending) => call(procedure, 'repeat', input, options) as Promise<T>,
    remove: (procedure, input, options) => call(procedure, 'remove', input, options) as Promise<void>,
    bytes: async (procedure, moved, options) =>
      (await repeating(moved.method === 'GET' ? 'read' : 'write', options, (timing) => transport.move({ procedure, ...moved, ...timing })))!,
    follow<T>(procedure: string, input: object, { after, isLast = () => false, signal, timeoutMs = defaults.timeoutMs, retries = defaults.retries }: FollowOptions<T> = {}) {
      const signals = [signal, defaults.signal]
      const open = (cursor: string | undefined) =>
        transport.open({ procedure, method: 'GET', input: { ...input, ...(cursor !== undefined && { after: cursor }) }, timeoutMs, signals })
      return follow<T>({ procedure, open, after, isLast, retries, backoff, signals })
    },
  }
}

/** Refused before anything was begun, or never sent. */
const wasNotDone = (error: SluiceError): boolean => error.kind === 'rate_limited' || (error instanceof NetworkError && !error.sent)

function mayRepeat(error: unknown, safety: Safety): error is SluiceError {
  if (!(error instanceof SluiceError) || (error.retryAfter ?? 0) > longestRetryAfter) return false
  if (wasNotDone(error)) return true
  const mayPass = error.kind === 'network' || error.kind === 'timeout' || error.kind === 'unavailable'
  return mayPass && safety !== 'write'
}
