import type { Variant } from '../variant.ts'

const src = (path: string): string => `packages/server/src/${path}`
const faults = (path: string): string => `test/faults/${path}.test.ts`

/** Of what each fault must give. */
export const variants: readonly Variant[] = [
  {
    name: 'dead-workers-unmissed',
    promise: 'kill -9 of a worker',
    breaks: 'gives the runs of a dead worker to nobody for minutes',
    file: src('engine/queue.ts'),
    find: 'heartbeatSeconds: 10,',
    replace: 'heartbeatSeconds: 600,',
    caughtBy: { file: faults('killed'), test: 'one of two that share the work' },
  },
  {
    name: 'keys-forgotten',
    promise: 'kill -9 of the server before its reply',
    breaks: 'starts another run for a key that has one',
    file: src('store/rows/idempotency.ts'),
    find: 'return inserted.length > 0 ? undefined : readKey(tx, key)',
    replace: 'return inserted.length >= 0 ? undefined : readKey(tx, key)',
    caughtBy: { file: faults('killed'), test: 'after the commit of a start and before its reply' },
  },
  {
    name: 'outages-are-bugs',
    promise: 'PostgreSQL killed, restarted, away',
    breaks: 'answers 500 while PostgreSQL is away',
    file: src('rpc/faults.ts'),
    find: "status: 503, message: 'The server cannot do this right now'",
    replace: "status: 500, message: 'The server cannot do this right now'",
    caughtBy: { file: faults('postgres'), test: 'PostgreSQL killed with -9 under load' },
  },
  {
    name: 'waits-without-end',
    promise: 'a silent link to PostgreSQL',
    breaks: 'waits for ever for an answer of PostgreSQL',
    file: src('store/database.ts'),
    find: 'connectionTimeoutMillis: 2_500,\n  query_timeout: 30_000,',
    replace: 'connectionTimeoutMillis: 0,\n  query_timeout: 0,',
    caughtBy: { file: faults('postgres'), test: '%s for longer than a claim lasts' },
  },
  {
    name: 'locks-passed-over',
    promise: 'two processes on one data directory',
    breaks: 'takes a data directory that another server works on',
    file: src('embedded/lock.ts'),
    find: 'if (found !== null && holder && isAlive(holder)) throw inUse(directory, holder)',
    replace: 'if (found === null && holder && isAlive(holder)) throw inUse(directory, holder)',
    caughtBy: { file: 'packages/server/test/embedded/lock.test.ts', test: 'a lock that is held is refused, naming the process and the address of its holder' },
  },
  {
    name: 'claims-kept',
    promise: 'SIGTERM under load',
    breaks: 'leaves with its claims, which others miss only later',
    file: src('engine/worker.ts'),
    find: 'if (jobs.length > 0) await handOver(jobs, () => Date.now() < end)\n      else',
    replace: 'if (jobs.length < 0) await handOver(jobs, () => Date.now() < end)\n      else',
    caughtBy: { file: faults('leaving'), test: 'SIGTERM under load' },
  },
  {
    name: 'poison-goes-on',
    promise: 'a run that kills its worker every time',
    breaks: 'tries a run again however many workers it has killed',
    file: 'packages/schema/src/limits.ts',
    find: 'workerDeaths: 5,',
    replace: 'workerDeaths: 5_000_000,',
    caughtBy: { file: faults('killed'), test: 'by a run, every time' },
  },
  {
    name: 'deliveries-not-known-again',
    promise: 'duplicate deliveries',
    breaks: 'starts a run for each repetition of a delivery',
    file: src('store/rows/webhooks.ts'),
    find: 'where webhook_id = $1 and sender_id = $2\n',
    replace: "where webhook_id = $1 and sender_id = $2 || '-'\n",
    caughtBy: { file: 'test/webhooks.test.ts', test: 'that comes again under its id, from however many, starts one run' },
  },
  {
    name: 'bodies-without-a-cap',
    promise: 'a dependency that is slow, endless, or sends a bomb',
    breaks: 'reads the answer of a service for as long as it comes',
    file: src('outside/body.ts'),
    find: 'if (arrived > cap) throw tooLarge()',
    replace: 'if (arrived > cap * 1e9) throw tooLarge()',
    caughtBy: { file: 'packages/server/test/outside/outside.test.ts', test: 'at the cap, also for a body without an end' },
  },
]
