import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { ExpressionError, compileJinja } from '../../src/expressions/index.ts'

/** What Jinja2 3.1.6 gives for the same templates and data, with names that may be undefined at any depth (ChainableUndefined). */
interface Case {
  template: string
  expected?: string
  /** It does not compile. */
  refused?: boolean
  /** It compiles, and fails when it is rendered. */
  fails?: boolean
}

const { nodes: outputs, cases } = JSON.parse(readFileSync(new URL('jinja-table.json', import.meta.url), 'utf8')) as { nodes: object; cases: Case[] }
const render = (source: string, nodes = outputs) => compileJinja(source).render({ nodes })

describe('what Jinja renders', () => {
  test.each(cases.filter(({ expected }) => expected !== undefined))('$template is rendered as Jinja does', ({ template, expected }) => expect(render(template)).toBe(expected))
  test.each(cases.filter(({ fails }) => fails))('$template fails as it does in Jinja', ({ template }) => expect(() => render(template)).toThrow(ExpressionError))
  test.each(cases.filter(({ refused }) => refused))('$template does not compile, as in Jinja', ({ template }) => expect(() => compileJinja(template)).toThrow(ExpressionError))
})
