import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'
import { here } from './support/processes.ts'

/** The pages that people read lead where they say, and say something under each heading. */

const root = here('../..')
const paths = [
  'README.md',
  'ARCHITECTURE.md',
  ...globSync(['docs/**/*.md', 'packages/*/{*,src/**/*}.md', 'bench/*.md', 'test/{*,*/*}.md'], { cwd: root, exclude: (path) => path.includes('node_modules') }),
]

interface Heading {
  level: number
  /** What a link to it has behind the `#`. */
  anchor: string
  text: string
  /** Whether nothing stands between it and the next heading of its level or above. */
  empty: boolean
}

/** The text without what is in blocks of code, where `#` and `](` mean something else. */
const prose = (path: string): string => readFileSync(join(root, path), 'utf8').replaceAll(/^```.*?^```/gms, '(code)')

function headingsOf(path: string): Heading[] {
  const parts = prose(path).split(/^(#{1,6}) (.*)$/m)
  const found: Heading[] = []
  for (let at = 1; at < parts.length; at += 3) {
    const [marks, text, body] = parts.slice(at, at + 3) as [string, string, string]
    const level = marks.length
    const below = parts[at + 3]?.length ?? 0
    found.push({ level, text, anchor: anchorOf(text), empty: body.trim() === '' && below <= level })
  }
  return found
}

const anchorOf = (text: string): string =>
  text
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}_\- ]/gu, '')
    .replaceAll(' ', '-')

const anchors = new Map(paths.map((path) => [normalize(path), new Set(headingsOf(path).map(({ anchor }) => anchor))]))

test('there are pages', () => expect(paths.length).toBeGreaterThan(25))

describe('of each page', () => {
  test.for(paths)('%s: every link leads to something, and every section says something', (path) => {
    expect(
      headingsOf(path)
        .filter(({ empty }) => empty)
        .map(({ text }) => text),
    ).toEqual([])
    const links = [...prose(path).matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)].map(([, to]) => to!)
    const dead = links.filter((to) => {
      const [file, anchor] = to.split('#') as [string, string?]
      const target = normalize(file === '' ? path : join(dirname(path), file))
      if (!existsSync(join(root, target))) return true
      return anchor !== undefined && anchors.get(target)?.has(anchor) === false
    })
    expect(dead).toEqual([])
  })
})
