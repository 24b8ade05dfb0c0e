import { instants } from '@sluice/schema'

/** Instants as PocketBase writes them, and compares them: as texts. */
export const instantText = (ms: number): string => new Date(ms).toISOString().replace('T', ' ')

/** The first instant whose text is this one, or comes after it. Null: none does. */
export const firstFrom = (text: string): number | null => firstThat((written) => written >= text)
export const firstAfter = (text: string): number | null => firstThat((written) => written > text)

function firstThat(holds: (text: string) => boolean): number | null {
  if (!holds(instantText(instants.last))) return null
  let { first: low, last: high }: { first: number; last: number } = instants
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (holds(instantText(middle))) high = middle
    else low = middle + 1
  }
  return low
}
