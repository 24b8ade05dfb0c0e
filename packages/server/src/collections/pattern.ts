/**
 * Patterns of text fields, in time that grows with the text and never beyond: a set of states goes over it once, as in RE2, whose
 * language this is a part of. Characters, classes, `. \d \w \s`, groups, `|`, `* + ? {2,5}`, `^` and `$`.
 */
export interface Pattern {
  /** Steps for each character of a text. */
  readonly states: number
  matches(text: string): boolean
}

const most = { states: 2_000, repeats: 1_000, depth: 20 }

type Range = readonly [from: number, to: number]

type Node =
  | { is: 'one'; ranges: readonly Range[] }
  | { is: 'start' | 'end' }
  | { is: 'chain'; of: readonly Node[] }
  | { is: 'choice'; of: readonly Node[] }
  | { is: 'repeat'; what: Node; least: number; most: number }

/** Throws an Error that says what cannot be read, and where. */
export function compilePattern(text: string): Pattern {
  const program = programOf(parse(text))
  return { states: program.length, matches: (value) => run(program, value) }
}

// ── the text of a pattern ──────────────────────────────────────────────────────────────────────────────────────────────

const last = 0x10ffff
const digits: readonly Range[] = [[48, 57]]
const words: readonly Range[] = [...digits, [65, 90], [95, 95], [97, 122]]
const blanks: readonly Range[] = [
  [9, 10],
  [12, 13],
  [32, 32],
]
const classes: Readonly<Record<string, readonly Range[]>> = { d: digits, w: words, s: blanks, D: allBut(digits), W: allBut(words), S: allBut(blanks) }
const control: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11 }

function allBut(ranges: readonly Range[]): Range[] {
  const left: Range[] = []
  let next = 0
  for (const [from, to] of ranges.toSorted(([a], [b]) => a - b)) {
    if (from > next) left.push([next, from - 1])
    next = Math.max(next, to + 1)
  }
  if (next <= last) left.push([next, last])
  return left
}

function parse(text: string): Node {
  const signs = Array.from(text)
  let at = 0
  let depth = 0
  const fail = (what: string): never => {
    throw new Error(`${what} at character ${at + 1}`)
  }
  const takes = (sign: string): boolean => signs[at] === sign && ++at > 0

  function choice(): Node {
    if (++depth > most.depth) fail('groups are too deep')
    const of = [chain()]
    while (takes('|')) of.push(chain())
    depth--
    return of.length === 1 ? of[0]! : { is: 'choice', of }
  }

  function chain(): Node {
    const of: Node[] = []
    while (at < signs.length && signs[at] !== '|' && signs[at] !== ')') of.push(repeated(atom()))
    return { is: 'chain', of }
  }

  function repeated(what: Node): Node {
    const bounds = boundsOf()
    if (!bounds) return what
    if (what.is === 'start' || what.is === 'end') fail('an anchor cannot be repeated')
    const [least, greatest] = bounds
    if (least > greatest || least > most.repeats || (greatest !== Infinity && greatest > most.repeats)) fail(`at most ${most.repeats} repetitions, the smaller number first,`)
    // Whether it takes as little as it can changes nothing about whether a text matches.
    takes('?')
    if (boundsOf()) fail('a repetition of a repetition')
    return { is: 'repeat', what, least, most: greatest }
  }

  function boundsOf(): [number, number] | null {
    if (takes('*')) return [0, Infinity]
    if (takes('+')) return [1, Infinity]
    if (takes('?')) return [0, 1]
    const [whole, least, comma, greatest] = /^\{(\d{1,6})(?:(,)(\d{1,6})?)?\}/.exec(signs.slice(at, at + 16).join('')) ?? []
    if (whole === undefined) return null
    at += whole.length
    return [Number(least), comma === undefined ? Number(least) : greatest === undefined ? Infinity : Number(greatest)]
  }

  function atom(): Node {
    const sign = signs[at++]!
    if (sign === '^') return { is: 'start' }
    if (sign === '$') return { is: 'end' }
    if (sign === '.') return { is: 'one', ranges: allBut([[10, 10]]) }
    if (sign === '(') return group()
    if (sign === '[') return { is: 'one', ranges: classOf() }
    if (sign === '\\') return { is: 'one', ranges: escaped() }
    if (sign === '*' || sign === '+' || sign === '?') fail('there is nothing to repeat before')
    return { is: 'one', ranges: [only(sign)] }
  }

  function group(): Node {
    if (takes('?') && !takes(':')) fail('only groups as (…) and (?:…) are known: no lookahead, no names, no flags')
    const inner = choice()
    if (!takes(')')) fail('a group is not closed')
    return inner
  }

  function escaped(): readonly Range[] {
    const sign = signs[at++] ?? fail('nothing follows the backslash')
    const known = classes[sign]
    if (known) return known
    const code = control[sign]
    if (code !== undefined) return [[code, code]]
    if (/[\p{L}\d]/u.test(sign)) fail(`\\${sign} is not known`)
    return [only(sign)]
  }

  function classOf(): readonly Range[] {
    const isNot = takes('^')
    const ranges: Range[] = []
    for (let first = true; first || signs[at] !== ']'; first = false) {
      if (at >= signs.length) fail('a class is not closed')
      const from = member()
      if (signs[at] !== '-' || signs[at + 1] === ']' || signs[at + 1] === undefined) ranges.push(...from)
      else {
        at++
        ranges.push([single(from), single(member())])
        if (ranges.at(-1)![0] > ranges.at(-1)![1]) fail('a range goes backwards')
      }
    }
    at++
    return isNot ? allBut(ranges) : ranges
  }

  function member(): readonly Range[] {
    const sign = signs[at++]!
    if (sign === '[' && signs[at] === ':') fail('classes by name are not known')
    return sign === '\\' ? escaped() : [only(sign)]
  }

  const single = (ranges: readonly Range[]): number => (ranges.length === 1 && ranges[0]![0] === ranges[0]![1] ? ranges[0]![0] : fail('a class is no end of a range'))

  const tree = choice()
  if (at < signs.length) fail('a group is closed that was not opened')
  return tree
}

const only = (sign: string): Range => [sign.codePointAt(0)!, sign.codePointAt(0)!]

// ── states ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

type Step = { is: 'one'; ranges: readonly Range[] } | { is: 'start' | 'end' } | { is: 'fork'; to: number[] } | { is: 'match' }

/** Each step goes on to the next; a fork to those it names. */
function programOf(tree: Node): Step[] {
  const steps: Step[] = []
  const add = <S extends Step>(step: S): S => {
    if (steps.length >= most.states) throw new Error(`it is too large: more than ${most.states} states`)
    steps.push(step)
    return step
  }

  function write(node: Node): void {
    if (node.is === 'chain') return node.of.forEach(write)
    if (node.is === 'choice') return writeChoice(node.of)
    if (node.is === 'repeat') return writeRepeat(node)
    add(node)
  }

  function writeChoice(of: readonly Node[]): void {
    const fork = add({ is: 'fork', to: [] as number[] })
    const ends = of.map((each) => {
      fork.to.push(steps.length)
      write(each)
      return add({ is: 'fork', to: [] as number[] })
    })
    for (const end of ends) end.to.push(steps.length)
  }

  function writeRepeat({ what, least, most: greatest }: { what: Node; least: number; most: number }): void {
    for (let time = 0; time < least; time++) write(what)
    if (greatest === Infinity) {
      const at = steps.length
      const fork = add({ is: 'fork', to: [at + 1] })
      write(what)
      add({ is: 'fork', to: [at] })
      fork.to.push(steps.length)
      return
    }
    const forks = Array.from({ length: greatest - least }, () => {
      const fork = add({ is: 'fork', to: [steps.length + 1] })
      write(what)
      return fork
    })
    for (const fork of forks) fork.to.push(steps.length)
  }

  write(tree)
  steps.push({ is: 'match' })
  return steps
}

/** Whether it matches anywhere in the text, as patterns do unless they are anchored. */
function run(program: readonly Step[], text: string): boolean {
  const codes = Array.from(text, (sign) => sign.codePointAt(0)!)
  const seen = new Int32Array(program.length).fill(-1)
  let now: number[] = []

  for (let at = 0; at <= codes.length; at++) {
    const reached: number[] = []
    // A match may begin at each place.
    const open = [...now, 0]
    while (open.length > 0) {
      const state = open.pop()!
      if (seen[state] === at) continue
      seen[state] = at
      const step = program[state]!
      if (step.is === 'match') return true
      if (step.is === 'fork') open.push(...step.to)
      else if (step.is === 'one') reached.push(state)
      else if (step.is === 'start' ? at === 0 : at === codes.length) open.push(state + 1)
    }
    const code = codes[at]
    now = code === undefined ? [] : reached.filter((state) => holds(program[state]!, code)).map((state) => state + 1)
  }
  return false
}

const holds = (step: Step, code: number): boolean => step.is === 'one' && step.ranges.some(([from, to]) => from <= code && code <= to)
