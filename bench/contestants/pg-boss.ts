import { PgBoss } from 'pg-boss'
import { keepInFlight, timed } from '../closed-loop.ts'
import type { Open } from '../contestant.ts'

const queues = ['first', 'second', 'third'] as const
/** Batches without a pause between them, and NOTIFY for what comes later: the fastest way found. */
const working = { batchSize: 64, burstWhenBatchFull: true, notifyPollingIntervalSeconds: 0.5, pollingIntervalSeconds: 0.5 }

interface Data {
  run: number
}

export const open: Open = async (databaseUrl) => {
  const boss = new PgBoss({ connectionString: databaseUrl, useListenNotify: true })
  boss.on('error', (error) => void process.stderr.write(`pg-boss: ${error.message}\n`))
  await boss.start()
  for (const queue of queues) await boss.createQueue(queue, { notify: true })
  const running = new Map<number, () => void>()
  let last = 0

  for (const [at, queue] of queues.entries()) {
    const next = queues[at + 1]
    await boss.work<Data, void, typeof working & { transactional: true }>(queue, { ...working, transactional: true }, async (jobs, tx) => {
      if (next)
        await boss.insert(
          next,
          jobs.map(({ data }) => ({ data })),
          { db: tx },
        )
      else for (const { data } of jobs) end(data.run)
    })
  }

  function end(run: number): void {
    running.get(run)?.()
    running.delete(run)
  }

  async function run(): Promise<void> {
    const id = ++last
    const ended = new Promise<void>((resolve) => running.set(id, resolve))
    await boss.send(queues[0], { run: id })
    await ended
  }
  return { load: async (inFlight) => keepInFlight(timed(run), inFlight), close: () => boss.stop({ graceful: false }) }
}
