import type { Json, JsonObject } from '@sluice/schema'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readyTasks } from '../../src/nodes/library/ready-tasks.ts'
import { context } from './asked.ts'

interface Ready {
  ready: { id: string; number: number; of: number; results: JsonObject[] }[]
  left: number
}

const ready = (tasks: Json, results: Json = []): Ready => {
  if (readyTasks.behaviour.is !== 'pure') throw new Error('not pure')
  return readyTasks.behaviour.run({ tasks, results }, context()).output as unknown as Ready
}

/** Wave after wave, as a loop does it. */
function waves(tasks: Json): string[][] {
  const done: JsonObject[] = []
  const all: string[][] = []
  for (;;) {
    const { ready: wave, left } = ready(tasks, done)
    if (wave.length > 0) all.push(wave.map(({ id }) => id))
    done.push(...wave.map(({ id }) => ({ id, text: `of ${id}` })))
    if (left === 0) return all
  }
}

describe('ready-tasks', () => {
  test('gives what depends on nothing that is still to be done, with the results that it needs', () => {
    const tasks: Json = [{ id: 'a', title: 'A' }, { id: 'b' }, { id: 'c', dependsOn: ['a', 'b'] }, { id: 'd', dependsOn: ['c'] }]
    expect(waves(tasks)).toEqual([['a', 'b'], ['c'], ['d']])
    expect(
      ready(tasks, [
        { id: 'a', text: 1 },
        { id: 'b', text: 2 },
      ]),
    ).toEqual({
      ready: [
        {
          id: 'c',
          dependsOn: ['a', 'b'],
          number: 3,
          of: 4,
          results: [
            { id: 'a', text: 1 },
            { id: 'b', text: 2 },
          ],
        },
      ],
      left: 1,
    })
  })

  test('comes to the end of any plan, each task once and after what it depends on, but for circles', () => {
    const id = fc.constantFrom('a', 'b', 'c', 'd', 'e', '__proto__', 'constructor', 7, null)
    const task = fc.record({ id, dependsOn: fc.option(fc.array(id, { maxLength: 4 }), { nil: undefined }) }, { requiredKeys: [] })
    fc.assert(
      fc.property(fc.array(task, { maxLength: 12 }), (tasks) => {
        const done = waves(JSON.parse(JSON.stringify(tasks)) as Json).flat()
        expect(new Set(done).size).toBe(tasks.length)
        expect(done).toHaveLength(tasks.length)
      }),
      { numRuns: 500 },
    )
  })

  test('a plan without circles is done in order', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.nat(20), { maxLength: 4 }), { maxLength: 15 }), (shape) => {
        const tasks = shape.map((before, at) => ({ id: `t${at}`, dependsOn: before.filter((each) => each < at).map((each) => `t${each}`) }))
        const done = new Set<string>()
        for (const wave of waves(tasks)) {
          for (const each of wave) expect(tasks.find(({ id: name }) => name === each)!.dependsOn.every((name) => done.has(name))).toBe(true)
          for (const each of wave) done.add(each)
        }
      }),
    )
  })

  test('refuses what is no plan', () => {
    for (const tasks of ['x', { a: 1 }, [1], Array.from({ length: 101 }, () => ({}))] as Json[]) expect(() => ready(tasks)).toThrow(/not a list|no object|at most/)
  })
})
