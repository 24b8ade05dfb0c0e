/**
 * Why code gave no output. `code_failed`: it threw, or is no JavaScript. `output_not_json`: it returned what JSON cannot say.
 * `unavailable`: the isolation could not be had, or broke; the code is then not run at all rather than run without it.
 */
export type SandboxErrorCode = 'code_failed' | 'output_not_json' | 'timed_out' | 'out_of_memory' | 'output_too_large' | 'unavailable'

export class SandboxError extends Error {
  override readonly name = 'SandboxError'
  readonly code: SandboxErrorCode
  /** The line of the source, from 1, where that is known. */
  readonly line: number | undefined
  readonly logs: readonly string[]
  constructor(code: SandboxErrorCode, message: string, more: { line?: number | undefined; logs?: readonly string[] } = {}) {
    super(message)
    this.code = code
    this.line = more.line
    this.logs = more.logs ?? []
  }
}
