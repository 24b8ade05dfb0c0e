import type { JsonObject } from '@sluice/schema'
import type { Shape } from '../tables/assemble.ts'
import { capital, phrased } from '../tables/phrase.ts'
import { tableQuestion } from '../tables/question.ts'
import type { TableQuestion } from '../tables/question.ts'
import type { Query, Table } from '../tables/table.ts'
import { analysisOf, filesMeant, isGeneral } from './general.ts'
import type { FileTold, Prompt } from './prompt.ts'
import { readingAsked } from './reading-files.ts'
import { referring, taskNeeded } from './references.ts'
import { requestOf } from './requests.ts'

/** One thing to do for a request: a question to tables, a file to read, or what the other rules are to answer. PURE. */
export interface Step {
  title: string
  /** A sentence from which the same work is made again. */
  instructions: string
  /** The step, counted from 0, whose result it needs. */
  needs: number | null
  work: Work
}

export type Work =
  | { is: 'query'; query: Query; shape: Shape }
  /** It needs what is not found yet. */
  | { is: 'later' }
  | { is: 'read'; file: string; ask: string }
  /** `reason`: why no rule for tables fits; null: there are none. */
  | { is: 'other'; ask: string; material: string; reason: string | null }

export function stepsOf(prompt: Prompt): Step[] {
  const { tables } = prompt
  const files = prompt.files ?? []
  const { asks, material } = requestOf(prompt.text, tables)
  const all = prompt.questions && prompt.questions.length > 0 ? prompt.questions : asks
  const steps: Step[] = []
  const asked: TableQuestion[] = []
  for (const ask of all) {
    for (const step of stepsFor(ask, files, tables, material, steps, asked)) {
      steps.push(step)
      asked.push(step.work.is === 'query' ? { query: step.work.query, shape: step.work.shape } : { reason: '' })
    }
  }
  return steps
}

function stepsFor(ask: string, files: readonly FileTold[], tables: readonly Table[], material: string, steps: readonly Step[], asked: readonly TableQuestion[]): Step[] {
  if (taskNeeded(ask)) return [{ title: titleOf(ask), instructions: ask, needs: null, work: { is: 'later' } }]
  if (files.length > 0 && isGeneral(ask, files)) return filesMeant(ask, files).flatMap((file) => stepsForFile(file, tables))
  const question = tableQuestion(ask, tables)
  if ('query' in question) return [queryStep(question.query, question.shape, tables, ask)]
  const file = readingAsked(ask, files, tables)
  if (file !== null) return [readStep(file, ask)]
  const before = asked.findLastIndex((each) => 'query' in each)
  const rewritten = before < 0 ? null : referring(ask, asked[before]!, tables, String(before + 1))
  if (rewritten !== null) return [{ title: titleOf(ask), instructions: rewritten, needs: before, work: { is: 'later' } }]
  const instructions = material === '' ? ask : `${ask}\n\n${material}`
  return [{ title: titleOf(ask), instructions, needs: null, work: { is: 'other', ask, material, reason: tables.length > 0 ? question.reason : notRead(files) } }]
}

/** That what was asked of it has no answer because the file was not read; null where one was, and where there are none. */
function notRead(files: readonly FileTold[]): string | null {
  const whys = files.map((file) => ({ name: file.name, why: whyNot(file) }))
  const [first] = whys
  return first?.why && whys.every(({ why }) => why !== null) ? `"${first.name}" ${first.why}` : null
}

/** Null: it can be read. */
function whyNot({ table, error, type }: FileTold): string | null {
  if (table !== null) return null
  if (error !== null) return `cannot be read: ${error}`
  return type === 'other' ? 'is of no type that can be read' : null
}

function queryStep(query: Query, shape: Shape, tables: readonly Table[], ask: string): Step {
  const words = phrased(query, shape, tables)
  const file = tables.length > 1 ? ` in ${query.file}` : ''
  return { title: words ? `${words.title}${file}` : titleOf(ask), instructions: words?.instructions ?? ask, needs: null, work: { is: 'query', query, shape } }
}

function stepsForFile(file: FileTold, tables: readonly Table[]): Step[] {
  if (file.table) return analysisOf(file.table).map(({ query, shape }) => queryStep(query, shape, tables, ''))
  const why = whyNot(file)
  return why === null ? [readStep(file.name, `Summarize "${file.name}".`)] : [noteStep(file.name, why)]
}

const readStep = (file: string, ask: string): Step => ({ title: titleOf(ask), instructions: ask, needs: null, work: { is: 'read', file, ask } })

const noteStep = (name: string, reason: string): Step => {
  const ask = `Say that "${name}" ${reason}`
  return { title: titleOf(ask), instructions: ask, needs: null, work: { is: 'other', ask, material: '', reason: `"${name}" ${reason}` } }
}

export const titleOf = (ask: string): string => {
  const [line = ''] = ask.trim().split('\n')
  return capital(line.length <= 120 ? line.replace(/[.?!]+$/, '') : `${line.slice(0, 119)}…`)
}

/** The call that does it; null: none of the functions for files. */
export function callFor(work: Work): { name: string; arguments: JsonObject } | null {
  if (work.is === 'query') return { name: 'query_table', arguments: JSON.parse(JSON.stringify(work.query)) as JsonObject }
  return work.is === 'read' ? { name: 'read_file', arguments: { file: work.file } } : null
}
