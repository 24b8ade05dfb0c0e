/** On one line, and without what a terminal would take for a command: texts of a workflow are other people's. */
export const plain = (text: string): string => text.replaceAll(/\s+/g, ' ').replaceAll(/\p{C}/gu, '').trim()

const wide = /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u
const columnsOf = (character: string): number => (/^\p{M}/u.test(character) ? 0 : wide.test(character) ? 2 : 1)

/** Columns of a terminal. */
export function widthOf(text: string): number {
  let columns = 0
  for (const character of text) columns += columnsOf(character)
  return columns
}

/** So many columns, exactly: filled up, or cut with a sign that there is more. */
export const fill = (text: string, width: number): string => {
  const short = cut(text, width)
  return short + ' '.repeat(Math.max(0, width - widthOf(short)))
}

/** At most so many columns, the last one telling of the rest. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  let [kept, columns] = ['', 0]
  for (const character of text) {
    columns += columnsOf(character)
    if (columns > width - 1) break
    kept += character
  }
  return width < 1 ? '' : `${kept}…`
}

/** `840 ms`, `4.2 s`, `3 m 20 s`, `2 h 5 m`, `3 d 4 h`. */
export function lasting(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`
  const seconds = Math.round(ms / 1_000)
  const [days, hours, minutes] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3_600) % 24, Math.floor(seconds / 60) % 60]
  if (days > 0) return `${days} d ${hours} h`
  if (hours > 0) return `${hours} h ${minutes} m`
  return `${minutes} m ${seconds % 60} s`
}

/** `4 s` until something: whole seconds, so that it counts down evenly. */
export const within = (ms: number): string => (ms < 60_000 ? `${Math.max(0, Math.ceil(ms / 1_000))} s` : lasting(ms))

/** JSON for people: the same value, and nothing in it that a terminal would take for a command or for another direction. */
export const shown = (value: unknown): string =>
  (JSON.stringify(value, null, 2) ?? 'null').replaceAll(/[^\P{C}\n]/gu, (character) =>
    [...Array(character.length).keys()].map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
  )

/** A table without lines; the last column is as long as it is. Each cell is on one line, and plain. */
export function table(head: readonly string[], given: readonly (readonly string[])[]): string {
  const rows = given.map((row) => row.map(plain))
  const widths = head.map((_, at) => Math.max(...[head, ...rows].map((row) => widthOf(row[at] ?? ''))))
  return [head, ...rows].map((row) => row.map((cell, at) => (at === row.length - 1 ? cell : fill(cell, widths[at]!))).join('  ')).join('\n')
}
