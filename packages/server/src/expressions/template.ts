import type { Json } from '@sluice/schema'
import { Output, toValueSync, type LiquidError, type Template as Part } from 'liquidjs'
import { Budget } from './budget.ts'
import { pick } from './cel.ts'
import type { Reads } from './cel-tree.ts'
import { ExpressionError } from './error.ts'
import { unwrap } from './filters.ts'
import { toJson } from './json.ts'
import { BoundedContext, engine } from './liquid.ts'
import { Recent } from './recent.ts'

export interface Template extends Reads {
  /** All that is looked up in the scope: names of its own too, for they may not be set. */
  variables: ReadonlySet<string>
  /** Whether there is anything to evaluate. */
  dynamic: boolean
  /** The text. Throws an ExpressionError. */
  render(scope: object): string
  /** Of a source that is exactly one `{{ expression }}` its value, else the text. Throws an ExpressionError. */
  value(scope: object): Json
}

/** Parts of one template. */
const maxParts = 5_000

const recent = new Recent<Template>(8_000_000)
const nothing: ReadonlySet<string> = new Set()

/** Compiles a Liquid template. Throws an ExpressionError. A source without `{{` and `{%` is its own text. */
export function compileTemplate(source: string): Template {
  if (!source.includes('{{') && !source.includes('{%'))
    return { dynamic: false, names: nothing, steps: nothing, whole: false, variables: nothing, render: () => source, value: () => source }
  return recent.of(source, () => compile(source), source.length + 2_000)
}

function compile(source: string): Template {
  if (source.split(/\{[{%]/, maxParts + 2).length > maxParts + 1) throw new ExpressionError(`A template has at most ${maxParts} expressions and tags`)
  const { parts, ...reads } = attempt(() => {
    const parsed = engine.parse(source)
    return { parts: parsed, ...analyse(parsed) }
  })
  const contextOf = (scope: object, budget: Budget): BoundedContext => new BoundedContext(engine, pick(scope, reads.variables), budget)
  const render = (scope: object): string =>
    attempt(() => {
      return engine.renderSync(parts, contextOf(scope, new Budget())) as string
    })
  const [only] = parts
  if (parts.length !== 1 || !(only instanceof Output)) return { ...reads, dynamic: true, render, value: render }

  // Read without a filter it is a value of the scope, JSON already, and handed on without a walk.
  const isPlain = only.value.filters.length === 0
  const value = (scope: object): Json =>
    attempt(() => {
      const budget = new Budget()
      const given = unwrap(toValueSync(only.value.value(contextOf(scope, budget), false)))
      return isPlain && typeof given === 'object' ? (given as Json) : toJson(given, budget)
    })
  return { ...reads, dynamic: true, render, value }
}

function analyse(parts: Part[]): Reads & { variables: ReadonlySet<string> } {
  const { globals, variables } = engine.analyzeSync(parts, { partials: false })
  const steps = new Set<string>()
  let whole = false
  for (const found of Object.values(globals).flat()) {
    const [root, step] = found.segments
    if (root !== 'nodes') continue
    if (typeof step === 'string' && step !== 'size') steps.add(step)
    else whole = true
  }
  const roots = (of: typeof globals): Set<string> => new Set(Object.values(of).flatMap((found) => found.map(({ segments }) => String(segments[0]))))
  const names = roots(globals)
  const looked = roots(variables)
  // Its own in one branch, in another it may be that of the scope.
  return { names, variables: looked, steps, whole: whole || (looked.has('nodes') && !names.has('nodes')) }
}

/** Whatever the library throws, a stack that overflows among it, is an ExpressionError to the caller. */
function attempt<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof ExpressionError) throw error
    const { originalError, message, token } = error as Partial<LiquidError> & { token?: { begin?: number } }
    if (originalError instanceof ExpressionError) throw new ExpressionError(originalError.message, { offset: token?.begin, cause: error })
    const words = originalError?.message ?? message ?? 'The template failed'
    throw new ExpressionError(
      [error, originalError].some((each) => each instanceof RangeError) ? 'The template is nested too deeply or makes too much' : words.replace(/, line:\d+, col:\d+$/, ''),
      {
        offset: token?.begin,
        cause: error,
      },
    )
  }
}
