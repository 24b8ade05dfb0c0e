/** How somebody hears of what happens in a workflow. */
export const transports = {
  'hear-native-sse': 'native server-sent events, `GET /v1/workflows/{id}/events`',
  'hear-native-socket': 'the same over a plain WebSocket',
  'hear-trpc-sse': "tRPC's `events.subscribe` over server-sent events",
  'hear-trpc-socket': 'the same over its WebSocket',
  'hear-orchestrator': "the Orchestrator's socket, `/ws/workflow/{id}/`",
  'hear-medusa': 'Medusa `GET /admin/workflows-executions/{id}/subscribe`',
  'hear-pocketbase': "PocketBase's realtime: records of `runs`",
} as const

export type Transport = keyof typeof transports
