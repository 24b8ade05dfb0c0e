// A process of its own: everybody who follows the run.
import { setTimeout as sleep } from 'node:timers/promises'
import { type Subscriber, follow } from './follow.ts'
import type { Answer, Order, Stream } from './orders.ts'

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

let opened = 0

function subscriberOf({ tokens, ...stream }: Stream): Subscriber {
  return { ...stream, token: tokens[opened++ % tokens.length]! }
}

async function carryOut(order: Order): Promise<Answer> {
  if (order.do === 'open') {
    for (let begun = 0; begun < order.subscribers; begun += atOnce) {
      const next = Math.min(atOnce, order.subscribers - begun)
      await Promise.all(Array.from({ length: next }, () => follow[order.stream.transport](subscriberOf(order.stream), came)))
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
