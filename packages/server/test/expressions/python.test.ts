import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ExpressionError, compilePython } from '../../src/expressions/index.ts'
import { builtins } from '../../src/expressions/python-builtins.ts'

/** What CPython 3.11 gives for the same conditions and data, with no builtins but those that conditions have. */
interface Case {
  expression: string
  /** Whether it is true, and the value as str() writes it. */
  holds?: boolean
  text?: string
  /** It compiles, and raises when it is evaluated. */
  fails?: boolean
  /** It is a syntax error. */
  refused?: boolean
}

const { data, cases } = JSON.parse(readFileSync(new URL('python-table.json', import.meta.url), 'utf8')) as { data: object; cases: Case[] }
const holds = (source: string, of: unknown = data): boolean => compilePython(source).condition({ data: of })
const failure = (work: () => unknown): ExpressionError => {
  try {
    work()
  } catch (error) {
    if (error instanceof ExpressionError) return error
    throw error
  }
  throw new Error('It did not fail')
}

describe('what CPython gives', () => {
  const given = cases.filter(({ text }) => text !== undefined)
  test.each(given)('$expression is true when it is there, and the same value', ({ expression, holds: expected, text }) => {
    expect(holds(expression)).toBe(expected)
    // Behind a line end, for a comment may stand before it.
    expect(holds(`str((${expression}\n)) == ${JSON.stringify(text)}`)).toBe(true)
  })

  test.each(cases.filter(({ fails }) => fails))('$expression fails as it does there', ({ expression }) => {
    const { condition } = compilePython(expression)
    expect(() => condition({ data })).toThrow(ExpressionError)
  })

  test.each(cases.filter(({ refused }) => refused))('$expression does not compile, as there', ({ expression }) => expect(() => compilePython(expression)).toThrow(ExpressionError))

  test('the table has what it is there for', () => {
    expect(given.length).toBeGreaterThan(1_000)
    expect(given.filter((each) => each.holds === false).length).toBeGreaterThan(300)
    expect(cases.filter(({ fails }) => fails).length).toBeGreaterThan(200)
    expect(cases.filter(({ refused }) => refused).length).toBeGreaterThan(70)
  })
})

test('the page lists the functions that there are', () => {
  const page = readFileSync(new URL('../../../../docs/python-conditions.md', import.meta.url), 'utf8')
  const listed = page
    .split('<!-- python:functions -->')[1]!
    .split('<!--')[0]!
    .match(/(?<=`)[^\s`]+(?=`)/g)!
  expect(listed).toEqual([...builtins.keys()])
})

describe('where it departs from Python', () => {
  test.each<[string, string, boolean]>([
    ["data.counter.current == data['counter']['current']", 'a key of a dict is an attribute too', true],
    ["data['counter'].keys() == ['current', 'step', 'done']", 'keys, values and items are lists', true],
    ['isinstance(data["whole"], int) and str(data["whole"]) == "2"', 'an int and a float without a fraction are one number in JSON', true],
    ['9007199254740991 + 2 == 9007199254740991 + 1', 'ints beyond 2^53 are not exact', true],
    ['2 in {1, 2} and 3 not in {1, 2}', 'a set is there for “in”, as a list', true],
  ])('%s: %s', (source, _why, expected) => expect(holds(source, { ...data, whole: JSON.parse('2.0') as number })).toBe(expected))

  test('data that is a getter is read only by a condition that names it', () => {
    const scope = {
      get data(): never {
        throw new Error('read')
      },
    }
    expect(compilePython('1 < 2').condition(scope)).toBe(true)
    expect([...compilePython('1 < 2').names]).toEqual([])
    expect([...compilePython("data['a'] or data['b']").names]).toEqual(['data'])
  })
})

describe('what is not covered is refused, with its place', () => {
  test.each([
    ["any(x['id'] > 1 for x in data['items'])", 'A comprehension (for) is not available in conditions', 16],
    ['lambda: 1', 'A function (lambda) is not available in conditions', 0],
    ['().__class__', '__class__ is not available in conditions', 3],
    ['data.__class__.__mro__[1].__subclasses__()', '__class__ is not available in conditions', 5],
    ["''.__class__()", '__class__ is not available in conditions', 3],
    [
      "__import__('os').system('x')",
      '__import__() is not available in conditions; there are len, str, int, float, bool, list, tuple, abs, round, min, max, sum, any, all, isinstance',
      0,
    ],
    ['1 + eval("1")', 'eval() is not available in conditions; there are len, str, int, float, bool, list, tuple, abs, round, min, max, sum, any, all, isinstance', 4],
    ['open', 'open is not known here; there is only data', 0],
    ["counter['current'] > 1", 'counter is not known here; there is only data', 0],
    ['data == true', 'true is not known here; there is only data', 8],
    ['item(data, 1)', 'item() is not available in conditions; there are len, str, int, float, bool, list, tuple, abs, round, min, max, sum, any, all, isinstance', 0],
    ['v1', 'v1 is not known here; there is only data', 0],
    ["data['a'] = 1", '“=” is not available in conditions: write == to compare', 10],
    ['data && 1', '“&&” is not available in conditions: write and', 5],
    ['!data', '“!” is not available in conditions: write not', 0],
    ['(y := 1)', '“:=” is not available in conditions', 3],
    ['1 | 2', '“|” is not available in conditions: write or', 2],
    ["f'{data}'", 'Texts with “f” before them are not available in conditions', 0],
    ["b'a'", 'Texts with “b” before them are not available in conditions', 0],
    ["'\\N{BULLET}'", 'An escape in the text is not complete, or not available', 0],
    ['1j', '“1j” is no number', 0],
    ['9007199254740993', 'A whole number is at most 9007199254740991 here', 0],
    ['1e999', '“1e999” is too large', 0],
    ['data is 5', '“is” asks for None, True or False: write == to compare', 5],
    ['{1, 2} == {1}', 'A set stands only behind “in”: write a list', 0],
    ['{1: 2}', 'The key of a dict is a text here', 1],
    ['max(*data)', '“*” has no meaning here: nothing is unpacked in conditions', 4],
    ["'{}'.format(1)", 'There is no method format in conditions', 5],
    ["data.pop('a')", 'There is no method pop in conditions', 5],
    ['data.get()', 'get() needs an argument', 5],
    ['data.get(1, 2, 3)', 'get() takes at most 2', 5],
    ['len(1, 2)', 'len() takes at most 1', 0],
    ['data()', 'data() is not available in conditions; there are len, str, int, float, bool, list, tuple, abs, round, min, max, sum, any, all, isinstance', 0],
    ["data['f'](1)", 'This cannot be called: only methods and functions by their name can', 9],
    ['isinstance(data, object)', 'A type is one of str, int, float, bool, list, tuple, dict', 17],
    ["data['a", 'The text is not closed', 5],
    ["(data['a']", '“)” is missing before the end', 10],
    ['1 if data', '“else” is missing before the end', 9],
    ['1 2', '“2” has no meaning here', 2],
    ['', 'The condition is empty', 0],
    ['1\n> 0', 'The expression ends with its line', 1],
  ])('%s: %s', (source, message, offset) => expect(failure(() => compilePython(source))).toMatchObject({ message, offset }))
})

describe('what fails says so with the condition and the reason', () => {
  test.each([
    ["data['absent'] > 1", "There is no key 'absent'"],
    ["data['name'].absent", 'str has no attribute absent'],
    ["data['name'] > 5", 'str and int have no order'],
    ["data['list'][9]", 'The list has 3 items: there is none at 9'],
    ["data['list'][-4]", 'The list has 3 items: there is none at -4'],
    ["data['none']['x']", 'None has no items'],
    ["data['name'] + 1", '+ says nothing of str and int'],
    ['1 / 0', 'It divides by zero'],
    ["int('x')", "'x' is no int"],
  ])('%s: %s', (source, reason) => expect(failure(() => holds(source)).message).toBe(`Failed to evaluate condition '${source}': ${reason}`))

  test('a long one is cut', () => expect(failure(() => holds(`data['absent'] or ${'1 and '.repeat(500)}1`)).message.length).toBeLessThan(600))
})

describe('the translation', () => {
  test.each([
    ["data['counter']['current'] > 5", 'compare(">", item(item(data, "counter"), "current"), 5.0)'],
    ["data['a'] and not data['b']", '(truth(item(data, "a")) ? !truth(item(data, "b")) : false)'],
    ["0 < data['a'] <= 9", 'cel.bind(v1, item(data, "a"), compare("<", 0.0, v1) ? compare("<=", v1, 9.0) : false)'],
    ["(data['a'] or 'x') == 'x'", 'compare("==", cel.bind(v1, item(data, "a"), truth(v1) ? dyn(v1) : dyn("x")), "x")'],
  ])('of %s is %s', (source, cel) => expect(compilePython(source).cel).toBe(cel))

  test.each([
    ['((0 or ', ') == 1)'],
    ['(1 < 2 < ', ')'],
    ['(1 if ', ' else 3)'],
    ['[1, ', ']'],
    ['not (1 and ', ')'],
  ])('of conditions inside each other by %s … %s grows as they do', (open, close) => {
    const length = (levels: number): number => compilePython(`${open.repeat(levels)}2${close.repeat(levels)}`).cel.length
    expect(length(20)).toBeLessThan(length(10) * 2.3)
  })
})

describe('whatever is written', () => {
  const cpuMs = 2_000
  const hostile = { big: 'x'.repeat(1_000_000), list: Array.from({ length: 100_000 }, (_, at) => at), a: 1 }
  /** True or false, or an ExpressionError, soon. */
  const ends = (source: string, of: unknown): ExpressionError | boolean => {
    const before = process.cpuUsage()
    let outcome: ExpressionError | boolean
    try {
      outcome = holds(source, of)
      expect(typeof outcome).toBe('boolean')
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error
      outcome = error
    }
    const { user, system } = process.cpuUsage(before)
    expect((user + system) / 1000).toBeLessThan(cpuMs)
    return outcome
  }

  test.each([
    ['powers of powers', '9**9**9'],
    ['a long list', '[0] * 9**9'],
    ['a long text', '"a" * 10**9'],
    ['texts that double', "data['big'].replace('x', 'xxxxxxxxxx').replace('x', 'xxxxxxxxxx')"],
    ['a text in many parts', "data['big'].split('x') + data['big'].split('x') + data['big'].split('x') + data['big'].split('x')"],
    ['many long texts', `data['big']${'.upper()'.repeat(140)}`],
    ['lists that are added up', `sum([${"data['list'],".repeat(300)}])`],
    ['lists that are compared', `[${"data['list'] + [1] == data['list'] + [2],".repeat(100)}]`],
    ['a wide format', "'%9999s' % 1"],
    ['a prototype', "data['__proto__']"],
    ['a constructor', 'data.constructor'],
    ['a method of a list', "data['list'].map"],
    ['deep parentheses', `${'('.repeat(3_990)}1${')'.repeat(3_990)}`],
    ['deep lists', `${'['.repeat(3_990)}${']'.repeat(3_990)}`],
    ['many negations', `${'not '.repeat(1_900)}1`],
    ['many signs', `${'-'.repeat(7_900)}1`],
    ['a long path', `data${'[0]'.repeat(2_600)}`],
    ['a long sum', `${'1+'.repeat(3_900)}1`],
    ['a long chain', `${'1<'.repeat(3_900)}1`],
    ['a row of choices', `${'0 if 0 else '.repeat(600)}1`],
    ['a list of many elements', `[${'1,'.repeat(3_900)}]`],
    ['a text that does not end', '"'.repeat(7_999)],
    ['a text of backslashes that does not end', `"${'\\'.repeat(7_991)}`],
    ['a number that does not end', `1${'_'.repeat(7_900)}`],
    ['spaces', ' '.repeat(8_000)],
    ['more than a condition may have', '1 + '.repeat(2_500) + '1'],
    ['a lone surrogate', "'\\ud800' == 'a'"],
  ])('%s is refused soon', (_what, source) => expect(ends(source, hostile)).toBeInstanceOf(ExpressionError))

  test.each([
    ['many operands of and', Array(1_300).fill('1').join(' and ')],
    ['many operands of or, for the value', `(${Array(1_300).fill('0').join(' or ')} or 1) == 1`],
    ['a long comment', `1 ${'#'.repeat(7_900)}`],
    ['a dict with a key that is none', "{'__proto__': 1}['__proto__'] == 1"],
    ['a line that JavaScript ends', `'\u2028' == '\\u2028'`],
    ['forty levels', `${'('.repeat(40)}1${')'.repeat(40)}`],
  ])('%s is evaluated soon', (_what, source) => expect(ends(source, hostile)).toBe(true))

  const value = fc.constantFrom(...'data|data["a"]|data["b"]|0|1|-2|1.5|1e300|"text"|"%s"|None|True|False|[1, 2]|["x", [1]]|{"k": [1]}|(1, 2)|()|""|10 ** 9'.split('|'))
  const operator = fc.constantFrom(...'+|-|*|/|//|%|**|==|!=|<|>=|in|not in|and|or'.split('|'))
  const call = fc.constantFrom(...'len|str|int|float|bool|list|tuple|abs|round|min|max|sum|any|all'.split('|'))
  const method = fc.constantFrom(
    ...'upper()|strip()|split()|split(",")|replace("a", "b")|items()|keys()|values()|get("k")|get("k", 0)|count(1)|index(1)|join(["a"])|startswith("t")|find("t")|title()'.split(
      '|',
    ),
  )
  const { condition } = fc.letrec<{ condition: string }>((tie) => ({
    condition: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      value,
      fc.tuple(tie('condition'), operator, tie('condition')).map((parts) => `(${parts.join(' ')})`),
      fc.tuple(tie('condition'), operator, tie('condition')).map((parts) => parts.join(' ')),
      fc.tuple(tie('condition'), tie('condition'), tie('condition')).map((parts) => parts.join(' <= ')),
      fc.tuple(call, tie('condition')).map(([name, of]) => `${name}(${of})`),
      fc.tuple(tie('condition'), method).map(([of, name]) => `(${of}).${name}`),
      fc.tuple(tie('condition'), tie('condition')).map(([of, key]) => `(${of})[${key}]`),
      fc.tuple(tie('condition'), tie('condition')).map(([of, from]) => `(${of})[${from}::-1]`),
      fc.tuple(tie('condition'), tie('condition')).map(([one, other]) => `(${one} if ${other} else not ${one})`),
      fc.array(tie('condition'), { maxLength: 3 }).map((parts) => `[${parts.join(', ')}]`),
    ),
  }))

  test('a condition over any JSON gives true, false or an ExpressionError, in bounded time', () =>
    fc.assert(
      fc.property(condition, fc.jsonValue({ depthSize: 'medium' }), fc.jsonValue(), (source, a, b) => void ends(source, { a, b })),
      { numRuns: 600 },
    ))

  test('text that is no condition does too', () => {
    const scraps = fc.constantFrom(...'(|)|[|]|{|}|"|\'|"""|\\|.|,|:|==|=|!|<|**|//|is|not|in|if|else|and|or|for|lambda|data|1|1.5|0x|1_|r"| |\n|#|é|😀'.split('|'), '|')
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(scraps, { maxLength: 40 }).map((parts) => parts.join(' ')),
          fc.string({ unit: 'binary' }),
        ),
        (source) => void ends(source, { a: [1] }),
      ),
      { numRuns: 600 },
    )
  })

  test('text that comes from data is never parsed', () => expect(holds("data['x'] == '1 < ' + '2'", { x: '1 < 2' })).toBe(true))
})
