import { expect, test } from 'vitest'
import { createClient } from '../src/index.ts'
import { type Seen, toyFetch } from './toy-server.ts'

const pages = new Map<unknown, object>([
  [undefined, { items: [{ id: 'a' }, { id: 'b' }], nextCursor: '2', total: 5 }],
  ['2', { items: [], nextCursor: '3' }],
  ['3', { items: [{ id: 'c' }], nextCursor: null }],
])
const served = () => {
  const toy = toyFetch(({ input }: Seen) => Response.json({ result: { data: pages.get((input as { cursor?: string }).cursor) } }))
  return { sluice: createClient({ url: 'http://sluice.test', fetch: toy.fetch }), asked: () => toy.seen.map(({ input }) => input) }
}

async function all<T extends { id: string }>(items: AsyncIterable<T>): Promise<string[]> {
  const ids: string[] = []
  for await (const { id } of items) ids.push(id)
  return ids
}

test('a list that is iterated is every item of every page, in order, with its filter on each', async () => {
  const { sluice, asked } = served()
  expect(await all(sluice.pauses.list({ status: 'open', limit: 2 }))).toEqual(['a', 'b', 'c'])
  expect(asked()).toEqual([
    { status: 'open', limit: 2 },
    { status: 'open', limit: 2, cursor: '2' },
    { status: 'open', limit: 2, cursor: '3' },
  ])
})

test('a list that is awaited is its first page, asked for once', async () => {
  const { sluice, asked } = served()
  const list = sluice.runs.list({ count: true })
  expect(await list).toEqual({ items: [{ id: 'a' }, { id: 'b' }], nextCursor: '2', total: 5 })
  expect((await list).total).toBe(5)
  expect(asked()).toEqual([{ count: true }])
})

test('a list asks for nothing before it is used, and for no page that nobody comes to', async () => {
  const { sluice, asked } = served()
  const list = sluice.pauses.list()
  expect(asked()).toEqual([])
  for await (const { id } of list) if (id === 'b') break
  expect(asked()).toEqual([{}])
})

test('a list may begin at a cursor, and be read page by page', async () => {
  const { sluice, asked } = served()
  const sizes: number[] = []
  for await (const { items } of sluice.workflows.list({ cursor: '2' }).pages()) sizes.push(items.length)
  expect(sizes).toEqual([0, 1])
  expect(asked()).toEqual([{ cursor: '2' }, { cursor: '3' }])
})

test('the events of a run are paged as every list, from after the one that was named', async () => {
  const pages = [
    { items: [{ seq: 3 }, { seq: 4 }], nextCursor: 'opaque' },
    { items: [{ seq: 5 }], nextCursor: null },
  ]
  const toy = toyFetch(...pages.map((data) => () => Response.json({ result: { data } })))
  const seqs: number[] = []
  for await (const { seq } of createClient({ url: 'http://sluice.test', fetch: toy.fetch }).runs.events({ id: 'r00000000000001', after: 2, limit: 2 })) seqs.push(seq)
  expect(seqs).toEqual([3, 4, 5])
  expect(toy.seen.map(({ input }) => input)).toEqual([
    { id: 'r00000000000001', after: 2, limit: 2 },
    { id: 'r00000000000001', after: 2, limit: 2, cursor: 'opaque' },
  ])
})

test('a list that fails is caught like a promise', async () => {
  const sluice = createClient({ url: 'http://sluice.test', fetch: toyFetch(() => new Response('', { status: 403 })).fetch })
  expect(await sluice.keys.list().catch((error: unknown) => (error as Error).name)).toBe('ForbiddenError')
  await expect(all(sluice.keys.list())).rejects.toThrow('403')
})
