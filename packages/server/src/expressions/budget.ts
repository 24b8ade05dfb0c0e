import { ExpressionError } from './error.ts'

/** One unit is one element, character or step. A whole evaluation makes at most this much. */
const unitsOfOne = 4_000_000

/** Milliseconds of processor time. A stalled machine is nobody's bomb, so that wall time alone ends nothing. */
const cpuMs = 300
const unsuspiciousMs = 50

const cpuNow = (): number => {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

/**
 * What one evaluation may cost: what it makes (`spend`) and how long it runs (`tick`). Once it is used up every further
 * call throws the same error, so that an interpreter which swallows errors (CEL's `||`, `exists`) still ends at once.
 */
export class Budget {
  #left = unitsOfOne
  readonly #started = performance.now()
  #suspectedAt: number | undefined
  #exhausted: ExpressionError | undefined

  spend(units: number): void {
    if (this.#exhausted) throw this.#exhausted
    this.#left -= units
    if (this.#left < 0) this.#end('it makes more than an expression may')
  }

  tick(units = 1): void {
    this.spend(units)
    if (performance.now() - this.#started < unsuspiciousMs) return
    // The system call costs a microsecond: it is asked only of evaluations that already took long.
    this.#suspectedAt ??= cpuNow()
    if (cpuNow() - this.#suspectedAt > cpuMs) this.#end('it takes too long')
  }

  #end(reason: string): never {
    this.#exhausted = new ExpressionError(`The evaluation was stopped: ${reason}`)
    throw this.#exhausted
  }
}
