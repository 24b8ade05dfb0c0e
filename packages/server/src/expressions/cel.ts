import { Environment, type ASTNode } from '@marcbachmann/cel-js'
import type { Json } from '@sluice/schema'
import { Budget } from './budget.ts'
import { guard, type Meter } from './cel-guard.ts'
import { readsOf, type Reads } from './cel-tree.ts'
import { ExpressionError } from './error.ts'
import { toJson } from './json.ts'
import { Recent } from './recent.ts'

/** Characters of one expression. */
const maxSource = 8_000
const limits = { maxAstNodes: 2_000, maxDepth: 64, maxListElements: 1_000, maxMapEntries: 200, maxCallArguments: 16 }

export interface Cel extends Reads {
  /** What the expression gives as far as can be told without values: `bool`, `int`, `dyn` … */
  type: string
  /** Throws an ExpressionError, also for what is not there: conditions ask with has(). */
  evaluate(scope: object): Json
  condition(scope: object): boolean
}

/**
 * JSON numbers are doubles, literals are ints, and CEL mixes neither: the mixed operators, and `%` of doubles, are ours.
 */
const arithmetic: Record<string, (a: number, b: number) => number> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
}

function makeEnvironment(): Environment {
  const environment = new Environment({ unlistedVariablesAreDyn: true, homogeneousAggregateLiterals: false, limits })
  for (const [operator, apply] of Object.entries(arithmetic)) {
    const mixed = (a: number | bigint, b: number | bigint): number => apply(Number(a), Number(b))
    environment.registerOperator(`double ${operator} int`, mixed)
    environment.registerOperator(`int ${operator} double`, mixed)
    if (operator === '%') environment.registerOperator('double % double', mixed)
  }
  environment.registerOperator('double == int', (a: number, b: bigint) => a === Number(b))
  return environment
}

const compilesOfOne = 500

/** An environment keeps every type it has met, and users can write new ones without end: it is renewed now and then. */
export function renewed(make: () => Environment): () => Environment {
  let environment = make()
  let compiled = 0
  return () => (++compiled % compilesOfOne === 0 ? (environment = make()) : environment)
}

const environment = renewed(makeEnvironment)
const recent = new Recent<Cel>(2_000_000)

/** Compiles a CEL expression. Throws an ExpressionError. */
export const compileCel = (source: string): Cel => recent.of(source, () => compile(source), source.length + 1_000)

function compile(source: string): Cel {
  if (source.length > maxSource) throw new ExpressionError(`An expression has at most ${maxSource} characters`)
  return compileWith(environment(), source, { budget: null })
}

/** Compiles what has a length that it may have. While it is evaluated, the meter has its budget. */
export function compileWith(environment: Environment, source: string, meter: Meter): Cel {
  const { run, reads, type } = attempt(() => {
    const parsed = environment.parse(source)
    const found = readsOf(parsed.ast)
    const checked = parsed.check()
    if (!checked.valid) throw checked.error ?? new ExpressionError('The expression is not valid')
    guard(parsed.ast, meter)
    return { run: parsed, reads: found, type: checked.type ?? 'dyn' }
  })
  const isPath = pathOnly(run.ast)

  const evaluate = (scope: object): Json =>
    attempt(() => {
      const budget = (meter.budget = new Budget())
      const value: unknown = run(pick(scope, reads.names))
      // What is read as it stands is JSON already, and is handed on without a walk. The walk charges the budget, and so
      // throws what an `||` may have swallowed.
      return isPath ? (value as Json) : toJson(value, budget)
    })
  return {
    ...reads,
    type,
    evaluate,
    condition(scope) {
      const value = evaluate(scope)
      if (typeof value === 'boolean') return value
      throw new ExpressionError(`The condition gave ${nameOf(value)}, not true or false`)
    },
  }
}

/** The named variables alone: getters of others are not run, and nothing is reached through a prototype. */
export function pick(scope: object, names: Iterable<string>): Record<string, unknown> {
  const picked: Record<string, unknown> = Object.create(null)
  for (const name of names) if (Object.hasOwn(scope, name)) picked[name] = (scope as Record<string, unknown>)[name]
  return picked
}

function pathOnly(node: ASTNode): boolean {
  while (node.op === '.' || (node.op === '[]' && node.args[1].op === 'value')) node = node.args[0]
  return node.op === 'id' && node.args !== 'google'
}

const nameOf = (value: Json): string => (value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : `a ${typeof value}`)

/** Whatever the parser or the interpreter throws, a stack that overflows among it, is an ExpressionError to the caller. */
function attempt<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof ExpressionError) throw error
    const { summary, message, range } = error as { summary?: string; message?: string; range?: { start: number } }
    throw new ExpressionError(error instanceof RangeError ? 'The expression is nested too deeply or makes too much' : (summary ?? message ?? 'The expression failed'), {
      offset: range?.start,
      cause: error,
    })
  }
}
