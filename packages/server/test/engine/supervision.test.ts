import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { supervise } from '../../src/engine/supervision.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A database that is there or away, and how often claims were looked at. */
function watched() {
  const seen = { looks: 0, away: false, errors: 0, claims: true }
  const anyClaims = async () => {
    if (seen.away) throw new Error('away')
    return seen.claims
  }
  const supervision = supervise({ anyClaims, look: async () => void seen.looks++, onError: () => void seen.errors++ })
  return { seen, supervision }
}

test('claims are looked at only when the database has answered for five seconds: the living have shown themselves by then', async () => {
  const { seen, supervision } = watched()
  await vi.advanceTimersByTimeAsync(4_500)
  expect(seen.looks).toBe(0)
  await vi.advanceTimersByTimeAsync(3_000)
  expect(seen.looks).toBe(3)

  seen.away = true
  await vi.advanceTimersByTimeAsync(20_000)
  expect([seen.looks, seen.errors]).toEqual([3, 20])
  seen.away = false
  await vi.advanceTimersByTimeAsync(4_000)
  expect(seen.looks).toBe(3)
  await vi.advanceTimersByTimeAsync(3_000)
  expect(seen.looks).toBeGreaterThan(3)
  await supervision.stop()
})

test('a process that was frozen itself waits too: all may have been', async () => {
  const { seen, supervision } = watched()
  await vi.advanceTimersByTimeAsync(6_500)
  const before = seen.looks
  expect(before).toBeGreaterThan(0)
  // The clock goes on, and nothing of ours does.
  vi.setSystemTime(Date.now() + 15_000)
  const now = performance.now()
  vi.spyOn(performance, 'now').mockImplementation(() => now + 15_000)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(seen.looks).toBe(before)
  await supervision.stop()
  vi.restoreAllMocks()
})

test('where nobody claims anything it is looked seldom, and at once when somebody does', async () => {
  const { seen, supervision } = watched()
  seen.claims = false
  await vi.advanceTimersByTimeAsync(36_500)
  expect(seen.looks).toBe(2)
  seen.claims = true
  await vi.advanceTimersByTimeAsync(3_000)
  expect(seen.looks).toBe(5)
  await supervision.stop()
})
