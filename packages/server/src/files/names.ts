const mostCharacters = 200

/** What is not a letter, a mark or a sign, and what turns the direction of a text around: `invoice\u202Efdp.exe`. */
const unfit = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/** A client's name of a file, fit to be shown and to be saved under: its last segment, without control characters, not too long. */
export function displayName(given: string): string {
  // A long name is cut before anything looks at all of it.
  const segment = given.slice(-4_000).split(/[/\\]/).at(-1)!
  const clean = segment.toWellFormed().replace(unfit, '').replace(/\s+/g, ' ').trim()
  if (/^\.*$/.test(clean)) return 'file'
  const characters = Array.from(clean)
  if (characters.length <= mostCharacters) return clean
  // What comes after the last dot says what it is: it stays.
  const [extension = ''] = /\.[^.\s]{1,20}$/u.exec(clean) ?? []
  return characters.slice(0, mostCharacters - Array.from(extension).length).join('') + extension
}

export const anyContent = 'application/octet-stream'

/** The type alone, in small letters; what is no type is `application/octet-stream`. */
export function contentTypeOf(given: string | undefined): string {
  const type = (given ?? '').slice(0, 200).split(';', 1)[0]!.trim().toLowerCase()
  return /^[a-z0-9][a-z0-9!#$&^_.+-]{0,62}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}$/.test(type) ? type : anyContent
}
