import { expect, test } from 'vitest'
import { checkServer } from '../../src/store/migrate.ts'

const warnings = (version: number, fsync = 'on'): unknown[][] => {
  const said: unknown[][] = []
  checkServer({ version, name: 'x', fsync }, { warn: (...words: unknown[]) => void said.push(words) })
  return said
}

test('a PostgreSQL below 15 is refused, saying what to do', () => {
  expect(() => checkServer({ version: 140_022, name: '14.22', fsync: 'on' }, undefined)).toThrow(/14\.22 is too old.*15 or newer.*SLUICE_DATABASE_URL/)
})

test('15 is taken, with a warning below 15.19 and without one from there on', () => {
  expect(warnings(150_000)).toHaveLength(1)
  expect(warnings(150_018)).toHaveLength(1)
  expect(warnings(150_019)).toHaveLength(0)
  expect(warnings(180_004)).toHaveLength(0)
})

test('fsync off is warned of', () => {
  expect(warnings(180_004, 'off')).toHaveLength(1)
})
