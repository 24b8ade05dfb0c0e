import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'
import { variants } from './broken/variants.ts'
import { here } from './support/processes.ts'

/** docs/guarantees.md says of each promise what holds it: this holds the page against the tests and variants that there are. */

const page = readFileSync(here('../../docs/guarantees.md'), 'utf8')
/** The rows of its tables: what is promised in the first cell, tests in the second; where there is a fourth, it names variants. */
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && /\]\(\.\.\/(test|packages)\//.test(line))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
const linked = [...page.matchAll(/\[((?:[^\][]|\[[^\]]*\])*)\]\((\.\.\/[^)#]+\.test\.ts)\)/g)].map(([, name, path]) => ({ name: name!, path: normalize(join('docs', path!)) }))
const codes = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code!)
const plain = (text: string): string => text.replaceAll(/\\(['"`\\|])/g, '$1')

test('the page has what it is there for', () => {
  expect(rows.length).toBeGreaterThan(40)
  for (const promise of ['C1', 'C2', 'C3', 'C4', 'C5', 'C6', 'C7', 'C8']) expect(page).toMatch(new RegExp(`^### ${promise}\\b`, 'm'))
})

test.for([...new Set(linked.map(({ path }) => path))])('the tests that the page names in %s are there', (path) => {
  expect(existsSync(here(`../../${path}`)), path).toBe(true)
  const text = plain(readFileSync(here(`../../${path}`), 'utf8'))
  for (const { name } of linked.filter((each) => each.path === path)) expect(text).toContain(plain(name))
})

test('each row names a test and a variant, and each variant stands in a row', () => {
  const broken = rows.filter((row) => row.length > 3)
  const named = new Set(broken.flatMap((row) => codes(row[3]!)))
  for (const row of broken) expect([row[0], codes(row[3]!).filter((name) => variants.some((each) => each.name === name)).length > 0]).toEqual([row[0], true])
  expect(variants.filter(({ name }) => !named.has(name)).map(({ name }) => name)).toEqual([])
})

describe('other pages that it leads to', () => {
  const paths = [...page.matchAll(/\]\(((?!https?:|#)[^)#]+)/g)].map(([, path]) => path!)
  test.for([...new Set(paths)])('%s is there', (path) => expect(existsSync(here(`../../${join(dirname('docs/guarantees.md'), path)}`))).toBe(true))
})
