import { readFileSync, writeFileSync } from 'node:fs'
import type { Section } from '../measurement.ts'

const docs = new URL('../../docs/', import.meta.url)
const page = new URL('performance.md', docs)

/** Throws when the page has no place for one of these: to be asked before they are measured. */
export function checkPlaces(names: readonly string[]): void {
  const text = readFileSync(page, 'utf8')
  for (const name of names) placeOf(name, text)
}

/** Puts what was measured between its marks, and writes the charts beside. */
export function writeSection(name: string, { markdown, charts }: Section): void {
  const text = readFileSync(page, 'utf8')
  const { from, to } = placeOf(name, text)
  for (const { file, svg } of charts) writeFileSync(new URL(file, docs), svg)
  writeFileSync(page, `${text.slice(0, from)}\n\n${markdown.trim()}\n\n${text.slice(to)}`)
}

function placeOf(name: string, text: string): { from: number; to: number } {
  const [begin, end] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`]
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from < 0 || to < from) throw new Error(`docs/performance.md has no place for ${name}: it stands between ${begin} and ${end}`)
  return { from: from + begin.length, to }
}
