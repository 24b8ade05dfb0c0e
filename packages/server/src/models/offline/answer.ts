import { textOf } from './fitting.ts'
import type { Reading } from './reading.ts'
import { summaryOf } from './summary.ts'
import { numbersIn } from './values.ts'
import { sentencesOf, shared, tellingWords } from './words.ts'

/** What the rules find to say to a question, and which of them it was. PURE. */
export interface Finding {
  rule: 'computed' | 'labelled' | 'summary' | 'quoted'
  text: string
}

type Rule = (reading: Reading) => Finding | null

/** The first that finds something answers. */
const rules: Rule[] = [computed, summary, labelled, quoted]

export function answerTo(reading: Reading): Finding | null {
  for (const rule of rules) {
    const finding = rule(reading)
    if (finding) return finding
  }
  return null
}

const computations: { asked: RegExp; name: string; of(numbers: number[]): number }[] = [
  { asked: /\b(average|mean)\b/i, name: 'average', of: (numbers) => numbers.reduce((a, b) => a + b, 0) / numbers.length },
  { asked: /\b(sum|add(ed)? up|add together)\b/i, name: 'sum', of: (numbers) => numbers.reduce((a, b) => a + b, 0) },
  { asked: /\b(largest|biggest|highest|greatest|maximum)\b/i, name: 'largest', of: (numbers) => numbers.reduce((a, b) => Math.max(a, b)) },
  { asked: /\b(smallest|lowest|least|minimum)\b/i, name: 'smallest', of: (numbers) => numbers.reduce((a, b) => Math.min(a, b)) },
  { asked: /\bhow many numbers\b/i, name: 'count', of: (numbers) => numbers.length },
]

/** Of plain numbers alone: in a table it takes a plan to know which are meant. */
function computed({ question, text, columns }: Reading): Finding | null {
  const computation = computations.find(({ asked }) => asked.test(question))
  if (!computation || columns.length > 0) return null
  const numbers = numbersIn(text)
  if (numbers.length < 2) return null
  return { rule: 'computed', text: `The ${computation.name} of the ${numbers.length} numbers in the text is ${exact(computation.of(numbers))}.` }
}

/** Without the dust of binary fractions. */
const exact = (value: number): number => Number(value.toPrecision(12))

const asksSummary = /\b(summar(y|i[sz]e|ies)|tl;?dr|gist|main points|key points|shorten)\b/i

function summary({ question, text }: Reading): Finding | null {
  if (!asksSummary.test(question)) return null
  // The asking is no part of what is asked about.
  const material = sentencesOf(text).filter((sentence) => !asksSummary.test(sentence) || sentence.length > 200)
  const said = summaryOf(material.join('\n'))
  return said === null ? null : { rule: 'summary', text: said }
}

const askedIn = (question: string): Set<string> =>
  new Set(
    sentencesOf(question)
      .filter((sentence) => sentence.endsWith('?'))
      .flatMap(tellingWords),
  )

/** The label that says most and nothing that was not asked for. */
function labelled({ question, facts }: Reading): Finding | null {
  const asked = askedIn(question)
  const fitting = facts.filter(({ words }) => words.every((word) => asked.has(word))).sort((a, b) => b.words.length - a.words.length)
  return fitting[0] ? { rule: 'labelled', text: `${fitting[0].label}: ${textOf(fitting[0].value)}` } : null
}

/** The sentence that shares most with a question; rare words count more than frequent ones. */
function quoted({ question, text }: Reading): Finding | null {
  const asked = askedIn(question)
  const material = sentencesOf(text).filter((sentence) => !sentence.endsWith('?'))
  const scored = material.map((sentence) => ({ sentence, score: shared(tellingWords(sentence), asked) })).sort((a, b) => b.score - a.score)
  const best = scored[0]
  // One word in common is chance, unless there is but one to have.
  return best && best.score >= Math.min(2, asked.size) && asked.size > 0 ? { rule: 'quoted', text: `“${best.sentence}”` } : null
}
