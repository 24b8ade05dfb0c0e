import { compileWith, renewed } from './cel.ts'
import type { Meter } from './cel-guard.ts'
import { ExpressionError } from './error.ts'
import { conditionOf } from './python-cel.ts'
import { pythonEnvironment } from './python-functions.ts'
import { parsePython } from './python-parser.ts'
import { Recent } from './recent.ts'

/** A condition as Python writes it, over the one name `data`: translated to CEL when it is compiled, and evaluated as CEL. */
export interface Python {
  /** What it is translated to. */
  cel: string
  /** `data`, if it is named. */
  names: ReadonlySet<string>
  /** Whether it gives what Python takes for true. Throws an ExpressionError, also for a key that is not there. */
  condition(scope: object): boolean
}

/** Characters of one condition. */
const maxSource = 8_000
/** Characters of one that a message repeats. */
const maxTold = 500

/** Conditions are evaluated one at a time, and each to its end. */
const meter: Meter = { budget: null }
const environment = renewed(() => pythonEnvironment(meter))
const recent = new Recent<Python>(4_000_000)

/** Compiles a condition. Throws an ExpressionError for what is not understood, with its place. */
export const compilePython = (source: string): Python => recent.of(source, () => compile(source), source.length * 10 + 1_000)

function compile(source: string): Python {
  if (source.length > maxSource) throw new ExpressionError(`A condition has at most ${maxSource} characters`)
  const { cel, names, condition } = translated(source)
  return { cel, names, condition: (scope) => attempt(source, () => condition(scope)) }
}

function translated(source: string): Python {
  const cel = conditionOf(parsePython(source))
  try {
    return { cel, ...compileWith(environment(), cel, meter) }
  } catch (error) {
    // What it says of a place is said of the translation.
    throw error instanceof ExpressionError ? new ExpressionError(error.message, { cause: error }) : error
  }
}

function attempt<T>(source: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    const told = source.length > maxTold ? `${source.slice(0, maxTold)}…` : source
    throw new ExpressionError(`Failed to evaluate condition '${told}': ${error.message}`, { repeats: true, cause: error })
  } finally {
    meter.budget = null
  }
}
