import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type Suspect, createProbation } from '../../src/engine/probation.ts'
import type { Job } from '../../src/engine/queue.ts'

const suspects = (deaths: number, count: number): Suspect[] =>
  Array.from({ length: count }, (_, index) => ({ deaths, job: { id: `${deaths}.${index}`, runId: `run ${deaths}.${index}`, redelivered: deaths } }))

/** A probation whose jobs are cleared by hand. */
function trial() {
  const begun: string[][] = []
  const cleared = new Set<string>()
  const probation = createProbation({
    begin: async (jobs) => void begun.push(jobs.map((job: Job) => job.id)),
    isCleared: (job) => cleared.has(job.id),
  })
  return { probation, begun, clear: (ids: readonly string[]) => ids.forEach((id) => cleared.add(id)), soon: () => sleep(80) }
}

test('the least suspect are tried first, and fewer at a time the more often they died; others wait until these have moved', async () => {
  const { probation, begun, clear, soon } = trial()
  probation.add([...suspects(4, 1), ...suspects(2, 5), ...suspects(1, 40), ...suspects(3, 2)])
  const tried: number[] = []
  for (let round = 0; round < 8; round++) {
    await soon()
    expect(begun).toHaveLength(round + 1 > 7 ? 7 : round + 1)
    tried[round] = begun[round]?.length ?? 0
    clear(begun[round] ?? [])
  }
  expect(tried).toEqual([32, 8, 4, 1, 1, 1, 1, 0])
  expect(begun.at(-1)).toEqual(['4.0'])
  expect(new Set(begun.flat()).size).toBe(48)
})

test('who waits for a turn when the worker leaves is given back, and not tried any more', async () => {
  const { probation, begun, clear, soon } = trial()
  probation.add(suspects(3, 3))
  await soon()
  expect(probation.stop().map((job) => job.id)).toEqual(['3.1', '3.2'])
  clear(['3.0'])
  await soon()
  expect(begun).toEqual([['3.0']])
})
