import { limits, type ListedRun, type RunNode, type RunSummary } from '@sluice/schema'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RunStatus, StartRunRequestSchema } from '../../../src/dialects/pyspur/contract.ts'
import { pyspur } from '../../../src/dialects/pyspur/index.ts'
import { nodeTypesOf } from '../../../src/dialects/pyspur/mapping/node-types.ts'
import { decisionOf, pausedOf, pauseOf } from '../../../src/dialects/pyspur/mapping/pause.ts'
import { outputsOf, runOf, statusOf, tasksOfRun } from '../../../src/dialects/pyspur/mapping/run.ts'
import { runsOfWorkflow } from '../../../src/dialects/pyspur/mapping/runs.ts'
import { sessionOf } from '../../../src/dialects/pyspur/mapping/session.ts'
import { startOf, triedOutputs, trialOf } from '../../../src/dialects/pyspur/mapping/start.ts'
import { instantOf } from '../../../src/dialects/pyspur/mapping/times.ts'
import { describeDialect } from '../../../src/openapi/dialect.ts'
import { checkWhere } from '../../../src/store/conditions/check.ts'
import { predicate } from '../../../src/store/conditions/memory.ts'
import { runList } from '../../../src/store/views/run-summary.ts'
import { contractOf } from '../../openapi/contract.ts'
import { aPause, aRun, aSession } from './core.ts'

const contract = contractOf(describeDialect(pyspur))
const now = new Date('2026-01-31T12:00:00.000Z')

/** Null: as it goes over the wire it is as the document says. */
const breach = (value: unknown, name: string): string | null => contract.check(JSON.parse(JSON.stringify(value)), { $ref: `#/components/schemas/${name}` })

describe('any value of the core is told as the document says', () => {
  test('a run, its tasks and its outputs', () => {
    fc.assert(
      fc.property(aRun, (run) => {
        expect(breach(runOf(run, { now }), 'RunResponseSchema')).toBeNull()
        for (const task of tasksOfRun(run)) expect(breach(task, 'TaskResponseSchema')).toBeNull()
        for (const output of Object.values(outputsOf(run))) expect(typeof output === 'object' && output !== null && !Array.isArray(output)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test('a pause, and a run that has one', () => {
    fc.assert(
      fc.property(aPause(), aRun, (pause, run) => {
        expect(breach(pauseOf(pause), 'PauseHistoryResponseSchema')).toBeNull()
        for (const paused of pausedOf(run, now)) expect(breach(paused, 'PausedWorkflowResponseSchema')).toBeNull()
      }),
      { numRuns: 300 },
    )
  })

  test('a conversation with a workflow', () => {
    fc.assert(
      fc.property(aSession, (session) => {
        const told = sessionOf(session)
        if (session.workflowId === null) expect(told).toBeNull()
        else expect(breach(told, 'SessionResponse')).toBeNull()
      }),
      { numRuns: 300 },
    )
  })

  test('a node type that nobody has drawn', () => {
    const type = { type: 'new-one', title: '', description: '', category: 'flow', config: {}, handles: { fixed: [], fromConfig: null }, body: false, alias: null }
    const [told] = Object.values(nodeTypesOf([type])).flat()
    expect(breach(told, 'NodeTypeResponse')).toBeNull()
  })
})

test('runs that are asked for by a status are those that have it', () => {
  const matches = Object.fromEntries(RunStatus.options.map((status) => [status, predicate<RunSummary>(checkWhere(runsOfWorkflow('flow', { status }).where!, runList), runList)]))
  fc.assert(
    fc.property(
      // As the core has them: what waits says for what, what has ended did so at some time, what is held waits for that.
      aRun.map((run) => ({ ...run, waitingKind: run.status === 'waiting' ? (run.waitingKind ?? 'timer') : null, endedAt: ended.has(run.status) ? run.updated : null })),
      (run) => {
        expect(RunStatus.options.filter((status) => matches[status]!(run))).toEqual([statusOf(run)])
      },
    ),
    { numRuns: 500 },
  )
})
const ended = new Set(['completed', 'failed', 'cancelled', 'compensated'])

// ── single cases ───────────────────────────────────────────────────────────────────────────────────────────────────────

const step = (nodeId: string, type: string, more: Partial<RunNode> = {}): RunNode => ({
  nodeId,
  step: nodeId,
  type,
  state: 'completed',
  counts: {},
  latest: {},
  route: null,
  startedAt: null,
  endedAt: null,
  input: null,
  output: null,
  error: null,
  skipReason: null,
  ...more,
})
const run = (more: Partial<ListedRun>): ListedRun => ({
  id: '01k2v9n0b4xwt7c',
  workflowId: '01k2v9m3h5rj6tx',
  workflow: 'flow',
  version: 1,
  status: 'running',
  waitingKind: null,
  progress: 0,
  reason: null,
  transactionId: null,
  lane: null,
  parentRunId: null,
  sessionId: null,
  trigger: 'manual',
  tags: [],
  created: '2026-01-31T11:59:00.000Z',
  startedAt: '2026-01-31T11:59:00.120Z',
  endedAt: null,
  updated: '2026-01-31T11:59:00.120Z',
  ...more,
})
const statuses = (of: ListedRun): Record<string, string> => Object.fromEntries(tasksOfRun(of).map(({ node_id, status }) => [node_id, status]))

describe('a run', () => {
  const ahead = [step('in', 'InputNode'), step('next', 'MergeNode', { state: null })]

  test('that goes on has a pending task for what it has not come to; one that ended early a canceled one, a completed one none', () => {
    expect(statuses(run({ nodes: ahead }))).toEqual({ in: 'COMPLETED', next: 'PENDING' })
    const over = { endedAt: '2026-01-31T11:59:30.000Z' }
    for (const status of ['failed', 'cancelled', 'compensated'] as const) expect(statuses(run({ ...over, status, nodes: ahead }))).toEqual({ in: 'COMPLETED', next: 'CANCELED' })
    expect(statuses(run({ ...over, status: 'completed', nodes: ahead }))).toEqual({ in: 'COMPLETED' })
    expect(statuses(run({ status: 'queued', startedAt: null, nodes: [step('in', 'InputNode', { state: null })] }))).toEqual({})
  })

  test('lasts from when it was made, until now while it goes on', () => {
    expect(runOf(run({}), { now })).toMatchObject({ start_time: '2026-01-31T11:59:00', end_time: null, duration: 60 })
    expect(runOf(run({ status: 'completed', endedAt: '2026-01-31T11:59:01.500Z' }), { now })).toMatchObject({ end_time: '2026-01-31T11:59:01.500000', duration: 1.5 })
  })

  test('is completed by the share of its tasks, and says why it ended otherwise', () => {
    const nodes = [step('a', 'MergeNode'), step('b', 'MergeNode', { state: 'skipped' }), step('c', 'MergeNode', { state: 'running' }), step('d', 'MergeNode', { state: null })]
    expect(runOf(run({ nodes }), { now })).toMatchObject({ percentage_complete: 25, message: null })
    expect(runOf(run({ status: 'compensated', reason: { code: 'step_failed', message: 'It broke' } }), { now })).toMatchObject({ status: 'FAILED', message: 'It broke' })
  })

  test('tells a failure behind it apart from a way that was not taken', () => {
    const nodes = [step('a', 'MergeNode', { state: 'skipped', skipReason: 'upstream_failed' }), step('b', 'MergeNode', { state: 'skipped', skipReason: 'route' })]
    expect(tasksOfRun(run({ nodes })).map(({ status, error }) => [status, error])).toEqual([
      ['CANCELED', 'Upstream failure'],
      ['CANCELED', null],
    ])
  })

  test('waits for a person only if nothing else moves: a loop is paused by what is paused in it', () => {
    const definition = {
      kind: 'workflow' as const,
      nodes: [{ id: 'loop', type: 'ForLoopNode' }, ...['ask', 'work'].map((id) => ({ id, type: 'MergeNode', parentId: 'loop' }))],
      links: [],
    }
    const pinned = { workflowId: '01k2v9m3h5rj6tx', number: 1, hash: '', name: '', description: '', definition, created: '2026-01-31T11:59:00.000Z' }
    const pause = { ...fc.sample(aPause(['ask']), 1)[0]!, input: { a: 1 } }
    const with_ = (work: RunNode['state']) =>
      run({
        pinned,
        openPauses: [pause],
        nodes: [step('loop', 'ForLoopNode', { state: 'running' }), step('ask', 'MergeNode', { state: 'waiting' }), step('work', 'MergeNode', { state: work })],
      })
    expect(statuses(with_('completed'))).toEqual({ loop: 'PAUSED' })
    expect(statuses(with_('running'))).toEqual({ loop: 'RUNNING' })
    expect(outputsOf(with_('completed'))).toEqual({})
  })

  test('was given what it was started with, though what its input node gave is told by its size', () => {
    const one = run({ nodes: [step('in', 'InputNode', { output: { truncated: 20_000 } })], input: { text: 'all of it' } })
    expect(runOf(one, { now }).initial_inputs).toEqual({ in: { text: 'all of it' } })
  })

  test('lets through what a pause tells by its size, as PySpur does: what came in, by step', () => {
    const pause = { ...fc.sample(aPause(['ask']), 1)[0]!, input: { truncated: 20_000 } }
    const came = { in: { text: 'all of it' } }
    const asked = (type: string) => outputsOf(run({ openPauses: [pause], nodes: [step('ask', type, { state: 'waiting', input: came })] }))
    expect(asked('HumanInterventionNode')).toEqual({ ask: came })
    // Of ours it is what came in, which may be the value alone.
    expect(asked('human')).toEqual({ ask: pause.input })
  })

  test('knows what its input nodes are to be given before they have run, however it was started', () => {
    const nodes = [step('one', 'InputNode', { state: null }), step('two', 'input', { state: null })]
    const given = (input: ListedRun['input'] & {}) => runOf(run({ nodes, input }), { now }).initial_inputs
    expect(given({ one: { a: 1 }, two: 'text' })).toEqual({ one: { a: 1 }, two: { output: 'text' } })
    expect(given({ a: 1 })).toEqual({ one: { a: 1 }, two: { a: 1 } })
    expect(runOf(run({ nodes: [step('a', 'MergeNode')], input: {} }), { now }).initial_inputs).toBeNull()
  })
})

describe('what is started', () => {
  const body = (initial_inputs: object, files?: object) => StartRunRequestSchema.parse({ initial_inputs, ...(files && { files }) })
  const session = '01k2v9p7f0gh5yw'

  test('is a message of a conversation when it is sent with the id of a session', () => {
    const chat = startOf('flow', body({ other: {}, in: { session_id: session, user_message: 'Hello' } }), 'interactive')
    expect(chat).toMatchObject({ sessionId: session, message: { text: 'Hello' }, historyAs: 'message_history', trigger: 'interactive', otherInputs: 'ignore' })
    for (const input of [
      { session_id: 'chat_session_1', user_message: 'Hello' },
      { session_id: session },
      { session_id: session, user_message: '' },
      { session_id: session, user_message: 1 },
      { session_id: session, user_message: 'x'.repeat(limits.messageChars + 1) },
    ])
      expect(startOf('flow', body({ in: input }), '')).not.toHaveProperty('sessionId')
  })

  test('has the paths of its files with the input that is there', () => {
    expect(startOf('flow', body({ in: { a: 1 } }, { in: ['p'], ghost: ['q'] }), '').inputs).toEqual({ in: { a: 1, files: ['p'] } })
  })

  test('as a trial goes on from outputs that are objects, and not from those of input nodes', () => {
    const { outputs } = trialOf('flow', {
      node_id: 'out',
      rerun_predecessors: false,
      initial_inputs: { in: {} },
      partial_outputs: { in: { old: 1 }, a: { b: 1 }, loop: [{ b: 2 }], cut: { truncated: 20_000 } },
    })
    expect(outputs).toEqual({ a: { b: 1 } })
    expect(triedOutputs({ a: null, b: 'text', c: { d: 1 } })).toEqual({ b: { output: 'text' }, c: { d: 1 } })
  })
})

test('a decision names a run or a pause; what can be neither is not there', () => {
  const sent = { inputs: {}, user_id: '', action: 'DECLINE' as const, comments: null }
  expect(decisionOf('01k2v9n0b4xwt7c', sent)).toEqual({ runId: '01k2v9n0b4xwt7c', action: 'decline', inputs: {}, include: ['run', 'version', 'pauses', 'iterations', 'outputs'] })
  expect(decisionOf('PH_01k2v9n0b4xwt7c', { ...sent, user_id: 'me', comments: 'No' })).toMatchObject({ id: '01k2v9n0b4xwt7c', label: 'me', comments: 'No' })
  expect(() => decisionOf('R1', sent)).toThrow(expect.objectContaining({ code: 'run_missing' }))
  expect(() => decisionOf('PH_R1_node', sent)).toThrow(expect.objectContaining({ code: 'pause_missing' }))
})

test.each([
  ['2026-01-31', '2026-01-31T00:00:00.000Z'],
  ['2026-01-31T12:00:00', '2026-01-31T12:00:00.000Z'],
  ['2026-01-31 12:00', '2026-01-31T12:00:00.000Z'],
  ['2026-01-31T12:00:00.120456', '2026-01-31T12:00:00.120Z'],
  ['2026-01-31T12:00:00z', '2026-01-31T12:00:00.000Z'],
  ['2026-01-31T12:00:00+02:00', '2026-01-31T10:00:00.000Z'],
  ['2026-01-31T12:00:00-0230', '2026-01-31T14:30:00.000Z'],
  ['2026-13-31', null],
  ['2026-02-29', null],
  ['2028-02-29', '2028-02-29T00:00:00.000Z'],
  ['0000-01-01', null],
  ['soon', null],
  ['', null],
])('the time %j is %s', (text, instant) => {
  expect(instantOf(text)).toBe(instant)
})
