import { defineWorkflow, done } from '@sluice/server'
import { startTesting } from '@sluice/server/testing'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { eventually } from '../support/processes.ts'

test('a step that leaves nothing for its undoing leaves nothing, also where another worker undoes it', async () => {
  const undone: unknown[] = []
  const order = defineWorkflow('order', (w) => {
    w.step('charge', { invoke: () => done({ id: 'ch_1' }, null), compensate: (left) => void undone.push(left) })
    w.step('note', { invoke: () => done({ id: 'n_1' }, undefined), compensate: (left) => void undone.push(left) })
    w.step('pack', { invoke: () => done({ id: 'p_1' }, { box: 7 }), compensate: (left) => void undone.push(left) })
    // The run is let go of meanwhile, and read anew.
    w.sleep('rest', 1_000)
    w.step('fail', { invoke: () => Promise.reject(new Error('no')) })
  })
  await using sluice = await startTesting({ workflows: [order] })
  const run = await sluice.start(order)
  await sluice.skip({ seconds: 2 })
  expect(await run.get()).toMatchObject({ status: 'compensated' })
  expect(undone).toEqual([{ box: 7 }, undefined, undefined])
})

test('a step is undone when none of its attempts is at it any more, also an early one that was given up and does not stop', async () => {
  const done: string[] = []
  const order = defineWorkflow('order', (w) => {
    w.step('charge', {
      timeoutMs: 200,
      // Between the two the run is let go of.
      retry: { attempts: 2, everyMs: 200 },
      invoke: async (_, { attempt }) => {
        if (attempt > 1) throw new Error('no')
        await sleep(2_500)
        done.push('charged')
      },
      compensate: () => void done.push('undone'),
    })
  })
  await using sluice = await startTesting({ workflows: [order] })
  const run = await sluice.start(order)
  await eventually('the run has ended', async () => (await run.get()).endedAt !== null, 20_000)
  expect(await run.get()).toMatchObject({ status: 'compensated' })
  expect(done).toEqual(['charged', 'undone'])
})
