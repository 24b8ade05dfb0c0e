// A process of its own: somebody who hears of runs that have completed.
import { type Heard, hear } from './hear.ts'
import type { Transport } from './transports.ts'

export type ListenerOrder = { do: 'listen'; transport: Transport; heard: Heard } | { do: 'tell' }

/** In milliseconds since 1970; the id where the transport says it. */
export interface Arrival {
  runId: string | null
  at: number
}

export type ListenerAnswer = { arrivals: Arrival[] } | { failed: string }

let arrivals: Arrival[] = []
const known = new Set<string>()

/** The first time that a run is said to have completed: as a record it may be told again. */
function completed(runId: string | null): void {
  if (runId !== null && known.has(runId)) return
  if (runId !== null) known.add(runId)
  arrivals.push({ runId, at: performance.timeOrigin + performance.now() })
}

async function carryOut(order: ListenerOrder): Promise<ListenerAnswer> {
  if (order.do === 'listen') await hear[order.transport](order.heard, completed)
  const told = arrivals
  if (order.do === 'tell') arrivals = []
  return { arrivals: told }
}

process.on('message', (order: ListenerOrder) => {
  carryOut(order)
    .catch((error: unknown): ListenerAnswer => ({ failed: String(error) }))
    .then((answer) => process.send!(answer))
    .catch(() => process.exit(1))
})
process.on('disconnect', () => process.exit(0))
