/** Rules that read a sentence in every way it can be read; what a reading strains costs. PURE. */

/** One way to read on from a place. */
export interface Read<T> {
  value: T
  /** The first token behind it. */
  to: number
  /** 0: as it stands. */
  cost: number
}

export type Rule<T> = (at: number) => readonly Read<T>[]

/** Of one sentence: however much it can mean, it is given up in time. */
const mostReads = 20_000
const mostAtOnce = 64

/** Counts what the rules of one sentence have read, and how far they came. */
export class Effort {
  furthest = 0
  private left = mostReads
  spend(reads: number): void {
    this.left -= reads
    if (this.left < 0) throw new TooMuch()
  }
}

/** The sentence can be read in more ways than anybody could mean. */
export class TooMuch extends Error {}

/** Each place is read once by each rule. */
export function once<T>(effort: Effort, rule: Rule<T>): Rule<T> {
  const known = new Map<number, readonly Read<T>[]>()
  return (at) => {
    const before = known.get(at)
    if (before) return before
    const reads = rule(at)
    if (reads.length > mostAtOnce) throw new TooMuch()
    effort.spend(reads.length + 1)
    known.set(at, reads)
    return reads
  }
}

export const nothing: Rule<null> = (at) => [{ value: null, to: at, cost: 0 }]

export const map =
  <A, B>(rule: Rule<A>, to: (value: A) => B): Rule<B> =>
  (at) =>
    rule(at).map((read) => ({ ...read, value: to(read.value) }))

/** Only those that can be made into something. */
export const pick =
  <A, B>(rule: Rule<A>, to: (value: A) => B | null): Rule<B> =>
  (at) =>
    rule(at).flatMap((read) => {
      const value = to(read.value)
      return value === null ? [] : [{ ...read, value }]
    })

/** The second as the first has it. */
export const chain =
  <A, B>(first: Rule<A>, second: (value: A) => Rule<B>): Rule<B> =>
  (at) =>
    first(at).flatMap((read) => second(read.value)(read.to).map((next) => ({ ...next, cost: read.cost + next.cost })))

export const both = <A, B>(first: Rule<A>, second: Rule<B>): Rule<[A, B]> => chain(first, (one) => map(second, (two): [A, B] => [one, two]))
/** What comes behind something that says nothing. */
export const after = <A>(skipped: Rule<unknown>, rule: Rule<A>): Rule<A> => chain(skipped, () => rule)
export const before = <A>(rule: Rule<A>, skipped: Rule<unknown>): Rule<A> => map(both(rule, skipped), ([value]) => value)

export const oneOf =
  <T>(...rules: readonly Rule<T>[]): Rule<T> =>
  (at) =>
    rules.flatMap((rule) => rule(at))

export const maybe = <T>(rule: Rule<T>): Rule<T | null> => oneOf<T | null>(rule, nothing)

/** With a price. */
export const strained =
  <T>(rule: Rule<T>, cost: number): Rule<T> =>
  (at) =>
    rule(at).map((read) => ({ ...read, cost: read.cost + cost }))

const mostInRow = 24

/** None, one or more, one behind the other. */
export function many<T>(rule: Rule<T>): Rule<T[]> {
  return (at) => {
    const all: Read<T[]>[] = [{ value: [], to: at, cost: 0 }]
    let layer = all
    for (let round = 0; layer.length > 0 && round < mostInRow; round++) {
      layer = layer.flatMap((so) => rule(so.to).flatMap((read) => (read.to > so.to ? [{ value: [...so.value, read.value], to: read.to, cost: so.cost + read.cost }] : [])))
      if (all.length + layer.length > mostAtOnce * 4) throw new TooMuch()
      all.push(...layer)
    }
    return all
  }
}

export const listOf = <T>(rule: Rule<T>, separator: Rule<unknown>): Rule<T[]> => map(both(rule, many(after(separator, rule))), ([first, more]) => [first, ...more])
