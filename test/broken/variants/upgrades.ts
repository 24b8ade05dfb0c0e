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
  {
    name: 'keys-of-before-unknown',
    promise: 'Backup and upgrades',
    breaks: 'A new version looks keys and logins up by another hash than the one that they were kept under.',
    file: 'packages/server/src/access/digest.ts',
    find: "hash('sha256', token, 'buffer')",
    replace: "hash('sha3-256', token, 'buffer')",
    caughtBy: { file: 'test/upgrades/upgrades.test.ts', test: '%s: two servers of the next version start over it at once' },
  },
  {
    name: 'newer-schemas-served',
    promise: 'Backup and upgrades',
    breaks: 'A server starts over a schema that it does not know.',
    file: 'packages/server/src/store/migrate.ts',
    find: 'if (foreign.length > 0)',
    replace: 'if (foreign.length > 99)',
    caughtBy: { file: 'test/upgrades/upgrades.test.ts', test: 'servers are replaced one after another under load' },
  },
  {
    name: 'migrated-by-all-at-once',
    promise: 'Backup and upgrades',
    breaks: 'Servers that start together all migrate, without waiting for one another.',
    file: 'packages/server/src/store/migrate.ts',
    find: "await client.query('select pg_advisory_lock($1)', [lockKey]).catch(lockError)",
    replace: "await client.query('select $1::text', [lockKey]).catch(lockError)",
    caughtBy: { file: 'test/migrate.test.ts', test: 'of processes that migrate at once one does it' },
  },
]
