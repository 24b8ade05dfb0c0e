import { setTimeout as sleep } from 'node:timers/promises'
import type { Event } from '@sluice/schema'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Doorbell } from '../../src/events/doorbell.ts'
import type { Page } from '../../src/events/page.ts'
import { numbered, type Place } from '../../src/events/place.ts'
import { createSieve } from '../../src/events/sieve.ts'
import { type Follower, type Log, openTail, type Reading, type Tail } from '../../src/events/tail.ts'

const pageRows = 7

/** A log in memory that grows, and a bell that is rung for it. Reads answer when `turn` lets them. */
function createToy(turn: <T>(read: () => T) => Promise<T> = async (read) => read()) {
  const listeners = new Set<() => void>()
  const toy = {
    length: 0,
    last: Infinity,
    trimmed: 0,
    pageBytes: 0,
    reads: 0,
    grow(by: number) {
      toy.length = Math.min(toy.last, toy.length + by)
      for (const listener of listeners) listener()
    },
  }
  const doorbell: Doorbell = {
    ring() {},
    on(_topic, listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    close: async () => {},
  }
  const entry = (seq: number) => ({ event: { seq, cursor: String(seq) } as Event, workflowId: null, owner: null, place: numbered(seq) })
  function read({ position }: Place): Reading | 'trimmed' {
    toy.reads++
    if (position < toy.trimmed) return 'trimmed'
    const rows = Math.max(0, Math.min(pageRows, toy.length - position))
    const entries = Array.from({ length: rows }, (_, index) => entry(position + 1 + index))
    return { entries, full: rows === pageRows, isLast: position + rows >= toy.last, bytes: toy.pageBytes }
  }
  const log: Log = {
    topic: 'run:toy',
    end: () => turn(() => ({ place: numbered(toy.length), isLast: toy.length >= toy.last })),
    read: (after) => turn(() => read(after)),
  }
  return { toy, log, doorbell, heard: () => listeners.size }
}

const seqs = (page: Page): number[] => page.entries.map(({ event }) => event.seq)

/** Follows from a place to the end, and pauses before each look where it is told to. Answers with what it saw. */
async function seenBy(follower: Follower, from: number, pause: () => Promise<unknown> = async () => {}): Promise<number[]> {
  const seen: number[] = []
  let place = numbered(from)
  for (let next = await follower.next(place); next !== 'over'; next = await follower.next(place)) {
    if (next === 'trimmed') throw new Error('nothing was trimmed')
    seen.push(...seqs(next))
    place = next.end
    await pause()
  }
  follower.leave()
  return seen
}

test('T2: whoever joins when, comes back when, however slowly: each sees each event after its cursor once, in order', async () => {
  const visit = fc.record({ from: fc.nat(60), after: fc.nat(12), looks: fc.nat(8), comesBack: fc.boolean() })
  const scene = fc.record({ bursts: fc.array(fc.nat(15), { minLength: 1, maxLength: 12 }), visits: fc.array(visit, { minLength: 1, maxLength: 12 }) })
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), scene, async (scheduler, { bursts, visits }) => {
      const step = () => scheduler.schedule(Promise.resolve())
      // The answer comes later than it was found: meanwhile the log grows, and others read on.
      const { toy, log, doorbell } = createToy(async (read) => {
        await step()
        const answer = read()
        await step()
        return answer
      })
      toy.last = bursts.reduce((sum, burst) => sum + burst, 1)
      let tail: Tail | null = null
      const joined = (signal: AbortSignal): Follower => (tail ??= openTail(log, doorbell, () => (tail = null))).follow(signal)

      const writing = (async () => {
        for (const burst of [...bursts, 1]) {
          await step()
          toy.grow(burst)
        }
      })()
      const following = visits.map(async ({ from, after, looks, comesBack }) => {
        for (let wait = 0; wait < after; wait++) await step()
        const start = Math.min(from, toy.last)
        const gone = new AbortController()
        let left = comesBack ? looks : Infinity
        const first = await seenBy(joined(gone.signal), start, async () => {
          if (--left < 0) gone.abort()
          await step()
        })
        const rest = gone.signal.aborted ? await seenBy(joined(new AbortController().signal), Math.max(start, first.at(-1) ?? 0), step) : []
        expect([...first, ...rest]).toEqual(Array.from({ length: toy.last - start }, (_, index) => start + 1 + index))
      })
      await scheduler.waitFor(Promise.all([writing, ...following]))
      expect(tail).toBeNull()
    }),
    { numRuns: 300 },
  )
})

test('T1: a thousand who wait cost one reading of each piece of news, and are given the same page', async () => {
  const { toy, log, doorbell } = createToy()
  const tail = openTail(log, doorbell, () => {})
  const signal = new AbortController().signal
  const followers = Array.from({ length: 1_000 }, () => tail.follow(signal))
  const first = followers.map((each) => each.next(numbered(0)))
  await sleep(5)
  toy.grow(5)
  const pages = await Promise.all(first)
  expect(new Set(pages).size).toBe(1)
  expect(toy.reads).toBe(1)
  const second = followers.map((each, index) => each.next((pages[index] as Page).end))
  toy.grow(3)
  expect(new Set(await Promise.all(second)).size).toBe(1)
  expect(toy.reads).toBe(2)
})

test('T1: those who come back to one place at once read it once', async () => {
  const { toy, log, doorbell } = createToy()
  toy.grow(5)
  const tail = openTail(log, doorbell, () => {})
  const pages = await Promise.all(Array.from({ length: 50 }, () => tail.follow(new AbortController().signal).next(numbered(2))))
  expect(new Set(pages).size).toBe(1)
  expect(seqs(pages[0] as Page)).toEqual([3, 4, 5])
  expect(toy.reads).toBe(1)
})

test('T2: what is written and read by others while somebody behind reads is not passed over', async () => {
  const held = Promise.withResolvers<void>()
  let answers = 0
  const { toy, log, doorbell } = createToy(async (read) => {
    const answer = read()
    // The first is how far the log goes, the second what the one behind reads.
    if (++answers === 2) await held.promise
    return answer
  })
  toy.grow(3)
  const tail = openTail(log, doorbell, () => {})
  const behind = tail.follow(new AbortController().signal)
  const first = behind.next(numbered(0))
  const other = tail.follow(new AbortController().signal).next(numbered(3))
  await sleep(5)
  toy.grow(2)
  expect(seqs((await other) as Page)).toEqual([4, 5])
  held.resolve()
  const page = (await first) as Page
  expect(seqs(page)).toEqual([1, 2, 3])
  expect(seqs((await behind.next(page.end)) as Page)).toEqual([4, 5])
})

test('T3: who is behind reads from the log, and nobody waits for it', async () => {
  const { toy, log, doorbell } = createToy()
  const tail = openTail(log, doorbell, () => {})
  const [slow, quick] = [tail.follow(new AbortController().signal), tail.follow(new AbortController().signal)]
  const held = slow.next(numbered(0))
  const seen: number[] = []
  let place = numbered(0)
  while (seen.length < 2_000) {
    const next = quick.next(place)
    await sleep(0)
    toy.grow(20)
    const page = (await next) as Page
    seen.push(...seqs(page))
    place = page.end
  }
  expect(seen).toEqual(Array.from({ length: seen.length }, (_, index) => index + 1))
  const late = (await held) as Page
  toy.last = toy.length
  expect((await seenBy(slow, late.end.position)).at(-1)).toBe(toy.last)
})

test('T3: a place from which not all is there any more is told to who is there alone', async () => {
  const { toy, log, doorbell } = createToy()
  toy.grow(20)
  toy.trimmed = 10
  const tail = openTail(log, doorbell, () => {})
  const signal = new AbortController().signal
  const [old, new_] = await Promise.all([tail.follow(signal).next(numbered(3)), tail.follow(signal).next(numbered(15))])
  expect(old).toBe('trimmed')
  expect(seqs(new_ as Page)).toEqual([16, 17, 18, 19, 20])
})

test('T3: when what was to come is trimmed, all who wait are told, and go on from where they then are', async () => {
  const { toy, log, doorbell } = createToy()
  toy.grow(5)
  const tail = openTail(log, doorbell, () => {})
  const followers = [1, 2].map(() => tail.follow(new AbortController().signal))
  const waiting = followers.map((each) => each.next(numbered(5)))
  await sleep(5)
  toy.trimmed = 12
  toy.grow(15)
  expect(await Promise.all(waiting)).toEqual(['trimmed', 'trimmed'])
  const [first, second] = followers.map((each) => each.next(numbered(20)))
  await sleep(5)
  toy.grow(2)
  expect(seqs((await first) as Page)).toEqual([21, 22])
  expect(await second).toBe(await first)
})

test('T4: pages are kept for who is behind, and no more of them than a slow consumer may cost', async () => {
  const { toy, log, doorbell } = createToy()
  toy.pageBytes = 64 * 1024
  const tail = openTail(log, doorbell, () => {})
  const [slow, quick] = [tail.follow(new AbortController().signal), tail.follow(new AbortController().signal)]
  const first = slow.next(numbered(0))
  async function goOn(pages: number): Promise<void> {
    for (let round = 0; round < pages; round++) {
      const next = quick.next(numbered(toy.length))
      await sleep(0)
      toy.grow(1)
      await next
    }
  }
  await goOn(4)
  let { end } = (await first) as Page
  const before = toy.reads
  for (let round = 0; round < 3; round++) ({ end } = (await slow.next(end)) as Page)
  expect([end.position, toy.reads - before]).toEqual([4, 0])
  await goOn(20)
  const beyond = toy.reads
  expect(seqs((await slow.next(end)) as Page)[0]).toBe(5)
  expect(toy.reads - beyond).toBe(1)
})

test('T4: a page that many have sifted each in their own way counts as often', async () => {
  const { toy, log, doorbell } = createToy()
  toy.pageBytes = 16 * 1024
  const tail = openTail(log, doorbell, () => {})
  const [slow, quick] = [tail.follow(new AbortController().signal), tail.follow(new AbortController().signal)]
  const first = slow.next(numbered(0))
  for (let round = 0; round < 6; round++) {
    const next = quick.next(numbered(toy.length))
    await sleep(0)
    toy.grow(1)
    const page = (await next) as Page
    for (let reader = 0; reader < 10; reader++) page.sift(createSieve(undefined, { key: `of ${reader}`, fits: () => true }))
  }
  const { end } = (await first) as Page
  const before = toy.reads
  expect(seqs((await slow.next(end)) as Page)).toEqual([2, 3, 4, 5, 6])
  expect(toy.reads - before).toBe(1)
})

test('T5: while many are given a page, others have their turn', async () => {
  const { toy, log, doorbell } = createToy()
  const tail = openTail(log, doorbell, () => {})
  let given = 0
  const all = Array.from({ length: 2_000 }, async () => {
    await tail.follow(new AbortController().signal).next(numbered(0))
    given++
  })
  await sleep(5)
  toy.grow(1)
  const between: number[] = []
  while (given < all.length) {
    await new Promise((resolve) => setImmediate(resolve))
    between.push(given)
  }
  expect(between.filter((count) => count > 0 && count < all.length).length).toBeGreaterThan(5)
})

test('a failed reading fails who waits for it, and who asks then is served', async () => {
  let fails = true
  const { toy, log, doorbell } = createToy(async (read) => {
    if (fails && toy.length > 0) throw new Error('away')
    return read()
  })
  const tail = openTail(log, doorbell, () => {})
  const waiting = [tail.follow(new AbortController().signal), tail.follow(new AbortController().signal)].map((each) => each.next(numbered(0)))
  await sleep(5)
  toy.grow(1)
  for (const each of waiting) await expect(each).rejects.toThrow('away')
  fails = false
  const next = tail.follow(new AbortController().signal).next(numbered(0))
  toy.grow(1)
  expect(seqs((await next) as Page)).toEqual([1, 2])
})

test('nobody is left at a tail whose end could not be told: who comes later opens another', async () => {
  const { log, doorbell, heard } = createToy(() => Promise.reject(new Error('away')))
  let given = 0
  const follower = openTail(log, doorbell, () => given++).follow(new AbortController().signal)
  await expect(follower.next(numbered(0))).rejects.toThrow('away')
  expect(given).toBeGreaterThan(0)
  follower.leave()
  expect(heard()).toBe(0)
})

test('who leaves is let go at once, and the last one closes the door', async () => {
  const { log, doorbell, heard } = createToy()
  let closed = false
  const tail = openTail(log, doorbell, () => (closed = true))
  const gone = new AbortController()
  const [one, other] = [tail.follow(gone.signal), tail.follow(new AbortController().signal)]
  const waiting = one.next(numbered(0))
  await sleep(5)
  gone.abort()
  expect(await waiting).toBe('over')
  one.leave()
  expect([closed, heard()]).toEqual([false, 1])
  other.leave()
  expect([closed, heard()]).toEqual([true, 0])
})
