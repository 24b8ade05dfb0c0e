import { expect, test } from 'vitest'
import { newId, timeOf } from '../../packages/server/src/store/ids.ts'
import { type StartWrite, beginRuns } from '../../packages/server/src/store/rows/commit.ts'
import { flow, values } from '../support/flow.ts'
import { testServer } from '../support/server.ts'

/** Queued, with nothing but its row, as someone stores it who knows the draft at a revision. */
function startOf(workflow: { id: string; workspace_id: string }, revision: number): StartWrite {
  const id = newId()
  const nothing = { waitingKind: null, progress: 0, steps: 0, output: null, reason: null, ending: null, deadlineAt: null, startedAt: null, endedAt: null }
  const none = { trial: null, inputHash: null, transactionId: null, lane: null, parentRunId: null, parentStep: null, rootRunId: null, sessionId: null, traceparent: null }
  const known = { workspaceId: workflow.workspace_id, workflowId: workflow.id, version: 1, startedBy: 'user' }
  return {
    run: { ...none, ...known, id, input: 'null', keyedInput: false, depth: 0, trigger: 'manual', tags: [], deadlineAt: null, createdAt: new Date(timeOf(id)) },
    moved: { ...nothing, epoch: 0, revision: 0, status: 'queued', seq: 0 },
    steps: [],
    events: [],
    pauses: [],
    timers: [],
    job: null,
    pin: { ref: workflow.id, revision },
    key: null,
    retainSeconds: null,
  }
}

test('of starts that go together each is stored only where it knows the draft as it stands', async () => {
  await using server = await testServer()
  const { id } = await server.workflow(flow({ a: values({}) }))
  const { database } = server.db
  const [workflow] = await database.query<{ id: string; workspace_id: string; revision: number }>('select id, workspace_id, revision from workflows where id = $1', [id])
  const [late, right] = [startOf(workflow!, workflow!.revision - 1), startOf(workflow!, workflow!.revision)]
  expect(await beginRuns(database, new Date(), [late, right])).toEqual(new Set([right.run.id]))
  expect(await beginRuns(database, new Date(), [late])).toEqual(new Set())
})

test('tags are kept letter by letter, whether their workflow is known or not', async () => {
  await using server = await testServer()
  const { id } = await server.workflow(flow({ a: values({}) }))
  const tags = ['"\\ {},', 'NULL', ' ä\u2028 ', '[1]']
  for (const _ of ['not known', 'known']) expect((await server.get(await server.start(id, { tags }))).tags).toEqual(tags)
})
