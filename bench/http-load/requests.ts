/** One request, sent again and again over connections that are kept. */
export interface Repeated {
  url: string
  /** Of several, each in its turn. */
  path: string | readonly string[]
  method: 'GET' | 'POST' | 'PATCH'
  token: string
  body?: string
  /** What each answer has to be. */
  expect: { statusCode: number; text: string }
}

/** To the process that makes the load. */
export type Order = { do: 'open'; request: Repeated } | { do: 'load'; inFlight: number } | { do: 'take' } | { do: 'stop' }

/** What it answers each order with; `taken` are milliseconds. */
export type Answer = { done: Order['do']; taken?: number[] } | { failed: string }
