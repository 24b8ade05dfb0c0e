import type { JsonObject } from '@sluice/schema'
import type { TaskResult } from './prompt.ts'

/** What the results of a plan come to: nothing is in it that is not in them. PURE. */

const failed =
  /^(?:This task failed|It came to no result|No rule |None of its rules|query_table refused|read_file refused)|\bwas not looked up\b|needs one name that came out before/

const plainOf = (text: string, sign: string): string => text.replaceAll(`${sign} `, '').replaceAll(sign, '').trim()

export function reviewed(results: readonly TaskResult[], sign: string): JsonObject {
  const open = results.filter(
    ({ text }) =>
      plainOf(text, sign) === '' ||
      plainOf(text, sign)
        .split('\n')
        .some((line) => failed.test(line)),
  )
  const none = results.length === 0 ? 'There are no results.' : ''
  return { complete: results.length > 0 && open.length === 0, remarks: open.length === 0 ? none : `Without an answer: ${open.map(({ title }) => title).join('; ')}` }
}

export function concluded(results: readonly TaskResult[], sign: string): string {
  const told = results.map(({ title, text }) => ({ title, text: plainOf(text, sign) || 'It came to no result.' }))
  if (told.length === 0) return 'The plan came to no results.'
  if (told.length === 1) return told[0]!.text
  return told.map(({ title, text }) => `- ${title}: ${text}`).join('\n')
}
