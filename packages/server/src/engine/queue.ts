import { PgBoss } from 'pg-boss'
import type { Database, Tx } from '../store/database.ts'
import { supervise } from './supervision.ts'

/**
 * One run, one job: policy `exclusive` with the run's id as key. pg-boss owns liveness (who works on what, and for how
 * long without a sign of life); the truth about the run is in its row. Jobs are always due now: a later time is a timer.
 */
const name = 'runs'
const schema = 'sluice_jobs'

export interface Job {
  id: string
  runId: string
  /** How often the job came back because its worker fell silent. */
  redelivered: number
}

export interface Queue {
  /** Creates or migrates pg-boss's own tables, and our queue. */
  install(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
  /** A job for each run that has none; where there is one already, that one stands. */
  insert(tx: Tx, runIds: readonly string[]): Promise<void>
  fetch(most: number): Promise<Job[]>
  /** Ends jobs; one that has come to another worker meanwhile is left alone. */
  complete(tx: Tx, jobs: readonly Job[]): Promise<void>
  /** A sign of life for the jobs at hand; answers with the ids of those that are still this worker's. */
  touch(jobs: readonly Job[]): Promise<Set<string>>
}

/** A dead worker's job is back 10 to 13 s after its last sign of life: `heartbeatSeconds` and `monitorIntervalSeconds`. */
const liveness = { heartbeatSeconds: 10, retryLimit: 1_000_000, retryDelay: 0, expireInSeconds: 86_400, deleteAfterSeconds: 60, retentionSeconds: 365 * 86_400 }

export function createQueue(database: Database, options: { supervise: boolean; onError: (error: Error) => void }): Queue {
  const adapter = (tx: Tx) => ({
    executeSql: async (text: string, values?: unknown[]) => ({ rows: await tx.query(text, values) }),
  })
  const boss = (migrate: boolean) => {
    const made = new PgBoss({
      db: adapter(database),
      schema,
      // Its own loop would take claims from the living after an outage.
      supervise: false,
      migrate,
      schedule: false,
      monitorIntervalSeconds: 1,
      maintenanceIntervalSeconds: 60,
      monitorVacuum: false,
      reindex: false,
    })
    made.on('error', options.onError)
    return made
  }
  const running = boss(false)
  let supervision: ReturnType<typeof supervise> | undefined
  /** Whether any job is being worked on, by whomever; the index `job_i14` has it. */
  const anyClaims = async (): Promise<boolean> => {
    const [row] = await database.query<{ claims: boolean }>({
      name: 'queue-claims',
      text: `select exists (select from ${schema}.job where name = '${name}' and state = 'active') as claims`,
    })
    return row!.claims
  }
  const attempts = (jobs: readonly Job[]) => jobs.map((job) => ({ id: job.id, retryCount: job.redelivered }))

  return {
    async install() {
      const installer = boss(true)
      await installer.start()
      if (!(await installer.getQueue(name))) await installer.createQueue(name, { policy: 'exclusive', ...liveness })
      await installer.stop({ graceful: false, close: false })
    },
    async start() {
      await running.start()
      if (options.supervise) supervision = supervise({ anyClaims, look: () => running.supervise(name), onError: options.onError })
    },
    async stop() {
      await supervision?.stop()
      await running.stop({ graceful: false, close: false })
    },
    async insert(tx, runIds) {
      if (runIds.length > 0)
        await running.insert(
          name,
          runIds.map((runId) => ({ singletonKey: runId, data: { runId } })),
          { db: adapter(tx) },
        )
    },
    async fetch(most) {
      const jobs = await running.fetch<{ runId: string }>(name, { batchSize: most, includeMetadata: true })
      return jobs.map((job) => ({ id: job.id, runId: job.data.runId, redelivered: job.retryCount }))
    },
    async complete(tx, jobs) {
      if (jobs.length > 0) await running.complete(name, attempts(jobs), null, { db: adapter(tx) })
    },
    async touch(jobs) {
      if (jobs.length === 0) return new Set()
      // Its answer has more than its type says.
      const { settled = [] } = (await running.touch(name, attempts(jobs))) as { settled?: string[] }
      return new Set(settled)
    },
  }
}
