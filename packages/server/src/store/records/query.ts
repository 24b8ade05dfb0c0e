import type { Collection, RecordField } from '@sluice/schema'

/**
 * What is asked of records, with every name resolved: `collections/check.ts` makes it, `sql.ts` and `memory.ts` read it, and a
 * property test holds them equal. It is asked of rows: a record beside one row of each relation that is crossed, and beside
 * nothing where there is none. A record fits when one such row does.
 */
export type Checked = { is: 'and' | 'or'; of: readonly Checked[] } | Compared

export interface Compared {
  is: 'compare'
  left: Operand
  operator: '=' | '!=' | '>' | '>=' | '<' | '<=' | '~' | '!~'
  /** One row is enough; otherwise none of what a relation leads to may fail. */
  any: boolean
  right: Operand
}

/** A step from a record (null: the one that is asked about). The same step is the same object, and so the same row. */
export interface Join {
  from: Join | null
  /** By an id, by several, from what refers to it, to all of a collection, to each item of a list. */
  by: 'field' | 'items' | 'back' | 'all' | 'each'
  /** Of `from`; of `back` that of the collection it leads to; of `all` of no meaning. */
  field: RecordField
  collection: Collection
  /** What the asker may not list is as good as not there. */
  rule: Checked | null
}

export type Operand =
  | { is: 'field'; at: Join | null; collection: Collection; field: RecordField; path: readonly string[]; modifier: 'lower' | 'length' | null }
  /** Of a list, that a step `each` leads to. */
  | { is: 'item'; at: Join; lower: boolean }
  /** With the text that it is to texts. JSON: nothing is not taken for the empty text. */
  | { is: 'value'; value: string | number | null; text: string; json: boolean }
  /** Kilometres. */
  | { is: 'distance'; of: readonly Operand[] }
  | { is: 'time'; format: string; of: Extract<Operand, { is: 'field' }>; shifts: readonly Shift[] }

export type Shift = { is: 'start'; of: 'day' | 'month' | 'year' } | { is: 'add'; seconds: number }

export type Key = { is: 'random' } | { is: 'operand'; operand: Operand; descending: boolean }
export type Order = readonly Key[]

export const everything: Checked = { is: 'and', of: [] }

export type Kind = 'text' | 'number' | 'bool' | 'date' | 'json' | 'several'

export function kindOf({ type, maxSelect = 1 }: RecordField): Kind {
  if (type === 'number' || type === 'bool' || type === 'json') return type
  if (type === 'date' || type === 'autodate') return 'date'
  return (type === 'select' || type === 'relation') && maxSelect > 1 ? 'several' : 'text'
}

/** The steps of an operand, the first one first. */
export function stepsOf(operand: Operand): Join[] {
  if (operand.is === 'distance') return operand.of.flatMap(stepsOf)
  if (operand.is === 'time') return stepsOf(operand.of)
  return operand.is === 'value' || !operand.at ? [] : pathTo(operand.at)
}

function pathTo(join: Join): Join[] {
  return join.from ? [...pathTo(join.from), join] : [join]
}

/** Whether several rows may be where it leads. */
export const isMany = ({ by, field }: Join): boolean => by !== 'field' && !(by === 'back' && field.unique === true)

/** What `~` looks for: a text is looked for anywhere, and as it is, unless it has a `%` of its own. */
export function patternOf(text: string): string {
  if (/^(?:\\[\s\S]|[^\\%])*%/.test(text)) return text
  return `%${text.replaceAll(/\\[\\%_]|[\\%_]/g, (found) => (found.length === 2 ? found : `\\${found}`))}%`
}
