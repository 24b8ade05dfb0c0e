import type { Timed } from '../closed-loop.ts'
import { inputThenSteps, loopOfSteps, manySteps, threeSteps } from '../sluice/definitions.ts'
import { openInProcess } from '../sluice/in-process.ts'
import { openFollowed } from '../subscribers/followed.ts'
import { type Transport, transports } from '../subscribers/transports.ts'
import { type Costs, type Curve, medianOf } from './curve.ts'
import { openKeptRecords } from './kept-records.ts'
import { openKeptRuns } from './kept-runs.ts'
import { manyRunsOf, runOf } from './runs.ts'
import { openWaitingRuns } from './waiting-runs.ts'

const KiB = 1024
/** Beside the quotes of a text this still fits what a start may bring. */
const almostMiB = 1_000 * KiB
/** A definition may have no more. */
const mostNodes = 1_000

/** In the order of the page. */
export const curves = {
  steps: {
    title: 'Steps of a run',
    x: 'steps',
    y: 'ms a run',
    sizes: [3, 30, 300, 3_000],
    async open(databaseUrl) {
      const house = await openInProcess(databaseUrl)
      const cost = async (definition: ReturnType<typeof loopOfSteps>, seconds: number) => medianOf(runOf(house, await house.draw(definition)), seconds)
      return {
        at: async (steps, seconds): Promise<Costs> => ({
          'rounds of a loop': await cost(loopOfSteps(steps), seconds),
          ...(steps <= mostNodes && { 'nodes in a row': await cost(manySteps(steps), seconds) }),
        }),
        close: house.close,
      }
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
      return { at: async (bytes, seconds) => ({ 'a run of three steps': await medianOf(runOf(house, workflow, 'x'.repeat(bytes)), seconds) }), close: house.close }
    },
  },
  concurrent: {
    title: 'Runs at once',
    x: 'runs',
    y: 'ms until all have ended',
    sizes: [1, 10, 100, 1_000, 10_000],
    async open(databaseUrl) {
      const house = await openInProcess(databaseUrl)
      const workflow = await house.draw(threeSteps)
      return { at: async (count, seconds) => ({ 'runs of three steps': await medianOf(manyRunsOf(house, workflow, count), seconds) }), close: house.close }
    },
  },
  waiting: {
    title: 'Runs that wait for a person',
    x: 'runs that wait',
    y: 'ms',
    sizes: [100, 1_000, 10_000, 100_000],
    open: openWaitingRuns,
  },
  kept: {
    title: 'Runs in the table',
    x: 'runs kept',
    y: 'ms',
    sizes: [1_000, 10_000, 100_000, 1_000_000],
    open: openKeptRuns,
  },
  records: {
    title: 'Sessions as records',
    x: 'sessions kept',
    y: 'ms',
    sizes: [1_000, 10_000, 100_000, 1_000_000],
    open: openKeptRecords,
  },
  followed: {
    title: 'Subscribers of one run',
    x: 'subscribers',
    y: 'ms until all have all events',
    sizes: [1, 10, 100, 1_000, 5_000],
    async open(databaseUrl) {
      const { follow, close } = await openFollowed(databaseUrl)
      return {
        async at(subscribers, seconds) {
          const costs: Costs = {}
          for (const transport of native) {
            const told: Timed = async () => (await follow({ transport, subscribers, times })).lastMs
            costs[`over ${transport}`] = subscribers < manyFollow ? await medianOf(told, seconds) : await told()
          }
          return costs
        },
        close,
      }
    },
  },
} satisfies Record<string, Curve>

export type CurveName = keyof typeof curves

/** Rounds of the loop that is followed. */
const times = 20
/** So many take long to come, and are not asked to come again. */
const manyFollow = 1_000
const native = (Object.keys(transports) as Transport[]).filter((name) => transports[name].native)
