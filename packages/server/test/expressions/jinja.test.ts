import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ExpressionError, compileJinja } from '../../src/expressions/index.ts'
import { filters } from '../../src/expressions/jinja-filters.ts'
import { methods } from '../../src/expressions/jinja-methods.ts'
import { tests } from '../../src/expressions/jinja-tests.ts'

/** What Jinja2 3.1.6 gives for the same templates and data, where names may be undefined at any depth (ChainableUndefined). */
interface Case {
  template: string
  expected?: string
  /** It does not compile. */
  refused?: boolean
  /** It compiles, and fails when it is rendered. */
  fails?: boolean
}

const { nodes: outputs, cases } = JSON.parse(readFileSync(new URL('jinja-table.json', import.meta.url), 'utf8')) as { nodes: object; cases: Case[] }
const render = (source: string, nodes: object = outputs) => compileJinja(source).render({ nodes })

describe('what Jinja renders', () => {
  test.each(cases.filter(({ expected }) => expected !== undefined))('$template is rendered as Jinja does', ({ template, expected }) => expect(render(template)).toBe(expected))
  test.each(cases.filter(({ fails }) => fails))('$template fails as it does in Jinja', ({ template }) => expect(() => render(template)).toThrow(ExpressionError))
  test.each(cases.filter(({ refused }) => refused))('$template does not compile, as in Jinja', ({ template }) => expect(() => compileJinja(template)).toThrow(ExpressionError))
})

describe('where it departs from Jinja', () => {
  test.each([
    ['{{ step.items }} {{ step.items() | length }}', 'a field is taken before a method, which is called', { step: { items: 'mine' } }, 'mine 1'],
    ['{{ xs | map("upper") }} {{ range(2) }}', 'what is a generator there is a list', { xs: ['a'] }, "['A'] [0, 1]"],
    ['{{ n }} {{ n / 1 }}', 'an int and a float without a fraction are one number in JSON', JSON.parse('{"n": 1.0}') as object, '1 1.0'],
    ['{{ [gone] }}', 'what is not there has no name when it is shown', {}, '[Undefined]'],
  ])('%s: %s', (source, _why, nodes, expected) => expect(render(source, nodes)).toBe(expected))

  test.each(['{% raw %}', '{{ a[] }}', '{{ {1: 2} }}', "{{ [1][1:'a'] }}"])('%s is an error, not ignored', (source) => expect(() => render(source)).toThrow(ExpressionError))
})

describe('what does not compile says what was met, and where', () => {
  test.each([
    ['abc {{ x', 'It is not closed', 4],
    ['{{ x | shout }}', 'There is no filter shout in these templates', 7],
    ["{{ xs | map('shout') }}", 'There is no filter shout in these templates', 8],
    ["{{ xs | selectattr('a', 'shouted') }}", 'There is no test shouted in these templates', 8],
    ['{{ x is shouted }}', 'There is no test shouted in these templates', 8],
    ['{{ x.shout() }}', 'There is no method shout in these templates', 5],
    ['{{ x.append(1) }}', 'There is no method append in these templates', 5],
    ['{{ x | replace("a") }}', 'replace needs “new”', 7],
    ['{{ x | upper(1) }}', 'upper takes no arguments', 7],
    ['{{ x | join(", ", by="a") }}', 'join has no argument “by”: it takes d, attribute', 7],
    ['{{ x | join(", ", d="a") }}', 'join is given “d” twice', 7],
    ['{{ x | join(*y) }}', 'Arguments cannot be unpacked in these templates', 12],
    ['{% if x %}', '{% endif %} is missing', 10],
    ['{% endfor %}', '{% endfor %} ends nothing here', 3],
    ['{{ 1 + }}', 'The end of the tag has no meaning here', 9],
    ['{{ [1 2] }}', '“,” is missing before “2”', 6],
    ['{{ x() }}', 'x() is not available in these templates', 3],
    ['{{ x.y.z[0](1) }}', 'This cannot be called: only methods by their name can', 11],
  ])('%s: %s', (source, message, offset) => expect(() => compileJinja(source)).toThrow(expect.objectContaining({ name: 'ExpressionError', message, offset })))

  test.each([
    'macro m()',
    'call x()',
    "include 'x'",
    "import 'x' as y",
    "from 'x' import y",
    "extends 'x'",
    'block b',
    'do x',
    'with x = 1',
    'autoescape true',
    'trans',
    'generation',
    'break',
    'debug',
  ])('{%% %s %%} is refused by its name', (tag) => expect(() => compileJinja(`{% ${tag} %}`)).toThrow(`{% ${tag.split(' ')[0]} %} is not available`))

  test.each(['namespace', 'cycler', 'joiner', 'lipsum', 'dict', 'self', 'caller', 'super'])('%s() is refused by its name', (name) =>
    expect(() => compileJinja(`{{ ${name}() }}`)).toThrow(`${name}() is not available`),
  )
})

test('the page lists the filters, tests and methods that there are', () => {
  const page = readFileSync(new URL('../../../../docs/jinja.md', import.meta.url), 'utf8')
  const listed = (part: string): string[] =>
    page
      .split(`<!-- jinja:${part} -->`)[1]!
      .split('<!--')[0]!
      .match(/(?<=`)[^\s`]+(?=`)/g)!
  for (const [part, known] of Object.entries({ filters, tests, methods }))
    expect(
      listed(part)
        .filter((name) => name !== 'select' || part === 'filters')
        .sort(),
    ).toEqual([...known.keys()].sort())
})

describe('names', () => {
  const names = (source: string) => [[...compileJinja(source).steps].sort(), [...compileJinja(source).needed].sort()]
  test.each<[string, string[], string[]]>([
    ['{{ a.b.c }}{{ b["c"] }}{% if c %}{{ d | default(e) }}{% endif %}', ['a', 'b', 'c', 'd', 'e'], ['a', 'b', 'c', 'd', 'e']],
    ['{% set a = b %}{{ a }}', ['b'], ['b']],
    ['{{ a }}{% set a = 1 %}', ['a'], ['a']],
    ['{% for a in a %}{{ a }}{{ loop.index }}{% else %}{{ a }}{% endfor %}', ['a'], ['a']],
    ['{% for a, (b, c) in d if b %}{{ a }}{{ c }}{% set e = 1 %}{{ e }}{% endfor %}{{ e }}', ['d', 'e'], ['d', 'e']],
    ['{{ loop.index }}', ['loop'], ['loop']],
    ['{% if 1 %}{% set a = 1 %}{% else %}{% set a = 2 %}{% endif %}{{ a }}', [], []],
    ['{% if 1 %}{% set a = 1 %}{% elif 2 %}{% endif %}{{ a }}', ['a'], []],
    ['{% set a %}{% set b = 1 %}{{ b }}{% endset %}{{ a }}{{ b }}', ['b'], ['b']],
    ['{{ range(n) }}{{ range.x }}{{ true }}{{ None }}', ['n', 'range'], ['n', 'range']],
    ['{{ "a.b" }}{# c #}{% raw %}{{ d }}{% endraw %}{{ x.items() }}', ['x'], ['x']],
  ])('%s looks up %j', (source, steps, needed) => expect(names(source)).toEqual([steps, needed]))

  test('a name that was set in no branch that was taken is the step of that name', () => {
    const { render: rendered } = compileJinja('{% if step.no %}{% set step = "own" %}{% endif %}{{ step.x }}')
    expect(rendered({ nodes: { step: { x: 'of the step' } } })).toBe('of the step')
  })

  test('of a scope only the outputs are read', () => {
    const lazy = {
      nodes: { a: 1 },
      get data() {
        throw new Error('read')
      },
    }
    expect(compileJinja('{{ a }}{{ data }}{{ nodes }}').render(lazy)).toBe('1')
  })
})

test('a text without tags is its own, less the line end that Jinja takes', () => {
  expect(compileJinja('just { text } 100 %').dynamic).toBe(false)
  expect(compileJinja('a\r\nb\n').render({})).toBe('a\nb')
})

test('text that comes from data is never parsed', () => expect(render('{{ x }}', { x: '{{ user.name }}{% if %}' })).toBe('{{ user.name }}{% if %}'))

describe('whatever is written', () => {
  const cpuMs = 2_000
  /** A text, or an ExpressionError, soon. */
  const ends = (source: string, nodes: object): void => {
    const before = process.cpuUsage()
    try {
      expect(typeof compileJinja(source).render({ nodes })).toBe('string')
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error
    }
    const { user, system } = process.cpuUsage(before)
    expect((user + system) / 1000).toBeLessThan(cpuMs)
  }

  const name = fc.constantFrom('a', 'b', 'loop', 'constructor', '__proto__', 'toString')
  const value = fc.constantFrom('1', '-2', '1.5', '1e300', "'text'", "'<%s>'", 'None', 'true', '[1, 2]', "[['a', 1], 'b']", "{'k': [1]}", '(1, 2)', '()', "''", '10 ** 9')
  const filter = fc.constantFrom(
    ...'abs batch(2) batch(0) capitalize center(9) default(1) dictsort e first float format(1,2) indent int int(1,2) items join join("-") last length list lower map("upper") map(attribute="k") max min'.split(
      ' ',
    ),
    ...'reject("odd") rejectattr("k") replace("a","bb") reverse round round(2) safe select selectattr("k","eq",1) slice(3) sort sort(true) string sum title tojson tojson(2) trim truncate(4) unique upper urlencode wordcount'.split(
      ' ',
    ),
  )
  const check = fc.constantFrom(...'defined none string number odd even mapping sequence iterable lower divisibleby(2) in([1]) eq(1) lt(2) sameas(none)'.split(' '))
  const method = fc.constantFrom(
    ...'upper() strip() split() split(",",1) replace("a","b") title() items() keys() values() get("k") count(1) index(1) join(["a"]) startswith("t") find("t") splitlines()'.split(
      ' ',
    ),
  )
  const operator = fc.constantFrom('+', '-', '*', '/', '//', '%', '**', '~', '==', '!=', '<', '>=', 'in', 'not in', 'and', 'or')
  const { expression } = fc.letrec<{ expression: string }>((tie) => ({
    expression: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.oneof(name, value),
      fc.tuple(tie('expression'), operator, tie('expression')).map((parts) => `(${parts.join(' ')})`),
      fc.tuple(tie('expression'), filter).map((parts) => parts.join(' | ')),
      fc.tuple(tie('expression'), check).map((parts) => `(${parts.join(' is ')})`),
      fc.tuple(tie('expression'), method).map(([of, call]) => `(${of}).${call}`),
      fc.tuple(tie('expression'), tie('expression')).map(([of, key]) => `(${of})[${key}]`),
      fc.tuple(tie('expression'), tie('expression'), tie('expression')).map(([of, from, to]) => `(${of})[${from}:${to}:-1]`),
      fc.tuple(tie('expression'), tie('expression')).map(([one, other]) => `(${one} if ${other} else not ${one})`),
      fc.array(tie('expression'), { maxLength: 3 }).map((parts) => `[${parts.join(', ')}]`),
    ),
  }))
  const { template } = fc.letrec<{ template: string }>((tie) => ({
    template: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      expression.map((of) => `{{ ${of} }}`),
      fc.tuple(name, expression).map(([to, of]) => `{% set ${to} = ${of} %}`),
      fc.tuple(expression, tie('template'), tie('template')).map(([when, one, other]) => `{% if ${when} %}${one}{% else %}${other}{% endif %}`),
      fc.tuple(name, expression, tie('template')).map(([each, of, body]) => `{% for ${each} in ${of} %}${body}{% endfor %}`),
      fc.tuple(name, tie('template')).map(([to, body]) => `{% set ${to} %}${body}{% endset %}`),
      fc.tuple(tie('template'), tie('template')).map((parts) => parts.join(' ')),
    ),
  }))

  test('a template over any JSON gives text or an ExpressionError, in bounded time', () =>
    fc.assert(
      fc.property(template, fc.jsonValue({ depthSize: 'medium' }), fc.jsonValue(), (source, a, b) => ends(source, { a, b })),
      { numRuns: 600 },
    ))

  test('text that is no template does too', () => {
    const scraps = fc.constantFrom(...'{{|}}|{%|%}|{#|#}|-%}|{{-|(|)|[|]|{|}|"|\'|\\|.|,|:|~|*|is|not|in|if|else|for|endfor|set|raw|endraw|endif|a|1|1.5| |\n|é|😀'.split('|'), '|')
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(scraps, { maxLength: 40 }).map((parts) => parts.join(' ')),
          fc.string({ unit: 'binary' }),
        ),
        (source) => ends(`{{${source}`, { a: [1] }),
      ),
      { numRuns: 600 },
    )
  })
})
