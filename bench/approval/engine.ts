import { type Timed, keepInFlight } from '../closed-loop.ts'
import type { Open } from '../contestant.ts'
import { approvalThenStep } from '../sluice/definitions.ts'
import { type InProcess, openInProcess } from '../sluice/in-process.ts'
import { stepThat } from '../sluice/step.ts'
import { type Reached, createReached, think } from './reached.ts'

const waitMs = 60_000

export const open: Open = async (databaseUrl) => {
  const reached = createReached()
  const house = await openInProcess(databaseUrl, stepThat(reached.now))
  const decided = await deciding(house, reached)
  return { load: async (inFlight) => keepInFlight(decided, inFlight), close: house.close }
}

/** Starts a run that waits and decides it: the milliseconds until its step, which tells `reached`, begins. */
export async function deciding({ engine, actor, draw }: InProcess, reached: Reached): Promise<Timed> {
  const workflow = await draw(approvalThenStep)
  return async () => {
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
}
