import { defineConfig } from 'vitest/config'

const bounds = { testTimeout: 30_000, hookTimeout: 60_000 }

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    // What a test starts, it ends: a run that hangs at its end is told of.
    teardownTimeout: 20_000,
    projects: [
      { test: { ...bounds, name: 'rooms', include: ['packages/*/test/**/*.test.ts'] } },
      // Starts PostgreSQL once for all of them. Many start servers, which takes its time where much else runs.
      { test: { ...bounds, testTimeout: 60_000, name: 'house', include: ['test/**/*.test.ts'], globalSetup: ['test/support/postgres.ts'] } },
    ],
  },
})
