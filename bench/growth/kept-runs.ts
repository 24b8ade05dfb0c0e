import type { RunStatus } from '../../packages/schema/src/index.ts'
import { getRun, listRuns } from '../../packages/server/src/store/views/runs.ts'
import { timed } from '../closed-loop.ts'
import { type Differing, copyMadeAt, copyOf, openCopier } from '../sluice/copies.ts'
import { threeSteps } from '../sluice/definitions.ts'
import { openInProcess } from '../sluice/in-process.ts'
import { type Costs, type OpenCurve, medianOf } from './curve.ts'
import { runOf } from './runs.ts'

/** Of a hundred runs ten failed and ten have a tag, so that ten thousand fill every page. */
const kept: Differing = {
  status: `case when n % 10 = 0 then 'failed' else one.status end`,
  reason: `case when n % 10 = 0 then '{"code":"step_failed","message":"It did not work","step":"first"}'::json end`,
  tags: `case when n % 10 = 5 then '{monthly}'::text[] else '{}' end`,
}

const limit = 50
/** Nine tenths of a list are before this share of it. */
const deep = 0.1

/** What is done daily with a table that is never emptied: lists by several conditions, newest first and far down, and runs themselves. */
export async function openKeptRuns(databaseUrl: string): Promise<OpenCurve> {
  const house = await openInProcess(databaseUrl)
  const copier = await openCopier(databaseUrl)
  const { database, engine, actor } = house
  const workflow = await house.draw(threeSteps)
  const { id } = await engine.start(actor, { workflow, wait: { until: 'finished', ms: 60_000 } })
  const madeAt = (n: number): string => new Date(copyMadeAt(id, n)).toISOString()
  let made = 1

  /** What is asked for, and the number of the newest run that is in it. */
  const lists = (size: number) => ({
    failed: { asked: { status: ['failed'] satisfies RunStatus[] }, newest: size },
    'of a workflow': { asked: { workflow }, newest: size },
    'between dates': { asked: { createdAfter: madeAt(0), createdBefore: madeAt(size / 2) }, newest: size / 2 },
    'with a tag': { asked: { tag: 'monthly' }, newest: size },
  })

  return {
    async at(size, seconds) {
      await copier.runs(id, made, size - 1, kept)
      await copier.settle()
      made = size
      const cost = (work: () => Promise<unknown>) => medianOf(timed(work), seconds)
      const costs: Costs = {}
      for (const [name, { asked, newest }] of Object.entries(lists(size))) {
        const page = (more: { cursor?: string; where?: { id: { lte: string } } }) => listRuns(database, actor.workspaceId, { ...asked, limit, ...more })
        costs[`list ${name}`] = await cost(() => page({}))
        // So far down no offset goes.
        const { nextCursor } = await page({ where: { id: { lte: copyOf(id, Math.ceil(newest * deep)) } } })
        if (nextCursor === null) continue
        costs[`list ${name}, deep`] = await cost(() => page({ cursor: nextCursor }))
      }
      costs['get a run'] = await cost(() => getRun(database, actor.workspaceId, id))
      costs['a run of three steps'] = await medianOf(runOf(house, workflow), seconds)
      return costs
    },
    async close() {
      await copier.close()
      await house.close()
    },
  }
}
