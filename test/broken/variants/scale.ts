import type { Variant } from '../variant.ts'

const servers = (test: string): Variant['caughtBy'] => ({ file: 'test/scale/three-servers.test.ts', test })

export const variants: readonly Variant[] = [
  {
    name: 'serving-servers-work',
    promise: 'Roles',
    breaks: 'A server of the role api does steps as well.',
    file: 'packages/server/src/app.ts',
    find: `const runs = config.role !== 'api'`,
    replace: 'const runs = config.port >= 0',
    caughtBy: servers('share the work'),
  },
  {
    name: 'lanes-entered-by-all',
    promise: 'Lanes',
    breaks: 'Whoever comes to a lane enters it, though another run is in it: two servers answer two messages of one conversation at a time.',
    file: 'packages/server/src/engine/worker.ts',
    find: 'if (next?.id === row.id && (await enterLane(tx, row.id, row.epoch)).length > 0) return true',
    replace: 'if (next && tx) return true',
    caughtBy: servers('answer the messages of one conversation'),
  },
  {
    name: 'limits-counted-apart',
    promise: 'Rate limits',
    breaks: 'Each server counts requests for itself, so that two let twice as many through.',
    file: 'packages/server/src/http/limits.ts',
    find: 'const counted = together ?',
    replace: 'const counted = together === undefined ?',
    caughtBy: servers('count one limit together'),
  },
]
