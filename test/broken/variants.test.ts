import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { here, start } from '../support/processes.ts'
import { brokenAs } from './variant.ts'
import { variantNamed, variants } from './variants.ts'

const read = (path: string): string => readFileSync(here(`../../${path}`), 'utf8')

test('each variant has a name of its own', () => {
  expect(new Set(variants.map(({ name }) => name)).size).toBe(variants.length)
  expect(() => variantNamed('unheard-of')).toThrow('No variant is called unheard-of. There are: ')
})

test.for(variants)('$name replaces a text that is there once, in code that is not its test, and names a test that is there', (variant) => {
  expect(variant.file).toMatch(/^packages\/\w+\/src\//)
  const text = read(variant.file)
  expect(brokenAs(variant, text)).not.toBe(text)
  // Names of tests stand in the source as they are, but for their quotes and what is put in.
  expect(read(variant.caughtBy.file).replaceAll("\\'", "'")).toContain(variant.caughtBy.test)
})

test('a fault reaches the servers that tests start as processes', async () => {
  const variant = { name: 'misnamed', file: 'packages/server/src/command/line.ts', find: 'Sluice: durable workflows', replace: 'Broken: durable workflows' }
  const load = new URL('load.ts', import.meta.url).href
  const help = start(['--import', load, here('../../packages/server/src/main.ts'), '--help'], { BROKEN_VARIANT: JSON.stringify(variant) })
  await help.says(/^Broken: durable workflows/m)
  expect(await help.ended).toBe(0)
})
