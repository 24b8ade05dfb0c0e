import { Fault } from '@sluice/schema'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { dutyOf, mostCounted } from '../../src/schedules/duty.ts'
import { checked, momentsOf, type Rhythm } from '../../src/schedules/moments.ts'

const every = (everyMs: number, more: Partial<Rhythm> = {}): Rhythm => ({ cron: null, everyMs, timeZone: 'UTC', anchor: 0, startsAt: null, endsAt: null, ...more })
const cron = (text: string, timeZone = 'UTC', more: Partial<Rhythm> = {}): Rhythm => ({ ...every(0, more), cron: text, everyMs: null, timeZone })

const at = Date.parse
const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString().replace('.000Z', 'Z'))

function following(rhythm: Rhythm, after: string, count: number): (string | null)[] {
  const moments = momentsOf(rhythm)
  const found: (string | null)[] = []
  for (let next = moments.after(at(after)); found.length < count; next = moments.after(next)) {
    found.push(iso(next))
    if (next === null) break
  }
  return found
}

/** What clocks do to a day, and what of it: after an instant, the moments that follow, in UTC. */
const clocks: readonly (readonly [what: string, zone: string, cron: string, after: string, moments: readonly string[]])[] = [
  // Put forward: 02:00 to 03:00.
  [
    'a time of day that is passed over comes right after the gap',
    'Europe/Berlin',
    '30 2 * * *',
    '2026-03-28T00:00:00Z',
    ['2026-03-28T01:30:00Z', '2026-03-29T01:00:00Z', '2026-03-30T00:30:00Z'],
  ],
  ['two that are passed over come once', 'Europe/Berlin', '0,30 2 * * *', '2026-03-28T01:00:00Z', ['2026-03-28T01:30:00Z', '2026-03-29T01:00:00Z', '2026-03-30T00:00:00Z']],
  [
    'one that falls on the end of the gap comes once',
    'Europe/Berlin',
    '0 2-3 * * *',
    '2026-03-28T02:00:00Z',
    ['2026-03-29T01:00:00Z', '2026-03-30T00:00:00Z', '2026-03-30T01:00:00Z'],
  ],
  [
    'what comes evenly comes evenly',
    'Europe/Berlin',
    '*/30 * * * *',
    '2026-03-29T00:00:00Z',
    ['2026-03-29T00:30:00Z', '2026-03-29T01:00:00Z', '2026-03-29T01:30:00Z', '2026-03-29T02:00:00Z'],
  ],
  [
    'of every second hour the one that is passed over does not come',
    'Europe/Berlin',
    '15 */2 * * *',
    '2026-03-28T22:00:00Z',
    ['2026-03-28T23:15:00Z', '2026-03-29T02:15:00Z', '2026-03-29T04:15:00Z'],
  ],
  ['a time of day that is passed over comes right after the gap', 'America/New_York', '30 2 * * *', '2026-03-07T12:00:00Z', ['2026-03-08T07:00:00Z', '2026-03-09T06:30:00Z']],
  ['a gap of half an hour', 'Australia/Lord_Howe', '15 2 * * *', '2026-10-02T20:00:00Z', ['2026-10-03T15:30:00Z', '2026-10-04T15:15:00Z']],
  ['a gap at midnight', 'America/Sao_Paulo', '0 0 * * *', '2018-11-03T00:00:00Z', ['2018-11-03T03:00:00Z', '2018-11-04T03:00:00Z', '2018-11-05T02:00:00Z']],
  ['the end of Ramadan', 'Africa/Casablanca', '30 2 * * *', '2026-03-21T00:00:00Z', ['2026-03-21T02:30:00Z', '2026-03-22T02:00:00Z', '2026-03-23T01:30:00Z']],
  [
    'a whole day that never was',
    'Pacific/Apia',
    '0 12 * * *',
    '2011-12-28T00:00:00Z',
    ['2011-12-28T22:00:00Z', '2011-12-29T22:00:00Z', '2011-12-30T22:00:00Z', '2011-12-31T22:00:00Z'],
  ],
  // Put back: 03:00 to 02:00.
  ['a time of day that comes twice is due the first time', 'Europe/Berlin', '30 2 * * *', '2026-10-24T12:00:00Z', ['2026-10-25T00:30:00Z', '2026-10-26T01:30:00Z']],
  ['also when it is asked for between the two', 'Europe/Berlin', '30 2 * * *', '2026-10-25T00:45:00Z', ['2026-10-26T01:30:00Z']],
  [
    'what comes evenly comes evenly, twice at the same time of day',
    'Europe/Berlin',
    '*/30 * * * *',
    '2026-10-24T23:30:00Z',
    ['2026-10-25T00:00:00Z', '2026-10-25T00:30:00Z', '2026-10-25T01:00:00Z', '2026-10-25T01:30:00Z', '2026-10-25T02:00:00Z'],
  ],
  ['a time of day that comes twice is due the first time', 'America/New_York', '30 1 * * *', '2026-10-31T12:00:00Z', ['2026-11-01T05:30:00Z', '2026-11-02T06:30:00Z']],
  ['half an hour that comes twice', 'Australia/Lord_Howe', '45 1 * * *', '2026-04-04T00:00:00Z', ['2026-04-04T14:45:00Z', '2026-04-05T15:15:00Z']],
  [
    'quarters of an hour over half an hour that comes twice',
    'Australia/Lord_Howe',
    '*/15 * * * *',
    '2026-04-04T14:30:00Z',
    ['2026-04-04T14:45:00Z', '2026-04-04T15:00:00Z', '2026-04-04T15:15:00Z', '2026-04-04T15:30:00Z'],
  ],
  ['the beginning of Ramadan', 'Africa/Casablanca', '30 2 * * *', '2026-02-14T00:00:00Z', ['2026-02-14T01:30:00Z', '2026-02-15T01:30:00Z', '2026-02-16T02:30:00Z']],
  // No change at all.
  ['seconds', 'UTC', '*/20 * * * * *', '2026-01-01T00:00:00.500Z', ['2026-01-01T00:00:20Z', '2026-01-01T00:00:40Z', '2026-01-01T00:01:00Z']],
  ['leap days', 'UTC', '0 0 29 2 *', '2026-01-01T00:00:00Z', ['2028-02-29T00:00:00Z', '2032-02-29T00:00:00Z']],
  ['either kind of day is enough', 'UTC', '0 0 13 * FRI', '2026-01-01T00:00:00Z', ['2026-01-02T00:00:00Z', '2026-01-09T00:00:00Z', '2026-01-13T00:00:00Z']],
  ['an hour west of Greenwich', 'America/St_Johns', '0 9 * * MON-FRI', '2026-01-02T13:00:00Z', ['2026-01-05T12:30:00Z', '2026-01-06T12:30:00Z']],
]

describe('the moments of a rhythm', () => {
  test.each(clocks)('%s (%s, %s)', (_what, zone, text, after, moments) => {
    expect(following(cron(text, zone), after, moments.length)).toEqual(moments)
  })

  test('are the same from wherever they are asked', () => {
    const zones = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Africa/Casablanca', 'Pacific/Apia']
    const texts = ['30 2 * * *', '0,30 1-3 * * *', '*/30 * * * *', '15 */2 * * *', '0 0 * * *', '45 1 * * SUN']
    const days = ['2026-02-14', '2026-03-07', '2026-03-21', '2026-03-28', '2026-04-04', '2026-10-03', '2026-10-24', '2026-10-31', '2011-12-29']
    const given = [fc.constantFrom(...zones), fc.constantFrom(...texts), fc.constantFrom(...days), fc.integer({ min: 0, max: 2 * 86_400_000 })] as const
    fc.assert(
      fc.property(...given, (zone, text, day, ms) => {
        const moments = momentsOf(cron(text, zone))
        const from = at(`${day}T00:00:00Z`)
        const asked = from + ms
        let next = moments.after(from)!
        while (next <= asked) next = moments.after(next)!
        expect(iso(moments.after(asked))).toBe(iso(next))
        const first = moments.after(from)!
        if (first <= asked) {
          let last = first
          for (let each = moments.after(last)!; each <= asked; each = moments.after(each)!) last = each
          expect(iso(moments.lastUpTo(first, asked))).toBe(iso(last))
        }
      }),
      { numRuns: 300 },
    )
  })

  test('of an interval are counted from its anchor, whatever clocks show', () => {
    const anchor = at('2026-03-28T12:00:00.250Z')
    const rhythm = every(86_400_000, { anchor, timeZone: 'Europe/Berlin' })
    expect(following(rhythm, '2026-03-28T12:00:00.249Z', 3)).toEqual(['2026-03-28T12:00:00.250Z', '2026-03-29T12:00:00.250Z', '2026-03-30T12:00:00.250Z'])
    expect(momentsOf(rhythm).after(anchor - 10 * 86_400_000)).toBe(anchor)
    expect(momentsOf(every(1_000)).after(5_000)).toBe(6_000)
    expect(momentsOf(every(1_000)).lastUpTo(0, 86_400_000_999)).toBe(86_400_000_000)
  })

  test('lie between its first and its last instant, both of which may be moments', () => {
    const startsAt = at('2026-05-01T09:00:00Z')
    const rhythm = cron('0 9 * * *', 'UTC', { startsAt, endsAt: at('2026-05-03T09:00:00Z') })
    expect(following(rhythm, '2026-01-01T00:00:00Z', 5)).toEqual(['2026-05-01T09:00:00Z', '2026-05-02T09:00:00Z', '2026-05-03T09:00:00Z', null])
    expect(following(every(3_600_000, { anchor: startsAt, startsAt }), '2026-01-01T00:00:00Z', 2)).toEqual(['2026-05-01T09:00:00Z', '2026-05-01T10:00:00Z'])
  })

  test('end with the calendar', () => {
    expect(momentsOf(cron('0 0 1 1 *')).after(at('9999-06-01T00:00:00Z'))).toBeNull()
    expect(iso(momentsOf(cron('0 0 1 1 *')).after(at('0001-01-01T00:00:00Z')))).toBe('1971-01-01T00:00:00Z')
  })
})

describe('a rhythm that cannot be', () => {
  const refused = (rhythm: Rhythm): string => {
    try {
      checked(rhythm)
    } catch (error) {
      if (error instanceof Fault) return `${error.issues[0]!.path!.join()}: ${error.issues[0]!.message}`
      throw error
    }
    return 'taken'
  }

  test.each([
    ['', /^cron: expected five fields/],
    ['* * *', /^cron: expected five fields, or six with seconds before them, and not 3/],
    ['0 0 1 1 * * 2030', /^cron: expected five fields, .* not 7/],
    ['2026-01-01T00:00:00', /^cron: expected five fields/],
    ['@reboot', /^cron: expected five fields/],
    ['61 * * * *', /^cron: Invalid value for minute: 61$/],
    ['a b c d e', /^cron: .*illegal/],
    ['5/10 * * * *', /^cron: .*stepping/],
    ['0 0 30 2 *', /^cron: It never comes/],
    ['0 0 31W 2,4 *', /^cron: It never comes/],
  ])('%j is refused', (text, reason) => {
    expect(refused(cron(text))).toMatch(reason)
  })

  test.each(['Mars/Olympus', '+01:00', '', 'Europe/Berlin ', '../etc/passwd'])('the zone %j is refused', (zone) => {
    expect(refused(cron('* * * * *', zone))).toMatch(/^timeZone: There is no such time zone/)
  })

  test('one must say when, and in one way', () => {
    expect(refused({ ...every(1), everyMs: null })).toMatch(/^cron: Say when/)
    expect(refused({ ...every(1_000), cron: '* * * * *' })).toMatch(/^everyMs: .*not both/)
    expect(refused(cron('0 0 1 1 *', 'UTC', { startsAt: at('2026-02-01T00:00:00Z'), endsAt: at('2026-03-01T00:00:00Z') }))).toMatch(/^endsAt: It ends before/)
    expect([cron('@daily'), cron(' 0  9 * * 7 '), cron('0 0 L * *'), cron('0 0 * * FRI#2'), cron('? * * * *', 'europe/berlin')].map(refused)).toEqual(Array(5).fill('taken'))
  })
})

describe('what is to be done for a schedule that is due', () => {
  const minute = 60_000
  const hourly = momentsOf(every(60 * minute))
  const duty = (missed: 'skip' | 'once' | 'all', next: number, now: number, tries = 0) => dutyOf({ next: next * minute, missed, tries }, hourly, now * minute, minute)

  test.each(['skip', 'once', 'all'] as const)('a run for a moment that is not missed (%s)', (missed) => {
    expect(duty(missed, 60, 61)).toEqual({ moment: 60 * minute, stands: 0, passed: 0, following: 120 * minute })
  })

  test('of missed moments none, one for all, or each', () => {
    expect(duty('skip', 60, 250)).toEqual({ moment: null, stands: 0, passed: 4, following: 300 * minute })
    expect(duty('once', 60, 250)).toEqual({ moment: 240 * minute, stands: 4, passed: 0, following: 300 * minute })
    expect(duty('all', 60, 250)).toEqual({ moment: 60 * minute, stands: 1, passed: 0, following: 120 * minute })
  })

  test('the last one is on time though others were missed', () => {
    expect(duty('skip', 60, 240.5)).toEqual({ moment: 240 * minute, stands: 0, passed: 3, following: 300 * minute })
    expect(duty('once', 60, 240.5)).toEqual({ moment: 240 * minute, stands: 4, passed: 0, following: 300 * minute })
  })

  test('what was refused is tried until the next moment comes, and is no missed one', () => {
    for (const missed of ['skip', 'once', 'all'] as const) {
      expect(duty(missed, 60, 119, 3)).toEqual({ moment: 60 * minute, stands: 0, passed: 0, following: 120 * minute })
      expect(duty(missed, 60, 120, 3)).toEqual({ moment: 120 * minute, stands: 0, passed: 1, following: 180 * minute })
    }
  })

  test('a year of seconds that were missed takes no time', () => {
    const year = 365 * 86_400_000
    const begun = process.cpuUsage().user
    const each = dutyOf({ next: 1_000, missed: 'once', tries: 0 }, momentsOf(cron('* * * * * *', 'Europe/Berlin')), year, minute)
    expect(each).toEqual({ moment: year, stands: mostCounted, passed: 0, following: year + 1_000 })
    expect((process.cpuUsage().user - begun) / 1_000).toBeLessThan(2_000)
  })
})
