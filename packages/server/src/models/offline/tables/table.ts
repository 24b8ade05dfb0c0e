/** The tables that a question can be about, as their summaries tell of them. */
export interface Column {
  name: string
  type: 'number' | 'text' | 'date' | 'boolean'
  /** All there are, where the summary says. */
  values: readonly string[] | null
}

export interface Table {
  /** Of the file. */
  name: string
  rows: number | null
  columns: readonly Column[]
}

/** A question to a table, as the tool `query_table` takes it. */
export interface Query {
  file: string
  join?: { file: string; on: string | { left: string; right: string } }
  where?: Condition[]
  groupBy?: string[]
  aggregate?: Aggregate[]
  select?: string[]
  orderBy?: { column: string; descending?: boolean }[]
  limit?: number
}

export type AggregateName = 'sum' | 'mean' | 'min' | 'max' | 'count' | 'median' | 'distinct'
export interface Aggregate {
  of: AggregateName
  column?: string
}

export type Comparison = '=' | '!=' | '<' | '<=' | '>' | '>=' | 'contains'
export interface Condition {
  column: string
  is: Comparison
  value: string | number | boolean
}

/** A file name without its ending. */
export const stemOfFile = (name: string): string => name.replace(/(?<=.)\.[^.]*$/, '')
