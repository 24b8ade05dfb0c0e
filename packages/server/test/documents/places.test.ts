import { expect, it } from 'vitest'
import { createPlaces } from '../../src/documents/places.ts'

const never = new AbortController().signal

/** Work that goes on until it is told to end. */
function work() {
  const started = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<void>()
  return { started: started.promise, end: () => ended.resolve(), do: () => (started.resolve(), ended.promise) }
}

it('does so much at once and no more, in the order in which it was asked', async () => {
  const places = createPlaces(2)
  let [now, most] = [0, 0]
  const order: number[] = []
  await Promise.all(
    Array.from({ length: 20 }, (_, at) =>
      places.with(never, async () => {
        order.push(at)
        most = Math.max(most, ++now)
        await new Promise((resolve) => setTimeout(resolve, 1))
        now--
      }),
    ),
  )
  expect(most).toBe(2)
  expect(order).toEqual(Array.from({ length: 20 }, (_, at) => at))
})

it('gives the place of work that failed, or that nobody waits for any more, to the next', async () => {
  const places = createPlaces(1)
  const [first, stop] = [work(), new AbortController()]
  const failing = places.with(never, async () => {
    await first.do()
    throw new Error('failed')
  })
  const leaving = places.with(stop.signal, () => Promise.resolve('left'))
  const last = places.with(never, () => Promise.resolve('last'))
  await first.started
  stop.abort(new Error('stopped'))
  await expect(leaving).rejects.toThrow('stopped')
  first.end()
  await expect(failing).rejects.toThrow('failed')
  expect(await last).toBe('last')
  expect(await places.with(never, () => Promise.resolve('again'))).toBe('again')
})
