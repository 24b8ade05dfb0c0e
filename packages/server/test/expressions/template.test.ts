import { describe, expect, test } from 'vitest'
import { ExpressionError, compileTemplate } from '../../src/expressions/index.ts'

const scope = { input: { n: 3, list: [1, 2], name: 'Ada', evil: '{{ input.secret }}{% if x %}', secret: 'S', obj: { a: 1 } }, nodes: { fetch: { ok: true } } }
const render = (source: string) => compileTemplate(source).render(scope)
const value = (source: string) => compileTemplate(source).value(scope)

describe('templates', () => {
  test('a source without braces is its own text and is not compiled', () => {
    const plain = compileTemplate('just { text } 100 %')
    expect(plain.dynamic).toBe(false)
    expect(plain.render(scope)).toBe('just { text } 100 %')
  })

  test.each([
    ['Hi {{ input.name }}!', 'Hi Ada!'],
    ['{% if input.n > 2 and input.name contains "d" %}yes{% else %}no{% endif %}', 'yes'],
    ['{% for i in (1..3) %}{{ i }},{% endfor %}', '1,2,3,'],
    ['{% case input.n %}{% when 1, 2 %}few{% when 3 %}three{% endcase %}', 'three'],
    ['{{ input.missing.deep }}', ''],
    ['{{ input.list }} {{ input.obj }}', '[1,2] {"a":1}'],
    ['{{ input.name | upper | append: "!" }}', 'ADA!'],
    ['{{ "b,a" | split: "," | sort | join: "-" }}', 'a-b'],
    ['{{ input.missing | default: "none" }}', 'none'],
    ['{{ 0 | date: "%Y-%m-%d" }}', '1970-01-01'],
    ['{{ 2.345 | round: 2 }}', '2.35'],
    ['{{ input.list == input.list }} {{ input.list == empty }}', 'true false'],
    ['{% assign x = input.n | plus: 1 %}{{ x }}', '4'],
    ['{% capture t %}<{{ input.n }}>{% endcapture %}{{ t }}', '<3>'],
  ])('%s renders %s', (source, expected) => expect(render(source)).toBe(expected))

  test.each([
    ['{{ input.list }}', [1, 2]],
    ['{{ input.n | plus: 1 }}', 4],
    ['{{ input.missing }}', null],
    ['{{ input.n == 3 }}', true],
    [' {{ input.n }}', ' 3'],
    ['{{ input.n }}{{ input.n }}', '33'],
    ['{{ input.list | push: 3 | reverse }}', [3, 2, 1]],
  ])('as a value %s gives it typed when it is exactly one expression', (source, expected) => expect(value(source)).toEqual(expected))

  test('text that comes from data is never parsed a second time', () => {
    expect(render('{{ input.evil }}')).toBe('{{ input.secret }}{% if x %}')
    expect(value('{{ input.evil | append: "" }}')).toBe('{{ input.secret }}{% if x %}')
  })

  test('what is not closed, an unknown filter and an unknown tag do not compile, and say where', () => {
    expect(() => compileTemplate('abc {{ x')).toThrow(expect.objectContaining({ name: 'ExpressionError', offset: 4 }))
    expect(() => compileTemplate('{{ x | nope }}')).toThrow('undefined filter: nope')
    expect(() => compileTemplate('{% nope %}')).toThrow(ExpressionError)
  })

  test('names are the variables read from the scope, not the ones a template makes', () => {
    const { names, steps } = compileTemplate('{% for row in nodes.fetch.rows %}{{ row.x }}{{ input[run.id] }}{% endfor %}{{ nodes["Big one"] }}')
    expect([...names].sort()).toEqual(['input', 'nodes', 'run'])
    expect([...steps].sort()).toEqual(['Big one', 'fetch'])
  })

  test('of the scope only the named getters run, and it is never written to', () => {
    let built = 0
    const lazy = {
      input: 1,
      get data() {
        built++
        return {}
      },
    }
    compileTemplate('{{ input }}{% increment input %}{% assign other = 1 %}').render(lazy)
    expect(built).toBe(0)
    expect(lazy.input).toBe(1)
    expect(Object.keys(lazy)).toEqual(['input', 'data'])
  })
})
