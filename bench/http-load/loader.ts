import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Load } from '../contestant.ts'
import type { Answer, Order, Repeated } from './requests.ts'

export interface Loader {
  load(inFlight: number): Promise<Load>
  close(): Promise<void>
}

/** A process that sends requests: its CPU is not counted as the server's. */
export async function startLoader(request: Repeated): Promise<Loader> {
  const child = fork(fileURLToPath(new URL('sender.ts', import.meta.url)), { serialization: 'advanced' })
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()))

  /** Orders come one after another, and each is answered. */
  const order = (order: Order): Promise<number[]> =>
    new Promise((resolve, reject) => {
      const gone = () => reject(new Error('The process that makes the load has ended'))
      child.once('exit', gone)
      child.once('message', (answer: Answer) => {
        child.off('exit', gone)
        if ('failed' in answer) reject(new Error(answer.failed))
        else resolve(answer.taken ?? [])
      })
      child.send(order)
    })

  await order({ do: 'open', request })
  return {
    async load(inFlight) {
      await order({ do: 'load', inFlight })
      return { take: () => order({ do: 'take' }), stop: async () => void (await order({ do: 'stop' })) }
    },
    async close() {
      child.disconnect()
      await ended
    },
  }
}
