// A process of its own: everybody who follows the run.
import { setTimeout as sleep } from 'node:timers/promises'
import { follow } from './follow.ts'
import type { Answer, Order } from './orders.ts'

/** Opened at the same time. */
const atOnce = 50
const lookMs = 10

let delivered = 0
let lastAt = 0

function came(events: number): void {
  if (events === 0) return
  delivered += events
  lastAt = performance.timeOrigin + performance.now()
}

async function carryOut(order: Order): Promise<Answer> {
  if (order.do === 'open') {
    for (let opened = 0; opened < order.subscribers; opened += atOnce) {
      const next = Math.min(atOnce, order.subscribers - opened)
      await Promise.all(Array.from({ length: next }, () => follow[order.stream.transport](order.stream, came)))
    }
  } else {
    const end = performance.now() + order.withinMs
    while (delivered < order.until && performance.now() < end) await sleep(lookMs)
  }
  return { delivered, lastAt }
}

process.on('message', (order: Order) => {
  carryOut(order)
    .catch((error: unknown): Answer => ({ failed: String(error) }))
    .then((answer) => process.send!(answer))
    .catch(() => process.exit(1))
})
process.on('disconnect', () => process.exit(0))
