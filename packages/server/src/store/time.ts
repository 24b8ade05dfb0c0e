import { newId } from './ids.ts'

/** What the time is, for what is stored and for what is to happen: the process's own, but in tests, where it is moved on. */
export interface Time {
  /** Milliseconds since 1970. */
  now: () => number
  /** An id that is made now. */
  newId: () => string
  /** Does it once so many milliseconds have passed; gives how to call it off. */
  after(ms: number, work: () => void): () => void
}

/** A timer of Node's that is set for longer goes off at once. */
const longestMs = 2_147_483_647

export const processTime: Time = {
  now: () => Date.now(),
  newId: () => newId(),
  after(ms, work) {
    const timer = setTimeout(work, Math.min(ms, longestMs))
    return () => clearTimeout(timer)
  },
}

/** Clocks that are kept together differ by less. */
const apartMs = 1_000

export interface Refereed {
  time: Time
  /** What PostgreSQL's clock said to a question that was asked at `asked` by this process's, and has just been answered. */
  heard(said: number, asked: number): void
}

/**
 * The process's time, but PostgreSQL's where the two are further apart than clocks that are kept together: what is due, PostgreSQL
 * says, and a server that thought otherwise would set timers that are hours late, or not take those that it is given.
 */
export function refereed(own: () => number = Date.now): Refereed {
  let off = 0
  return {
    time: { ...processTime, now: () => own() + off },
    heard(said, asked) {
      const answered = own()
      // It was said at some moment between the two.
      off = said < asked - apartMs ? said - asked : said > answered + apartMs ? said - answered : 0
    },
  }
}
