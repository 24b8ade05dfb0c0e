import { expect, test } from 'vitest'
import { refereed } from '../../src/store/time.ts'

const hour = 3_600_000

test('the time of the engine is PostgreSQL’s where the two are further apart than clocks that are kept together', () => {
  let own = hour
  const { time, heard } = refereed(() => own)
  expect(time.now()).toBe(hour)
  // Set back: what PostgreSQL says now is an hour ahead of it.
  own = 5
  heard(hour + 5, 5)
  expect(time.now()).toBe(hour + 5)
  own += 20
  expect(time.now()).toBe(hour + 25)
  // Ahead.
  own = 2 * hour
  heard(hour + 30, 2 * hour - 10)
  expect(Math.abs(time.now() - hour - 30)).toBeLessThanOrEqual(10)
  // Put right.
  own = hour + 40
  heard(hour + 45, hour + 35)
  expect(time.now()).toBe(hour + 40)
})

test('an answer that took its time says nothing of the clock', () => {
  let own = 0
  const { time, heard } = refereed(() => own)
  own = 30_000
  for (const said of [0, 15_000, 30_000, 30_900]) {
    heard(said, 0)
    expect(time.now()).toBe(30_000)
  }
})
