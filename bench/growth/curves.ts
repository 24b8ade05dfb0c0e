import { listRuns } from '../../packages/server/src/store/views/runs.ts'
import { timed } from '../closed-loop.ts'
import { copies } from '../sluice/copies.ts'
import { inputThenSteps, loopOfSteps, threePure, threeSteps } from '../sluice/definitions.ts'
import { openInProcess } from '../sluice/in-process.ts'
import { type Curve, medianOf } from './curve.ts'
import { manyRunsOf, runOf } from './runs.ts'

const KiB = 1024
/** Beside the quotes of a text this still fits what a start may bring. */
const almostMiB = 1_000 * KiB

/** In the order of the page. */
export const curves = {
  steps: {
    title: 'Steps of a run',
    x: 'steps',
    y: 'ms a run',
    sizes: [3, 30, 300, 3_000],
    async open(databaseUrl) {
      const house = await openInProcess(databaseUrl)
      return { at: async (steps, seconds) => medianOf(runOf(house, await house.draw(loopOfSteps(steps))), seconds), close: house.close }
    },
  },
  payload: {
    title: 'Bytes a run is started with',
    x: 'bytes',
    y: 'ms a run',
    sizes: [KiB, 16 * KiB, 128 * KiB, almostMiB],
    async open(databaseUrl) {
      const house = await openInProcess(databaseUrl)
      const workflow = await house.draw(inputThenSteps)
      return { at: (bytes, seconds) => medianOf(runOf(house, workflow, 'x'.repeat(bytes)), seconds), close: house.close }
    },
  },
  'started-at-once': {
    title: 'Runs started at once',
    x: 'runs',
    y: 'ms until all have ended',
    sizes: [1, 10, 100, 1_000, 10_000],
    async open(databaseUrl) {
      const house = await openInProcess(databaseUrl)
      const workflow = await house.draw(threeSteps)
      return { at: (count, seconds) => medianOf(manyRunsOf(house, workflow, count), seconds), close: house.close }
    },
  },
  'runs-kept': listing('Runs in the table, the first page of a filtered list', async () => undefined),
  'runs-kept-deep': listing(
    'Runs in the table, a page nine tenths down by its cursor',
    async (page, kept) => (await page({ offset: Math.floor(kept * 0.9) })).nextCursor ?? undefined,
  ),
} satisfies Record<string, Curve>

export type CurveName = keyof typeof curves

type Listed = Awaited<ReturnType<typeof listRuns>>
type Page = (asked: { cursor?: string; offset?: number }) => Promise<Listed>

/** A list of runs that filters by status, while more and more of them are kept. */
function listing(title: string, cursorOf: (page: Page, kept: number) => Promise<string | undefined>): Curve {
  return {
    title,
    x: 'runs kept',
    y: 'ms a page',
    sizes: [1_000, 10_000, 100_000, 1_000_000],
    async open(databaseUrl) {
      const house = await openInProcess(databaseUrl)
      const { database, engine, actor } = house
      const { id } = await engine.start(actor, { workflow: await house.draw(threePure), wait: { until: 'finished', ms: 60_000 } })
      const page: Page = (asked) => listRuns(database, actor.workspaceId, { status: ['completed'], limit: 50, ...asked })
      let kept = 1
      return {
        async at(size, seconds) {
          // In pieces that end before a statement may take no longer.
          for (; kept < size; kept = Math.min(size, kept + piece)) await database.query(copies.runs, [id, kept, Math.min(size, kept + piece) - 1])
          await database.query('analyze runs')
          const cursor = await cursorOf(page, kept)
          const shown = timed(() => page({ cursor }))
          return medianOf(shown, seconds)
        },
        close: house.close,
      }
    },
  }
}

const piece = 50_000
