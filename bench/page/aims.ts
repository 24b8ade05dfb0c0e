import { figure } from './figure.ts'
import { table } from './table.ts'

/** What the project wants of a figure, and what it is. */
export interface Aim {
  what: string
  wanted: string
  measured: string
  /** Null when it was not measured. */
  met: boolean | null
}

/** `unit` follows the figures. */
export const atLeast = (what: string, least: number, value: number | undefined, unit = ''): Aim => aim(what, `at least ${figure(least)}${unit}`, value, unit, (is) => is >= least)

export const atMost = (what: string, most: number, value: number | undefined, unit = ''): Aim => aim(what, `at most ${figure(most)}${unit}`, value, unit, (is) => is <= most)

export const under = (what: string, limit: number, value: number | undefined, unit = ''): Aim => aim(what, `under ${figure(limit)}${unit}`, value, unit, (is) => is < limit)

const aim = (what: string, wanted: string, value: number | undefined, unit: string, holds: (value: number) => boolean): Aim =>
  value === undefined || Number.isNaN(value) ? { what, wanted, measured: '–', met: null } : { what, wanted, measured: `${figure(value)}${unit}`, met: holds(value) }

const verdict = (met: boolean | null): string => (met === null ? 'not measured' : met ? 'met' : '**not met**')

/** Empty without aims. */
export const aimsTable = (aims: readonly Aim[]): string =>
  aims.length === 0
    ? ''
    : table(
        ['aim', 'wanted', 'measured', ''],
        aims.map(({ what, wanted, measured, met }) => [what, wanted, measured, verdict(met)]),
      )
