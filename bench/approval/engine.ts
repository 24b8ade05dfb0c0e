import { keepInFlight } from '../closed-loop.ts'
import type { Open } from '../contestant.ts'
import { approvalThenStep } from '../sluice/definitions.ts'
import { openInProcess } from '../sluice/in-process.ts'
import { stepThat } from '../sluice/step.ts'
import { createReached, think } from './reached.ts'

const waitMs = 60_000

export const open: Open = async (databaseUrl) => {
  const reached = createReached()
  const step = stepThat(reached.now)
  const { engine, actor, draw, close } = await openInProcess(databaseUrl, step)
  const workflow = await draw(approvalThenStep)

  async function decided(): Promise<number> {
    const { id, status } = await engine.start(actor, { workflow, wait: { until: 'parked', ms: waitMs } })
    if (status !== 'waiting') throw new Error(`Run ${id} is ${status}`)
    await think()
    const reaching = reached.by(id)
    const begun = performance.now()
    await engine.decide(actor, { runId: id, action: 'approve' })
    const ms = (await reaching) - begun
    await engine.wait(actor, { id, until: 'finished', ms: waitMs })
    return ms
  }
  return { load: async (inFlight) => keepInFlight(decided, inFlight), close }
}
