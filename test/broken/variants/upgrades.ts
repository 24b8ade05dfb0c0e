import type { Variant } from '../variant.ts'

export const variants: readonly Variant[] = [
  {
    name: 'migrated-bit-by-bit',
    promise: 'Backup and upgrades',
    breaks: 'A migration is no transaction: one that is killed leaves half of its tables, and no later start gets by them.',
    file: 'packages/server/src/store/migrate.ts',
    find: 'snapshot: false, allOrNothing: true,',
    replace: 'snapshot: false, allOrNothing: false, transactional: false,',
    caughtBy: { file: 'test/migrate.test.ts', test: 'a migration that is killed with -9 among %s leaves nothing half done' },
  },
]
