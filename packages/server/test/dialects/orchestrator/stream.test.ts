import type { Run, RunEvent, RunNode } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import type { Told } from '../../../src/dialects/dialect.ts'
import { examples } from '../../../src/dialects/orchestrator/messages.ts'
import { messageOf, sockets } from '../../../src/dialects/orchestrator/stream.ts'
import { at, ids, run } from '../../rpc/toys.ts'

const [socket] = sockets
const base = { subject: { kind: 'run' as const, id: ids.run }, workflowId: ids.workflow, seq: 1, cursor: 'c', at }
const step = { nodeId: 'n', step: 'N', nodeType: 'if-condition', iteration: '' }
const node = { workflow_id: ids.workflow, node_id: 'n', node_type: 'if-condition' }

/** Its message, which is one of those that are described. */
function told(item: Told): object | null {
  const message = messageOf(item)
  if (message) expect(socket!.tells[message.type]!.schema.parse(message)).toEqual(message)
  return message
}
const event = (more: { type: RunEvent['type']; [key: string]: unknown }): Told => ({ ...base, ...more }) as RunEvent
const stateOf = (more: Partial<Run> | null): object | undefined => {
  const message = told({ type: 'snapshot', cursor: 'c', at: '2026-01-31T12:00:10.250Z', workflowId: ids.workflow, ...(more && { run: { ...run, ...more } }) })
  return (message as { state?: object }).state
}

const plainNode: RunNode = {
  nodeId: 'n',
  step: 'N',
  type: 'orchestrator:counter',
  state: null,
  counts: {},
  route: null,
  startedAt: null,
  endedAt: null,
  input: null,
  output: null,
  error: null,
  skipReason: null,
  latest: {},
}
const latest = (startedAt: string | null, endedAt: string | null, route: string[] | null = null) => ({ iteration: '0', startedAt, endedAt, route })

describe('an event of a run, as it is told over the socket', () => {
  test.each<[string, Told, object | null]>([
    ['a step that begins', event({ type: 'step.started', ...step, attempt: 1 }), { type: 'node_started', ...node, started_at: '2026-01-31T12:00:00Z' }],
    [
      'a node of a name that the library has, too',
      event({ type: 'step.started', ...step, nodeType: 'orchestrator:counter', attempt: 1 }),
      { type: 'node_started', ...node, node_type: 'counter', started_at: '2026-01-31T12:00:00Z' },
    ],
    ['and tries again', event({ type: 'step.started', ...step, attempt: 2 }), null],
    [
      'a step that completes by a route',
      event({ type: 'step.completed', ...step, output: { if_condition: { route: 'yes' } }, route: ['yes'], durationMs: 1500 }),
      { type: 'node_completed', ...node, duration: 1.5, route: 'yes', output_data: { if_condition: { route: 'yes' } } },
    ],
    [
      'by default, with nothing to show',
      event({ type: 'step.completed', ...step, output: {}, route: ['default'], durationMs: 0 }),
      { type: 'node_completed', ...node, duration: 0, route: 'default' },
    ],
    ['by no link', event({ type: 'step.completed', ...step, output: null, route: [], durationMs: 0 }), { type: 'node_completed', ...node, duration: 0, route: 'default' }],
    [
      'with much to show',
      event({ type: 'step.completed', ...step, outputRef: { runId: ids.run, key: 'k', bytes: 70_000 }, route: ['default'], durationMs: 1 }),
      { type: 'node_completed', ...node, duration: 0.001, route: 'default', output_data: { truncated: 70_000 } },
    ],
    [
      'a step that fails',
      event({ type: 'step.failed', ...step, error: { code: 'x', message: 'Connection timeout' }, attempt: 1 }),
      { type: 'node_failed', ...node, error: 'Connection timeout' },
    ],
    [
      'an item of a producer',
      event({ type: 'step.started', ...step, iteration: '3', part: 'item', attempt: 1 }),
      { type: 'node_started', ...node, started_at: '2026-01-31T12:00:00Z' },
    ],
    [
      'a producer that can go on no more',
      event({ type: 'step.failed', ...step, part: 'items', error: { code: 'x', message: 'No' }, attempt: 1 }),
      { type: 'node_failed', ...node, error: 'No' },
    ],
    ['a producer as a whole', event({ type: 'step.started', ...step, part: 'items', attempt: 1 }), null],
    ['what is handed to the body of a for-each', event({ type: 'step.completed', ...step, iteration: '0', part: 'element', output: 1, route: ['default'], durationMs: 1 }), null],
    [
      'the end of a run',
      event({ type: 'run.completed', output: 1, durationMs: 2250 }),
      { type: 'workflow_completed', workflow_id: ids.workflow, status: 'success', duration: 2.25 },
    ],
    [
      'a failed run',
      event({ type: 'run.failed', reason: { code: 'step_failed', message: 'Connection timeout' } }),
      { type: 'workflow_failed', workflow_id: ids.workflow, error: 'Connection timeout' },
    ],
    [
      'one that was undone',
      event({ type: 'run.compensated', reason: { code: 'step_failed', message: 'No' } }),
      { type: 'workflow_failed', workflow_id: ids.workflow, error: 'No' },
    ],
    ['a step that is skipped', event({ type: 'step.skipped', ...step, reason: 'route' }), null],
    ['what a step writes into the log', event({ type: 'log', ...step, level: 'info', message: 'x' }), null],
    ['how far a stream has come', { type: 'passed', cursor: 'c' }, null],
  ])('%s', (_what, item, message) => {
    expect(told(item)).toEqual(message)
  })

  test('none of the six says that a run begins or is stopped: the state does', () => {
    expect(told(event({ type: 'run.started', nodes: 4 }))).toEqual({
      type: 'state_sync',
      state: { workflow_id: ids.workflow, status: 'running', started_at: '2026-01-31T12:00:00Z', executing_nodes: {}, completed_nodes: [], completed_count: 0, total_nodes: 4 },
    })
    expect(told(event({ type: 'run.cancelled', reason: { code: 'cancelled', message: 'x' } }))).toEqual({
      type: 'state_sync',
      state: { workflow_id: ids.workflow, status: 'idle', executing_nodes: {}, completed_nodes: [], completed_count: 0 },
    })
  })
})

describe('the state', () => {
  const idle = { workflow_id: ids.workflow, status: 'idle', executing_nodes: {}, completed_nodes: [], completed_count: 0 }

  test('is idle without a run, and of one that was stopped', () => {
    expect(stateOf(null)).toEqual(idle)
    expect(stateOf({ status: 'cancelled', endedAt: at, nodes: [plainNode] })).toEqual(idle)
  })

  test('has what is under way and, each once, what has completed, in the order of that', () => {
    const nodes: RunNode[] = [
      { ...plainNode, nodeId: 'b', latest: { completed: latest('2026-01-31T12:00:01.500Z', '2026-01-31T12:00:02.000Z', ['no']) } },
      {
        ...plainNode,
        nodeId: 'a',
        latest: { completed: latest('2026-01-31T12:00:01.000Z', '2026-01-31T12:00:01.250Z', ['default']), running: latest('2026-01-31T12:00:10.000Z', null) },
      },
      { ...plainNode, nodeId: 'w', latest: { waiting: latest('2026-01-31T12:00:05.250Z', null) } },
      { ...plainNode, nodeId: 'f', latest: { failed: latest(at, at) } },
      { ...plainNode, nodeId: 's', latest: { skipped: latest(null, at) } },
    ]
    const counter = { node_type: 'counter' }
    expect(stateOf({ status: 'running', startedAt: at, nodes })).toEqual({
      ...idle,
      status: 'running',
      started_at: '2026-01-31T12:00:00Z',
      executing_nodes: {
        a: { node_id: 'a', ...counter, started_at: '2026-01-31T12:00:10Z', duration_seconds: 0.25 },
        w: { node_id: 'w', ...counter, started_at: '2026-01-31T12:00:05.250000Z', duration_seconds: 5 },
      },
      completed_nodes: [
        { node_id: 'a', ...counter, completed_at: '2026-01-31T12:00:01.250000Z', duration_seconds: 0.25, route: 'default' },
        { node_id: 'b', ...counter, completed_at: '2026-01-31T12:00:02Z', duration_seconds: 0.5, route: 'no' },
      ],
      completed_count: 2,
      total_nodes: 5,
    })
  })

  test.each<[Run['status'], string]>([
    ['queued', 'running'],
    ['waiting', 'running'],
    ['held', 'running'],
    ['cancelling', 'running'],
    ['compensating', 'running'],
    ['completed', 'completed'],
    ['failed', 'failed'],
    ['compensated', 'failed'],
    ['cancelled', 'idle'],
  ])('of a run that is %s is %s', (status, told) => {
    expect(stateOf({ status })).toMatchObject({ status: told })
  })

  test('has an end, or an error', () => {
    const ended = { startedAt: at, endedAt: '2026-01-31T12:00:02.250Z', nodes: [] }
    expect(stateOf({ ...ended, status: 'completed' })).toMatchObject({ completed_at: '2026-01-31T12:00:02.250000Z', total_duration_seconds: 2.25 })
    expect(stateOf({ ...ended, status: 'failed', reason: { code: 'timed_out', message: 'Too late' } })).toMatchObject({ error: 'Too late' })
  })

  test('of the largest definition is a message of less than 1 MiB', () => {
    const name = (index: number) => `${index}`.padEnd(100, 'n')
    const nodes = Array.from({ length: 1_000 }, (_, index) => ({
      ...plainNode,
      nodeId: name(index),
      type: name(index),
      latest: { completed: latest('2026-01-31T12:00:00.001Z', '2026-01-31T12:00:00.002Z', [name(0)]), running: latest('2026-01-31T12:00:00.001Z', null) },
    }))
    expect(Buffer.byteLength(JSON.stringify(stateOf({ nodes })))).toBeLessThan(1024 * 1024)
  })
})

test('every message that is described has an example that is one', () => {
  for (const [type, { schema, example }] of Object.entries({ ...socket!.tells, ...socket!.hears })) {
    expect(schema.parse(example)).toEqual(example)
    expect(example).toEqual(examples[type as keyof typeof examples])
  }
})

test('an address names a workflow, and may name one of its runs; what is no name of ours is missing', () => {
  const asked = (workflow_id: string, task_id?: string) => socket!.ask({ path: { workflow_id }, query: { ...(task_id !== undefined && { task_id }) }, body: undefined })
  expect(asked(ids.workflow)).toEqual({ workflow: ids.workflow, current: true })
  expect(asked('invoice', ids.run)).toEqual({ workflow: 'invoice', runId: ids.run })
  expect(() => asked('x'.repeat(300))).toThrow(expect.objectContaining({ code: 'workflow_missing' }) as Error)
  expect(() => asked(ids.workflow, 'celery-1')).toThrow(expect.objectContaining({ code: 'run_missing' }) as Error)
})
