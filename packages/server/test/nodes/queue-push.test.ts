import { expect, test } from 'vitest'
import { queuePush } from '../../src/nodes/library/queue-push.ts'
import { failure, run } from './asked.ts'

test('a push gives what it pushes: what comes in, or its value, also null', async () => {
  expect(await run(queuePush, { queue: 'orders' }, { input: { a: 1 } })).toEqual({ output: 1, push: [{ queue: 'orders', value: 1 }] })
  expect(await run(queuePush, { queue: 'orders', value: { n: 2 } }, { input: { a: 1 } })).toEqual({ output: { n: 2 }, push: [{ queue: 'orders', value: { n: 2 } }] })
  expect(await run(queuePush, { queue: 'orders', value: null }, { input: { a: 1 } })).toEqual({ output: null, push: [{ queue: 'orders', value: null }] })
})

test('without a queue it pushes into none: who it leads to reads what it gives', async () => {
  expect(await run(queuePush, {}, { input: { a: 1 } })).toEqual({ output: 1 })
  expect(await run(queuePush, { queue: '' }, { input: { a: 1 } })).toEqual({ output: 1 })
})

test('a name that no queue can have fails it for good', async () => {
  for (const queue of ['a b', 'ä', 'x'.repeat(101)]) expect(await failure(() => run(queuePush, { queue }, { input: {} }))).toMatchObject({ code: 'config_invalid', retry: false })
})
