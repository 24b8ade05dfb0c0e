import { Outage } from '../store/database.ts'

/** Most that go together. */
const most = 256
/** And so many characters; a larger one goes alone. More cost memory many times over, on both sides, and save no round trip worth it. */
const mostWeight = 4_000_000
/** So many that wait are worth a batch of their own beside the one under way; fewer cost less when they go with the next. */
const worthwhile = 64
/** A batch may wait for a row that somebody holds: the others do not wait for it for longer. */
const lateMs = 50

interface Asked<Item, Answer> {
  item: Item
  resolve(answer: Answer): void
  reject(error: unknown): void
}

/**
 * Gathers what is asked for at the same moment and does it together. A batch closes when the one before it is done, with no
 * timer: a lone one waits for nothing, and many share one round trip and one fsync.
 */
export function inBatches<Item, Answer>(parts: {
  /** Answers in the order of the items. */
  work(items: readonly Item[]): Promise<readonly Answer[]>
  /** Of those with the same key only one goes at a time. */
  keyOf?(item: Item): string
  /** Characters that it comes to, about. */
  weightOf(item: Item): number
  /** Batches under way at once, where many wait or one is late. */
  lanes: number
}): (item: Item) => Promise<Answer> {
  const { work, keyOf, weightOf, lanes } = parts
  const waiting: Asked<Item, Answer>[] = []
  let busy = 0
  let lastBegun = 0

  function next(): Asked<Item, Answer>[] {
    const batch = new Set<Asked<Item, Answer>>()
    const keys = new Set<string>()
    let weight = 0
    for (const each of waiting) {
      const key = keyOf?.(each.item)
      if (key !== undefined && keys.has(key)) continue
      weight += weightOf(each.item)
      if (batch.size === most || (batch.size > 0 && weight > mostWeight)) break
      batch.add(each)
      if (key !== undefined) keys.add(key)
    }
    if (batch.size === waiting.length) waiting.length = 0
    else waiting.splice(0, waiting.length, ...waiting.filter((each) => !batch.has(each)))
    return [...batch]
  }

  async function flush(batch: readonly Asked<Item, Answer>[]): Promise<void> {
    try {
      const answers = await work(batch.map(({ item }) => item))
      for (const [index, each] of batch.entries()) each.resolve(answers[index]!)
    } catch (error) {
      // A bad one must not take its neighbours down: alone, each gets its own answer. An outage is the answer to all.
      if (batch.length > 1 && !(error instanceof Outage)) await Promise.all(batch.map((each) => flush([each])))
      else for (const each of batch) each.reject(error)
    }
  }

  async function drain(): Promise<void> {
    busy++
    // What is asked for in the same turn of the event loop goes together.
    await Promise.resolve()
    while (waiting.length > 0) {
      lastBegun = performance.now()
      await flush(next())
    }
    busy--
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject })
      if (busy === 0 || (busy < lanes && (waiting.length >= worthwhile || performance.now() - lastBegun > lateMs))) void drain()
    })
}
