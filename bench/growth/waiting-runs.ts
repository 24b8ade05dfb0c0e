import { deciding } from '../approval/engine.ts'
import { createReached } from '../approval/reached.ts'
import { openCopier } from '../sluice/copies.ts'
import { approvalThenStep, threeSteps } from '../sluice/definitions.ts'
import { openInProcess } from '../sluice/in-process.ts'
import { stepThat } from '../sluice/step.ts'
import { type OpenCurve, medianOf } from './curve.ts'
import { runOf } from './runs.ts'

/** What others cost while so many wait for a person. */
export async function openWaitingRuns(databaseUrl: string): Promise<OpenCurve> {
  const reached = createReached()
  const house = await openInProcess(databaseUrl, stepThat(reached.now))
  const copier = await openCopier(databaseUrl)
  const decided = await deciding(house, reached)
  const running = runOf(house, await house.draw(threeSteps))
  const { id } = await house.engine.start(house.actor, { workflow: await house.draw(approvalThenStep), wait: { until: 'parked', ms: 60_000 } })
  let waiting = 1
  return {
    async at(size, seconds) {
      await copier.wholeRuns(id, waiting, size - 1)
      await copier.settle()
      waiting = size
      return { 'from a decision to the next step': await medianOf(decided, seconds), 'a run of three steps': await medianOf(running, seconds) }
    },
    async close() {
      await copier.close()
      await house.close()
    },
  }
}
