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
