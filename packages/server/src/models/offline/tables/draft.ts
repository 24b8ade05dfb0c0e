import type { ColumnNamed, ValueNamed } from './names.ts'
import type { AggregateName, Comparison, Table } from './table.ts'

/** What a sentence asks of tables, in its own words: columns are as they were named, not yet found in one table. */
export interface AggregateAsked {
  of: AggregateName
  /** Null: the rows. */
  column: ColumnNamed | null
  /** Of which file the rows are. */
  file?: Table | undefined
}

export type ValueAsked = { is: 'number'; value: number; raw: string } | { is: 'date'; raw: string } | { is: 'text'; raw: string } | { is: 'known'; values: ValueNamed }

export interface ConditionAsked {
  /** Null: the column that has the value. */
  column: ColumnNamed | null
  is: Comparison
  value: ValueAsked
}

export type OrderAsked = { by: ColumnNamed | AggregateAsked | 'result'; descending: boolean }

export type Core =
  /** One number or more, of all rows or of each group. */
  | { is: 'aggregates'; aggregates: AggregateAsked[] }
  /** The rows, or the group, with the most or the least of something. */
  | { is: 'extreme'; of: ColumnNamed | null; by: ColumnNamed | AggregateAsked; descending: boolean; limit: number | null; file?: Table | undefined }
  | { is: 'rows'; limit: number | null; file?: Table | undefined }
  | { is: 'columns'; columns: ColumnNamed[]; different: boolean }

export type Part =
  | { is: 'group'; columns: ColumnNamed[] }
  | { is: 'where'; conditions: ConditionAsked[] }
  | { is: 'order'; order: OrderAsked }
  | { is: 'limit'; limit: number }
  | { is: 'files'; files: Table[] }
  | { is: 'nothing' }

export interface Draft {
  core: Core
  parts: Part[]
}
