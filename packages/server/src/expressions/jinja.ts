import type { Json } from '@sluice/schema'
import { Budget } from './budget.ts'
import { ExpressionError } from './error.ts'
import { arithmetic, signed } from './jinja-arithmetic.ts'
import { parse } from './jinja-parser.ts'
import { placeOf, sliced } from './jinja-slices.ts'
import type { Body, Call, Expression, Statement, Target } from './jinja-tree.ts'
import { Loop, Tuple, compared, elements, inside, isList, kindOf, str, truth } from './jinja-values.ts'
import { toJson } from './json.ts'
import { Recent } from './recent.ts'

/**
 * Jinja templates, evaluated under a budget: of values that are JSON, by functions that are all ours. A name that a
 * template does not set itself is a step before; one that gave nothing, and whatever is looked for inside it, prints
 * nothing. All else is as in Jinja, and printed as Python prints it.
 *
 * Grammar and evaluation are our own. The parser of @huggingface/jinja reads 40,000 spaces in 2.4 s (the square of their
 * number), drops a tag it calls `generation`, and knows no tests with arguments, raw blocks, chains of comparisons or names
 * beyond ASCII.
 */
export interface Jinja {
  /** Names that it looks up among the steps. */
  steps: ReadonlySet<string>
  /** Of these, those that it never sets itself: without a step of the name they can only be a mistake. */
  needed: ReadonlySet<string>
  /** Whether there is anything to evaluate. */
  dynamic: boolean
  /** The text, of a scope whose `nodes` has the outputs of the steps. Throws an ExpressionError. */
  render(scope: object): string
  /** The text, where what has a name is not a step but an own key of `names`. Throws an ExpressionError. */
  text(names: object): string
  /** Of a template that is exactly one `{{ expression }}` its value, null where nothing is, else the text. Throws an ExpressionError. */
  value(names: object): Json
}

/** Characters of one template. */
const maxSource = 100_000

/** By how much memory they take. */
const recent = new Recent<Jinja>(32_000_000)
const nothing: ReadonlySet<string> = new Set()

/** Compiles a template. Throws an ExpressionError for what is not understood, with its place. Line ends become `\n`, and a last one goes, as in Jinja. */
export function compileJinja(source: string): Jinja {
  if (!/\{[{%#]|\r|\n$/.test(source)) return { steps: nothing, needed: nothing, dynamic: false, render: () => source, text: () => source, value: () => source }
  // The tree is some 20 to 40 times as large as its text.
  return recent.of(source, () => compile(source), source.length * 40 + 1_000)
}

function compile(source: string): Jinja {
  if (source.length > maxSource) throw new ExpressionError(`A template has at most ${maxSource} characters`)
  const { body, names, strange } = attempt(() => parse(source))
  const text = (outputs: unknown): string => attempt(() => new Evaluation(outputs).render(body))
  const [only] = body
  const value = body.length === 1 && only?.is === 'print' ? (outputs: object): Json => attempt(() => new Evaluation(outputs).json(only.value)) : text
  return { steps: names, needed: strange, dynamic: true, render: (scope) => text(inside(scope, 'nodes')), text, value }
}

/** A stack that overflows is an ExpressionError to the caller. */
function attempt<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof RangeError) throw new ExpressionError('The template is nested too deeply or makes too much', { cause: error })
    throw error
  }
}

const rangeEnd = 1_000_000

class Evaluation {
  readonly #budget = new Budget()
  readonly #outputs: unknown
  /** What the template has set, the innermost last. Only a loop and a captured block have a frame of their own. */
  readonly #frames: Map<string, unknown>[] = [new Map()]
  #text = ''

  constructor(outputs: unknown) {
    this.#outputs = outputs
  }

  render(body: Body): string {
    this.#run(body)
    return this.#text
  }

  json(expression: Expression): Json {
    return toJson(this.#value(expression), this.#budget)
  }

  #run(body: Body): void {
    for (const statement of body) this.#do(statement)
  }

  #do(statement: Statement): void {
    this.#budget.tick()
    switch (statement.is) {
      case 'text':
        return this.#write(statement.text)
      case 'print':
        return this.#write(str(this.#budget, this.#value(statement.value)))
      case 'if': {
        const taken = statement.branches.find(([when]) => truth(this.#budget, this.#value(when)))
        return this.#run(taken ? taken[1] : statement.otherwise)
      }
      case 'for':
        return this.#for(statement)
      case 'set':
        return this.#set(statement.target, this.#value(statement.value))
      case 'capture':
        return this.#capture(statement)
    }
  }

  #write(text: string): void {
    this.#budget.spend(text.length)
    this.#text += text
  }

  #within(work: () => void): void {
    this.#frames.push(new Map())
    work()
    this.#frames.pop()
  }

  #for({ target, over, when, body, otherwise }: Extract<Statement, { is: 'for' }>): void {
    const all = elements(this.#budget, this.#value(over))
    const items = when ? all.filter((item) => this.#passes(target, item, when)) : all
    if (items.length === 0) return this.#within(() => this.#run(otherwise))
    const loop = new Loop(items.length)
    for (const item of items) {
      this.#within(() => {
        loop.advance(items)
        this.#set('loop', loop)
        this.#set(target, item)
        this.#run(body)
      })
    }
  }

  #passes(target: Target, item: unknown, when: Expression): boolean {
    let passes = false
    this.#within(() => {
      this.#set(target, item)
      passes = truth(this.#budget, this.#value(when))
    })
    return passes
  }

  #set(target: Target, value: unknown): void {
    if (typeof target === 'string') {
      this.#frames.at(-1)!.set(target, value)
      return
    }
    const parts = elements(this.#budget, value)
    if (parts.length !== target.length) throw new ExpressionError(`${target.length} names are set from ${parts.length} values`)
    for (const [at, each] of target.entries()) this.#set(each, parts[at])
  }

  #capture({ target, body, filters }: Extract<Statement, { is: 'capture' }>): void {
    const before = this.#text
    this.#text = ''
    this.#within(() => this.#run(body))
    const made = filters.reduce<unknown>((value, call) => this.#apply(value, call), this.#text)
    this.#text = before
    if (target === null) this.#write(str(this.#budget, made))
    else this.#set(target, made)
  }

  #value(expression: Expression): unknown {
    this.#budget.spend(1)
    switch (expression.is) {
      case 'constant':
        return expression.value
      case 'name':
        return this.#named(expression.name)
      case 'list':
        return this.#values(expression.parts)
      case 'tuple':
        return Tuple.from(this.#values(expression.parts))
      case 'concat':
        return this.#concat(expression.parts)
      case 'dict':
        return this.#dict(expression.entries)
      case 'get':
        return this.#get(this.#value(expression.of), this.#value(expression.key))
      case 'slice':
        return this.#slice(expression)
      case 'apply':
        return this.#apply(this.#value(expression.of), expression.call)
      case 'range':
        return this.#range(expression.args)
      case 'not':
        return !truth(this.#budget, this.#value(expression.of))
      case 'negative':
      case 'positive':
        return this.#signed(this.#value(expression.of), expression.is === 'negative' ? -1 : 1)
      case 'and': {
        const left = this.#value(expression.left)
        return truth(this.#budget, left) ? this.#value(expression.right) : left
      }
      case 'or': {
        const left = this.#value(expression.left)
        return truth(this.#budget, left) ? left : this.#value(expression.right)
      }
      case 'arithmetic':
        return arithmetic(this.#budget, expression.operator, this.#value(expression.left), this.#value(expression.right))
      case 'compare':
        return this.#compare(expression)
      case 'choice':
        return truth(this.#budget, this.#value(expression.when)) ? this.#value(expression.value) : expression.otherwise ? this.#value(expression.otherwise) : undefined
    }
  }

  #named(name: string): unknown {
    for (let at = this.#frames.length - 1; at >= 0; at--) if (this.#frames[at]!.has(name)) return this.#frames[at]!.get(name)
    return inside(this.#outputs, name)
  }

  #get(value: unknown, key: unknown): unknown {
    // A text is counted through.
    if (typeof value === 'string') this.#budget.tick()
    return inside(value, key)
  }

  #values(parts: readonly Expression[]): unknown[] {
    return parts.map((part) => this.#value(part))
  }

  #concat(parts: readonly Expression[]): string {
    const texts = this.#values(parts).map((value) => str(this.#budget, value))
    return texts.join('')
  }

  #dict(entries: readonly (readonly [Expression, Expression])[]): unknown {
    const made: Record<string, unknown> = Object.create(null)
    for (const [key, value] of entries) {
      const name = this.#value(key)
      if (typeof name !== 'string') throw new ExpressionError(`The key of a dict must be a text, not ${kindOf(name)}`)
      made[name] = this.#value(value)
    }
    return made
  }

  #slice({ of, from, to, step }: Extract<Expression, { is: 'slice' }>): unknown {
    const value = this.#value(of)
    const places = [from, to, step].map((part) => this.#place(part))
    return value === undefined ? undefined : sliced(this.#budget, value, places)
  }

  #place(part: Expression | null): number | undefined {
    return placeOf(part ? this.#value(part) : null)
  }

  #apply(value: unknown, { callable, args, named }: Call): unknown {
    this.#budget.tick()
    const given = args.map((arg) => (arg ? this.#value(arg) : undefined))
    const byName = new Map(named.map(([key, arg]) => [key, this.#value(arg)] as const))
    const made = callable.apply(this.#budget, value, given, byName)
    if (typeof made === 'string' || isList(made)) this.#budget.spend(made.length)
    return made
  }

  #range(args: readonly Expression[]): unknown {
    const numbers = args.map((arg) => this.#place(arg) ?? 0)
    const [from, to, step] = numbers.length === 1 ? [0, numbers[0]!, 1] : [numbers[0]!, numbers[1]!, numbers[2] ?? 1]
    if (step === 0) throw new ExpressionError('The step of a range cannot be 0')
    const length = Math.max(Math.ceil((to - from) / step), 0)
    if (length > rangeEnd) throw new ExpressionError(`A range has at most ${rangeEnd} numbers`)
    this.#budget.tick(length)
    return Array.from({ length }, (_, at) => from + at * step)
  }

  #signed(value: unknown, sign: 1 | -1): unknown {
    return signed(value, sign)
  }

  #compare({ first, rest }: Extract<Expression, { is: 'compare' }>): boolean {
    let left = this.#value(first)
    return rest.every(([operator, expression]) => {
      const right = this.#value(expression)
      const holds = compared(this.#budget, operator, left, right)
      left = right
      return holds
    })
  }
}
