/** How a run's events reach who follows it. */
export const transports = {
  sse: 'the native stream, `GET /v1/runs/{id}/events`',
  'trpc-socket': "tRPC's WebSocket, one for each subscriber",
  'trpc-sse': "tRPC's server-sent events",
}

export type Transport = keyof typeof transports
