import { expect, test } from 'vitest'
import { createWaiting } from '../../src/engine/waiting.ts'

/** Runs that the worker of this process has, as the database knows them. */
function setup(is: { ended: boolean; parked: boolean; paused?: boolean }) {
  const standing = { paused: false, ...is }
  let asked = 0
  const nobody = (): never => expect.unreachable()
  const query = async () => {
    asked++
    return [standing] as never[]
  }
  const { waitFor } = createWaiting({
    database: { url: '', query, transaction: nobody, dedicated: nobody, connections: nobody, close: nobody },
    doorbell: { ring: nobody, on: () => () => {}, close: nobody },
    holds: () => true,
  })
  return { waitFor, asked: () => asked }
}

test('who waits for rest is told of a run that has come to it already, though its worker has it still', async () => {
  const { waitFor } = setup({ ended: false, parked: true })
  const before = performance.now()
  await waitFor('run', 'parked', 60_000)
  expect(performance.now() - before).toBeLessThan(5_000)
})

test('who waits for the end of a run that the worker of this process has asks nobody', async () => {
  const { waitFor, asked } = setup({ ended: false, parked: true })
  await waitFor('run', 'finished', 50)
  expect(asked()).toBe(0)
})
