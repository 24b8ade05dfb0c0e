// A process of its own: makes the load that loader.ts orders.
import { Pool } from 'undici'
import { keepInFlight, timed } from '../closed-loop.ts'
import type { Load } from '../contestant.ts'
import type { Answer, Order, Repeated } from './requests.ts'

let send: (() => Promise<void>) | undefined
let load: Load | undefined

function sending({ url, path, method, token, body, expect }: Repeated): () => Promise<void> {
  // A connection for each request in flight.
  const pool = new Pool(url, { connections: null, pipelining: 1, headersTimeout: 90_000, bodyTimeout: 90_000 })
  const headers = { authorization: `Bearer ${token}`, ...(body !== undefined && { 'content-type': 'application/json' }) }
  const paths = typeof path === 'string' ? [path] : path
  let sent = 0
  return async () => {
    const path = paths[sent++ % paths.length]!
    const { statusCode, body: answer } = await pool.request({ path, method, headers, body: body ?? null })
    const text = await answer.text()
    if (statusCode !== expect.statusCode || !text.includes(expect.text)) throw new Error(`${method} ${path}: ${statusCode} ${text.slice(0, 500)}`)
  }
}

async function follow(order: Order): Promise<Answer> {
  switch (order.do) {
    case 'open':
      send = sending(order.request)
      break
    case 'load':
      load = keepInFlight(timed(send!), order.inFlight)
      break
    case 'take':
      return { done: 'take', taken: await load!.take() }
    case 'stop':
      await load!.stop()
  }
  return { done: order.do }
}

const said = (error: unknown): string => (error instanceof Error ? `${error.message}${error.cause ? `: ${said(error.cause)}` : ''}` : String(error))

process.on('message', (order: Order) => {
  follow(order)
    .catch((error: unknown): Answer => ({ failed: said(error) }))
    .then((answer) => process.send!(answer))
    .catch(() => process.exit(1))
})
process.on('disconnect', () => process.exit(0))
