import { expect, test } from 'vitest'
import { createFeed } from '../../src/events/feed.ts'
import type { Database, Statement } from '../../src/store/database.ts'

test('a run that ends just after it was found to have nothing new still gives its last event', async () => {
  const last = { subject_kind: 'run', subject_id: 'r', seq: 8, xid: '1', position: 1, workflow_id: 'w', type: 'run.completed', data: '{"output":1}', at: new Date(0) }
  let reads = 0
  // The first read finds nothing; by the next question the run has ended.
  const answers: Record<string, () => object[]> = {
    'feed-run': () => (reads++ === 0 ? [] : [last]),
    'feed-run-of': () => [{ workspace_id: 'here', workflow_id: 'w', ended: reads > 0, seq: reads > 0 ? 8 : 7 }],
  }
  const database = { query: async (statement: Statement) => answers[statement.name]!() } as unknown as Database
  const feed = createFeed({ database, doorbell: { ring() {}, on: () => () => {}, close: async () => {} } })
  const seen: unknown[] = []
  for await (const item of await feed.run({ workspaceId: 'here', runId: 'r', after: '7' }, AbortSignal.timeout(5_000))) seen.push(item)
  expect(seen).toMatchObject([{ type: 'run.completed', seq: 8 }])
})
