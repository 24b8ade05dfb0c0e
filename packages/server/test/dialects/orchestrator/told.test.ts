import { RunStatus, type Json, type Sample, type Workflow } from '@sluice/schema'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CanvasData, CeleryTask, RawConfig, Task, Workflow as WireWorkflow } from '../../../src/dialects/orchestrator/contract.ts'
import { handleOf } from '../../../src/dialects/orchestrator/mapping/connections.ts'
import { placesOf } from '../../../src/dialects/orchestrator/mapping/layout.ts'
import { canvasOf, nodesOf, rawConfigOf } from '../../../src/dialects/orchestrator/mapping/nodes.ts'
import { coreOrder, orderingOf, sorted } from '../../../src/dialects/orchestrator/mapping/ordering.ts'
import { celeryTaskOf, startedTask, stateOf, stoppedTask } from '../../../src/dialects/orchestrator/mapping/task.ts'
import { instantOf, madeAt, offset, zulu } from '../../../src/dialects/orchestrator/mapping/times.ts'
import { secondsOf } from '../../../src/dialects/orchestrator/mapping/trial.ts'
import { textOf, unfitCore, validationOf } from '../../../src/dialects/orchestrator/mapping/unfit.ts'
import { inputOf } from '../../../src/dialects/orchestrator/mapping/upstream.ts'
import { workflowOf } from '../../../src/dialects/orchestrator/mapping/workflow.ts'
import { identifierOf, typeFor } from '../../../src/dialects/orchestrator/nodes.ts'
import { aDefinition } from '../../workflows/definitions.ts'
import { aRun } from '../pyspur/core.ts'

const value = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>
const instant = fc.date({ min: new Date('2001-01-01T00:00:00.000Z'), max: new Date('2099-12-31T23:59:59.999Z'), noInvalidDate: true }).map((date) => date.toISOString())
const timeOf = (text: string): number => Date.parse(text)
const orNull = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary, { nil: null })

const aSample: fc.Arbitrary<Sample> = fc.record({ input: value, output: value, error: fc.constant(null), updated: instant })

/** Whoever wrote it, by whatever face: more than any server will ever store. */
const aWorkflow: fc.Arbitrary<Workflow> = fc
  .tuple(aDefinition, fc.array(aSample, { minLength: 10, maxLength: 10 }), orNull(aRun), orNull(aRun))
  .chain(([draft, samples, current, lastRun]) =>
    fc.record({
      id: fc.stringMatching(/^[a-z0-9]{15}$/),
      handle: fc.constant('h'),
      name: fc.string(),
      description: fc.constantFrom('', 'about it'),
      origin: fc.constantFrom('drawn' as const, 'code' as const),
      draft: fc.constant(draft),
      revision: fc.nat(),
      version: orNull(fc.nat()),
      hash: fc.constant(null),
      extra: fc.oneof<fc.Arbitrary<Workflow['extra']>[]>(
        fc.constant({}),
        fc.record({ orchestrator: value }),
        fc.record({ orchestrator: fc.record({ category: value, status: value, next_run: value, tags: value, created_by: value }) as fc.Arbitrary<Json> }),
      ),
      activity: fc.record({ runs: fc.nat(), active: fc.nat(), current: fc.constant(current), lastRun: fc.constant(lastRun) }),
      created: instant,
      updated: instant,
      samples: fc.constant(Object.fromEntries(draft.nodes.slice(0, 10).map(({ id }, at) => [id, samples[at]!]))),
    }),
  )

describe('whatever the core has, there is an answer of the described form', () => {
  test('a workflow, its canvas and its config', () => {
    fc.assert(
      fc.property(aWorkflow, (workflow) => {
        expect(WireWorkflow.safeParse(workflowOf(workflow)).error).toBeUndefined()
        expect(CanvasData.safeParse(canvasOf(workflow)).error).toBeUndefined()
        expect(RawConfig.safeParse(rawConfigOf(workflow)).error).toBeUndefined()
        expect(nodesOf(workflow).map(({ id }) => id)).toEqual(workflow.draft.nodes.map(({ id }) => id))
      }),
    )
  })

  test('no node was changed before it was made', () => {
    fc.assert(
      fc.property(aWorkflow, fc.integer({ min: -100, max: 100 }), (workflow, ms) => {
        // Ids are drawn by the server, and the time of an edit is the database's.
        const id = `${(Date.parse(workflow.updated) + ms).toString(36).padStart(9, '0')}abcdef`
        const draft = { ...workflow.draft, nodes: [{ id, type: 'counter' }, ...workflow.draft.nodes] }
        for (const { created_at, updated_at } of nodesOf({ ...workflow, draft })) expect(timeOf(created_at)).toBeLessThanOrEqual(timeOf(updated_at))
      }),
    )
  })

  test('a run, as a task', () => {
    fc.assert(
      fc.property(aRun, (listed) => {
        const run = { input: null, output: null, waitingOn: [], nodes: [], pauses: [], ...listed }
        for (const task of [startedTask(run), stoppedTask(run)]) expect(Task.safeParse(task).error).toBeUndefined()
        expect(CeleryTask.safeParse(celeryTaskOf(run)).error).toBeUndefined()
      }),
    )
  })
})

test('the state of a task, of every status there is', () => {
  expect(Object.fromEntries(RunStatus.options.map((status) => [status, stateOf({ status })]))).toEqual({
    queued: 'PENDING',
    running: 'STARTED',
    waiting: 'STARTED',
    held: 'STARTED',
    cancelling: 'STARTED',
    compensating: 'STARTED',
    completed: 'SUCCESS',
    failed: 'FAILURE',
    cancelled: 'REVOKED',
    compensated: 'FAILURE',
  })
})

test('times have six digits of a second, or none when they are zero; what names no zone is UTC', () => {
  expect([zulu('2026-01-31T12:00:00.120Z'), zulu('2026-01-31T12:00:00.000Z'), offset('2026-01-31T12:00:00.001Z')]).toEqual([
    '2026-01-31T12:00:00.120000Z',
    '2026-01-31T12:00:00Z',
    '2026-01-31T12:00:00.001000+00:00',
  ])
  expect(['2026-01-31T12:00', '2026-01-31 12:00:00.5+02:00', '2026-02-31T12:00Z', '2026-01-31', 'soon', '0000-01-01T00:00Z'].map(instantOf)).toEqual([
    '2026-01-31T12:00:00.000Z',
    '2026-01-31T10:00:00.500Z',
    null,
    null,
    null,
    null,
  ])
})

test('an id tells when it was made, unless it is older than what it is part of, or was made up', () => {
  const at = Date.parse('2026-01-31T12:00:00.123Z')
  const id = at.toString(36).padStart(9, '0') + 'abc123'
  const within = { from: '2026-01-01T00:00:00.000Z', to: '2026-01-31T12:00:00.000Z' }
  expect(madeAt(id, within)).toBe('2026-01-31T12:00:00.123Z')
  expect(madeAt(id, { from: '2026-02-01T00:00:00.000Z', to: '2026-02-01T00:00:00.000Z' })).toBe('2026-02-01T00:00:00.000Z')
  for (const other of ['node_1', 'zzzzzzzzzzzzzzz', '000000000000000']) expect(madeAt(other, within)).toBe(within.from)
})

describe('where nodes stand', () => {
  const node = (id: string, position?: { x: number; y: number }) => ({ id, type: 'merge', ...(position && { position }) })
  const link = (source: string, target: string) => ({ source, target })

  test('each is behind what leads to it, none on another, and what is placed stays', () => {
    const places = placesOf({ nodes: [node('a'), node('b'), node('c', { x: 7, y: 8 }), node('d')], links: [link('a', 'b'), link('a', 'c'), link('b', 'd'), link('c', 'd')] })
    expect(Object.fromEntries(places)).toEqual({ a: { x: 100, y: 100 }, b: { x: 360, y: 100 }, c: { x: 7, y: 8 }, d: { x: 620, y: 100 } })
  })

  test('circles, loops and links to nowhere end, and nobody who was not placed stands on another who was not', () => {
    fc.assert(
      fc.property(aDefinition, ({ nodes, links }) => {
        const strange = [...links, ...nodes.flatMap(({ id }) => [link(id, id), link(id, nodes[0]!.id), link(id, 'nowhere')])]
        const places = placesOf({ nodes: nodes.map(({ id, type }) => ({ id, type })), links: strange })
        expect(new Set([...places.values()].map(({ x, y }) => `${x} ${y}`)).size).toBe(nodes.length)
      }),
    )
  })
})

test('what the nodes before gave is merged in the order of the graph: a name that is taken by another value has a number', () => {
  const nodes = ['a', 'b', 'c', 'd', 'e'].map((id) => ({ id, type: 'merge' }))
  const links = [
    ['a', 'b'],
    ['a', 'c'],
    ['b', 'd'],
    ['c', 'd'],
    ['d', 'a'],
  ].map(([source, target]) => ({ source: source!, target: target! }))
  const sample = (output: Json) => ({ input: null, output, error: null, updated: '' })
  const samples = { a: sample({ n: 1 }), b: sample({ n: 2, same: [1] }), c: sample({ n: 1, same: [1], __proto__x: 1 }), d: sample('ignored'), e: sample({ other: 1 }) }
  expect(inputOf({ kind: 'workflow', nodes, links }, samples, 'd')).toEqual({ n: 1, n_2: 2, same: [1], __proto__x: 1 })
  expect(inputOf({ kind: 'workflow', nodes, links: [{ source: 'd', target: 'e' }] }, samples, 'e')).toEqual({ d: 'ignored' })
})

test('an order is read as Django does, and sorted by the core where it can be', () => {
  expect(orderingOf('-status, name,nothing,--id,,')).toEqual([
    { field: 'status', down: true },
    { field: 'name', down: false },
  ])
  expect(coreOrder(orderingOf('-created_at,name'))).toEqual(['-created', 'name'])
  expect(coreOrder(orderingOf('name,status'))).toBeUndefined()
  expect(coreOrder(orderingOf(''))).toBeUndefined()
  fc.assert(
    fc.property(fc.array(aWorkflow.map(workflowOf), { maxLength: 5 }), (workflows) => {
      const up = sorted(workflows, orderingOf('status,runs_count,tags'))
      expect(up.toSorted((one, other) => (one.id < other.id ? -1 : 1))).toEqual(workflows.toSorted((one, other) => (one.id < other.id ? -1 : 1)))
      expect(sorted(up, orderingOf('status,runs_count,tags'))).toEqual(up)
    }),
  )
})

test('a type of the library that the wire has a name for, too, is told apart: sent back it is the same type', () => {
  for (const type of ['http-request', 'counter', 'queue-reader', 'orchestrator:http-request', 'orchestrator:counter', 'router', 'nobody-knows', 'InputNode']) {
    expect(typeFor(identifierOf(type))).toBe(type)
  }
  expect([identifierOf('orchestrator:http-request'), identifierOf('http-request')]).toEqual(['http-request', 'sluice:http-request'])
})

test('a branch is known by its name in lower case; the default one is that of the core', () => {
  expect(['YES', 'no', 'Default', '', null].map(handleOf)).toEqual(['yes', 'no', null, null, null])
})

test('what does not fit is told by the key of the wire: the form of a node is its config', () => {
  const issue = (path: (string | number)[], message = 'm') => ({ path, message })
  expect(unfitCore([issue(['name']), issue(['operations', 0, 'node', 'type']), issue(['operations', 0, 'nodes', 3, 'extra']), issue([])])).toEqual({
    name: ['m'],
    node_type: ['m'],
    config: ['m'],
    non_field_errors: ['m'],
  })
  const issues = [
    { nodeId: 'a', field: 'config.url', message: 'Missing key' },
    { nodeId: 'a', field: 'config.url', message: 'This field is required.' },
    { nodeId: 'a', field: 'config.headers.x', message: 'm' },
    { nodeId: 'b', field: 'type', message: 'unknown' },
    { nodeId: 'b', field: 'links.3.sourceHandle', message: 'no such handle' },
    { nodeId: 'b', field: 'links.4', message: 'leads back' },
    { nodeId: '', field: '', message: 'a circle' },
  ]
  expect(validationOf(issues)).toEqual({
    a: { url: ['This field is required.'], 'headers.x': ['m'] },
    b: { node_type: ['unknown'], source_handle: ['no such handle'], non_field_errors: ['leads back'] },
    workflow: { non_field_errors: ['a circle'] },
  })
  expect(textOf({ url: ['a', 'b'], non_field_errors: ['c'] })).toBe('url: a; url: b; c')
})

test('what takes too long is told how long it had: without a time, or with more than there may be, five minutes', () =>
  expect([0.3, 12, 0, null, 1e9].map(secondsOf)).toEqual([0.3, 12, 300, 300, 300]))
