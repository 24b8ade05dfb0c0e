import { type Backoff, delayAfter } from './backoff.ts'
import { NetworkError, SluiceError } from './errors.ts'
import { streamRefusalOf } from './refusal.ts'
import { createSseParser, type SseMessage, type SseParser } from './sse.ts'
import { lost, type Opened } from './transport.ts'
import { before, sleep } from './waiting.ts'

export interface Following<T> {
  procedure: string
  /** Connects, to get what comes after the cursor. */
  open(after: string | undefined): Promise<Opened>
  after: string | undefined
  /** Nothing comes after this one, whatever the connection says. */
  isLast(item: T): boolean
  retries: number
  backoff: Backoff
  signals: readonly (AbortSignal | undefined)[]
}

/** The server says something every 15 s: a connection that is silent for so long is dead, even if nobody told us. */
const silenceMs = 45_000
/** A server that has not come back within this is not waited for any longer. */
const patienceMs = 300_000

/**
 * The items of a subscription, each once and in order, over as many connections as it takes.
 *
 * 1. The cursor moves with each whole message, and with nothing else: what a cut leaves of a message is not read.
 * 2. Only the server's farewell, the last item or an error that will not pass ends it; a connection that merely ends was cut.
 * 3. An item is given out before the next is read: a slow consumer slows the server down, and holds one portion of bytes here.
 */
export async function* follow<T>({ procedure, open, after, isLast, retries, backoff, signals }: Following<T>): AsyncGenerator<T, void, undefined> {
  let cursor = after
  let failures = 0
  let patientUntil: number | null = null
  for (;;) {
    const parser = createSseParser()
    let opened: Opened | null = null
    let failure: SluiceError
    try {
      opened = await open(cursor)
      patientUntil ??= Date.now() + patienceMs
      for await (const { event, data, id } of messagesOf(opened, parser, procedure)) {
        if (id) cursor = id
        if (event === 'return') return
        if (event === 'serialized-error') throw streamRefusalOf(JSON.parse(data))
        // A greeting alone is no progress: it comes again with each connection.
        if (event === 'connected') continue
        failures = 0
        patientUntil = Date.now() + patienceMs
        if (event !== 'message') continue
        const item = JSON.parse(data) as T
        yield item
        if (isLast(item)) return
      }
      failure = new NetworkError(`${procedure} was cut`)
    } catch (error) {
      if (signals.some((signal) => signal?.aborted)) throw error
      failure = await passing(error, opened)
    }
    failures++
    // Before the first connection a wrong address is likelier than a restart.
    if (patientUntil === null ? failures > retries : Date.now() > patientUntil) throw failure
    await sleep(Math.max(parser.retryMs ?? 0, delayAfter(failures, backoff, failure.retryAfter)), signals)
  }
}

const passes = new Set<string>(['network', 'timeout', 'unavailable', 'rate_limited'])

/** The failure, when connecting again may help; throws what will not pass. A subscription is refused for its credential in the stream itself. */
async function passing(error: unknown, opened: Opened | null): Promise<SluiceError> {
  if (!(error instanceof SluiceError)) throw error
  if (passes.has(error.kind)) return error
  if (error.kind !== 'unauthenticated' || !opened) throw error
  const renewed = await opened.renew().catch((failed: unknown) => passing(failed, null))
  if (renewed === false) throw error
  return error
}

/** The messages of one connection, which is given up when its reader leaves or it falls silent. */
async function* messagesOf({ response, bound }: Opened, parser: SseParser, procedure: string): AsyncGenerator<SseMessage, void, undefined> {
  const reader = response.body?.getReader()
  try {
    while (reader) {
      const silence = setTimeout(() => bound.abort(new NetworkError(`${procedure} fell silent`)), silenceMs)
      const { done, value } = await before(reader.read(), [bound.signal]).finally(() => clearTimeout(silence))
      if (done) return
      yield* parser.push(value)
    }
  } catch (error) {
    throw bound.signal.aborted ? bound.signal.reason : lost(procedure, error)
  } finally {
    bound.release()
    bound.abort(new NetworkError(`${procedure} was left`))
    reader?.cancel().catch(() => {})
  }
}
