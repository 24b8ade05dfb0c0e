/**
 * How much a run of the tests is to try. `npm test` keeps to what a change needs; `npm test -- --long` asks for the long forms,
 * `npm test -- --seed N` (or `random`) for other random cases than those it always takes.
 */

/** Whether the long forms are asked for: SLUICE_TEST_LONG=1. */
export const long = process.env['SLUICE_TEST_LONG'] === '1'

/** How many cases to try. */
export const cases = (short: number, longer: number): number => (long ? longer : short)

const said = process.env['SLUICE_TEST_SEED'] ?? '20261123'
/** Decides all that is random about what a test tries. The same each time, so that who changes something hears of that alone. */
export const seed = said === 'random' ? Date.now() % 1_000_000_007 : Number(said)
if (!Number.isSafeInteger(seed)) throw new Error(`SLUICE_TEST_SEED is a whole number, or random: ${said}`)

/** Numbers in [0, 1) that the seed repeats; a name makes them others than those of another test. */
export function numbers(name: string): () => number {
  let state = seed
  for (const letter of name) state = Math.imul(state ^ letter.codePointAt(0)!, 0x9e3779b1)
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
