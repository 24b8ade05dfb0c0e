import fc from 'fast-check'

/**
 * Chance as a list of numbers, so that a failing case shrinks: what the tape does not say any more is 0, and 0 is always
 * the plain choice (one node, no failure, no crash, the next thing that moves the run on).
 */
export class Tape {
  private at = 0
  private readonly numbers: readonly number[]
  constructor(numbers: readonly number[]) {
    this.numbers = numbers
  }
  /** A number in 0 … n-1. */
  pick(n: number): number {
    return n <= 1 ? 0 : (this.numbers[this.at++] ?? 0) % n
  }
  /** True once in `n` times; never when the tape is out. */
  once(n: number): boolean {
    return this.pick(n) === n - 1
  }
  of<T>(values: readonly T[]): T {
    return values[this.pick(values.length)]!
  }
}

export const tapes = (longest: number): fc.Arbitrary<number[]> => fc.array(fc.nat({ max: 9_999 }), { maxLength: longest, size: 'max' })
