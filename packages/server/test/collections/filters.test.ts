import { Fault, recordLimits } from '@sluice/schema'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseFilter } from '../../src/collections/filter/parse.ts'
import type { Operand, Operator, Tree } from '../../src/collections/filter/tree.ts'
import { read, refused } from './filters.table.ts'

/** The Fault of a filter that cannot be read; undefined of one that can. Anything else that is thrown is a bug. */
function refusal(filter: string): Fault | undefined {
  try {
    parseFilter(filter)
    return undefined
  } catch (error) {
    if (error instanceof Fault && error.code === 'filter_invalid') return error
    throw error
  }
}

describe('a filter', () => {
  test.each(read)('%j is read', (filter, tree) => expect(parseFilter(filter)).toEqual(tree))

  test.each(refused)('%j is refused, with the place', (filter) =>
    expect(refusal(filter)?.issues).toEqual([{ path: ['filter'], message: expect.stringMatching(/, at character \d+$/) }]),
  )

  test('is bounded: in bytes, in depth, in comparisons', () => {
    const { filterBytes, depth, terms } = recordLimits
    const long = (bytes: number): string => `a="${'x'.repeat(bytes - 4)}"`
    const deep = (times: number): string => `${'('.repeat(times)}a=1${')'.repeat(times)}`
    const many = (times: number): string => Array.from({ length: times }, () => 'a=1').join('||')
    for (const [fits, most] of [
      [long, filterBytes],
      [deep, depth],
      [many, terms],
    ] as const)
      expect([refusal(fits(most)), refusal(fits(most + 1))?.code]).toEqual([undefined, 'filter_invalid'])
  })

  test('of any text is read or refused, and nothing else happens', () => {
    const pieces = [
      'a',
      '@',
      '#',
      '.',
      ':',
      '_',
      '1',
      '-',
      '"',
      "'",
      '\\',
      '(',
      ')',
      ',',
      '&&',
      '||',
      '=',
      '?',
      '!',
      '~',
      '>',
      '<',
      ' ',
      '\n',
      '//',
      'é',
      '\0',
      '😀',
      '%',
      'f(',
      'a=1',
      '\ud800',
    ]
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 40 }), (all) => {
        refusal(all.join(''))
      }),
      { numRuns: 3_000 },
    )
  })

  test('that is written out is read as what it was', () => {
    fc.assert(
      fc.property(tree, (made) => {
        expect(parseFilter(written(made))).toEqual(made)
      }),
      { numRuns: 500 },
    )
  })

  test('that is begun again and again, and never ended, is refused at once', () => {
    const repeated = ["'", '"\\', "'\\'", '1', 'a', '(', 'f(', 'a=1&&', ' ', '/', '-', '1.']
    for (const piece of repeated) expect(refusal(`${piece.repeat(Math.floor(3_400 / piece.length))}!`)?.code).toBe('filter_invalid')
  })
})

// ── trees at random ────────────────────────────────────────────────────────────────────────────────────────────────────

const operand: fc.Arbitrary<Operand> = fc.oneof(
  fc.constantFrom('title', 'user.name', '@now', 'title:lower', '#x', '_a1').map((name): Operand => ({ is: 'name', name })),
  // A backslash before a quote is no text that can be written.
  fc.string({ unit: fc.constantFrom('a', ' ', '"', "'", '%', '(', '/', 'é') }).map((text): Operand => ({ is: 'text', text })),
  fc.constantFrom('0', '-1', '12.5', '007').map((text): Operand => ({ is: 'number', value: Number(text), text })),
  fc.constant<Operand>({
    is: 'call',
    name: 'f',
    args: [
      { is: 'name', name: 'a' },
      { is: 'number', value: 1, text: '1' },
    ],
  }),
)

const comparison: fc.Arbitrary<Tree> = fc.record({
  is: fc.constant('compare' as const),
  left: operand,
  operator: fc.constantFrom<Operator[]>('=', '!=', '>', '>=', '<', '<=', '~', '!~'),
  any: fc.boolean(),
  right: operand,
})

const { tree } = fc.letrec<{ tree: Tree; and: Tree; or: Tree }>((tie) => ({
  and: fc.record({ is: fc.constant('and' as const), of: fc.array(fc.oneof(comparison, tie('or')), { minLength: 2, maxLength: 3 }) }),
  or: fc.record({ is: fc.constant('or' as const), of: fc.array(fc.oneof(comparison, tie('and')), { minLength: 2, maxLength: 3 }) }),
  tree: fc.oneof({ depthSize: 'small' }, comparison, tie('and'), tie('or')),
}))

function written(of: Tree | Operand): string {
  switch (of.is) {
    case 'and':
      return of.of.map((each) => (each.is === 'or' ? `(${written(each)})` : written(each))).join(' && ')
    case 'or':
      return of.of.map(written).join('||')
    case 'compare':
      return `${written(of.left)} ${of.any ? '?' : ''}${of.operator} ${written(of.right)}`
    case 'name':
      return of.name
    case 'number':
      return of.text
    case 'text':
      return `"${of.text.replaceAll('"', '\\"')}"`
    case 'call':
      return `${of.name}(${of.args.map(written).join(', ')})`
  }
}
