import { DocumentError } from './document-error.ts'

/** What was made is kept for a while, the least asked for goes first. */
export interface Kept<T> {
  /** What is kept under the key, or is being made, or is made now. A DocumentError is kept too; a passing one for a while. */
  get(key: string, make: () => Promise<T>): Promise<T>
}

/** A refusal weighs so much; the number of things is bounded by it. */
const leastWeight = 1_000

/** What took too long is not tried again at once: whoever asks again would pay for it again. */
const passingMs = 5 * 60_000

export function createKept<T>(most: number, weightOf: (value: T) => number): Kept<T> {
  const entries = new Map<string, { value: Promise<T>; weight: number }>()
  let weight = 0

  function drop(key: string, value: Promise<T>): void {
    const entry = entries.get(key)
    if (entry?.value !== value) return
    weight -= entry.weight
    entries.delete(key)
  }

  function weigh(key: string, value: Promise<T>, of: number): void {
    const entry = entries.get(key)
    if (entry?.value !== value) return
    if (of > most) return drop(key, value)
    entry.weight = Math.max(of, leastWeight)
    weight += entry.weight
    for (const [oldest, { value: made, weight: its }] of entries) {
      if (weight <= most) return
      // What is still being made weighs nothing yet.
      if (its > 0) drop(oldest, made)
    }
  }

  return {
    get(key, make) {
      const known = entries.get(key)
      if (known) {
        entries.delete(key)
        entries.set(key, known)
        return known.value
      }
      const value = make()
      entries.set(key, { value, weight: 0 })
      value.then(
        (made) => weigh(key, value, weightOf(made)),
        (error: unknown) => {
          if (!(error instanceof DocumentError)) return drop(key, value)
          weigh(key, value, 0)
          if (error.passing) setTimeout(() => drop(key, value), passingMs).unref()
        },
      )
      return value
    },
  }
}
