import { ExpressionError } from './error.ts'
import { quoted } from './jinja-tokens.ts'
import { methods } from './jinja-methods.ts'
import { builtins, types } from './python-builtins.ts'
import { pythonTokens, type PythonToken } from './python-tokens.ts'
import type { PythonExpression } from './python-tree.ts'

/**
 * Python's grammar of expressions, as far as conditions go: without what makes functions or repeats (`lambda`, comprehensions),
 * what assigns, what works on bits, and all names but `data`. What is called is found while it is parsed: what is not there never runs.
 */

/** How deep brackets, signs and branches may stand inside each other. */
const maxDepth = 50
const safe = Number.MAX_SAFE_INTEGER

const constants: ReadonlyMap<string, boolean | null> = new Map([
  ['True', true],
  ['False', false],
  ['None', null],
])
const comparisons = new Set(['==', '!=', '<', '<=', '>', '>='])
const keywords = new Set(
  'and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield'.split(
    ' ',
  ),
)
/** What a condition cannot do, by the word that says so. */
const undone: ReadonlyMap<string, string> = new Map([
  ['for', 'A comprehension'],
  ['lambda', 'A function'],
  ['await', 'Waiting'],
  ['yield', 'A generator'],
])

/** Throws an ExpressionError. */
export function parsePython(source: string): PythonExpression {
  const tokens = pythonTokens(source)
  // Told of first, for the names that it makes are strange until it comes.
  const strange = tokens.find(({ is, value }) => is === 'name' && undone.has(value))
  if (strange) throw new ExpressionError(`${undone.get(strange.value)} (${strange.value}) is not available in conditions`, { offset: strange.at })
  return new Parser(tokens).condition()
}

class Parser {
  readonly #tokens: readonly PythonToken[]
  #at = 0
  #depth = 0

  constructor(tokens: readonly PythonToken[]) {
    this.#tokens = tokens
  }

  condition(): PythonExpression {
    if (this.#is('end')) this.#fail('The condition is empty')
    const made = this.#several('')
    if (!this.#is('end')) this.#strange()
    return made
  }

  // Tokens

  get #token(): PythonToken {
    return this.#tokens[this.#at]!
  }

  #next(): PythonToken {
    const token = this.#token
    if (token.is !== 'end') this.#at++
    return token
  }

  #is(is: PythonToken['is'], value?: string): boolean {
    return this.#token.is === is && (value === undefined || this.#token.value === value)
  }

  #skip(is: PythonToken['is'], value: string): boolean {
    return this.#is(is, value) && Boolean(this.#next())
  }

  #sign(...among: string[]): string | null {
    return this.#token.is === 'operator' && among.includes(this.#token.value) ? this.#next().value : null
  }

  #expect(value: string): void {
    if (!this.#skip('operator', value) && !this.#skip('name', value)) this.#fail(`${quoted(value)} is missing before ${told(this.#token)}`)
  }

  #fail(message: string, at = this.#token.at): never {
    throw new ExpressionError(message, { offset: at })
  }

  #strange(): never {
    const { is, value } = this.#token
    const why = is === 'operator' && value.startsWith('*') ? ': nothing is unpacked in conditions' : ''
    this.#fail(`${told(this.#token).replace(/^t/, 'T')} has no meaning here${why}`)
  }

  #nested<T>(work: () => T): T {
    if (++this.#depth > maxDepth) this.#fail(`It is nested deeper than ${maxDepth} levels`)
    const made = work()
    this.#depth--
    return made
  }

  // The loosest first

  /** One expression, or a tuple of several. */
  #several(end: string): PythonExpression {
    const parts = [this.#expression()]
    let isTuple = false
    while (this.#skip('operator', ',')) {
      isTuple = true
      if (this.#is('end') || this.#is('operator', end)) break
      parts.push(this.#expression())
    }
    return isTuple ? { is: 'tuple', parts } : parts[0]!
  }

  #expression(): PythonExpression {
    return this.#nested(() => {
      const value = this.#or()
      if (!this.#skip('name', 'if')) return value
      const when = this.#or()
      this.#expect('else')
      return { is: 'choice', when, value, otherwise: this.#expression() }
    })
  }

  #or(): PythonExpression {
    const parts = [this.#and()]
    while (this.#skip('name', 'or')) parts.push(this.#and())
    return parts.length === 1 ? parts[0]! : { is: 'or', parts }
  }

  #and(): PythonExpression {
    const parts = [this.#not()]
    while (this.#skip('name', 'and')) parts.push(this.#not())
    return parts.length === 1 ? parts[0]! : { is: 'and', parts }
  }

  #not(): PythonExpression {
    return this.#skip('name', 'not') ? { is: 'not', of: this.#nested(() => this.#not()) } : this.#compare()
  }

  #compare(): PythonExpression {
    const first = this.#sum()
    const rest: [string, PythonExpression][] = []
    let left = first
    for (;;) {
      const { at } = this.#token
      const operator = this.#comparison()
      if (!operator) return rest.length === 0 ? first : { is: 'compare', first, rest }
      const right = this.#sum()
      if (operator.startsWith('is') && !isSingle(left) && !isSingle(right)) this.#fail('“is” asks for None, True or False: write == to compare', at)
      rest.push([operator, right])
      left = right
    }
  }

  #comparison(): string | null {
    const sign = this.#sign(...comparisons)
    if (sign) return sign
    if (this.#skip('name', 'in')) return 'in'
    if (this.#skip('name', 'is')) return this.#skip('name', 'not') ? 'is not' : 'is'
    const following = this.#tokens[this.#at + 1]
    if (!this.#is('name', 'not') || following?.is !== 'name' || following.value !== 'in') return null
    this.#at += 2
    return 'not in'
  }

  #sum(): PythonExpression {
    let left = this.#product()
    for (let operator = this.#sign('+', '-'); operator; operator = this.#sign('+', '-')) left = { is: 'arithmetic', operator, left, right: this.#product() }
    return left
  }

  #product(): PythonExpression {
    const signs = ['*', '/', '//', '%']
    let left = this.#factor()
    for (let operator = this.#sign(...signs); operator; operator = this.#sign(...signs)) left = { is: 'arithmetic', operator, left, right: this.#factor() }
    return left
  }

  #factor(): PythonExpression {
    const sign = this.#sign('+', '-')
    if (sign) return { is: 'sign', sign: sign === '-' ? -1 : 1, of: this.#nested(() => this.#factor()) }
    const left = this.#primary()
    // Tighter than a sign before it, looser than one behind it.
    return this.#skip('operator', '**') ? { is: 'arithmetic', operator: '**', left, right: this.#nested(() => this.#factor()) } : left
  }

  #primary(): PythonExpression {
    let made = this.#atom()
    for (;;) {
      if (this.#skip('operator', '.')) made = this.#attribute(made)
      else if (this.#skip('operator', '[')) made = this.#subscript(made)
      else if (this.#is('operator', '(')) this.#fail('This cannot be called: only methods and functions by their name can')
      else return made
    }
  }

  #atom(): PythonExpression {
    const { is, value, at } = this.#token
    switch (is) {
      case 'name':
        return this.#name()
      case 'text': {
        const texts: string[] = []
        while (this.#is('text')) texts.push(this.#next().value)
        return { is: 'constant', value: texts.join('') }
      }
      case 'integer':
        return { is: 'constant', value: this.#integer() }
      case 'float': {
        const number = Number(this.#next().value.replaceAll('_', ''))
        if (!Number.isFinite(number)) this.#fail(`${quoted(value)} is too large`, at)
        return { is: 'constant', value: number, float: true }
      }
      case 'operator':
        if (this.#skip('operator', '(')) return this.#parentheses()
        if (this.#skip('operator', '[')) return { is: 'list', parts: this.#list(']') }
        if (this.#skip('operator', '{')) return this.#braces()
        break
      default:
    }
    return this.#strange()
  }

  #integer(): number {
    const { value, at } = this.#next()
    const number = Number(value.replaceAll('_', ''))
    if (number > safe) this.#fail(`A whole number is at most ${safe} here`, at)
    return number
  }

  #name(): PythonExpression {
    const { value, at } = this.#token
    const constant = constants.get(value)
    if (keywords.has(value)) this.#strange()
    this.#next()
    if (constant !== undefined) return { is: 'constant', value: constant }
    if (this.#is('operator', '(')) return this.#call(value, at)
    if (value === 'data') return { is: 'data' }
    return this.#fail(`${value} is not known here; there is only data`, at)
  }

  #call(name: string, at: number): PythonExpression {
    const found = builtins.get(name)
    if (!found) this.#fail(`${name}() is not available in conditions; there are ${[...builtins.keys()].join(', ')}`, at)
    this.#next()
    if (name === 'isinstance') return this.#isinstance()
    return { is: 'call', name, args: this.#arguments(name, found, at) }
  }

  #isinstance(): PythonExpression {
    const of = this.#expression()
    this.#expect(',')
    const isTuple = this.#skip('operator', '(')
    const names: PythonExpression[] = []
    do {
      if (isTuple && this.#is('operator', ')')) break
      if (!this.#is('name') || !types.has(this.#token.value)) this.#fail(`A type is one of ${[...types].join(', ')}`)
      names.push({ is: 'constant', value: this.#next().value })
    } while (isTuple && this.#skip('operator', ','))
    if (isTuple) this.#expect(')')
    this.#expect(')')
    return { is: 'call', name: 'isinstance', args: [of, { is: 'list', parts: names }] }
  }

  #arguments(name: string, { least, most }: { least: number; most: number }, at: number): PythonExpression[] {
    const args = this.#list(')')
    if (args.length < least) this.#fail(`${name}() needs ${least === 1 ? 'an argument' : `${least} arguments`}`, at)
    if (args.length > most) this.#fail(`${name}() takes ${most === 0 ? 'no arguments' : `at most ${most}`}`, at)
    return args
  }

  #parentheses(): PythonExpression {
    if (this.#skip('operator', ')')) return { is: 'tuple', parts: [] }
    const made = this.#several(')')
    this.#expect(')')
    return made
  }

  /** Up to the bracket that closes it. */
  #list(end: string): PythonExpression[] {
    const parts: PythonExpression[] = []
    while (!this.#skip('operator', end)) {
      if (parts.length > 0) {
        this.#expect(',')
        if (this.#skip('operator', end)) break
      }
      parts.push(this.#expression())
    }
    return parts
  }

  #braces(): PythonExpression {
    const begun = this.#at - 1
    if (this.#skip('operator', '}')) return { is: 'dict', entries: [] }
    const { at } = this.#token
    const first = this.#expression()
    if (!this.#is('operator', ':')) return this.#set(first, begun)
    const entries = [this.#entry(first, at)]
    while (this.#skip('operator', ',')) {
      if (this.#is('operator', '}')) break
      const from = this.#token.at
      entries.push(this.#entry(this.#expression(), from))
    }
    this.#expect('}')
    return { is: 'dict', entries }
  }

  /** Only to ask what is in it: then it is gone through as a list is. */
  #set(first: PythonExpression, begun: number): PythonExpression {
    const parts = [first]
    if (this.#skip('operator', ',')) parts.push(...this.#list('}'))
    else this.#expect('}')
    const before = this.#tokens[begun - 1]
    if (before?.is !== 'name' || before.value !== 'in') this.#fail('A set stands only behind “in”: write a list', this.#tokens[begun]!.at)
    return { is: 'list', parts }
  }

  #entry(key: PythonExpression, at: number): [PythonExpression, PythonExpression] {
    if (key.is === 'constant' && typeof key.value !== 'string') this.#fail('The key of a dict is a text here', at)
    this.#expect(':')
    return [key, this.#expression()]
  }

  #attribute(of: PythonExpression): PythonExpression {
    const { is, value: name, at } = this.#next()
    if (is !== 'name') this.#fail('A name is missing after the dot', at)
    if (name.startsWith('__')) this.#fail(`${name} is not available in conditions`, at)
    if (!this.#skip('operator', '(')) return { is: 'attribute', of, name }
    const found = name === 'cycle' ? undefined : methods.get(name)
    if (!found || found.takes === 'any') this.#fail(`There is no method ${name} in conditions`, at)
    return { is: 'method', of, name, args: this.#arguments(name, { least: found.needs, most: found.takes.length }, at) }
  }

  #subscript(of: PythonExpression): PythonExpression {
    const part = (): PythonExpression | null => (this.#is('operator', ':') || this.#is('operator', ']') ? null : this.#expression())
    const from = part()
    if (from && this.#skip('operator', ']')) return { is: 'item', of, key: from }
    this.#expect(':')
    const to = part()
    const step = this.#skip('operator', ':') ? part() : null
    this.#expect(']')
    return { is: 'slice', of, places: [from, to, step] }
  }
}

const isSingle = (expression: PythonExpression): boolean => expression.is === 'constant' && (expression.value === null || typeof expression.value === 'boolean')

const told = ({ is, value }: PythonToken): string => (is === 'end' ? 'the end' : is === 'text' ? 'the text' : quoted(value))
