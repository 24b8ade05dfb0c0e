import type { Shape } from '../tables/assemble.ts'
import { stemsOf, tokensIn } from '../tables/tokens.ts'
import type { Column, Query, Table } from '../tables/table.ts'
import type { FileTold } from './prompt.ts'

/** Requests that ask for all there is to say of a file, and what is said then. PURE. */

const verbs = [
  'analyse',
  'analyze',
  'summarise',
  'summarize',
  'describe',
  'explore',
  'examine',
  'inspect',
  'explain',
  'overview',
  'analysis',
  'summary',
  'review',
  'profile',
  'contain',
  'see',
  'look',
  'read',
  'in',
]
const fillers =
  'please can could you me give show tell make do an a the this that these those my our attached uploaded following of about for at is are what whats s does it i all with and in on have file files table tables data dataset datasets report reports document documents spreadsheet sheet csv pdf json text texts attachment attachments content contents numbers short quick brief general full'
const known = new Set([...verbs, ...fillers.split(' ')].flatMap(stemsOf))
const asking = new Set(verbs.flatMap(stemsOf))

/** Nothing but a word that asks for all, and the names of files. */
export function isGeneral(sentence: string, files: readonly FileTold[]): boolean {
  const tokens = tokensIn(sentence)
  const names = new Set(files.flatMap(({ name }) => stemsOf(name)))
  return (
    tokens.some(({ stem }) => asking.has(stem)) &&
    tokens.every(({ stem, is, raw }) => is === 'mark' || known.has(stem) || names.has(stem) || (is === 'quoted' && files.some(({ name }) => name === raw)))
  )
}

/** Those that a general request names, else all. */
export function filesMeant(sentence: string, files: readonly FileTold[]): readonly FileTold[] {
  const said = ` ${tokensIn(sentence)
    .map(({ stem, raw, is }) => (is === 'quoted' ? stemsOf(raw).join(' ') : stem))
    .join(' ')} `
  const named = files.filter(({ name }) => said.includes(` ${stemsOf(name).join(' ')} `))
  return named.length > 0 ? named : files
}

/** Numbers of which no sum tells anything. */
const isLabel = ({ name }: Column): boolean =>
  /(^|[_\s-]|(?<=[a-z])(?=[A-Z]))(id|no|nr|number|code|zip|year|month|day|key|index|phone|lat|lon|latitude|longitude)$/i.test(name.trim())

const mostNumbers = 5
const mostCategories = 30

/** Of a table: how much there is, its numbers, its best grouping, and its largest row. */
export function analysisOf(table: Table): { query: Query; shape: Shape }[] {
  const numbers = table.columns.filter((column) => column.type === 'number' && !isLabel(column))
  const [measure] = numbers
  const category = table.columns
    .filter(({ type, values }) => type === 'text' && values !== null && values.length > 1 && values.length <= mostCategories && (table.rows === null || values.length < table.rows))
    .toSorted((a, b) => a.values!.length - b.values!.length)[0]
  const all: { query: Query; shape: Shape }[] = [
    {
      query: {
        file: table.name,
        aggregate: [
          { of: 'count' },
          ...numbers.slice(0, mostNumbers).flatMap(({ name }) => [
            { of: 'sum' as const, column: name },
            { of: 'mean' as const, column: name },
          ]),
        ],
      },
      shape: { is: 'numbers' },
    },
  ]
  if (category) {
    const aggregate = measure ? { of: 'sum' as const, column: measure.name } : { of: 'count' as const }
    all.push({
      query: {
        file: table.name,
        groupBy: [category.name],
        aggregate: [aggregate],
        orderBy: [{ column: measure ? `sum_${measure.name}` : 'count', descending: true }],
        limit: 200,
      },
      shape: { is: 'numbers' },
    })
  }
  if (measure)
    all.push({
      query: { file: table.name, orderBy: [{ column: measure.name, descending: true }], limit: 20 },
      shape: { is: 'extreme', of: null, by: measure.name, descending: true, limit: null },
    })
  return all
}
