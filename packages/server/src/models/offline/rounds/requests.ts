import { tableQuestion } from '../tables/question.ts'
import type { Table } from '../tables/table.ts'
import { sentencesOf } from '../words.ts'

/** A request split into what it asks, one thing each, and what it says besides. PURE. */
export interface Request {
  asks: string[]
  /** What is no question, such as the text that the questions are about. */
  material: string
}

/** Longer texts are material, whatever sentences stand in them; the first and the last paragraph ask. */
const longestRequest = 4_000
const mostAsks = 20

const listMark = /^\s{0,20}(?:\d{1,3}[.)]|[-*•])\s+/
const asking =
  /^(?:(?:and|then|also|next|finally|please|now|first|secondly?|thirdly?|so|but)[,\s]+){0,3}(?:what|which|who|whose|whom|how|when|where|why|is|are|does|do|did|can|could|would|compute|calculate|list|show|give|find|tell|sum|add|count|average|summari[sz]e|describe|analy[sz]e|explain|compare|determine|report|display|print|read|plot|draw|write|make|create|send|translate|predict|forecast|get|extract|explore|examine|review|for (?:each|every)|per)\b/i

export function requestOf(text: string, tables: readonly Table[]): Request {
  if (text.length > longestRequest) return { asks: [text], material: '' }
  const sentences = text.split('\n').flatMap((line) => sentencesOf(line.replace(listMark, '')))
  const pieces = sentences.flatMap((sentence) => split(sentence, tables))
  const asks = pieces.filter((piece) => isAsking(piece, tables))
  const besides = pieces.filter((piece) => !asks.includes(piece))
  // `Leave out the north.` changes what the others ask: where no rule knows a sentence, none of them is understood.
  const isUnsafe = tables.length > 0 && besides.some((piece) => !harmless.test(piece))
  if (asks.length === 0 || asks.length > mostAsks || isUnsafe) return { asks: [text], material: '' }
  return { asks, material: besides.join('\n') }
}

const harmless =
  /^(?:hi|hello|hey|dear|thanks|thank you|many thanks|good (?:morning|day|evening)|here (?:is|are|you)|i(?: have|'ve)? (?:attached|uploaded|sent)|attached|see attached|the file is attached|regards|best|cheers)\b[^\d"]{0,80}$/i

const reads = (sentence: string, tables: readonly Table[]): boolean => tables.length > 0 && 'query' in tableQuestion(sentence, tables)
const isAsking = (sentence: string, tables: readonly Table[]): boolean =>
  sentence.endsWith('?') || asking.test(sentence) || (tables.length > 0 && /^(?:its|their)\b/i.test(sentence)) || reads(sentence, tables)

/** Where the next question of a sentence may begin. */
const seam = /\s*(?:;|,?\s(?:and|but)?\s?(?:then|also)\s|,?\s(?:and|but)\s|,\s)\s*/g

function split(sentence: string, tables: readonly Table[]): string[] {
  const whole = sentence.trim()
  if (whole === '') return []
  if (reads(whole, tables)) return [whole]
  const cut = seamsOf(whole).find(({ 0: mark }) => mark.includes(';'))
  if (cut) return [...split(whole.slice(0, cut.index), tables), ...split(whole.slice(cut.index + cut[0].length), tables)]
  return inParts(whole, tables, { left: mostTries }) ?? [whole]
}

const mostTries = 60

/** At the first seam where both sides ask something by themselves: no part may be left over. */
function inParts(sentence: string, tables: readonly Table[], tries: { left: number }): string[] | null {
  for (const { index, 0: mark } of seamsOf(sentence)) {
    if (tries.left-- <= 0) return null
    const [left, right] = [sentence.slice(0, index).trim(), sentence.slice(index + mark.length).trim()]
    if (left === '' || right === '' || !standsAlone(left, tables)) continue
    if (reads(right, tables)) return [left, right]
    const more = inParts(right, tables, tries)
    if (more) return [left, ...more]
    if (asking.test(right) || (tables.length > 0 && refers.test(right))) return [left, right]
  }
  return null
}

/** `For each region, …` is only the beginning of a question. */
const standsAlone = (part: string, tables: readonly Table[]): boolean => reads(part, tables) || (asking.test(part) && !/^(?:for (?:each|every)|per)\b/i.test(part))

/** Words that stand for what was found before. */
export const refers = /\b(?:its|their|that|there|it|this)\b/i

const mostSeams = 12
const seamsOf = (sentence: string): RegExpExecArray[] => {
  const quotes = [...sentence.matchAll(/"[^"]*"|“[^”]*”|`[^`]*`/g)].map(({ index, 0: raw }) => [index, index + raw.length] as const)
  return [...sentence.matchAll(seam)].filter(({ index }) => !quotes.some(([from, to]) => index > from && index < to)).slice(0, mostSeams)
}
