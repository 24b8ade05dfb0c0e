import { createHash, randomBytes } from 'node:crypto'

/**
 * Traces of requests, runs, steps and outgoing calls, in the terms of W3C Trace Context: a place in a trace is its
 * `traceparent`, a text, handed from one to the next as a value.
 *
 * T1. A span is told once it has ended, whole. A run's and a step's are told from committed turns, by whichever process
 *     commits them: their ids follow from the run's, so that what happens below them can name them before.
 * T2. Without an exporter an incoming trace is handed on as it came: whoever asked and whoever is asked stay in one trace.
 * T3. No failure of telling reaches who tells.
 */
export interface Traces {
  /** Whether spans go anywhere. */
  readonly isOn: boolean
  /** A place below the parent, or at the root of a new trace. Off: the parent. */
  below(parent: string | null): string | null
  /** The place that follows from the parent and a name, the same in every process. Off: the parent. */
  named(parent: string | null, name: string): string | null
  tell(span: Span): void
  /** Sends what was told, for up to so many milliseconds. */
  flush(ms: number): Promise<void>
  close(): Promise<void>
}

export type SpanKind = 'server' | 'internal' | 'client'
export type Attributes = Record<string, string | number | undefined>

export interface Span {
  name: string
  kind: SpanKind
  /** Its own place. Null: nobody traces, nothing is told. */
  at: string | null
  parent: string | null
  /** Milliseconds since 1970. */
  startedAt: number
  endedAt: number
  attributes: Attributes
  /** A code, when it failed; what an error says may hold what no trace should. */
  failed?: string
}

/** A traceparent laid open. */
export interface Place {
  traceId: string
  spanId: string
  sampled: boolean
}

/** Where spans go. */
export interface Exporter {
  /** Whether a trace that begins here is sampled. */
  samples(traceId: string): boolean
  send(span: Span, at: Place, parent: Place | null): void
  flush(ms: number): Promise<void>
  close(): Promise<void>
}

/** Nobody listens. */
export const untraced: Traces = {
  isOn: false,
  below: (parent) => parent,
  named: (parent) => parent,
  tell: () => {},
  flush: async () => {},
  close: async () => {},
}

export function createTraces(exporter: Exporter): Traces {
  const place = (parent: string | null, newTrace: () => string, spanId: string): string => {
    const above = placeOf(parent)
    const traceId = above?.traceId ?? newTrace()
    return traceparentOf({ traceId, spanId, sampled: above ? above.sampled : exporter.samples(traceId) })
  }
  return {
    isOn: true,
    below: (parent) => place(parent, () => randomBytes(16).toString('hex'), randomBytes(8).toString('hex')),
    named(parent, name) {
      const digest = createHash('sha256').update(name).digest('hex')
      return place(parent, () => digest.slice(16, 48), digest.slice(0, 16))
    },
    tell(span) {
      const at = placeOf(span.at)
      if (at?.sampled) exporter.send(span, at, placeOf(span.parent))
    },
    flush: (ms) => exporter.flush(ms),
    close: () => exporter.close(),
  }
}

const form = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/** What a traceparent says; null for one that says nothing. */
export function placeOf(traceparent: string | null | undefined): Place | null {
  const [, version, traceId, spanId, flags, more] = form.exec(traceparent ?? '') ?? []
  if (!version || !traceId || !spanId || !flags || version === 'ff' || (version === '00' && more)) return null
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return null
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

const traceparentOf = ({ traceId, spanId, sampled }: Place): string => `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`

/** An incoming header, as far as it can be handed on. */
export function incomingTraceparent(header: string | string[] | undefined): string | null {
  const place = typeof header === 'string' ? placeOf(header.trim()) : null
  return place && traceparentOf(place)
}
