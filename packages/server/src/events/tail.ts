import { setImmediate as others } from 'node:timers/promises'
import type { Doorbell, Topic } from './doorbell.ts'
import { Page } from './page.ts'
import { isBefore, later, type Place } from './place.ts'
import type { Entry } from './sieve.ts'

/** A log of which no end is known, or one that has ended. */
export interface Log {
  topic: Topic
  /** How far it is written, and whether that is all. */
  end(): Promise<{ place: Place; isLast: boolean }>
  /** What stands after a place, oldest first. `trimmed`: it is not all there any more. */
  read(after: Place): Promise<Reading | 'trimmed'>
}

export interface Reading {
  entries: readonly Entry[]
  /** There may be more at once. */
  full: boolean
  /** Nothing comes after these. */
  isLast: boolean
  /** Of their data. */
  bytes: number
}

/**
 * The end of a log, and who waits there.
 *
 * T1. News are read once, however many follow; who waits at one place is given one and the same page.
 * T2. A follower goes from a place to the end of a page that covers it, and in no other way: no gap, no double, in order.
 * T3. Who is behind goes through the pages that are kept, or reads from the log; they wait for nobody, and nobody for them.
 * T4. Pages are kept only while somebody is behind, and of a log no more than a slow consumer may cost.
 * T5. Many are given a page in turns, between which others have theirs.
 */
export interface Tail {
  follow(signal: AbortSignal): Follower
}

/** `trimmed`: not all is there any more. `over`: nothing ever will come, or the signal was given. */
export type Next = Page | 'trimmed' | 'over'

export interface Follower {
  /** What comes after a place, once there is something. */
  next(after: Place): Promise<Next>
  leave(): void
}

/** A lost ring costs so long. */
const netMs = 2_000
const keptBytes = 256 * 1024
const keptPages = 64
/** Writing to one reader's socket is about 8 µs, most of it the kernel's: a turn takes one millisecond. */
const perTurn = 100

interface Waiting {
  place: Place
  resolve(next: Next): void
  reject(error: unknown): void
}

/** `onIdle` is told when nobody follows any more, and when the log could not be asked for its end: who comes then opens another. */
export function openTail(log: Log, doorbell: Doorbell, onIdle: () => void): Tail {
  const readings = new Map<string, Promise<Page | 'trimmed'>>()
  const waiting = new Set<Waiting>()
  let kept: Page[] = []
  let followers = 0
  let isIdle = false
  let isOver = false
  let rung = false
  let wake = () => {}
  /** How far it was read; known once it is `begun`. */
  let front: Place

  // Before the end is asked for: what is written after the answer rings.
  const off = doorbell.on(log.topic, () => {
    rung = true
    wake()
  })
  const begun = (async () => {
    const end = await log.end()
    front = end.place
    isOver = end.isLast
  })()
  begun.then(watch, onIdle)

  async function watch(): Promise<void> {
    while (!isIdle && !isOver) {
      if (!rung) await bell()
      if (isIdle) return
      rung = false
      try {
        await readOn()
      } catch (error) {
        for (const { reject } of waiting) reject(error)
        waiting.clear()
      }
    }
  }

  function bell(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, netMs)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** Reads what is new and gives it to who waits. The next page is read when all have this one: many get larger pages. */
  async function readOn(): Promise<void> {
    for (let full = true; full && !isIdle && !isOver;) {
      const read = await log.read(front)
      if (read === 'trimmed') return startAnew()
      ;({ full } = read)
      const page = pageOf(read, front)
      if (read.entries.length > 0) keep(page)
      front = page.end
      isOver = page.isLast
      await handOut(page)
    }
  }

  /** Only who has not looked for as long as events are kept. */
  async function startAnew(): Promise<void> {
    front = (await log.end()).place
    for (const each of waiting) give(each, 'trimmed')
  }

  async function handOut(page: Page): Promise<void> {
    let given = 0
    for (const each of [...waiting]) {
      if (page.entries.length > 0 && page.covers(each.place)) give(each, page.from(each.place))
      else if (isOver) give(each, 'over')
      else continue
      if (++given % perTurn === 0) await others()
    }
  }

  function give(to: Waiting, next: Next): void {
    waiting.delete(to)
    to.resolve(next)
  }

  /** Up to `known` all was there when it was read. */
  function pageOf({ entries, full, isLast, bytes }: Reading, after: Place, known = after): Page {
    const last = entries.at(-1)?.place ?? after
    return new Page({ after, end: full ? last : later(last, known), entries, isLast, bytes })
  }

  function keep(page: Page): void {
    kept.push(page)
    let cost = kept.reduce((sum, each) => sum + each.cost, 0)
    while (kept.length > 1 && (cost > keptBytes || kept.length > keptPages)) cost -= kept.shift()!.cost
  }

  /** Of somebody who is behind; of several at one place, once. */
  function readFor(after: Place): Promise<Page | 'trimmed'> {
    const key = `${after.xid}.${after.position}`
    const under = readings.get(key)
    if (under) return under
    const reading = (async () => {
      const known = front
      const read = await log.read(after)
      if (read === 'trimmed') return read
      const page = pageOf(read, after, known)
      keep(page)
      return page
    })().finally(() => readings.delete(key))
    readings.set(key, reading)
    return reading
  }

  function follow(signal: AbortSignal): Follower {
    let mine: Waiting | null = null
    const stop = () => {
      if (mine) give(mine, 'over')
    }
    followers++
    signal.addEventListener('abort', stop)

    function wait(place: Place): Promise<Next> {
      const { promise, resolve, reject } = Promise.withResolvers<Next>()
      mine = { place, resolve, reject }
      waiting.add(mine)
      if (waiting.size === followers) kept = []
      return promise
    }

    return {
      async next(after) {
        await begun
        if (signal.aborted) return 'over'
        if (isBefore(after, front)) return kept.findLast((page) => page.covers(after))?.from(after) ?? readFor(after)
        return isOver ? 'over' : wait(after)
      },
      leave() {
        signal.removeEventListener('abort', stop)
        stop()
        if (--followers > 0) return
        isIdle = true
        off()
        wake()
        onIdle()
      },
    }
  }

  return { follow }
}
