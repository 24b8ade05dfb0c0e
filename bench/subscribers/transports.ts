export interface Told {
  about: string
  /** Ours, and not that of tRPC. */
  native: boolean
  /** Rounds of the run's loop: as many as it takes some seconds to tell a thousand of. */
  times: number
}

/** How a run's events reach who follows it. */
export const transports = {
  sse: { about: 'the native stream, `GET /v1/runs/{id}/events`', native: true, times: 400 },
  socket: { about: 'the same over a plain WebSocket at that address, one for each subscriber', native: true, times: 400 },
  'trpc-socket': { about: "tRPC's WebSocket, one for each subscriber", native: false, times: 25 },
  'trpc-sse': { about: "tRPC's server-sent events", native: false, times: 25 },
} satisfies Record<string, Told>

export type Transport = keyof typeof transports
