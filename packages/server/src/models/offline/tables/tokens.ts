import { numberOf } from '../values.ts'
import { stem } from '../words.ts'

/** A sentence in pieces, and names in the same pieces. PURE. */
export type Token =
  /** `stem` is what words are compared by. */
  | { is: 'word'; raw: string; stem: string }
  | { is: 'number'; raw: string; stem: string; value: number }
  | { is: 'date'; raw: string; stem: string }
  /** What stands in quotation marks; it is never a word of the language. */
  | { is: 'quoted'; raw: string; stem: string }
  | { is: 'mark'; raw: string; stem: string }

const quoted = /"([^"\n]{1,500})"|“([^”\n]{1,500})”|`([^`\n]{1,500})`|(?<![\p{L}\p{N}])'([^'\n]{1,500})'(?![\p{L}\p{N}])/u
const date = /(?<![\d-])\d{4}-\d\d-\d\d(?![\d-])/
// A minus that stands behind a letter joins words.
const number = /(?<![\p{L}\p{N}_.,])(?:(?<![)\]])[-+−])?\d(?:[\d.,'’]{0,30}\d)?(?![\p{L}\p{N}_])/u
const word = /[\p{L}\p{M}\p{N}]{1,60}/u
// Of a name or a sentence these are no part: `price (EUR)`, `unit-price`, `sales.csv`, `Is it so?`
const mark = /[^\s()[\].\-–/_:?!'’"“”`]/
const piece = new RegExp([quoted, date, number, word, mark].map(({ source }) => `(?:${source})`).join('|'), 'gu')
const operator = /(?:>=|<=|!=|<>|==|≥|≤|≠)/
const pieces = new RegExp(`${operator.source}|${piece.source}`, 'gu')

const camel = /(?<=[\p{Ll}\p{N}])(?=\p{Lu})/gu

export function tokensIn(text: string): Token[] {
  return [...text.matchAll(pieces)].flatMap(([raw, ...groups]): Token[] => {
    const inside = groups.find((group) => group !== undefined)
    if (inside !== undefined) return [{ is: 'quoted', raw: inside, stem: '' }]
    if (/^\d{4}-\d\d-\d\d$/.test(raw)) return [{ is: 'date', raw, stem: raw }]
    const value = /^[-+−]?\d[\d.,'’]*$/.test(raw) ? numberOf(raw) : null
    if (value !== null) return [{ is: 'number', raw, stem: raw, value }]
    if (!/^[\p{L}\p{M}\p{N}]/u.test(raw)) return [{ is: 'mark', raw, stem: raw }]
    return raw.split(camel).map((part) => ({ is: 'word', raw: part, stem: stem(part.toLowerCase()) }))
  })
}

/** What a name is found by. */
export const stemsOf = (name: string): string[] => tokensIn(name.replace(/["“”`']/g, ' ')).map((token) => token.stem)
