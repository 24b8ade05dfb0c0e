import type { Transport } from './transports.ts'

/** Where to subscribe, and as whom: the tokens go round. */
export interface Stream {
  transport: Transport
  url: string
  tokens: readonly string[]
  runId: string
}

/** To the process of the subscribers. */
export type Order = { do: 'open'; stream: Stream; subscribers: number } | { do: 'count'; until: number; withinMs: number }

/** Deliveries to all of them so far, and the moment of the last one in milliseconds since 1970. */
export type Answer = { delivered: number; lastAt: number } | { failed: string }
