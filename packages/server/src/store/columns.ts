/**
 * Rows that go into a statement as arrays, one array a column: the statement is the same for one row and for hundreds. The
 * arrays are written here, not by the driver: its own way took a third of the time of a commit of 64 runs.
 */
type Value = { text: string; json: string; uuid: string; int: number; real: number; boolean: boolean; timestamptz: number }

/** Name, type and value of a column; of a time the milliseconds since 1970. */
export type Column<Row> = { [Type in keyof Value]: readonly [name: string, type: Type, of: (row: Row) => Value[Type] | null] }[keyof Value]

const quotable = /["\\]/g
const quoted = (text: string): string => `"${text.replace(quotable, '\\$&')}"`

// Rows that are written together were mostly made in the same millisecond.
let lastMs = Number.NaN
let lastTime = ''
function time(ms: number): string {
  if (ms !== lastMs) {
    lastMs = ms
    lastTime = `"${new Date(ms).toISOString()}"`
  }
  return lastTime
}

const rendered = (type: keyof Value, value: Value[keyof Value]): string => {
  if (type === 'timestamptz') return time(value as number)
  return typeof value === 'string' ? quoted(value) : String(value)
}

/** The array of a column as PostgreSQL reads it; null where all of it is: `unnest` fills it up. */
function arrayOf<Row>([, type, of]: Column<Row>, rows: readonly Row[]): string | null {
  let text = ''
  let any = false
  for (const row of rows) {
    const value = of(row)
    if (value !== null) any = true
    text += value === null ? ',NULL' : `,${rendered(type, value)}`
  }
  return any ? `{${text.slice(1)}}` : null
}

export const arraysOf = <Row>(columns: readonly Column<Row>[], rows: readonly Row[]): (string | null)[] => columns.map((column) => arrayOf(column, rows))

/** Arrays of a statement as a table, from the parameter of this number on: `unnest($1::text[], $2::int[]) as t (id, seq)`. */
export const unnested = <Row>(alias: string, columns: readonly Column<Row>[], first: number): string =>
  `unnest(${columns.map(([, type], index) => `$${first + index}::${type}[]`).join(', ')}) as ${alias} (${namesOf(columns)})`

export const namesOf = <Row>(columns: readonly Column<Row>[]): string => columns.map(([name]) => name).join(', ')
