import type { Json, JsonObject } from '@sluice/schema'
import type { Message } from '../../model.ts'
import { isObject } from '../fitting.ts'
import type { Column, Table } from '../tables/table.ts'

/** What the prompts of the built-in workflows hold besides the words of the person: files, results, and what was understood. PURE. */
export interface Prompt {
  /** As the person wrote it. */
  text: string
  /** Null: there are none. */
  files: FileTold[] | null
  /** Those among them. */
  tables: readonly Table[]
  results: TaskResult[] | null
  /** As they were understood before. */
  questions: string[] | null
}

export interface FileTold {
  name: string
  type: string
  pages: number | null
  preview: string | null
  error: string | null
  /** Of a table. */
  table: Table | null
}

export interface TaskResult {
  id: string
  title: string
  text: string
}

/** `isUnderstood`: what the person wants was understood before, and stands behind their words. */
export function promptOf(messages: readonly Message[], isUnderstood: boolean): Prompt {
  const content = messages.findLast(({ role }) => role === 'user')?.content ?? ''
  const results = blockAtEnd(content, 'Results')
  const understood = isUnderstood ? questionsAtEnd(content) : null
  const front = results?.before ?? understood?.before ?? content
  const files = blockAtEnd(front, 'Files')
  const told = (files?.list ?? []).filter(isObject).flatMap(fileOf)
  return {
    text: (files?.before ?? front).trim(),
    files: told.length > 0 ? told : null,
    tables: told.flatMap(({ table }) => (table ? [table] : [])),
    results: results ? results.list.filter(isObject).map(taskOf) : null,
    questions: understood?.questions ?? null,
  }
}

/** A list of JSON under its name, which nothing follows. */
function blockAtEnd(text: string, name: string): { before: string; list: Json[] } | null {
  const opening = `${name}:\n\`\`\`json\n`
  const at = text.lastIndexOf(opening)
  if (at < 0 || (at > 0 && text[at - 1] !== '\n')) return null
  const rest = text.slice(at + opening.length).trimEnd()
  if (!rest.endsWith('\n```')) return null
  try {
    const list = JSON.parse(rest.slice(0, -4)) as Json
    return Array.isArray(list) ? { before: text.slice(0, at), list } : null
  } catch {
    return null
  }
}

const goalMark = '\n\nGoal: '

function questionsAtEnd(text: string): { before: string; questions: string[] } | null {
  const at = text.lastIndexOf(goalMark)
  if (at < 0) return null
  const [, ...questions] = text.slice(at).split(/\n- /)
  return { before: text.slice(0, at), questions: questions.map((question) => question.trim()).filter((question) => question !== '') }
}

const textIn = (value: Json | undefined): string | null => (typeof value === 'string' && value !== '' ? value : null)
const countIn = (value: Json | undefined): number | null => (typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : null)

function fileOf(file: JsonObject): FileTold[] {
  const [name, type] = [textIn(file['name']), textIn(file['type'])]
  if (name === null || type === null) return []
  const columns = Array.isArray(file['columns']) ? file['columns'].filter(isObject).flatMap(columnOf) : []
  const error = textIn(file['error'])
  return [
    {
      name,
      type,
      pages: countIn(file['pages']),
      preview: textIn(file['preview']),
      error,
      table: columns.length > 0 && error === null ? { name, rows: countIn(file['rows']), columns } : null,
    },
  ]
}

function columnOf({ name, type, values }: JsonObject): Column[] {
  if (typeof name !== 'string' || (type !== 'number' && type !== 'text' && type !== 'date' && type !== 'boolean')) return []
  return [{ name, type, values: Array.isArray(values) ? values.filter((value) => typeof value === 'string') : null }]
}

const taskOf = ({ id, title, text }: JsonObject): TaskResult => ({
  id: typeof id === 'string' || typeof id === 'number' ? String(id) : '',
  title: textIn(title) ?? '',
  text: textIn(text) ?? '',
})
