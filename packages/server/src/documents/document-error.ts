/**
 * Why a document gave nothing. `file_unknown`, `column_unknown`: the message lists what there is. `query_invalid`: the question
 * does not fit the table. `document_unreadable`: the bytes are not what the name says. `document_too_large`: it, or what was asked
 * of it, goes beyond a bound, which the message names.
 */
export type DocumentErrorCode = 'file_unknown' | 'column_unknown' | 'query_invalid' | 'document_unreadable' | 'document_too_large'

export class DocumentError extends Error {
  override readonly name = 'DocumentError'
  readonly code: DocumentErrorCode
  /** It took too long, or too much: on another day it may not. */
  readonly passing: boolean
  constructor(code: DocumentErrorCode, message: string, { passing = false, ...options }: { passing?: boolean; cause?: unknown } = {}) {
    super(message, options)
    this.code = code
    this.passing = passing
  }
}
