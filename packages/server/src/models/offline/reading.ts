import type { Message } from '../model.ts'
import { factsIn, splitJson } from './facts.ts'
import type { Fact } from './facts.ts'

/** A conversation as the rules see it. PURE. */
export interface Reading {
  /** What was asked last. */
  question: string
  /** All that people and tools said, the newest first: what was said last holds. */
  text: string
  facts: readonly Fact[]
  /** Names of columns of the tables in it: the header of comma-separated lines, the keys of a list of JSON objects. */
  columns: readonly string[]
  /** How much may still be looked at, in characters: many fields over a long text would keep everybody waiting. */
  effort: { left: number }
}

const mostEffort = 5_000_000
export const effortOf = (): Reading['effort'] => ({ left: mostEffort })
/** A table that has more is none that a question could be about. */
const mostColumns = 200

export function readingOf(messages: readonly Message[], effort = effortOf()): Reading {
  const material = messages.filter(({ role }) => role === 'user' || role === 'tool').map(({ content }) => content)
  const newestFirst = material.toReversed()
  return {
    question: messages.findLast(({ role }) => role === 'user')?.content ?? '',
    text: newestFirst.join('\n'),
    facts: newestFirst.flatMap(factsIn),
    columns: [...new Set(newestFirst.flatMap(columnsIn))].slice(0, mostColumns),
    effort,
  }
}

/** A part of what is read, by itself. */
export const partOf = (text: string, { effort }: Pick<Reading, 'effort'>): Reading => readingOf([{ role: 'user', content: text }], effort)

function columnsIn(text: string): string[] {
  const { values, rest } = splitJson(text)
  const tables = values.filter((value) => Array.isArray(value))
  const keys = tables.flatMap(([first]) => (typeof first === 'object' && first !== null && !Array.isArray(first) ? Object.keys(first) : []))
  return [...keys, ...headerIn(rest.split('\n'))]
}

/** The first of two lines that have the same number of separators, when it looks like names. */
function headerIn(lines: readonly string[]): string[] {
  for (const [at, line] of lines.entries()) {
    const mark = ['\t', ';', ','].find((each) => line.includes(each))
    const names = mark === undefined ? [] : line.split(mark).map((name) => name.trim().replace(/^"(.*)"$/, '$1'))
    const isHeader = names.every((name) => /^[\p{L}_][\p{L}\p{N} _-]{0,60}$/u.test(name))
    if (mark !== undefined && isHeader && lines[at + 1]?.split(mark).length === names.length) return names
  }
  return []
}
