import type { Json } from '@sluice/schema'
import { answerTo } from '../answer.ts'
import { isObject } from '../fitting.ts'
import type { Reading } from '../reading.ts'
import { readingOf } from '../reading.ts'
import { stemsOf, tokensIn } from '../tables/tokens.ts'
import type { Table } from '../tables/table.ts'
import type { FileTold } from './prompt.ts'

/** Questions to files that are texts: which is to be read, and what it says. PURE. */

const isReadable = ({ table, error, type }: FileTold): boolean => table === null && error === null && type !== 'other'

/** The file that a question is to, by its name; without tables the only one. */
export function readingAsked(ask: string, files: readonly FileTold[], tables: readonly Table[]): string | null {
  const readable = files.filter(isReadable)
  if (readable.length === 0) return null
  const said = ` ${tokensIn(ask)
    .map(({ stem, raw, is }) => (is === 'quoted' ? stemsOf(raw).join(' ') : stem))
    .join(' ')} `
  const named = readable.filter(({ name }) => said.includes(` ${stemsOf(name).join(' ')} `))
  if (named.length === 1) return named[0]!.name
  return named.length === 0 && tables.length === 0 && readable.length === 1 ? readable[0]!.name : null
}

/** The text that the tool gave; null: it is something else. */
export function textRead(value: Json | undefined): { text: string; more: boolean } | null {
  if (!isObject(value) || typeof value['text'] !== 'string') return null
  return { text: value['text'], more: value['more'] === true }
}

const reads = /^\s*(?:please\s+)?(?:read|show|print|display|open)\b/i
const mostShown = 2_000

/** What a text says to a question. */
export function saidIn(name: string, ask: string, read: { text: string; more: boolean }, effort: Reading['effort']): string {
  const text = read.text.trim()
  if (text === '') return `${name} has no text.`
  const part = read.more ? ` (its first ${read.text.length} characters)` : ''
  const question = ask.replaceAll(`"${name}"`, '').replaceAll(name, '')
  const finding = answerTo({
    ...readingOf([{ role: 'user', content: text }], effort),
    question: question.trim().endsWith('?') || question.length === 0 ? question : `${question.replace(/[.!]?\s*$/, '')}?`,
  })
  if (finding && !reads.test(ask)) return `${name}${part}: ${finding.text}`
  if (reads.test(ask)) return `${name}${part}: ${text.slice(0, mostShown)}${text.length > mostShown ? '…' : ''}`
  return `No rule finds an answer to “${ask}” in ${name}${part}.`
}
