import { fileURLToPath } from 'node:url'
import { defineConfig, type Plugin } from 'vitest/config'
import { brokenAs } from './test/broken/variant.ts'
import { variantNamed } from './test/broken/variants.ts'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const bounds = { testTimeout: 30_000, hookTimeout: 60_000 }

/** Tests that try random cases try the same ones each time, unless told otherwise: test/support/effort.ts. */
const seeded: Plugin = {
  name: 'seeded',
  enforce: 'pre',
  resolveId: (source, importer) => (source === 'fast-check' && importer !== here('test/support/seeded-fast-check.ts') ? here('test/support/seeded-fast-check.ts') : null),
}

const variant = variantNamed(process.env['BROKEN_VARIANT'])
/** The product as it must not be: test/broken/README.md. */
const broken: Plugin = {
  name: 'broken',
  enforce: 'pre',
  transform: (code, id) => (variant && id.split('?')[0] === here(variant.file) ? brokenAs(variant, code) : null),
}

export default defineConfig({
  plugins: [seeded, broken],
  test: {
    pool: 'forks',
    // What is kept is known by the text of a file, which a variant leaves as it is.
    ...(variant && { fsModuleCache: false }),
    // Of three on two cores one mostly waits: for a claim to lapse, a process to start, a time to be up.
    maxWorkers: 3,
    // What a test starts, it ends: a run that hangs at its end is told of.
    teardownTimeout: 20_000,
    projects: [
      { extends: true, test: { ...bounds, name: 'rooms', include: ['packages/*/test/**/*.test.ts'] } },
      // Starts PostgreSQL once for all of them. Many start servers, which takes its time where much else runs.
      {
        extends: true,
        test: { ...bounds, testTimeout: 60_000, name: 'house', include: ['test/**/*.test.ts'], setupFiles: ['test/support/traffic.ts'], globalSetup: ['test/support/postgres.ts'] },
      },
    ],
  },
})
