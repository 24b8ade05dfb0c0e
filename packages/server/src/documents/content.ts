/** A value of a table. A date is its ISO 8601 text, so that order of texts is order of time; an empty cell is null. */
export type Cell = string | number | boolean | null

export type ColumnType = 'number' | 'text' | 'date' | 'boolean'

export interface Column {
  name: string
  type: ColumnType
  /** One a row. */
  cells: Cell[]
}

/** Rows and columns of a file, kept by column: columns of numbers are small and quick to go through. */
export interface Table {
  columns: Column[]
  rows: number
}

/** What the bytes of a file say. */
export type Content =
  | { type: 'table'; table: Table; text: string; characters: number }
  | { type: 'text' | 'json'; text: string; characters: number }
  | { type: 'pdf'; text: string; characters: number; pages: number }
  | { type: 'other' }
