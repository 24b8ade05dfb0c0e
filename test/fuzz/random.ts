import { numbers } from '../support/effort.ts'

/** Choices that a seed repeats. */
export interface Random {
  /** In [0, 1). */
  next(): number
  /** From 0 up to, and without, `below`. */
  whole(below: number): number
  chance(of: number): boolean
  pick<T>(from: readonly T[]): T
  shuffled<T>(all: readonly T[]): T[]
}

/** Another name, other choices; the same name and seed, the same. */
export function createRandom(name: string): Random {
  const next = numbers(name)
  const random: Random = {
    next,
    whole: (below) => Math.floor(next() * below),
    chance: (of) => next() < of,
    pick: (from) => from[Math.floor(next() * from.length)]!,
    shuffled(all) {
      const mixed = [...all]
      for (let at = mixed.length - 1; at > 0; at--) {
        const other = random.whole(at + 1)
        ;[mixed[at], mixed[other]] = [mixed[other]!, mixed[at]!]
      }
      return mixed
    },
  }
  return random
}
