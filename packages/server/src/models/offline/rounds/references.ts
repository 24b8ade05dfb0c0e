import type { TableQuestion } from '../tables/question.ts'
import { tableQuestion } from '../tables/question.ts'
import type { Table } from '../tables/table.ts'

/** Questions about what another one finds: `the region with the largest sum, and its customers`. PURE. */

/** In place of a value that is not found yet. */
const resultOfTask = (id: string): string => `the result of task ${id}`
const mark = /\bthe result of task ([\w-]{1,40})/i

/** Which task's result an instruction needs. */
export const taskNeeded = (instructions: string): string | null => mark.exec(instructions)?.[1] ?? null

/** With what the task found in its place. */
export const resolvedWith = (instructions: string, value: string): string => instructions.replace(mark, () => (value.includes('"') ? `“${value}”` : `"${value}"`))

/** The one name that a task found: what stands in quotation marks in its text. */
export function nameFound(text: string): string | null {
  const names = [...text.matchAll(/"([^"\n]{1,500})"/g)].map(([, name]) => name!)
  return names.length === 1 ? names[0]! : null
}

/** The question with the name in place of the word that stands for it; null: it does not refer, or not so that a rule knows. */
export function referring(ask: string, before: TableQuestion, tables: readonly Table[], id: string): string | null {
  if (!('query' in before) || before.shape.is !== 'extreme' || before.shape.of === null || before.shape.limit !== null) return null
  const { of } = before.shape
  const noun = of.replace(/[^\p{L}\p{N} ]/gu, '.')
  const word = new RegExp(`\\b(?:(?:of|for|in|from)\\s+)?(?:its|their|(?:that|this|the same)\\s+${noun}(?:['’]s)?|(?:of|for|in)\\s+it|there)\\b`, 'iu')
  if (!word.test(ask)) return null
  const rest = ask
    .replace(word, ' ')
    .replace(/[.?!\s]+$/, '')
    .replace(/\s+/g, ' ')
    .trim()
  const condition = `where "${of}" is`
  const files = [before.query.file, ...(before.query.join ? [before.query.join.file] : [])]
  for (const front of [rest, `list the ${rest}`]) {
    const made = tableQuestion(`${front} ${condition} "x"`, tables)
    if ('query' in made && files.includes(made.query.file)) return `${front.charAt(0).toUpperCase()}${front.slice(1)} ${condition} ${resultOfTask(id)}.`
  }
  return null
}
