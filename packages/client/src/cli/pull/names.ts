/** A name of a type out of any text: the same text gives the same name. It begins with a capital letter of ASCII. */
export function typeNameOf(text: string): string {
  const words = text
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== '')
  // After a digit as after a gap: the compiler of schemas writes names so, and leaves these as they are.
  const name = words.map((word) => (word[0]!.toUpperCase() + word.slice(1)).replaceAll(/\d[a-z]/g, (pair) => pair.toUpperCase())).join('')
  return /^[A-Z]/.test(name) ? name : `N${name}`
}

/** A key of an object type: as it is where it is an identifier, else quoted. */
export const keyOf = (text: string): string => (/^[A-Za-z_$][\w$]*$/.test(text) ? text : quoted(text))

/** The same of an object that is made: `__proto__` would otherwise be its prototype, and no key. */
export const ownKeyOf = (text: string): string => (text === '__proto__' ? `['__proto__']` : keyOf(text))

/** Line separators of Unicode are none in JSON, but in TypeScript. */
export function quoted(text: string): string {
  const inner = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")
  return `'${inner.replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')}'`
}

/** By their code units: the same everywhere, whatever the language of the machine. */
export const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
