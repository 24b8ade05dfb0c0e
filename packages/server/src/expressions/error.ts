/** An expression or template that does not compile, or that could not be evaluated. The message is for people. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError'
  /** Where in the source, in UTF-16 units from 0, if known. */
  readonly offset: number | undefined
  /** Whether the message repeats the expression: which one it was need not be said besides. */
  readonly repeats: boolean

  constructor(message: string, options: { offset?: number | undefined; repeats?: boolean; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.offset = options.offset
    this.repeats = options.repeats ?? false
  }
}
