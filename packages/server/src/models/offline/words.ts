/** Words as the rules compare them: in lower case, without endings of number. PURE. */

const stops = new Set(
  'a an and are as at be been by can could did do does done for from give had has have how i if in into is it its me my of on or our please shall she should so tell than that the their them then there these they this those to us was we were what when where which who whom whose why will with would you your'.split(
    ' ',
  ),
)

export const stem = (word: string): string =>
  word.length > 3 && word.endsWith('ies') ? `${word.slice(0, -3)}y` : word.length > 3 && /[^su]s$/.test(word) ? word.slice(0, -1) : word

/** All words of a text, in order. */
export const wordsOf = (text: string): string[] => (text.toLowerCase().match(/[\p{L}\p{M}\p{N}]{1,60}/gu) ?? []).map(stem)

/** Those that say what it is about. */
export const tellingWords = (text: string): string[] => wordsOf(text).filter((word) => !stops.has(word))

/** The words of a name such as `customerName`, `customer_name`, `customer-name`. */
export const wordsOfName = (name: string): string[] => wordsOf(name.replace(/(?<=[\p{Ll}\p{N}])(?=\p{Lu})/gu, ' '))

export const shared = (words: Iterable<string>, others: ReadonlySet<string>): number => [...new Set(words)].filter((word) => others.has(word)).length

/** Sentences and lines. */
export const sentencesOf = (text: string): string[] =>
  text
    .split(/(?<=[.!?])\s+|\n/)
    .map((sentence) => sentence.trim())
    .filter((sentence) => sentence !== '')
