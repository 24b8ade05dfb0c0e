import { globSync, existsSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { here } from './support/processes.ts'

/** Below these are known holes, or faults that we met. */
const floors: Readonly<Record<string, string>> = {
  '@trpc/server': '11.8.0',
  ws: '8.21.1',
  undici: '7.28.0',
  fastify: '5.8.1',
  '@mikro-orm/core': '7.1.7',
  '@mikro-orm/postgresql': '7.1.7',
}
/** A sandbox that is none, an address parser that calls private addresses public, templates that run code. */
const banned = ['vm2', 'ip', 'nunjucks']

interface Installed {
  name: string
  version: string
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}

/** All that our packages bring to those who install them, whoever asked for it. */
function installed(): Installed[] {
  const found = new Map<string, Installed>()
  const visit = (folder: string): void => {
    if (found.has(folder)) return
    const said = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Installed
    found.set(folder, said)
    for (const name of Object.keys({ ...said.dependencies, ...said.optionalDependencies })) {
      let at = folder
      while (!existsSync(join(at, 'node_modules', name, 'package.json')) && at !== dirname(at)) at = dirname(at)
      const next = join(at, 'node_modules', name)
      if (existsSync(next)) visit(realpathSync(next))
      else if (!said.optionalDependencies?.[name]) throw new Error(`${said.name} asks for ${name}, which is not installed`)
    }
  }
  for (const name of ['schema', 'client', 'server']) visit(realpathSync(here(`../../packages/${name}`)))
  return [...found.values()]
}

const order = (version: string): number[] => version.split('-')[0]!.split('.').map(Number)
const below = (version: string, floor: string): boolean => {
  const [a, b] = [order(version), order(floor)]
  const at = a.findIndex((part, index) => part !== b[index])
  return at !== -1 && a[at]! < b[at]!
}

test('what the packages bring along is not below the floors, and nothing of it is banned, however deep', () => {
  const all = installed()
  expect(all.length).toBeGreaterThan(100)
  for (const name of Object.keys(floors)) expect(all.map((each) => each.name)).toContain(name)
  const low = all.filter(({ name, version }) => floors[name] && below(version, floors[name]))
  expect(low.map(({ name, version }) => `${name} ${version}`)).toEqual([])
  expect(all.filter(({ name }) => banned.includes(name)).map(({ name, version }) => `${name} ${version}`)).toEqual([])
})

test('a version is held against its floor by its numbers', () => {
  expect(['8.9.0', '7.99.99', '8.21.0'].every((version) => below(version, '8.21.1'))).toBe(true)
  expect(['8.21.1', '8.21.10', '9.0.0', '8.100.0'].some((version) => below(version, '8.21.1'))).toBe(false)
})

test('nothing of ours takes `node:vm` for a boundary', () => {
  const sources = globSync('packages/*/src/**/*.ts', { cwd: here('../..') })
  expect(sources.length).toBeGreaterThan(400)
  // To reach the garbage collector, with a text of ours: command/rest.ts.
  expect(sources.filter((path) => /['"](node:)?vm['"]/.test(readFileSync(here(`../../${path}`), 'utf8')))).toEqual(['packages/server/src/command/rest.ts'])
})
