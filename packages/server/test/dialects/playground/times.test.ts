import { expect, test } from 'vitest'
import { instantAt, secondsOf } from '../../../src/dialects/playground/mapping/times.ts'

/** Times cross the wire as doubles, and come back as the very microsecond that they were. */

const textOf = (microseconds: number): string => `${new Date(Math.floor(microseconds / 1_000)).toISOString().slice(0, -1)}${String(microseconds % 1_000).padStart(3, '0')}Z`

const somewhere = (from: string, to: string): number => {
  const [first, last] = [Date.parse(from) * 1_000, Date.parse(to) * 1_000]
  return first + Math.floor(Math.random() * (last - first))
}

test('an instant is the same when it comes back, to the microsecond, for as long as a double keeps it', () => {
  for (let tried = 0; tried < 20_000; tried++) {
    const at = textOf(somewhere('1971-01-01T00:00:00Z', '2106-01-01T00:00:00Z'))
    const seconds = JSON.parse(JSON.stringify(secondsOf(at))) as number
    expect(instantAt(seconds), at).toBe(at)
  }
})

test('instants that follow each other stay in order, each after the one before', () => {
  const first = somewhere('2026-01-01T00:00:00Z', '2036-01-01T00:00:00Z')
  for (let at = first; at < first + 5_000; at++) expect(secondsOf(textOf(at + 1))).toBeGreaterThan(secondsOf(textOf(at)))
})

test('a time between two instants is after the first and before the second', () => {
  for (let tried = 0; tried < 5_000; tried++) {
    const at = somewhere('2001-01-01T00:00:00Z', '2004-01-01T00:00:00Z')
    const [one, other] = [secondsOf(textOf(at)), secondsOf(textOf(at + 1))]
    const between = one + (other - one) * Math.random()
    // As the client has it: what is no later than it was seen, what is later was not.
    expect(instantAt(between)).toBe(textOf(between >= other ? at + 1 : at))
  }
})

test('the words of the document, and times that nobody means', () => {
  expect(secondsOf('2009-02-13T23:31:30.000Z')).toBe(1_234_567_890)
  expect(secondsOf('2026-01-31T12:00:00.000001Z')).toBe(1_769_860_800.000_001)
  expect(instantAt(1_234_567_890)).toBe('2009-02-13T23:31:30.000000Z')
  for (const none of [0, -1, -Number.MAX_VALUE, -Number.MIN_VALUE]) expect(instantAt(none)).toBeUndefined()
  for (const late of [9_007_199_254.741, 253_402_300_800, 1e17, Number.MAX_VALUE]) expect(instantAt(late)).toBe('9999-12-31T23:59:59.999999Z')
  expect(instantAt(Number.MIN_VALUE)).toBe('1970-01-01T00:00:00.000000Z')
})
