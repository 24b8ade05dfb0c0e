import type { Agent } from 'undici'
import { orAborted } from './aborted.ts'
import { allowListOf, hostOf } from './allow-list.ts'
import { guardedConnector, systemLookup } from './connector.ts'
import type { BuildConnector, Connector, Lookup } from './connector.ts'
import { OutsideError, asOutsideError } from './error.ts'
import { follow } from './exchange.ts'
import type { Answer } from './exchange.ts'
import { hopOf } from './request.ts'
import type { HopInput } from './request.ts'
import { openStream } from './stream.ts'
import type { StreamRequest, StreamedAnswer } from './stream.ts'
import { watch } from './watch.ts'
import type { Watchers } from './watch.ts'

/**
 * The only outgoing HTTP of the server.
 * O1. A connection is opened only to an address that is public, or whose host an operator opened; on every hop.
 * O2. The address that was checked is the address that is connected to.
 * O3. An exchange ends: within `timeoutMs`, name lookup, redirects and a slow body included, and under `maxBytes` after decompression.
 * O4. Credentials stay with the origin they were meant for.
 * O5. No error repeats what was sent: of the request it names the host alone.
 */
export interface Outside {
  /** Throws an OutsideError; the reason of `signal` when that was what ended it. A status is never an error here. */
  request(input: OutsideRequest): Promise<OutsideAnswer>
  /** The same for an answer that is read while it comes; its body throws as this does. */
  open(input: StreamRequest): Promise<StreamedAnswer>
  /** Ends all exchanges and connections. */
  close(): Promise<void>
}

export interface OutsideRequest extends HopInput {
  /** Of the whole exchange; 30,000 unless set. */
  timeoutMs?: number
  /** Of the body, decompressed; 2 MiB unless set. */
  maxBytes?: number
  /** 5 unless set; with 0 a redirect is given back as it came, not followed. */
  maxRedirects?: number
  signal?: AbortSignal
}

export interface OutsideAnswer extends Answer {
  /** With two decimals. */
  durationMs: number
}

export interface OutsideOptions {
  /** Private hosts that may be reached all the same: `host` or `host:port`. */
  allow: readonly string[]
  /** Resolves names; the system's resolver unless given. */
  lookup?: Lookup
  /** Unset: nobody looks. */
  watchers?: Watchers
}

const defaults = { timeoutMs: 30_000, maxBytes: 2 * 1024 * 1024, maxRedirects: 5 }

export function createOutside(options: OutsideOptions): Outside {
  const allowed = allowListOf(options.allow)
  let client: Promise<Agent> | undefined
  // Loaded when something is first asked for: a server that asks nobody is spared 30 MB.
  const agent = () => (client ??= agentThrough((build) => guardedConnector(build, allowed, options.lookup ?? systemLookup)))
  const { watchers } = options
  const watched = <I extends HopInput, A extends { status: number }>(input: I, send: (input: I) => Promise<A>): Promise<A> =>
    watchers ? watch(input, send, watchers) : send(input)
  return {
    request: (input) => watched(input, async (asked) => exchange(await agent(), asked)),
    open: (input) => watched(input, async (asked) => openStream(await agent(), asked)),
    close: async () => (await client)?.destroy(),
  }
}

async function agentThrough(connector: (build: BuildConnector) => Connector): Promise<Agent> {
  const { Agent: Client, buildConnector } = await import('undici')
  // The client's own time-outs are off: ours covers the exchange as a whole.
  return new Client({ connect: connector(buildConnector), allowH2: false, pipelining: 1, connections: 64, headersTimeout: 0, bodyTimeout: 0 })
}

async function exchange(agent: Agent, input: OutsideRequest): Promise<OutsideAnswer> {
  const first = hopOf(input)
  const { timeoutMs = defaults.timeoutMs, maxBytes = defaults.maxBytes, maxRedirects = defaults.maxRedirects } = input
  const started = performance.now()
  const timeUp = AbortSignal.timeout(timeoutMs)
  const signal = input.signal ? AbortSignal.any([input.signal, timeUp]) : timeUp
  try {
    const answer = await orAborted(follow(agent, first, { maxBytes, maxRedirects, signal }), signal)
    return { ...answer, durationMs: Math.round((performance.now() - started) * 100) / 100 }
  } catch (error) {
    input.signal?.throwIfAborted()
    if (timeUp.aborted) throw new OutsideError('timed_out', `no whole answer from ${hostOf(first.url)} within ${timeoutMs} ms`)
    throw asOutsideError(error, hostOf(first.url))
  }
}
