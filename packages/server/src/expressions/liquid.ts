import { CaseTag, Context, Liquid, Token, TokenKind, Tokenizer, evalToken, evalTokenValue, type Emitter, type FilteredValueToken, type ValueToken } from 'liquidjs'
import { Budget } from './budget.ts'
import { ExpressionError } from './error.ts'
import { filters, text, unwrap } from './filters.ts'
import { equal, operators } from './operators.ts'

/**
 * Liquid, held to a budget. What reaches outside the template (include, render, layout, block) is not there, nor is what
 * turns whole values into keys (cycle, tablerow); filters are ours; every property read, operator, filter and written text
 * is charged. Lists and objects are written as JSON.
 */

const tags = new Set(['assign', 'for', 'capture', 'case', 'comment', 'if', 'unless', 'break', 'continue', 'echo', 'raw', 'increment', 'decrement', 'liquid', '#'])

/** Characters of one template. */
const parseLimit = 100_000

/** Numbers a range counts between. The library adds 1 until the end is passed: beyond 2^53 that never happens. */
const rangeEnd = 1_000_000

export class BoundedContext extends Context {
  readonly budget: Budget

  constructor(engine: Liquid, variables: object, budget: Budget) {
    super(variables, engine.options, { sync: true }, { liquid: engine })
    this.budget = budget
  }

  override readProperty(object: object, key: unknown): unknown {
    this.budget.tick()
    const name = unwrap(key)
    // A list as a key would be turned into its text, whatever that costs.
    if (typeof name !== 'string' && typeof name !== 'number') return undefined
    return super.readProperty(object, name) as unknown
  }
}

class BoundedEmitter implements Emitter {
  buffer = ''
  readonly #budget: Budget

  constructor(budget: Budget) {
    this.#budget = budget
  }

  write(value: unknown): void {
    this.buffer += text(this.#budget, value)
  }
}

const budgetOf = (context: unknown): Budget => {
  if (context instanceof BoundedContext) return context.budget
  throw new ExpressionError('The template is not held to a budget')
}

/** As the library's, with our comparison; the first branch that fits is taken. */
class BoundedCase extends CaseTag {
  override *render(context: Context, emitter: Emitter): Generator<unknown, void> {
    const target: unknown = yield this.value.value(context)
    for (const { values, templates } of this.branches) {
      for (const token of values) {
        if (!equal(budgetOf(context), target, yield evalToken(token, context))) continue
        yield this.liquid.renderer.renderTemplates(templates, context, emitter)
        return
      }
    }
    yield this.liquid.renderer.renderTemplates(this.elseTemplates, context, emitter)
  }
}

export const engine = makeEngine()

function makeEngine(): Liquid {
  // The library's own limits stand behind ours; its clock is the wall's, so that it is set far.
  const liquid = new Liquid({ templates: {}, parseLimit, memoryLimit: 4_000_000, renderLimit: 5_000, ownPropertyOnly: true, strictFilters: true, operators: operators(budgetOf) })
  for (const name of Object.keys(liquid.tags)) if (!tags.has(name)) delete liquid.tags[name]
  liquid.registerTag('case', BoundedCase)
  for (const name of Object.keys(liquid.filters)) liquid.unregisterFilter(name)
  for (const [name, apply] of Object.entries(filters))
    liquid.registerFilter(name, function (value: unknown, ...args: unknown[]): unknown {
      const budget = budgetOf(this.context)
      budget.tick()
      const result = apply(budget, value, ...args)
      weigh(result, budget)
      return result
    })
  const { renderer } = liquid
  const renderTemplates = renderer.renderTemplates.bind(renderer)
  renderer.renderTemplates = (templates, context, emitter) => {
    const budget = budgetOf(context)
    budget.tick()
    return renderTemplates(templates, context, emitter ?? new BoundedEmitter(budget))
  }
  return liquid
}

/** A list of lists counts all that is in it, each time: two steps of doubling a turn make 2^n elements out of n names. */
function weigh(value: unknown, budget: Budget): void {
  if (typeof value === 'string') budget.spend(value.length)
  if (!Array.isArray(value)) return
  budget.spend(value.length)
  for (const each of value) if (Array.isArray(each)) weigh(each, budget)
}

// Counts lines from the start of the source, for each variable when a template is analysed: 5 s for 100,000 characters.
// Nothing here shows lines; errors say their offset.
Token.prototype.getPosition = () => [1, 1]

const readGroupOrRange = Tokenizer.prototype.readGroupOrRange
Tokenizer.prototype.readGroupOrRange = function (this: Tokenizer) {
  const token = readGroupOrRange.call(this)
  if (token && 'lhs' in token) {
    token.lhs = bounded(token.lhs)
    token.rhs = bounded(token.rhs)
  }
  return token
}

/** Reads an end of a range as the library reads a filtered value, and refuses what cannot be counted to. */
function bounded(end: ValueToken): ValueToken {
  const initial = {
    postfix: [end],
    *evaluate(context: Context): Generator<unknown, number> {
      const value = Number(yield evalTokenValue(end, context))
      if (!(Math.abs(value) <= rangeEnd)) throw new ExpressionError(`A range ends at numbers up to ${rangeEnd}`)
      return value
    },
  }
  const token = {
    kind: TokenKind.FilteredValue,
    initial,
    filters: [],
    input: end.input,
    begin: end.begin,
    end: end.end,
    getText: () => end.getText(),
    getPosition: () => end.getPosition(),
    size: () => end.size(),
  }
  return token as unknown as FilteredValueToken as unknown as ValueToken
}
