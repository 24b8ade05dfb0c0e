import type { PassedEvent } from '@sluice/schema'
import { isBefore, type Place } from './place.ts'
import type { Entry, Sieve, Sifted } from './sieve.ts'

/** All of a log from one place to another, read once for everybody. What is made of it is made once, too. */
export class Page {
  readonly after: Place
  readonly end: Place
  readonly entries: readonly Entry[]
  /** Nothing comes after it. */
  readonly isLast: boolean
  /** Of its data. */
  readonly bytes: number
  readonly #sifted = new Map<string, Sifted>()
  readonly #rests = new Map<number, Page>()
  #passed: readonly PassedEvent[] | undefined

  constructor({ after, end, entries, isLast, bytes }: Pick<Page, 'after' | 'end' | 'entries' | 'isLast' | 'bytes'>) {
    this.after = after
    this.end = end
    this.entries = entries
    this.isLast = isLast
    this.bytes = bytes
  }

  /** Whether who is at this place can go on with it. */
  covers(place: Place): boolean {
    return place === this.after || (!isBefore(place, this.after) && isBefore(place, this.end))
  }

  /** What of it is not known yet at a place that it covers. */
  from(place: Place): Page {
    const { end, isLast, bytes } = this
    if (place === this.after) return this
    const known = this.entries.findIndex((entry) => isBefore(place, entry.place))
    const at = known < 0 ? this.entries.length : known
    if (at === 0) return this
    let rest = this.#rests.get(at)
    if (!rest) this.#rests.set(at, (rest = new Page({ after: place, end, entries: this.entries.slice(at), isLast, bytes })))
    return rest
  }

  /** Bytes of what is made of it at most: whoever has a sieve of their own is written a text of their own. */
  get cost(): number {
    const own = this.bytes * Math.max(1, this.#sifted.size)
    return [...this.#rests.values()].reduce((sum, rest) => sum + rest.cost, own)
  }

  sift(sieve: Sieve): Sifted {
    let sifted = this.#sifted.get(sieve.key)
    if (!sifted) this.#sifted.set(sieve.key, (sifted = sieve.sift(this.entries)))
    return sifted
  }

  /** Tells who was given nothing of it how far the log goes. */
  get passed(): readonly PassedEvent[] {
    return (this.#passed ??= [{ type: 'passed', cursor: this.entries.at(-1)!.event.cursor }])
  }
}
