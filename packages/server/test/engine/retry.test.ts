import fc from 'fast-check'
import { expect, test } from 'vitest'
import { retryDelay } from '../../src/engine/retry.ts'

const plain = { maxAttempts: 5, backoffMs: 100, factor: 2, jitter: 0, manual: false }

test('delay n is backoffMs · factor^(n-1); after the last attempt there is none', () => {
  expect([1, 2, 3, 4, 5].map((failures) => retryDelay(plain, failures, 0.5))).toEqual([100, 200, 400, 800, null])
  expect(retryDelay({ ...plain, maxAttempts: 1 }, 1, 0.5)).toBeNull()
})

test('who asks for more time has it, up to a day', () => {
  expect([1, 2, 3, 4].map((failures) => retryDelay(plain, failures, 0.5, 300))).toEqual([300, 300, 400, 800])
  expect(retryDelay({ ...plain, backoffMs: 0 }, 1, 0.5, 300)).toBe(300)
  expect(retryDelay(plain, 1, 0.5, 1e12)).toBe(86_400_000)
  expect(retryDelay(plain, 5, 0.5, 300)).toBeNull()
})

test('where it is to be asked for there is none, until the last attempt was', () => {
  expect([1, 4, 5].map((failures) => retryDelay({ ...plain, manual: true }, failures, 0.5))).toEqual(['asked', 'asked', null])
})

test('jitter spreads it both ways', () => {
  expect([0, 0.5, 1].map((draw) => retryDelay({ ...plain, jitter: 0.2 }, 1, draw))).toEqual([80, 100, 120])
})

test('whatever the settings, a delay is a whole number of milliseconds of at most a day', () => {
  const settings = fc.record({
    maxAttempts: fc.constant(1_000),
    backoffMs: fc.oneof(fc.constant(0), fc.nat(86_400_000)),
    factor: fc.double({ min: 1, max: 100, noNaN: true }),
    jitter: fc.double({ min: 0, max: 1, noNaN: true }),
    manual: fc.constant(false),
  })
  fc.assert(
    fc.property(settings, fc.integer({ min: 1, max: 999 }), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (retry, failures, draw) => {
      const delay = retryDelay(retry, failures, draw)!
      expect(Number.isInteger(delay)).toBe(true)
      expect(delay).toBeGreaterThanOrEqual(0)
      expect(delay).toBeLessThanOrEqual(86_400_000)
    }),
  )
})
