import { expect, test } from 'vitest'
import { idMaker, timeOf } from '../../src/store/ids.ts'
import { movedTime, msOf } from '../../src/testing/time.ts'

test('what is due in a leap happens in its order, once, and what was called off does not', () => {
  const time = movedTime(null)
  const happened: string[] = []
  time.after(3_000_000, () => happened.push('late'))
  time.after(1_000_000, () => happened.push('early'))
  const callOff = time.after(2_000_000, () => happened.push('never'))
  time.after(9_000_000, () => happened.push('later still'))
  callOff()
  expect(time.waiting).toBe(3)
  expect(Math.abs(time.next()! - Date.now() - 1_000_000)).toBeLessThan(5_000)
  time.leap(4_000_000)
  time.leap(1)
  expect(happened).toEqual(['early', 'late'])
  expect(time.ahead).toBe(4_000_001)
  time.leap(9_000_000)
  expect(happened).toEqual(['early', 'late', 'later still'])
  expect(time.next()).toBeNull()
})

test('a time begins where it is told to, and its ids are of it, and of nobody else', () => {
  const past = movedTime(Date.parse('2026-01-01T00:00:00Z'))
  const future = movedTime(null)
  future.leap(86_400_000)
  expect(new Date(past.now()).toISOString().slice(0, 15)).toBe('2026-01-01T00:0')
  const ids = [past.newId(), future.newId(), past.newId(), idMaker(() => Date.now())()]
  expect(timeOf(ids[0]!)).toBeLessThan(timeOf(ids[3]!))
  expect(timeOf(ids[1]!) - timeOf(ids[3]!)).toBeGreaterThan(86_000_000)
  expect(Math.abs(timeOf(ids[2]!) - past.now())).toBeLessThan(5_000)
  expect(ids[2]! > ids[0]!).toBe(true)
})

test('a span adds up what is given, and goes forwards', () => {
  expect(msOf({ days: 1, hours: 2, minutes: 3, seconds: 4, ms: 5 })).toBe(93_784_005)
  expect(msOf(1_500)).toBe(1_500)
  expect(msOf({ hours: 0.5 })).toBe(1_800_000)
  for (const wrong of [{ days: -1 }, { weeks: 1 }, Number.NaN, { hours: Infinity }]) expect(() => msOf(wrong as never)).toThrow(RangeError)
})
