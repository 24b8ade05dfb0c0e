import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readDate } from '../../src/documents/dates.ts'

describe('a date that people wrote', () => {
  it.each([
    ['2026-02-01', '2026-02-01'],
    ['2026/2/1', '2026-02-01'],
    ['01.02.2026', '2026-02-01'],
    ['1-2-2026', '2026-02-01'],
    ['3 Jan 2026', '2026-01-03'],
    ['3. January 2026', '2026-01-03'],
    ['Mar 4, 2026', '2026-03-04'],
    ['2026-02-01T10:20', '2026-02-01T10:20:00'],
    ['2026-02-01 10:20:30.5', '2026-02-01T10:20:30.500'],
    ['2026-02-01T10:20:30Z', '2026-02-01T10:20:30Z'],
    ['2026-02-01T00:20:30+02:00', '2026-01-31T22:20:30Z'],
    ['01.02.2026 08:15', '2026-02-01T08:15:00'],
    ['1/2/2026 3:04 PM', '2026-02-01T15:04:00'],
    ['1/2/2026 12:04 AM', '2026-02-01T00:04:00'],
    ['29.02.2024', '2024-02-29'],
  ])('%j is %s where days come first', (text, date) => expect(readDate(text, 'day')).toBe(date))

  it('has its month first where that is said', () => expect(readDate('01/02/2026', 'month')).toBe('2026-01-02'))

  it.each([
    '',
    '2026',
    '2026-13-01',
    '2026-02-30',
    '29.02.2023',
    '0000-01-01',
    '2026-01-01T25:00',
    '2026-01-01 10:61',
    '1/2/26',
    '3 Foo 2026',
    'Foo 3, 2026',
    '2026-1/1',
    '12345678',
    '13/13/2026',
    '2026-01-01T13:00 PM',
    '2026-01-01T10:00+99:00',
  ])('%j is none', (text) => expect(readDate(text, 'day')).toBeNull())

  it('is what the calendar says, and no other day', () => {
    const day = fc.record({ year: fc.integer({ min: 1000, max: 9999 }), month: fc.integer({ min: 1, max: 12 }), day: fc.integer({ min: 1, max: 31 }) })
    fc.assert(
      fc.property(day, ({ year, month, day: of }) => {
        const lengths = [31, (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        const iso = `${year}-${String(month).padStart(2, '0')}-${String(of).padStart(2, '0')}`
        expect(readDate(`${of}.${month}.${year}`, 'day')).toBe(of <= lengths[month - 1]! ? iso : null)
        expect(readDate(`${month}/${of}/${year}`, 'month')).toBe(of <= lengths[month - 1]! ? iso : null)
      }),
    )
  })
})
