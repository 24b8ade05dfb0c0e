import { instants } from '@sluice/schema'
import type { Shift } from './query.ts'

const two = (value: number): string => String(value).padStart(2, '0')

/** What SQLite's strftime writes, of the signs that are served, in UTC; nothing of what lies beyond four digits of a year, as it does. */
export function timeText(format: string, ms: number, shifts: readonly Shift[]): string {
  const shiftedMs = shifts.reduce((before, shift) => within(shifted(before, shift)), within(ms))
  if (Number.isNaN(shiftedMs)) return ''
  const at = new Date(shiftedMs)
  const iso = at.toISOString()
  const signs: Readonly<Record<string, string>> = {
    Y: iso.slice(0, 4),
    m: iso.slice(5, 7),
    d: iso.slice(8, 10),
    H: iso.slice(11, 13),
    M: iso.slice(14, 16),
    S: iso.slice(17, 19),
    f: iso.slice(17, 23),
    F: iso.slice(0, 10),
    T: iso.slice(11, 19),
    R: `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`,
    j: String(Math.floor((at.getTime() - Date.UTC(at.getUTCFullYear(), 0)) / 86_400_000) + 1).padStart(3, '0'),
    w: String(at.getUTCDay()),
    s: String(Math.floor(at.getTime() / 1_000)),
    '%': '%',
  }
  return format.replaceAll(/%([\s\S])/g, (_, sign: string) => signs[sign] ?? '')
}

const within = (ms: number): number => (ms >= instants.first && ms <= instants.last ? ms : Number.NaN)

function shifted(ms: number, shift: Shift): number {
  if (shift.is === 'add') return ms + Math.round(shift.seconds * 1_000)
  const at = new Date(ms)
  return Date.UTC(at.getUTCFullYear(), shift.of === 'year' ? 0 : at.getUTCMonth(), shift.of === 'day' ? at.getUTCDate() : 1)
}
