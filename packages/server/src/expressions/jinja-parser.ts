import { ExpressionError } from './error.ts'
import type { Callable } from './jinja-callable.ts'
import { filters } from './jinja-filters.ts'
import { methods } from './jinja-methods.ts'
import { tests } from './jinja-tests.ts'
import { quoted, tokensOf, type Token } from './jinja-tokens.ts'
import type { Body, Call, Expression, Statement, Target } from './jinja-tree.ts'
import { numeric } from './jinja-values.ts'

/**
 * Jinja's grammar, as its own parser has it, without what reaches beyond one template (include, import, extends, block) or
 * makes functions (macro, call). Filters, tests and methods are found while it is parsed: what is not there never runs.
 */

export interface Parsed {
  body: Body
  /** Names that it looks up outside itself. */
  names: ReadonlySet<string>
  /** Of these, those that it never sets itself. */
  strange: ReadonlySet<string>
}

/** How deep tags, brackets and signs may stand inside each other. */
const maxDepth = 100
/** Operators, filters and steps of paths in one tag: each makes the tree one deeper. */
const maxOperators = 1_000

/** Throws an ExpressionError. */
export const parse = (source: string): Parsed => new Parser(tokensOf(source)).template()

/** What stands for something else than a value. */
const constants: ReadonlyMap<string, boolean | null> = new Map([
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
  ['none', null],
  ['None', null],
])
const comparisons = new Set(['==', '!=', '<', '<=', '>', '>='])

/** Names that are bound at a place of the template: surely, or in one of its branches. */
interface Frame {
  surely: Set<string>
  perhaps: Set<string>
}

const frame = (surely: readonly string[] = []): Frame => ({ surely: new Set(surely), perhaps: new Set() })

class Parser {
  readonly #tokens: readonly Token[]
  readonly #frames: Frame[] = [frame()]
  readonly #names = new Set<string>()
  readonly #strange = new Set<string>()
  #at = 0
  #depth = 0
  #operators = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  template(): Parsed {
    const body = this.#body([])
    return { body, names: this.#names, strange: this.#strange }
  }

  // Tokens

  get #token(): Token {
    return this.#tokens[this.#at]!
  }

  #next(): Token {
    const token = this.#token
    if (token.is !== 'end') this.#at++
    return token
  }

  #is(is: Token['is'], value?: string): boolean {
    return this.#token.is === is && (value === undefined || this.#token.value === value)
  }

  #skip(is: Token['is'], value: string): boolean {
    return this.#is(is, value) && Boolean(this.#next())
  }

  #expect(is: Token['is'], value?: string): Token {
    if (!this.#is(is, value)) this.#fail(`${value === undefined ? (is === 'close' ? 'The end of the tag' : `A ${is}`) : quoted(value)} is missing before ${named(this.#token)}`)
    return this.#next()
  }

  #fail(message: string, at = this.#token.at): never {
    throw new ExpressionError(message, { offset: at })
  }

  #nested<T>(work: () => T): T {
    if (++this.#depth > maxDepth) this.#fail(`It is nested deeper than ${maxDepth} levels`)
    const made = work()
    this.#depth--
    return made
  }

  #chained(): void {
    if (++this.#operators > maxOperators) this.#fail(`One expression has at most ${maxOperators} operators`)
  }

  // Names

  #read(name: string): void {
    for (const { surely, perhaps } of this.#frames.toReversed()) {
      if (surely.has(name)) return
      if (!perhaps.has(name)) continue
      this.#names.add(name)
      return
    }
    this.#names.add(name)
    this.#strange.add(name)
  }

  #bind(target: Target): void {
    if (typeof target === 'string') this.#frames.at(-1)!.surely.add(target)
    else for (const each of target) this.#bind(each)
  }

  /** What is bound in there is known afterwards only to the caller. */
  #within<T>(work: () => T, bound: readonly string[] = []): { made: T; inner: Frame } {
    this.#frames.push(frame(bound))
    const made = work()
    return { made, inner: this.#frames.pop()! }
  }

  // Statements

  /** Up to the tag that ends it, which is left open behind its name. */
  #body(ends: readonly string[]): Body {
    const body: Statement[] = []
    for (;;) {
      const token = this.#next()
      if (token.is === 'end') {
        if (ends.length === 0) return body
        this.#fail(`{% ${ends.at(-1)} %} is missing`, token.at)
      }
      if (token.is === 'text') body.push({ is: 'text', text: token.value })
      else {
        this.#operators = 0
        if (token.is === 'tag' && this.#is('name') && ends.includes(this.#token.value)) return body
        body.push(token.is === 'print' ? this.#print() : this.#nested(() => this.#statement()))
      }
    }
  }

  #print(): Statement {
    const value = this.#tuple()
    this.#expect('close')
    return { is: 'print', value }
  }

  #statement(): Statement {
    const { value: name, at } = this.#expect('name')
    switch (name) {
      case 'if':
        return this.#if()
      case 'for':
        return this.#for()
      case 'set':
        return this.#set()
      case 'filter':
        return this.#filterBlock()
      default:
        return this.#fail(/^end|^el/.test(name) ? `{% ${name} %} ends nothing here` : `{% ${name} %} is not available in these templates`, at)
    }
  }

  #if(): Statement {
    const branches: [Expression, Body][] = []
    const frames: Frame[] = []
    let otherwise: Body | null = null
    do {
      const when = this.#expression()
      this.#expect('close')
      const { made, inner } = this.#within(() => this.#body(['elif', 'else', 'endif']))
      branches.push([when, made])
      frames.push(inner)
    } while (this.#skip('name', 'elif'))
    if (this.#skip('name', 'else')) {
      this.#expect('close')
      const { made, inner } = this.#within(() => this.#body(['endif']))
      otherwise = made
      frames.push(inner)
    }
    this.#end('endif')
    const outer = this.#frames.at(-1)!
    for (const { surely, perhaps } of frames) for (const name of [...surely, ...perhaps]) outer.perhaps.add(name)
    if (otherwise) for (const name of frames[0]!.surely) if (frames.every(({ surely }) => surely.has(name))) outer.surely.add(name)
    return { is: 'if', branches, otherwise: otherwise ?? [] }
  }

  #for(): Statement {
    const target = this.#target('in')
    this.#expect('name', 'in')
    const over = this.#tuple(false)
    const { made } = this.#within(() => {
      this.#bind(target)
      const when = this.#skip('name', 'if') ? this.#expression() : null
      this.#bind('loop')
      this.#expect('close')
      return { when, body: this.#body(['else', 'endfor']) }
    })
    let otherwise: Body = []
    if (this.#skip('name', 'else')) {
      this.#expect('close')
      otherwise = this.#within(() => this.#body(['endfor'])).made
    }
    this.#end('endfor')
    return { is: 'for', target, over, ...made, otherwise }
  }

  #set(): Statement {
    const target = this.#target('=')
    if (this.#skip('operator', '=')) {
      const value = this.#tuple()
      this.#expect('close')
      this.#bind(target)
      return { is: 'set', target, value }
    }
    if (typeof target !== 'string') this.#fail('A block is set as one name')
    const through = this.#filters()
    this.#expect('close')
    const body = this.#within(() => this.#body(['endset'])).made
    this.#end('endset')
    this.#bind(target)
    return { is: 'capture', target, body, filters: through }
  }

  #filterBlock(): Statement {
    const first = this.#call(filters, 'filter', false)
    const through = [first, ...this.#filters()]
    this.#expect('close')
    const body = this.#within(() => this.#body(['endfilter'])).made
    this.#end('endfilter')
    return { is: 'capture', target: null, body, filters: through }
  }

  #end(name: string): void {
    this.#expect('name', name)
    this.#expect('close')
  }

  /** One name, or several to unpack. */
  #target(end: string): Target {
    const one = (): Target => {
      if (!this.#skip('operator', '(')) {
        const { value, at } = this.#expect('name')
        if (constants.has(value)) this.#fail(`${quoted(value)} cannot be set`, at)
        if (this.#is('operator', '.')) this.#fail('Only a name can be set')
        return value
      }
      const inner = this.#nested(() => this.#target(')'))
      this.#expect('operator', ')')
      return inner
    }
    const targets = [one()]
    let isTuple = false
    while (this.#skip('operator', ',')) {
      isTuple = true
      if (this.#token.value === end) break
      targets.push(one())
    }
    return isTuple ? targets : targets[0]!
  }

  // Expressions, the loosest first

  /** One expression, or several with commas. */
  #tuple(withChoice = true, canBeEmpty = false): Expression {
    const parts: Expression[] = []
    let isTuple = false
    const isEnd = (): boolean => this.#is('close') || this.#is('operator', ')') || this.#is('operator', '=')
    while (!isEnd() || (parts.length === 0 && !canBeEmpty)) {
      parts.push(withChoice ? this.#expression() : this.#or())
      if (!this.#skip('operator', ',')) break
      isTuple = true
    }
    return isTuple || parts.length === 0 ? { is: 'tuple', parts } : parts[0]!
  }

  #expression(): Expression {
    return this.#nested(() => {
      let made = this.#or()
      while (this.#skip('name', 'if')) {
        this.#chained()
        const when = this.#or()
        made = { is: 'choice', when, value: made, otherwise: this.#skip('name', 'else') ? this.#expression() : null }
      }
      return made
    })
  }

  #or(): Expression {
    let left = this.#and()
    while (this.#skip('name', 'or')) {
      this.#chained()
      left = { is: 'or', left, right: this.#and() }
    }
    return left
  }

  #and(): Expression {
    let left = this.#not()
    while (this.#skip('name', 'and')) {
      this.#chained()
      left = { is: 'and', left, right: this.#not() }
    }
    return left
  }

  #not(): Expression {
    return this.#skip('name', 'not') ? { is: 'not', of: this.#nested(() => this.#not()) } : this.#compare()
  }

  #compare(): Expression {
    const first = this.#arithmetic(0)
    const rest: [string, Expression][] = []
    for (let operator = this.#comparison(); operator; operator = this.#comparison()) {
      this.#chained()
      rest.push([operator, this.#arithmetic(0)])
    }
    return rest.length === 0 ? first : { is: 'compare', first, rest }
  }

  #comparison(): string | null {
    if (this.#token.is === 'operator' && comparisons.has(this.#token.value)) return this.#next().value
    if (this.#skip('name', 'in')) return 'in'
    const following = this.#tokens[this.#at + 1]
    if (!this.#is('name', 'not') || following?.is !== 'name' || following.value !== 'in') return null
    this.#at += 2
    return 'not in'
  }

  /** From the loosest operators to the tightest: `+ -`, then `~`, then `* / // %`, then `**`; each from the left. */
  #arithmetic(level: number): Expression {
    const operators = levels[level]
    if (!operators) return this.#unary(true)
    const parts = [this.#arithmetic(level + 1)]
    while (this.#token.is === 'operator' && operators.has(this.#token.value)) {
      this.#chained()
      const operator = this.#next().value
      const right = this.#arithmetic(level + 1)
      if (operator === '~') parts.push(right)
      else parts[0] = { is: 'arithmetic', operator, left: parts[0]!, right }
    }
    return parts.length === 1 ? parts[0]! : { is: 'concat', parts }
  }

  #unary(withFilters: boolean): Expression {
    const sign = this.#is('operator', '-') ? 'negative' : this.#is('operator', '+') ? 'positive' : null
    if (sign) this.#next()
    const value: Expression = sign ? { is: sign, of: this.#nested(() => this.#unary(false)) } : this.#postfix(this.#primary())
    return withFilters ? this.#filtered(value) : value
  }

  #primary(): Expression {
    const token = this.#next()
    switch (token.is) {
      case 'name':
        return this.#name(token)
      case 'string': {
        const texts = [token.value]
        while (this.#is('string')) texts.push(this.#next().value)
        return { is: 'constant', value: texts.join('') }
      }
      case 'integer':
        return { is: 'constant', value: numeric(Number(token.value.replaceAll('_', '')), false) }
      case 'float':
        return { is: 'constant', value: numeric(Number(token.value.replaceAll('_', '')), true) }
      case 'operator':
        if (token.value === '(') return this.#parentheses()
        if (token.value === '[') return { is: 'list', parts: this.#list(']', () => this.#expression()) }
        if (token.value === '{') return { is: 'dict', entries: this.#list('}', () => this.#entry()) }
        break
      default:
    }
    return this.#fail(`${sentence(named(token))} has no meaning here`, token.at)
  }

  #name({ value, at }: Token): Expression {
    const constant = constants.get(value)
    if (constant !== undefined) return { is: 'constant', value: constant }
    if (!this.#is('operator', '(')) {
      this.#read(value)
      return { is: 'name', name: value }
    }
    if (value !== 'range') this.#fail(`${value}() is not available in these templates`, at)
    this.#next()
    const args = this.#list(')', () => this.#expression())
    if (args.length === 0 || args.length > 3) this.#fail('range() takes one to three numbers', at)
    return { is: 'range', args }
  }

  #parentheses(): Expression {
    const made = this.#nested(() => this.#tuple(true, true))
    this.#expect('operator', ')')
    return made
  }

  #list<T>(end: string, each: () => T): T[] {
    const made: T[] = []
    this.#nested(() => {
      while (!this.#skip('operator', end)) {
        if (made.length > 0) {
          this.#expect('operator', ',')
          if (this.#skip('operator', end)) return
        }
        made.push(each())
      }
    })
    return made
  }

  #entry(): [Expression, Expression] {
    const key = this.#expression()
    this.#expect('operator', ':')
    return [key, this.#expression()]
  }

  #postfix(of: Expression): Expression {
    for (;;) {
      if (this.#skip('operator', '.')) of = this.#attribute(of)
      else if (this.#skip('operator', '[')) of = this.#subscript(of)
      else if (this.#is('operator', '(')) this.#fail('This cannot be called: only methods by their name can')
      else return of
      this.#chained()
    }
  }

  #attribute(of: Expression): Expression {
    const { is, value, at } = this.#next()
    if (is === 'integer') return { is: 'get', of, key: { is: 'constant', value: Number(value) } }
    if (is !== 'name') this.#fail('A name or a number is missing after the dot', at)
    if (!this.#is('operator', '(')) return { is: 'get', of, key: { is: 'constant', value } }
    this.#at--
    return { is: 'apply', of, call: this.#call(methods, 'method', true) }
  }

  #subscript(of: Expression): Expression {
    const part = (): Expression | null => (this.#is('operator', ':') || this.#is('operator', ']') ? null : this.#expression())
    const from = part()
    if (from && this.#skip('operator', ']')) return { is: 'get', of, key: from }
    this.#expect('operator', ':')
    const to = part()
    const step = this.#skip('operator', ':') ? part() : null
    this.#expect('operator', ']')
    return { is: 'slice', of, from, to, step }
  }

  #filtered(of: Expression): Expression {
    for (;;) {
      if (this.#skip('operator', '|')) of = { is: 'apply', of, call: this.#call(filters, 'filter', false) }
      else if (this.#skip('name', 'is')) of = this.#test(of)
      else return of
      this.#chained()
    }
  }

  /** Filters alone, behind `{% set x %}` and `{% filter f %}`. */
  #filters(): Call[] {
    const calls: Call[] = []
    while (this.#skip('operator', '|')) calls.push(this.#call(filters, 'filter', false))
    return calls
  }

  #test(of: Expression): Expression {
    const isNegated = this.#skip('name', 'not')
    const hasBareArgument = (): boolean => {
      const { is, value } = this.#token
      return (
        is === 'string' ||
        is === 'integer' ||
        is === 'float' ||
        value === '[' ||
        value === '{' ||
        (is === 'name' && !['else', 'or', 'and', 'is', 'if', 'not', 'in'].includes(value))
      )
    }
    const { value: name, at } = this.#expect('name')
    const found = this.#find(tests, 'test', name, at)
    if (this.#is('name', 'is')) this.#fail('One test cannot follow another without “and”')
    const given = this.#is('operator', '(') ? this.#arguments() : { args: hasBareArgument() ? [this.#postfix(this.#primary())] : [], named: [] }
    const made: Expression = { is: 'apply', of, call: this.#bound(found, name, given, at) }
    return isNegated ? { is: 'not', of: made } : made
  }

  #call(among: ReadonlyMap<string, Callable>, what: 'filter' | 'method', isCalled: boolean): Call {
    const { value: name, at } = this.#expect('name')
    const found = this.#find(among, what, name, at)
    const given = isCalled || this.#is('operator', '(') ? this.#arguments() : { args: [], named: [] }
    const call = this.#bound(found, name, given, at)
    const inner = among === filters ? namedInside.get(name) : undefined
    const looked = inner && call.args[inner.at]
    if (inner && looked?.is === 'constant' && typeof looked.value === 'string') this.#find(inner.among, inner.what, looked.value, at)
    return call
  }

  #find(among: ReadonlyMap<string, Callable>, what: string, name: string, at: number): Callable {
    return among.get(name) ?? this.#fail(`There is no ${what} ${name} in these templates`, at)
  }

  #arguments(): Given {
    this.#expect('operator', '(')
    const args: Expression[] = []
    const named: [string, Expression][] = []
    this.#list(')', () => {
      const following = this.#tokens[this.#at + 1]
      if (this.#is('operator', '*') || this.#is('operator', '**')) this.#fail('Arguments cannot be unpacked in these templates')
      if (this.#is('name') && following?.is === 'operator' && following.value === '=') {
        const name = this.#next().value
        this.#next()
        named.push([name, this.#expression()])
      } else if (named.length > 0) this.#fail('An argument with a name stands before one without')
      else args.push(this.#expression())
    })
    return { args, named }
  }

  /** The arguments in the order of the callable's own. */
  #bound(found: Callable, name: string, { args, named: byName }: Given, at: number): Call {
    if (found.takes === 'any') return { name, callable: found, args, named: byName }
    const { takes, needs } = found
    if (args.length > takes.length) this.#fail(`${name} takes ${takes.length === 0 ? 'no arguments' : `at most ${takes.length} (${takes.join(', ')})`}`, at)
    const ordered: (Expression | undefined)[] = [...args]
    for (const [key, value] of byName) {
      const place = takes.indexOf(key)
      if (place < 0) this.#fail(`${name} has no argument ${quoted(key)}${takes.length === 0 ? '' : `: it takes ${takes.join(', ')}`}`, at)
      if (ordered[place]) this.#fail(`${name} is given ${quoted(key)} twice`, at)
      ordered[place] = value
    }
    const missing = takes.slice(0, needs).find((_, place) => !ordered[place])
    if (missing) this.#fail(`${name} needs ${quoted(missing)}`, at)
    return { name, callable: found, args: Array.from(ordered), named: [] }
  }
}

interface Given {
  args: Expression[]
  named: [string, Expression][]
}

const levels: readonly ReadonlySet<string>[] = [new Set(['+', '-']), new Set(['~']), new Set(['*', '/', '//', '%']), new Set(['**'])]

/** Filters that are given the name of another callable, and which of their arguments it is. */
const namedInside: ReadonlyMap<string, { at: number; among: ReadonlyMap<string, Callable>; what: string }> = new Map([
  ['map', { at: 0, among: filters, what: 'filter' }],
  ['select', { at: 0, among: tests, what: 'test' }],
  ['reject', { at: 0, among: tests, what: 'test' }],
  ['selectattr', { at: 1, among: tests, what: 'test' }],
  ['rejectattr', { at: 1, among: tests, what: 'test' }],
])

const named = ({ is, value }: Token): string => (is === 'end' ? 'the end' : is === 'close' ? 'the end of the tag' : quoted(value))
const sentence = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1)
