import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Doorbell } from '../../src/events/doorbell.ts'
import { createLookout, type LookoutParts } from '../../src/events/lookout.ts'
import { Outage } from '../../src/store/database.ts'
import { createLog } from '../../src/telemetry.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A lookout with a doorbell at hand; `looks` are the times of its looks. */
function looking(look: LookoutParts['look'] = async () => false) {
  const listeners = new Set<() => void>()
  const doorbell: Doorbell = {
    ring: () => {
      for (const listener of listeners) listener()
    },
    on: (_topic, listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    close: async () => {},
  }
  const begun = Date.now()
  const looks: number[] = []
  const lines: string[] = []
  const lookout = createLookout({
    name: 'test',
    doorbell,
    topic: 'sources',
    everyMs: 2_000,
    log: createLog({ level: 'info', write: (line) => void lines.push(line) }),
    look: (signal) => {
      looks.push(Date.now() - begun)
      return look(signal)
    },
  })
  return { lookout, looks, lines, listeners, ring: () => doorbell.ring({ sources: true }) }
}

test('a look follows a ring at once, and comes by itself every two seconds or so', async () => {
  const { lookout, looks, ring } = looking()
  lookout.start()
  await vi.advanceTimersByTimeAsync(500)
  expect(looks).toEqual([0])
  ring()
  await vi.advanceTimersByTimeAsync(0)
  expect(looks).toEqual([0, 500])
  await vi.advanceTimersByTimeAsync(2_500)
  expect(looks).toHaveLength(3)
  expect(looks[2]! - 500).toBeGreaterThanOrEqual(1_500)
  await lookout.stop()
})

test('a ring in the middle of a look is not lost: another look follows, one for many rings', async () => {
  let end = (): void => {}
  const { lookout, looks, ring } = looking(() => new Promise((resolve) => (end = () => resolve(false))))
  lookout.start()
  ring()
  ring()
  end()
  await vi.advanceTimersByTimeAsync(100)
  expect(looks).toHaveLength(2)
  end()
  await vi.advanceTimersByTimeAsync(1_000)
  expect(looks).toHaveLength(2)
  const stopped = lookout.stop()
  await stopped
})

test('as long as there is more, it looks again at once; what goes wrong is told and ends nothing, an outage but quietly', async () => {
  const outcomes = [true, true, new TypeError('a bug'), new Outage('away'), false]
  const { lookout, looks, lines } = looking(async () => {
    const outcome = outcomes.shift() ?? false
    if (outcome instanceof Error) throw outcome
    return outcome
  })
  lookout.start()
  await vi.advanceTimersByTimeAsync(0)
  expect(looks).toEqual([0, 0, 0])
  await vi.advanceTimersByTimeAsync(2_500)
  expect(looks).toHaveLength(4)
  await vi.advanceTimersByTimeAsync(2_500)
  expect(looks).toHaveLength(5)
  expect(lines.filter((line) => line.includes('a bug'))).toHaveLength(1)
  expect(lines).toHaveLength(1)
  await lookout.stop()
})

test('it stops when the look under way has ended, which is told to end; then nothing wakes it', async () => {
  let aborted = false
  let end = (): void => {}
  const { lookout, looks, listeners, ring } = looking((signal) => {
    signal.addEventListener('abort', () => (aborted = true))
    return new Promise((resolve) => (end = () => resolve(true)))
  })
  lookout.start()
  let isStopped = false
  const stopped = lookout.stop().then(() => (isStopped = true))
  await vi.advanceTimersByTimeAsync(100)
  expect({ aborted, isStopped }).toEqual({ aborted: true, isStopped: false })
  end()
  await stopped
  expect(listeners.size).toBe(0)
  ring()
  await vi.advanceTimersByTimeAsync(10_000)
  expect(looks).toHaveLength(1)
})
