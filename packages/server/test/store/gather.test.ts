import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createGather } from '../../src/store/gather.ts'

function setup(most = 10, fail?: () => Error | undefined) {
  const reads: (readonly string[])[] = []
  let version = 0
  const get = createGather<string>(most, async (keys) => {
    reads.push(keys)
    const read = ++version
    await turn()
    const error = fail?.()
    if (error) throw error
    return new Map(keys.filter((key) => key !== 'missing').map((key) => [key, `${key} as of read ${read}`]))
  })
  return { get, reads }
}

test('what is asked for in one turn is read together, each key once', async () => {
  const { get, reads } = setup()
  expect(await Promise.all(['a', 'b', 'a', 'missing'].map(get))).toEqual(['a as of read 1', 'b as of read 1', 'a as of read 1', undefined])
  expect(reads).toEqual([['a', 'b', 'missing']])
})

test('so many at a time, and all are answered', async () => {
  const { get, reads } = setup(2)
  const values = await Promise.all(['a', 'b', 'c', 'd', 'e'].map(get))
  expect(values.map((value) => value?.[0])).toEqual(['a', 'b', 'c', 'd', 'e'])
  expect(reads).toEqual([['a', 'b'], ['c', 'd'], ['e']])
})

test('what is asked for while it is read is read anew: nobody is told what was before they asked', async () => {
  const { get, reads } = setup()
  const first = get('a')
  while (reads.length === 0) await turn()
  const second = get('a')
  expect(await first).toBe('a as of read 1')
  expect(await second).toBe('a as of read 2')
})

test('a failure is told to all who asked, and to nobody after them', async () => {
  let error: Error | undefined = new Error('away')
  const { get } = setup(10, () => error)
  expect(await Promise.allSettled([get('a'), get('b')])).toMatchObject([{ reason: { message: 'away' } }, { reason: { message: 'away' } }])
  error = undefined
  expect(await get('a')).toBe('a as of read 2')
})
