import { expect, test } from 'vitest'
import { freshState, headOfNew, stateFrom } from '../../src/engine/load.ts'
import { payloadOf } from '../../src/engine/payload.ts'
import type { NewRun, RunRow } from '../../src/store/rows/runs.ts'
import { graphOf } from '../../src/workflows/graph.ts'
import type { Plan } from '../../src/workflows/plans.ts'
import { graph } from './play.ts'

const plan: Plan = {
  graph: graphOf(graph({ a: {}, b: { type: 'map' }, c: { parentId: 'b' } }, 'a -> b', { timeoutMs: 1_000 }), { get: () => undefined }),
  prepared: { node: () => expect.unreachable(), giving: () => expect.unreachable() },
  missing: [],
}

const run: NewRun = {
  id: 'run',
  workspaceId: 'workspace',
  workflowId: 'workflow',
  version: 3,
  trial: null,
  input: '{"a": 1.50}',
  keyedInput: true,
  inputHash: 'hash',
  transactionId: 'transaction',
  lane: 'lane',
  sessionId: 'session',
  parentRunId: 'parent',
  parentStep: 'step\n\n0',
  rootRunId: 'root',
  depth: 2,
  trigger: 'parent',
  tags: ['tag'],
  startedBy: 'user',
  traceparent: 'trace',
  deadlineAt: new Date(9_000),
  createdAt: new Date(8_000),
}

/** What `insertRun` stores of it. */
const row: RunRow = {
  id: 'run',
  workspace_id: 'workspace',
  workflow_id: 'workflow',
  version: 3,
  trial: null,
  status: 'queued',
  waiting_kind: null,
  epoch: 0,
  revision: 0,
  deaths: 0,
  seq: 1,
  progress: 0,
  steps: 0,
  input: '{"a": 1.50}',
  keyed_input: true,
  output: null,
  reason: null,
  ending: null,
  transaction_id: 'transaction',
  lane: 'lane',
  lane_live: 'lane',
  parent_run_id: 'parent',
  parent_step: 'step\n\n0',
  root_run_id: 'root',
  depth: 2,
  trigger: 'parent',
  tags: ['tag'],
  started_by: 'user',
  session_id: 'session',
  traceparent: 'trace',
  deadline_at: new Date(9_000),
  held_at: null,
  created_at: new Date(8_000),
  started_at: null,
  ended_at: null,
}

test('a run that is not stored yet is in memory what it is once read', () => {
  expect(freshState(headOfNew(run), plan)).toEqual(stateFrom(row, plan, { steps: [], pauses: [], signals: [] }))
})

test('the input of a run that is not stored yet is not parsed again where it is known', () => {
  const input = payloadOf({ a: 1 })
  expect(headOfNew(run, input).input).toBe(input)
})
