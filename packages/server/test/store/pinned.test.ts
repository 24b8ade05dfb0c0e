import { limits } from '@sluice/schema'
import { expect, test } from 'vitest'
import type { Statement, Tx } from '../../src/store/database.ts'
import { pinnedTo } from '../../src/store/views/pinned.ts'

/** A database that has every version, of so many characters, and tells which were read. */
function stored(characters = 10): { tx: Tx; read: string[] } {
  const read: string[] = []
  const query = async (_statement: Statement | string, [workflows, numbers]: readonly unknown[] = []): Promise<never[]> =>
    (workflows as string[]).map((workflow_id, at) => {
      const number = (numbers as number[])[at]!
      read.push(`${workflow_id}/${number}`)
      return {
        workflow_id,
        number,
        hash: 'h',
        name: 'n',
        description: 'd'.repeat(characters),
        definition: { kind: 'workflow', nodes: [], links: [] },
        created_at: new Date(0),
      } as never
    })
  return { tx: { query }, read }
}

const of = (workflow_id: string, version: number) => ({ workflow_id, version, drafted: null })

test('a version is read once, however many runs go by it and however often they are looked at', async () => {
  const { tx, read } = stored()
  for (let look = 0; look < 3; look++) {
    const pinned = await pinnedTo(tx, [of('a', 1), of('a', 1), of('a', 2), of('b', 1)])
    expect([of('a', 1), of('a', 2), of('b', 1)].map((row) => [pinned(row)?.workflowId, pinned(row)?.number])).toEqual([
      ['a', 1],
      ['a', 2],
      ['b', 1],
    ])
  }
  expect(read).toEqual(['a/1', 'a/2', 'b/1'])
  // Another database has others.
  const other = stored()
  await pinnedTo(other.tx, [of('a', 1)])
  expect(other.read).toEqual(['a/1'])
})

test('a trial goes by no version, and none is read for it', async () => {
  const { tx, read } = stored()
  const trial = { ...of('a', 1), drafted: { kind: 'workflow' as const, nodes: [], links: [] } }
  expect([(await pinnedTo(tx, [trial]))(trial), read]).toEqual([null, []])
})

test('what is kept is bounded: what was not asked for longest is read again', async () => {
  const { tx, read } = stored(2_000_000)
  const look = async (number: number) => void (await pinnedTo(tx, [of('a', number)]))
  for (const number of [1, 2, 3, 4, 1, 5, 1]) await look(number)
  expect(read).toEqual(['a/1', 'a/2', 'a/3', 'a/4', 'a/5'])
  await look(2)
  expect(read.at(-1)).toBe('a/2')
  expect(read).toHaveLength(6)
})

test('more than an answer holds is refused, whether it was read before or not', async () => {
  const size = 2_000_000
  const { tx } = stored(size)
  const rows = Array.from({ length: Math.ceil(limits.answerBytes / size) + 1 }, (_, at) => of('a', at))
  for (let look = 0; look < 2; look++) await expect(pinnedTo(tx, rows)).rejects.toMatchObject({ code: 'limit_exceeded' })
})
