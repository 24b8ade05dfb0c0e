import { expect, test } from 'vitest'
import { inBatches } from '../../src/engine/batches.ts'

interface Item {
  key: string
  weight: number
}

/** What went together, as the weights. */
function setup() {
  const together: number[][] = []
  const ask = inBatches<Item, string>({
    lanes: 1,
    keyOf: ({ key }) => key,
    weightOf: ({ weight }) => weight,
    async work(items) {
      together.push(items.map(({ weight }) => weight))
      return items.map(({ key, weight }) => `${key}${weight}`)
    },
  })
  return { together, ask: (key: string, weight: number) => ask({ key, weight }) }
}

test('what is asked for at once goes together up to a weight, and what is heavier alone', async () => {
  const { together, ask } = setup()
  const answers = await Promise.all([ask('a', 3_000_000), ask('b', 999_999), ask('c', 2), ask('d', 9_000_000), ask('e', 1)])
  expect(together).toEqual([[3_000_000, 999_999], [2], [9_000_000], [1]])
  expect(answers).toEqual(['a3000000', 'b999999', 'c2', 'd9000000', 'e1'])
})

test('of those with the same key one goes at a time, in their order', async () => {
  const { together, ask } = setup()
  await Promise.all([ask('a', 1), ask('a', 2), ask('b', 3), ask('a', 4)])
  expect(together).toEqual([[1, 3], [2], [4]])
})

test('no more than 256 go together, and all are answered', async () => {
  const { together, ask } = setup()
  const answers = await Promise.all(Array.from({ length: 600 }, (_, at) => ask(`k${at}`, 1)))
  expect([together.map((batch) => batch.length), new Set(answers).size]).toEqual([[256, 256, 88], 600])
})
