import { readFileSync, writeFileSync } from 'node:fs'
import type { Section } from '../measurement.ts'

const docs = new URL('../../docs/', import.meta.url)
const page = new URL('performance.md', docs)

/** Puts what was measured between its marks, and writes the charts beside. Throws when the page has no place for it. */
export function writeSection(name: string, { markdown, charts }: Section): void {
  const [begin, end] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`]
  const text = readFileSync(page, 'utf8')
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from < 0 || to < from) throw new Error(`docs/performance.md has no place for ${name}: it stands between ${begin} and ${end}`)
  for (const { file, svg } of charts) writeFileSync(new URL(file, docs), svg)
  writeFileSync(page, `${text.slice(0, from + begin.length)}\n\n${markdown.trim()}\n\n${text.slice(to)}`)
}
