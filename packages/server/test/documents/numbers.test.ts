import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readNumber } from '../../src/documents/numbers.ts'

describe('a number that people wrote', () => {
  const point: [string, number, string | null][] = [
    ['0', 0, null],
    ['-12', -12, null],
    ['+3.5', 3.5, null],
    ['.5', 0.5, null],
    ['5.', 5, null],
    ['1,234.50', 1234.5, null],
    ['1 234 567', 1_234_567, null],
    ['1\u00a0234.5', 1234.5, null],
    ["1'234.5", 1234.5, null],
    ['1,234,567', 1_234_567, null],
    ['12%', 12, '%'],
    ['-3.5 %', -3.5, '%'],
    ['€ 12.00', 12, '€'],
    ['-€12.00', -12, '€'],
    ['$-12', -12, '$'],
    ['12.00 EUR', 12, 'EUR'],
    ['(1,200.00)', -1200, null],
    ['(€ 3)', -3, '€'],
    ['−7', -7, null],
    ['1e3', 1000, null],
    ['-0', 0, null],
    [' 42 ', 42, null],
  ]
  it.each(point)('%j is read with a decimal point', (text, value, unit) => expect(readNumber(text, '.')).toEqual({ value, unit }))

  it.each([
    ['1.234,50', 1234.5],
    ['1 234,5', 1234.5],
    ['0,5', 0.5],
    ['12', 12],
    ['1.234.567', 1_234_567],
    ['99,90 €', 99.9],
  ])('%j is read with a decimal comma', (text, value) => expect(readNumber(text, ',')?.value).toBe(value))

  it.each([
    '',
    ' ',
    '-',
    '.',
    ',',
    '%',
    '€',
    'abc',
    '1.2.3',
    '1,23,4.5',
    '12,34',
    '007',
    '00',
    '01.5',
    '--1',
    '(-1)',
    '1e999',
    '12345678901234567890',
    '€1€',
    '1%2',
    'NaN',
    'Infinity',
    '0x10',
    '1 2',
    `${'1'.repeat(70)}`,
  ])('%j is none', (text) => expect(readNumber(text, '.')).toBeNull())

  it('reads back whatever is written with groups, in both manners', () => {
    const written = fc.tuple(fc.integer({ min: -1e11, max: 1e11 }), fc.integer({ min: 0, max: 99 }), fc.constantFrom(...['de-DE', 'en-US', 'fr-FR', 'de-CH', 'sv-SE']))
    fc.assert(
      fc.property(written, ([whole, cents, locale]) => {
        const value = Number(`${whole}.${String(cents).padStart(2, '0')}`)
        const text = new Intl.NumberFormat(locale, { minimumFractionDigits: 2 }).format(value)
        const mark = ['de-DE', 'fr-FR', 'sv-SE'].includes(locale) ? ',' : '.'
        expect(readNumber(text, mark)?.value).toBe(value)
      }),
    )
  })

  it('is looked at for no longer than its length is worth', () => {
    for (const text of ['1,111'.repeat(12), ' '.repeat(59) + 'x', `${'1 '.repeat(29)}x`, `${'9'.repeat(59)}x`]) {
      const before = performance.now()
      for (let times = 0; times < 1000; times++) readNumber(text, '.')
      expect(performance.now() - before).toBeLessThan(5_000)
    }
  })
})
