import type { Bounds } from './bounds.ts'
import type { ColumnType, Content } from './content.ts'
import type { DocumentErrorCode } from './document-error.ts'
import type { Format } from './formats.ts'
import type { TableQuery, TableResult } from './table-query.ts'

/** What a reader is asked: a line of JSON, behind it the bytes of the file, or the tables one after the other, packed. */
export type Task = { kind: 'read'; format: Format; bounds: Bounds } | { kind: 'ask'; query: TableQuery; tables: readonly { name: string; bytes: number }[]; bounds: Bounds }

/** A table as it is kept: what is told of it, and all its cells in a form that only a reader opens. */
export interface PackedTable {
  type: 'table'
  text: string
  characters: number
  rows: number
  columns: { name: string; type: ColumnType; values?: string[] }[]
  packed: Uint8Array
}

export type ReadContent = PackedTable | Exclude<Content, { type: 'table' }>

export type Reply = { kind: 'content'; content: ReadContent } | { kind: 'answer'; result: TableResult } | { kind: 'error'; code: DocumentErrorCode; message: string }
