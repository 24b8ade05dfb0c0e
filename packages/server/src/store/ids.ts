import { randomInt } from 'node:crypto'

const alphabet = '0123456789abcdefghijklmnopqrstuvwxyz'

const space = 36 ** 6

/**
 * Makes ids: nine characters of milliseconds in base 36 (until the year 5188), six at random. Those that one maker makes in
 * one millisecond still sort in the order they were made: the random part counts up inside it.
 */
export function idMaker(clock: () => number): (now?: number) => string {
  let lastMs = 0
  let lastRandom = 0
  return (now = clock()) => {
    if (now > lastMs) {
      lastMs = now
      // Room to count up: a start in the upper half could overflow within the millisecond.
      lastRandom = randomInt(space / 2)
    } else lastRandom = (lastRandom + 1 + randomInt(1000)) % space
    return base36(lastMs, 9) + base36(lastRandom, 6)
  }
}

/** A new id of this process. */
export const newId = idMaker(() => Date.now())

/** The millisecond an id was made in. */
export const timeOf = (id: string): number => Number.parseInt(id.slice(0, 9), 36)

/** No id of this millisecond or a later one sorts before it, and no earlier one after it. */
export const firstIdOf = (ms: number): string => (ms < 36 ** 9 ? base36(Math.max(0, ms), 9) : afterAll)

const afterAll = 'z'.repeat(16)

function base36(value: number, length: number): string {
  let text = ''
  for (let place = 0; place < length; place++) {
    text = alphabet[value % 36]! + text
    value = Math.floor(value / 36)
  }
  return text
}
