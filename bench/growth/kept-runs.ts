import type { RunStatus } from '../../packages/schema/src/index.ts'
import { getRun, listRuns } from '../../packages/server/src/store/views/runs.ts'
import { timed } from '../closed-loop.ts'
import { type Differing, openCopier } from '../sluice/copies.ts'
import { threeSteps } from '../sluice/definitions.ts'
import { openInProcess } from '../sluice/in-process.ts'
import { type Costs, type OpenCurve, medianOf } from './curve.ts'
import { runOf } from './runs.ts'

/** Of a thousand runs a hundred failed and one has a tag; each was made a second after the one before. */
const kept: Differing = {
  status: `case when n % 10 = 0 then 'failed' else one.status end`,
  reason: `case when n % 10 = 0 then '{"code":"step_failed","message":"It did not work","step":"first"}'::json end`,
  tags: `case when n % 1000 = 0 then '{rare}'::text[] else '{}' end`,
  created_at: `one.created_at - interval '12 days' + n * interval '1 second'`,
}

const limit = 50
const deep = 0.9

/** What is done daily with a table that is never emptied: lists by several conditions, newest first and far down, and runs themselves. */
export async function openKeptRuns(databaseUrl: string): Promise<OpenCurve> {
  const house = await openInProcess(databaseUrl)
  const copier = await openCopier(databaseUrl)
  const { database, engine, actor } = house
  const workflow = await house.draw(threeSteps)
  const { id, created } = await engine.start(actor, { workflow, wait: { until: 'finished', ms: 60_000 } })
  const firstMade = Date.parse(created) - 12 * 24 * 3_600_000
  let made = 1

  /** A list, and how many of so many runs are in it. */
  const lists = (size: number) => ({
    failed: { asked: { status: ['failed'] satisfies RunStatus[] }, length: size * 0.1 },
    'of a workflow': { asked: { workflow }, length: size },
    'between dates': { asked: { createdAfter: new Date(firstMade).toISOString(), createdBefore: new Date(firstMade + size * 500).toISOString() }, length: size / 2 },
    'with a rare tag': { asked: { tag: 'rare' }, length: size / 1000 },
  })

  return {
    async at(size, seconds) {
      await copier.runs(id, made, size - 1, kept)
      await copier.settle()
      made = size
      const costs: Costs = {}
      for (const [name, { asked, length }] of Object.entries(lists(size))) {
        const page = (from: { cursor?: string; offset?: number }) => listRuns(database, actor.workspaceId, { ...asked, limit, ...from })
        costs[`list ${name}`] = await medianOf(
          timed(() => page({})),
          seconds,
        )
        const { nextCursor } = await page({ offset: Math.floor(length * deep) })
        if (nextCursor === null) continue
        costs[`list ${name}, deep`] = await medianOf(
          timed(() => page({ cursor: nextCursor })),
          seconds,
        )
      }
      costs['get a run'] = await medianOf(
        timed(() => getRun(database, actor.workspaceId, id)),
        seconds,
      )
      costs['a run of three steps'] = await medianOf(runOf(house, workflow), seconds)
      return costs
    },
    async close() {
      await copier.close()
      await house.close()
    },
  }
}
