import { expect, test } from 'vitest'
import { createFeed, type FeedItem } from '../../src/events/feed.ts'
import type { Database, Statement } from '../../src/store/database.ts'

const doorbell = { ring() {}, on: () => () => {}, close: async () => {} }
const row = (seq: number, more: object = {}) => ({
  subject_kind: 'run',
  subject_id: 'r',
  seq,
  xid: '1',
  position: seq,
  workflow_id: 'w',
  owner: null,
  type: 'progress',
  data: '{"progress":0}',
  at: new Date(0),
  found: 1,
  ...more,
})

/** A feed over a database that answers by the name of the statement. */
function feedOver(answers: Record<string, (values: unknown[]) => object[]>) {
  const database = { query: async ({ name }: Statement, values: unknown[]) => answers[name]!(values) } as unknown as Database
  return createFeed({ database, doorbell })
}

async function whole(batches: AsyncIterable<readonly FeedItem[]>): Promise<FeedItem[]> {
  const all: FeedItem[] = []
  for await (const batch of batches) all.push(...batch)
  return all
}

test('a run that ends just after it was found to have nothing new still gives its last event', async () => {
  let reads = 0
  // The first read finds nothing; by the next question the run has ended.
  const feed = feedOver({
    'feed-run': () => (reads++ === 0 ? [] : [row(8, { type: 'run.completed', data: '{"output":1}' })]),
    'feed-run-of': () => [{ workspace_id: 'here', workflow_id: 'w', ended: reads > 0, seq: reads > 0 ? 8 : 7 }],
  })
  expect(await whole(await feed.run({ workspaceId: 'here', runId: 'r', after: '7' }, AbortSignal.timeout(10_000)))).toMatchObject([{ type: 'run.completed', seq: 8 }])
})

test('says how far it has come after a hundred that were not wanted, over pages too', async () => {
  const wanted = new Set([91, 195])
  const rows = Array.from({ length: 420 }, (_, index) => row(index + 1, wanted.has(index + 1) ? { type: 'log' } : {}))
  const feed = feedOver({
    'feed-run': ([, , , after]) => rows.slice(after as number, (after as number) + 70).map((each) => ({ ...each, found: 100 })),
    'feed-run-of': () => [{ workspace_id: 'here', workflow_id: 'w', ended: true, seq: rows.length }],
  })
  const items = await whole(await feed.run({ workspaceId: 'here', runId: 'r', after: '0', where: { type: 'log' } }, AbortSignal.timeout(10_000)))
  expect(items.map(({ type, cursor }) => `${type} ${cursor}`)).toEqual(['log 91', 'log 195', 'passed 350'])
})
