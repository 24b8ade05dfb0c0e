/**
 * Rows that go into a statement as arrays, one array a column: the statement is the same for two rows and for hundreds. The
 * arrays are written here, not by the driver, which looks at each value anew.
 */
type Value = { text: string; json: string; uuid: string; int: number; real: number; boolean: boolean; timestamptz: number }

/** Name, type and value of a column; of a time the milliseconds since 1970. */
export type Column<Row> = { [Type in keyof Value]: readonly [name: string, type: Type, of: (row: Row) => Value[Type] | null] }[keyof Value]

const quotable = /["\\]/g
const quoted = (text: string): string => `"${text.replace(quotable, '\\$&')}"`

// oxlint-disable-next-line no-control-regex -- what JSON may have between its tokens, and JavaScript writes otherwise
const spaced = /[\x00-\x1f]/
/** JSON has quotes everywhere: in half the time of a replacement. */
const quotedJson = (text: string): string => (spaced.test(text) ? quoted(text) : JSON.stringify(text))

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
  if (type === 'json') return quotedJson(value as string)
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

export const namesOf = <Row>(columns: readonly Column<Row>[]): string => columns.map(([name]) => name).join(', ')

/** Rows on their way into a statement. */
export interface Table {
  /** Of the same statement another shape is another statement: how many rows, or `*` for any number. */
  shape: string
  values: readonly unknown[]
  /** The table as it is named in the statement, its parameters from this number on; empty where there are no rows. */
  from(first: number): string
}

const none: Table = { shape: '0', values: [], from: () => '' }

/** Any number of rows, as `unnest($1::text[], $2::int[]) as t (id, seq)`. */
export const manyRows = <Row>(alias: string, columns: readonly Column<Row>[], rows: readonly Row[]): Table =>
  rows.length === 0
    ? none
    : {
        shape: '*',
        values: columns.map((column) => arrayOf(column, rows)),
        from: (first) => `unnest(${columns.map(([, type], index) => `$${first + index}::${type}[]`).join(', ')}) as ${alias} (${namesOf(columns)})`,
      }

/** More are not worth a statement of their own. */
const few = 4

/**
 * A few rows, as `(values ($1::text, $2::int), ($3::text, $4::int)) as t (id, seq)`: an array costs PostgreSQL a function scan
 * each, and the commit of one run more than twice its time.
 */
export function fewRows<Row>(alias: string, columns: readonly Column<Row>[], rows: readonly Row[]): Table {
  if (rows.length === 0 || rows.length > few) return manyRows(alias, columns, rows)
  const listed = (row: number, first: number): string => `(${columns.map(([, type], index) => `$${first + row * columns.length + index}::${type}`).join(', ')})`
  return {
    shape: String(rows.length),
    values: rows.flatMap((row) => columns.map((column) => valueOf(column, row))),
    from: (first) => `(values ${rows.map((_, row) => listed(row, first)).join(', ')}) as ${alias} (${namesOf(columns)})`,
  }
}

const valueOf = <Row>([, type, of]: Column<Row>, row: Row): unknown => {
  const value = of(row)
  return value !== null && type === 'timestamptz' ? new Date(value as number).toISOString() : value
}

export interface Composed {
  statement: { name: string; text: string }
  values: unknown[]
}

/** Composes a statement of tables, and remembers its text by their shapes. Before theirs it has parameters of its own. */
export function composing<Tables extends Record<string, Table>>(
  name: string,
  own: number,
  text: (from: { [Name in keyof Tables]: string }) => string,
): (tables: Tables, values: readonly unknown[]) => Composed {
  const known = new Map<string, Composed['statement']>()
  return (tables, values) => {
    const all = Object.entries(tables)
    const shapes = `${name} ${all.map(([, { shape }]) => shape).join(' ')}`
    let statement = known.get(shapes)
    if (!statement) {
      let first = own + 1
      const from = all.map(([each, table]) => {
        first += table.values.length
        return [each, table.from(first - table.values.length)]
      })
      statement = { name: shapes, text: text(Object.fromEntries(from) as { [Name in keyof Tables]: string }) }
      known.set(shapes, statement)
    }
    return { statement, values: [...values, ...all.flatMap(([, table]) => table.values)] }
  }
}
