/** Names for people, and handles for machines made of them. PURE. */

/** Up to 80 characters a-z, 0-9 and hyphens; room is left for a number. */
export function slug(name: string): string {
  const plain = name.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
  return (
    plain
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-|-$/g, '')
      .slice(0, 80)
      .replace(/-$/, '') || 'workflow'
  )
}

/** `base`, or `base-2`, `base-3` …: the first that is not taken. */
export const freeHandle = (base: string, taken: Iterable<string>): string => firstFree(base, taken, (number) => `${base}-${number}`)

/** A name has at most 200 characters: as many of it as leave room for a number. */
export const numberable = (name: string): string => cut(name, 190)

/** `Name`, or `Name (2)`, `Name (3)` … */
export const freeName = (name: string, taken: Iterable<string>): string => firstFree(name, taken, (number) => `${numberable(name)} (${number})`)

/** The name with a suffix behind it that a number will not take away: a name that is too long for both is cut. */
export const nameWith = (name: string, suffix: string): string => (suffix === '' ? name : cut(name, 190 - suffix.length) + suffix)

/** At most so many characters, none of them cut in half. */
const cut = (text: string, length: number): string => (text.length <= length ? text : text.slice(0, length).replace(/[\uD800-\uDBFF]$/, ''))

function firstFree(base: string, taken: Iterable<string>, numbered: (number: number) => string): string {
  const all = new Set(taken)
  let free = base
  for (let number = 2; all.has(free); number++) free = numbered(number)
  return free
}
