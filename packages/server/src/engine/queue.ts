import { PgBoss } from 'pg-boss'
import type { Database, Tx } from '../store/database.ts'

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
  complete(tx: Tx, jobIds: readonly string[]): Promise<void>
  /** A sign of life for the jobs at hand. */
  touch(jobIds: readonly string[]): Promise<void>
}

/** A dead worker's job is back 8 to 13 s after its last sign of life: `heartbeatSeconds` and `monitorIntervalSeconds`. */
const liveness = { heartbeatSeconds: 10, retryLimit: 1_000_000, retryDelay: 0, expireInSeconds: 86_400, deleteAfterSeconds: 60, retentionSeconds: 365 * 86_400 }

export function createQueue(database: Database, options: { supervise: boolean; onError: (error: Error) => void }): Queue {
  const adapter = (tx: Tx) => ({
    executeSql: async (text: string, values?: unknown[]) => ({ rows: await tx.query(text, values) }),
  })
  const boss = (supervise: boolean, migrate: boolean) => {
    const made = new PgBoss({
      db: adapter(database),
      schema,
      supervise,
      migrate,
      schedule: false,
      superviseIntervalSeconds: 2,
      monitorIntervalSeconds: 2,
      maintenanceIntervalSeconds: 60,
      monitorVacuum: false,
      reindex: false,
    })
    made.on('error', options.onError)
    return made
  }
  const running = boss(options.supervise, false)

  return {
    async install() {
      const installer = boss(false, true)
      await installer.start()
      if (!(await installer.getQueue(name))) await installer.createQueue(name, { policy: 'exclusive', ...liveness })
      await installer.stop({ graceful: false, close: false })
    },
    async start() {
      await running.start()
    },
    async stop() {
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
    async complete(tx, jobIds) {
      if (jobIds.length > 0) await running.complete(name, [...jobIds], null, { db: adapter(tx) })
    },
    async touch(jobIds) {
      if (jobIds.length > 0) await running.touch(name, [...jobIds])
    },
  }
}
