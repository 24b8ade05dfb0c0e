/** What reading one file may cost. Beyond it a file is refused whole: half a table would give wrong sums without a word. */
export interface Bounds {
  /** Bytes of a file. All that is read of it is in memory at once, several times over. */
  fileBytes: number
  /** Rows of a table, and columns: what a person would still ask questions of, not the export of a data warehouse. */
  rows: number
  columns: number
  /** Cells of a table: they, more than rows or columns, are what a table weighs (some 50 bytes each while it is read). */
  cells: number
  /** Characters that are kept of a text, in UTF-16: a thousand pages. The rest is counted, and said to be there. */
  characters: number
  /** Pages of a PDF. */
  pages: number
  /** Rows that a join may give: keys that repeat on both sides multiply. */
  joined: number
  /** Characters of an answer to a question: texts of cells may be long. */
  answerCharacters: number
  /** CPU time of one reading or one question: a file costs the same on a busy machine as on an idle one. */
  cpuMs: number
  /** How long it may take all the same, where a machine does much else. */
  ms: number
  /** Of the heap of the process that reads, in MiB: two million cells need some 200. */
  heapMiB: number
  /** Of all its memory, in MiB: what a PDF unpacks lies outside the heap. */
  memoryMiB: number
}

export const bounds: Bounds = {
  fileBytes: 32 * 1024 * 1024,
  rows: 200_000,
  columns: 500,
  cells: 2_000_000,
  characters: 2_000_000,
  pages: 500,
  joined: 1_000_000,
  answerCharacters: 1_000_000,
  cpuMs: 10_000,
  ms: 30_000,
  heapMiB: 512,
  memoryMiB: 1024,
}

/** Read at the same time by one server: each has a process of its own. */
export const readersAtOnce = 2

/** What was read and is kept to be asked again, in bytes. */
export const keptBytes = 64 * 1024 * 1024

/** The rows that an answer has at most, and where the question does not say: what a model can still read. */
export const mostRowsGiven = 200
export const rowsGiven = 50
