import { setTimeout as sleep } from 'node:timers/promises'
import type { Json } from '../../packages/schema/src/index.ts'
import { type Timed, timed } from '../closed-loop.ts'
import type { InProcess } from '../sluice/in-process.ts'

const waitMs = 290_000

/** A run of this workflow, from its start until it is finished. */
export const runOf = ({ engine, actor }: InProcess, workflow: string, input: Json = null): Timed =>
  timed(async () => {
    const { id, status } = await engine.start(actor, { workflow, input, wait: { until: 'finished', ms: waitMs } })
    if (status !== 'completed') throw new Error(`Run ${id} is ${status}`)
  })

/** Callers who start at the same time: more would wait for a connection longer than they may. */
const callers = 256
const lookMs = 5

/** So many runs of this workflow are started as fast as they are taken, none waited for: milliseconds from the first start to the last end. */
export const manyRunsOf = ({ engine, actor, database }: InProcess, workflow: string, count: number): Timed =>
  timed(async () => {
    let left = count
    const caller = async (): Promise<void> => {
      while (left-- > 0) await engine.start(actor, { workflow })
    }
    await Promise.all(Array.from({ length: Math.min(count, callers) }, caller))
    while ((await database.query('select from runs where ended_at is null limit 1')).length > 0) await sleep(lookMs)
  })
