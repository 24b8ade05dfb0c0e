import { describe, expect, test } from 'vitest'
import { ExpressionError, compileCel, compileJinja, compileTemplate } from '../../src/expressions/index.ts'

/** Each must be refused, or be inert. The promise is one second of a processor; a loaded machine may take longer by the clock. */
const cpuMs = 1_000

const many = Array.from({ length: 90_000 }, (_, at) => at)
const shared = { list: Array.from({ length: 50_000 }, () => 7) }
const scope = {
  input: {
    big: 'x'.repeat(1_000_000),
    many,
    copy: [...many],
    refs: Array.from({ length: 1_000 }, () => shared),
    huge: 1e16,
    text: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!',
    key: 'constructor',
    keys: ['key'],
  },
  nodes: {},
}

function ends(work: () => unknown): { error?: unknown; result?: unknown } {
  const before = process.cpuUsage()
  let outcome: { error?: unknown; result?: unknown }
  try {
    outcome = { result: work() }
  } catch (error) {
    outcome = { error }
  }
  const { user, system } = process.cpuUsage(before)
  expect((user + system) / 1000).toBeLessThan(cpuMs)
  return outcome
}

const refused = (work: () => unknown): void => {
  const { error } = ends(work)
  expect(error).toBeInstanceOf(ExpressionError)
}

const cel = (source: string) => () => compileCel(source).evaluate(scope)
const jinja = (source: string) => () => compileJinja(source).render({ nodes: scope })
const liquid = (source: string) => () => [compileTemplate(source).render(scope), compileTemplate(source).value(scope)]

describe('CEL attacks end', () => {
  test.each([
    ['a regular expression bomb', 'input.text.matches("(a+)+$")'],
    ['nested loops', 'input.many.all(x, input.many.all(y, input.many.all(z, true)))'],
    ['loops whose errors are swallowed', 'input.many.exists(x, input.many.exists(y, x.foo == y.bar))'],
    ['loops behind an or', 'input.many.all(x, input.many.all(y, input.many.all(z, true))) || true || input.many.all(x, input.many.all(y, true))'],
    ['a list of large texts', 'input.many.map(x, input.big)'],
    ['a list of large objects', 'input.refs'.concat('.map(x, input)')],
    ['texts that double', 'cel.bind(a, input.big + input.big, cel.bind(b, a + a, cel.bind(c, b + b, cel.bind(d, c + c, d + d))))'],
    ['lists that double', 'cel.bind(a, input.many + input.many, cel.bind(b, a + a, cel.bind(c, b + b, cel.bind(d, c + c, cel.bind(e, d + d, e + e)))))'],
    ['a join with a large separator', 'input.many.map(x, "a").join(input.big)'],
    ['a join of large texts', '[input.big, input.big, input.big, input.big, input.big].join(",")'],
    ['deep parentheses', '('.repeat(3_000) + '1' + ')'.repeat(3_000)],
    ['deep lists', '['.repeat(500) + ']'.repeat(500)],
    ['a long chain of negations', `${'!'.repeat(7_000)}true`],
    ['types that double their names', '[{"a": 1}].map(a, {a: a})'],
    ['a source that is too long', '1+'.repeat(8_000) + '1'],
    ['a parser for data', 'b"{}".json()'],
    ['the constructor of the scope', 'constructor'],
    ['the constructor of a value', 'input.constructor'],
    ['a prototype by index', 'input["__proto__"]'],
    ['a key from data', 'input[input.key]'],
    ['a function of the host', 'process.exit(1)'],
    ['an import', 'import("fs")'],
  ])('%s is refused', (_name, source) => refused(cel(source)))

  test('keys of the prototype are inert in what an expression makes', () => {
    const made = ends(cel('{"__proto__": {"polluted": 1}, "constructor": 1, "a": 1}')).result
    expect(made).toEqual({ a: 1 })
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
  })

  test('comparisons of large lists end', () => {
    ends(cel(Array.from({ length: 300 }, () => 'input.many == input.copy').join(' && ')))
  })
})

describe('Liquid attacks end', () => {
  const doubled = (times: number, step: string) => `{% assign s = "ab" %}{% for i in (1..${times}) %}${step}{% endfor %}{{ s }}`
  test.each([
    ['a file of the host', '{% include "package.json" %}'],
    ['a partial', '{% render "x" %}'],
    ['a layout', '{% layout "x" %}{% block a %}{% endblock %}'],
    ['a huge range', '{% for i in (1..10000000000) %}{% endfor %}'],
    ['a range beyond the integers, which would never end', '{% for i in (10000000000000000..10000000000000002) %}x{% endfor %}'],
    ['such a range from data', '{% for i in (input.huge..input.huge) %}x{% endfor %}'],
    ['such a range as a value', '{{ (input.huge..input.huge) | join: "" }}'],
    ['nested loops', '{% for i in input.many %}{% for j in input.many %}{% for k in input.many %}{% endfor %}{% endfor %}{% endfor %}'],
    ['a text that doubles', doubled(60, '{% assign s = s | append: s %}')],
    ['a list that doubles', doubled(60, '{% assign s = s | concat: s %}')],
    ['nested lists that double', doubled(60, '{% assign t = "" | split: "," | push: s %}{% assign s = t | push: s %}')],
    ['nested lists as a key', doubled(60, '{% assign t = "" | split: "," | push: s %}{% assign s = t | push: s %}{{ input[s] }}')],
    ['a large text, a thousand times', '{% for i in (1..1000) %}{{ input.big }}{% endfor %}'],
    ['a large capture', '{% capture c %}{% for i in (1..1000) %}{{ input.big }}{% endfor %}{% endcapture %}{{ c | size }}'],
    ['constant text in a loop', `{% for i in (1..100000) %}${'y'.repeat(50_000)}{% endfor %}`],
    ['a thousand sorts', `{{ input.many | ${'sort | '.repeat(2_000)}size }}`],
    ['a replacement that explodes', '{{ input.big | replace: "x", input.big }}'],
    ['a join that explodes', '{{ input.many | join: input.big }}'],
    ['a date format with a width', '{{ "now" | date: "%9999999999d" }}'],
    ['an expression from data', '{{ input.many | where_exp: "x", input.key }}'],
    ['shared objects as text', '{{ input.refs | json }}'],
    ['deep tags', '{% if a %}'.repeat(4_900)],
    ['deep indexes', `{{ input${'[input'.repeat(10_000)}${']'.repeat(10_000)} }}`],
    ['too many parts', '{{a}}'.repeat(19_000)],
    ['braces without end', '{'.repeat(99_000)],
    ['raw without end', '{% raw %}'.repeat(4_000)],
    ['a source that is too long', `{{ a }}${' '.repeat(200_000)}`],
    ['a whole list as the end of a range', '{% for i in (1..input.many) %}{% endfor %}'],
  ])('%s is refused', (_name, source) => refused(liquid(source)))

  test.each([
    ['prototypes', '{{ input.constructor }}{{ input.__proto__ }}{{ constructor }}{{ ["constructor"] }}{{ input[input.key] }}{{ input.many.constructor }}', ''],
    ['assignment to a prototype', '{% assign __proto__ = 5 %}{% assign constructor = 6 %}{{ __proto__ }}{{ constructor }}', '56'],
    ['counters named after the scope', '{% increment constructor %}{% increment __proto__ %}', '00'],
    ['globals of the host', '{{ process }}{{ globalThis }}{{ require }}', ''],
    ['a list as a key', '{{ input[input.keys] }}', ''],
  ])('%s are inert', (_name, source, expected) => {
    const { result } = ends(() => compileTemplate(source).render(scope))
    expect(result).toBe(expected)
    expect(Object.keys({})).toEqual([])
  })

  test('comparisons of large lists end', () => {
    ends(liquid(`{{ ${'input.many == input.copy and '.repeat(2_000)}true }}`))
    ends(liquid(`{% case input.many %}{% when ${'input.copy, '.repeat(50)}1 %}x{% endcase %}`))
  })

  test('a list of a list in where, sort and sum costs what it is, not what it says', () => {
    ends(liquid('{{ input.refs | sort: "list" | size }}{{ input.refs | sum: "list" }}{{ input.refs | where: "list", 1 | size }}'))
  })
})

describe('Jinja attacks end', () => {
  const twice = (start: string, step: string) => `{% set s = ${start} %}${`{% set s = ${step} %}`.repeat(60)}`
  const long = (begin: string, part: string, end = '') => begin + part.repeat(Math.floor((99_990 - begin.length - end.length) / part.length)) + end
  test.each([
    ['a source that is too long', `{{ a }}${' '.repeat(100_000)}`],
    ['braces without end', long('', '{{')],
    ['tags without end', long('', '{%   ')],
    ['raw without end', long('', '{% raw %}')],
    ['a text without end', long("{{ '", '\\')],
    ['too many tags', long('', '{% if a %}')],
    ['deep tags', '{% for a in a %}'.repeat(200)],
    ['deep parentheses', long('{{ ', '(')],
    ['deep lists', long('{{ ', '[')],
    ['deep signs', long('{{ ', '-', '1 }}')],
    ['deep negations', long('{{ ', 'not ', '1 }}')],
    ['a long sum', long('{{ 1', '+1', ' }}')],
    ['a long path', long('{{ a', '.a', ' }}')],
    ['a chain of filters', long('{{ a', '|e', ' }}')],
    ['a chain of choices', long('{{ ', '1 if 1 else ', '1 }}')],
    ['a function of the host', '{{ process.exit(1) }}'],
    ['a constructor that is called', '{{ input.constructor("x") }}'],
    ['a filter named by data', '{{ [1] | map(input.key) | list }}'],
    ['a test named by data', '{{ [1] | select(input.key) | list }}'],
    ['a repeated text', "{{ 'x' * 10**9 }}"],
    ['a repeated list', '{{ [1] * 10**9 }}'],
    ['a huge range', '{% for i in range(10**9) %}{% endfor %}'],
    ['a range beyond the integers', '{% for i in range(10**16, 10**16 + 10) %}{% for j in range(10**300) %}{% endfor %}{% endfor %}'],
    ['a power beyond all numbers', '{{ 10 ** 400 }}'],
    ['nested loops', '{% for i in input.many %}{% for j in input.many %}{% for k in input.many %}{% endfor %}{% endfor %}{% endfor %}'],
    ['a text that doubles', `${twice("'ab'", 's + s')}{{ s }}`],
    ['a text that doubles by ~', `${twice("'ab'", 's ~ s')}{{ s }}`],
    ['a list that doubles', `${twice('[1]', 's + s')}{{ s }}`],
    ['nested lists that double, shown', `${twice('[1]', '[s, s]')}{{ s }}`],
    ['nested lists that double, as JSON', `${twice('[1]', '[s, s]')}{{ s | tojson }}`],
    ['nested lists that double, compared', `${twice('[1]', '[s, s]')}${twice('[1]', '[s, s]').replaceAll('s', 't').replaceAll('tet', 'set')}{{ s == t }}`],
    ['a large text, a thousand times', '{% for i in range(1000) %}{{ input.big }}{% endfor %}'],
    ['a large capture', '{% for i in range(1000000) %}{% set c %}{{ input.big }}{% endset %}{% endfor %}'],
    ['constant text in a loop', `{% for i in range(100000) %}${'y'.repeat(50_000)}{% endfor %}`],
    ['nine hundred sorts', `{{ input.many | ${'sort | '.repeat(900)}length }}`],
    ['a replacement that explodes', "{{ input.big | replace('x', input.big) }}"],
    ['a replacement of nothing that explodes', "{{ input.big.replace('', input.big) }}"],
    ['a join that explodes', '{{ input.many | join(input.big) }}'],
    ['an indent that explodes', "{{ ('a\\n' * 100000) | indent(10 ** 9) }}"],
    ['a wide centre', "{{ 'a' | center(10 ** 9) }}"],
    ['a wide row', '{{ [1] | batch(10 ** 9, 1) }}'],
    ['many columns', '{{ [1] | slice(10 ** 9) }}'],
    ['a wide format', "{{ '%999999999d' | format(1) }}"],
    ['many wide formats', "{{ '%999s' * 100000 % 1 }}"],
    ['wide JSON', '{{ input.many | tojson(indent=10 ** 9) }}'],
    ['shared objects as text', '{{ input.refs }}'],
    ['shared objects as JSON', '{{ input.refs | tojson }}'],
    ['shared objects, told apart', '{{ input.refs | unique | length }}'],
    ['shared lists, added', "{{ input.refs | sum('list', []) | length }}"],
  ])('%s is refused', (_name, source) => refused(jinja(source)))

  test.each([
    [
      'prototypes',
      '{{ input.constructor }}{{ input.__proto__ }}{{ constructor }}{{ "".__class__.__mro__ }}{{ input[input.key] }}{{ input.many.constructor }}{{ {}["__proto__"] }}',
      '',
    ],
    ['prototypes, by the name of a part', "{{ [input] | map(attribute='constructor.name', default='') | join }}{{ [input] | map(attribute='__proto__', default='') | join }}", ''],
    [
      'assignment to a prototype',
      '{% set __proto__ = 5 %}{% set constructor = 6 %}{{ __proto__ }}{{ constructor }}{{ {"__proto__": {"a": 7}}.a }}{{ {"__proto__": {"a": 7}}["__proto__"].a }}',
      '567',
    ],
    ['globals of the host', '{{ process }}{{ globalThis }}{{ require }}', ''],
    ['the parts of a loop', '{% for x in [1] %}{{ loop.advance }}{{ loop.constructor }}{{ loop["__proto__"] }}{% endfor %}', ''],
    ['lengths of the host', '{{ input.many["length"] }}{{ "abc".length }}', ''],
  ])('%s are inert', (_name, source, expected) => {
    const { result } = ends(jinja(source))
    expect(result).toBe(expected)
    expect(({} as { a?: number }).a).toBeUndefined()
  })

  test('a template of 100,000 characters of any kind is read in one pass', () => {
    for (const source of [
      long('{{ 1 }}', ' ', '{{ 1 }}'),
      long('{{', ' ', '1}}'),
      long('{{ [', '1,', '] }}'),
      long("{{ '", "\\'", "' }}"),
      long('{# ', '{# ', '#}'),
      long('', '\n', '{{ 1 }}'),
    ])
      ends(jinja(source))
  })

  test('asking large objects a thousand times whether they are empty, or equal, ends', () => {
    const wide = (keys: number): object => Object.fromEntries(Array.from({ length: keys }, (_, at) => [`k${at}`, at]))
    const hundred = wide(100_000)
    const nodes = { many: Array.from({ length: 1_000 }, () => hundred), wide: hundred, wider: wide(100_001) }
    for (const source of [
      `{{ ${'wide and '.repeat(900)}1 }}`,
      '{{ many | select | list | length }}',
      '{{ wider in many }}',
      "{{ many | reject('eq', wider) | list | length }}",
      "{{ many | map('length') | sum }}",
    ])
      ends(() => compileJinja(source).render({ nodes }))
  })

  test('places in a large text, and comparisons of large lists, end', () => {
    ends(jinja('{% for i in range(100000) %}{{ input.big[i] }}{{ input.big | length }}{% endfor %}'))
    ends(jinja(`{{ ${'input.many == input.copy and '.repeat(900)}true }}`))
    ends(jinja(`{{ ${"'q' in input.many or ".repeat(900)}true }}`))
  })
})
