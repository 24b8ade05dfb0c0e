import type { Definition, JsonObject, Link, ListedRun, Node, RunStep, Version } from '@sluice/schema'
import { CompensationState, SkipReason, StepState } from '@sluice/schema'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { medusa } from '../../../src/dialects/medusa/index.ts'
import { TransactionState } from '../../../src/dialects/medusa/contract.ts'
import { page, told } from '../../../src/dialects/medusa/mapping/executions.ts'
import { executionOf } from '../../../src/dialects/medusa/mapping/execution.ts'
import { failureOf } from '../../../src/dialects/medusa/mapping/start.ts'
import { compensateOf, inStates, invokeOf, stateOf, statusOfRefused } from '../../../src/dialects/medusa/mapping/states.ts'
import { treeOf } from '../../../src/dialects/medusa/mapping/tree.ts'
import { describeDialect } from '../../../src/openapi/dialect.ts'
import { checkWhere } from '../../../src/store/conditions/check.ts'
import { predicate } from '../../../src/store/conditions/memory.ts'
import { runList } from '../../../src/store/views/run-summary.ts'
import { contractOf } from '../../openapi/contract.ts'
import { aRun } from '../pyspur/core.ts'

const contract = contractOf(describeDialect(medusa))
const breach = (value: unknown, name: string): string | null => contract.check(JSON.parse(JSON.stringify(value)), { $ref: `#/components/schemas/${name}` })

const at = '2026-01-31T12:00:00.000Z'
const later = '2026-01-31T12:00:05.250Z'

// ── steps of any kind ──────────────────────────────────────────────────────────────────────────────────────────────────

const orNull = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary, { nil: null })
const time = orNull(fc.constantFrom(at, later))
const error = orNull(
  fc.record({ code: fc.constantFrom('error', 'http_503'), message: fc.string(), details: fc.constantFrom(null, 'text', { name: 'TypeError' }, { type: 'not_found', message: 5 }) }),
)
const value = fc.constantFrom(null, 0, '', 'text', { a: [1] }, { truncated: 20_000 })

const aStep = (nodeId: string): fc.Arbitrary<RunStep> =>
  fc
    .record({
      state: fc.constantFrom(...StepState.options),
      attempts: fc.nat(3),
      failures: fc.nat(3),
      output: value,
      error,
      reported: fc.boolean(),
      skipReason: orNull(fc.constantFrom(...SkipReason.options)),
      compensation: orNull(
        fc.record({ state: fc.constantFrom(...CompensationState.options), attempts: fc.nat(3), failures: fc.nat(3), lastAttemptAt: time, error, output: value }),
      ),
      startedAt: time,
      lastAttemptAt: time,
      retryAt: time,
      timedOutAt: time,
      endedAt: time,
    })
    .map((step) => ({ ...step, key: `r/${nodeId}/-`, runId: '0'.repeat(15), nodeId, step: nodeId, iteration: '', route: null, waitingFor: null }))

const aRunWithSteps: fc.Arbitrary<ListedRun> = aRun.chain((run) => {
  const ids = (run.pinned?.definition.nodes ?? []).map(({ id }) => id)
  return fc.subarray(ids).chain((begun) => fc.tuple(...begun.map(aStep)).map((steps) => ({ ...run, steps })))
})

test('any run of the core is told as the document says, and its steps know each other', () => {
  fc.assert(
    fc.property(aRunWithSteps, (run) => {
      const execution = JSON.parse(JSON.stringify(told(run, undefined))) as { execution: { steps: Record<string, { id: string; next: string[]; depth?: number }> } }
      expect(breach(execution, 'AdminWorkflowExecution')).toBeNull()
      const { steps } = execution.execution
      expect(steps['_root']).toBeDefined()
      const below = Object.values(steps).flatMap(({ next }) => next)
      expect(below.toSorted()).toEqual(
        Object.keys(steps)
          .filter((id) => id !== '_root')
          .toSorted(),
      )
      for (const [id, step] of Object.entries(steps)) {
        expect(step.id).toBe(id)
        for (const next of step.next) expect([next.startsWith(`${id}.`), steps[next]!.depth]).toEqual([true, (step.depth ?? 0) + 1])
      }
      failureOf(run)
    }),
    { numRuns: 500 },
  )
})

test('a run is found by the state that it is told in', () => {
  const matches = Object.fromEntries(TransactionState.options.map((state) => [state, predicate(checkWhere(inStates([state]), runList), runList)]))
  fc.assert(
    fc.property(aRun, (run) => {
      // Of what is to be undone nothing may be undone yet: then it is told a moment longer as waiting for that.
      const summary = { ...run, steps: undefined, pinned: undefined } as unknown as ListedRun
      const { steps: _steps, pinned: _pinned, ...bare } = summary
      expect(TransactionState.options.filter((state) => state !== 'waiting_to_compensate' && matches[state]!(bare as never))).toEqual([stateOf(bare)])
    }),
    { numRuns: 500 },
  )
  expect(inStates(['nothing', 'constructor'])).toEqual({ or: [] })
})

test('what failed is waiting to be undone until the first undoing begins', () => {
  const run = { status: 'compensating' as const, reason: null, pinned: null }
  const undoing = (state: RunStep['compensation']) => ({ ...step('a', { state: 'completed' }), compensation: state })
  expect(stateOf({ ...run, steps: [undoing(null), undoing(compensation('pending'))] })).toBe('waiting_to_compensate')
  expect(stateOf({ ...run, steps: [undoing(compensation('running'))] })).toBe('compensating')
  const graph = { nodes: [node('a'), node('b')], links: [] }
  const going = (links: Link[], more: Partial<Definition> = {}) =>
    stateOf({ status: 'running', reason: null, steps: [step('a', { state: 'failed' })], pinned: version({ ...graph, links, ...more }) })
  expect(going([])).toBe('waiting_to_compensate')
  expect(going([{ source: 'a', target: 'b', sourceHandle: 'failed' }])).toBe('invoking')
  expect(going([], { settings: { onFailure: 'continue' } })).toBe('invoking')
})

// ── single steps ───────────────────────────────────────────────────────────────────────────────────────────────────────

test('each state of a step and of its undoing is told as the table has it', () => {
  const invoked = (state: RunStep['state'], more: { skipReason?: RunStep['skipReason']; timedOutAt?: string } = {}) => {
    const { state: is, status } = invokeOf({ state, skipReason: null, timedOutAt: null, ...more })
    return `${is}/${status}`
  }
  expect(StepState.options.map((state) => `${state} ${invoked(state)}`)).toEqual([
    'pending not_started/idle',
    'running invoking/waiting_response',
    'waiting invoking/waiting_response',
    'retrying invoking/temp_failure',
    'completed done/ok',
    'failed failed/permanent_failure',
    'skipped skipped/ok',
    'cancelled dormant/idle',
  ])
  expect(invoked('skipped', { skipReason: 'upstream_failed' })).toBe('skipped_failure/idle')
  expect(invoked('skipped', { skipReason: 'route' })).toBe('skipped/ok')
  expect(invoked('failed', { timedOutAt: at })).toBe('timeout/permanent_failure')
  expect(invoked('completed', { timedOutAt: at })).toBe('done/ok')
  const undone = (state: CompensationState | null, isReverted = false) => {
    const { state: is, status } = compensateOf(state, isReverted)
    return `${is}/${status}`
  }
  expect(CompensationState.options.map((state) => `${state} ${undone(state)}`)).toEqual([
    'pending not_started/idle',
    'running compensating/waiting_response',
    'waiting compensating/waiting_response',
    'retrying compensating/temp_failure',
    'completed reverted/ok',
    'failed failed/permanent_failure',
  ])
  expect([undone(null), undone(null, true)]).toEqual(['dormant/idle', 'reverted/ok'])
  expect(statusOfRefused({ state: 'completed', compensation: null })).toBe('ok')
  expect(statusOfRefused({ state: 'completed', compensation: 'retrying' })).toBe('temp_failure')
  expect(statusOfRefused({ state: 'nothing', compensation: undefined })).toBe('idle')
})

describe('a step', () => {
  const graph = { nodes: [node('a'), node('b', 'external')], links: [{ source: 'a', target: 'b' }] }
  const executed = (steps: RunStep[], more: Partial<ListedRun> = {}) => executionOf({ ...run(graph), steps, ...more }, treeOf(version(graph)))

  test('that is being undone counts its attempts anew; one that nothing undoes is passed by once', () => {
    const undoing = {
      ...step('a', { state: 'completed', attempts: 3, failures: 2, lastAttemptAt: at }),
      compensation: { ...compensation('retrying'), attempts: 2, failures: 1, lastAttemptAt: later },
    }
    const { steps } = executed([undoing, step('b', { state: 'failed', attempts: 4, failures: 4, lastAttemptAt: at })], { status: 'failed', endedAt: later })
    expect(steps['_root.a']).toMatchObject({
      stepFailed: true,
      attempts: 2,
      failures: 1,
      lastAttempt: Date.parse(later),
      compensate: { state: 'compensating', status: 'temp_failure' },
    })
    expect(steps['_root.a.b']).toMatchObject({ stepFailed: true, attempts: 1, failures: 0, lastAttempt: Date.parse(later), compensate: { state: 'reverted', status: 'ok' } })
  })

  test('that the time of its run cut off is told as if its own had been up', () => {
    const { timedOutAt, steps } = executed([step('a', { state: 'cancelled', attempts: 1 }), step('b', { state: 'cancelled' })], {
      status: 'failed',
      reason: { code: 'timed_out', message: 'Too long' },
      endedAt: later,
    })
    expect([timedOutAt, steps['_root.a'], steps['_root.a.b']]).toMatchObject([
      Date.parse(later),
      { invoke: { state: 'timeout', status: 'permanent_failure' } },
      { invoke: { state: 'dormant', status: 'idle' } },
    ])
  })

  test('that waits for somebody to ask for its next attempt tells since when', () => {
    const { steps } = executed([step('a', { state: 'retrying', attempts: 1, failures: 1, lastAttemptAt: at })])
    expect(steps['_root.a']).toMatchObject({ temporaryFailedAt: Date.parse(at), invoke: { status: 'temp_failure' } })
    expect(steps['_root.a']).not.toHaveProperty('hasScheduledRetry')
  })

  test('behind a producer is told by what its run sums it up to', () => {
    const summed = {
      nodeId: 'b',
      step: 'b',
      type: 'external',
      state: 'completed' as const,
      counts: { completed: 4 },
      latest: {},
      route: null,
      startedAt: at,
      endedAt: at,
      input: null,
      output: null,
      error: null,
      skipReason: null,
    }
    expect(executed([step('a', { state: 'running' })], { nodes: [summed] }).steps['_root.a.b']).toMatchObject({
      invoke: { state: 'done', status: 'ok' },
      attempts: 4,
      startedAt: Date.parse(at),
    })
  })
})

// ── trees ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

describe('a tree', () => {
  const idsOf = (nodes: Node[], links: string[]): string[] => treeOf(version({ nodes, links: links.flatMap(linksOf) })).steps.map(({ id }) => id)

  test('hangs each step below the last that leads to it, in the order of the definition', () => {
    const nodes = [node('in', 'input'), node('a'), node('b'), node('c'), node('d')]
    expect(idsOf(nodes, ['in > a', 'a > b', 'a > c', 'b > d', 'c > d'])).toEqual(['_root.a', '_root.a.b', '_root.a.c', '_root.a.c.d'])
    expect(idsOf([node('d'), node('c'), node('b'), node('a')], ['a > b > c', 'a > d'])).toEqual(['_root.a', '_root.a.d', '_root.a.b', '_root.a.b.c'])
    expect(idsOf([node('a'), node('b')], [])).toEqual(['_root.a', '_root.b'])
    expect(idsOf([], [])).toEqual([])
  })

  test('passes over what only leads on: inputs, conditions and results', () => {
    const nodes = [node('in', 'input'), node('a'), node('if', 'function-choice'), node('b'), node('c'), node('result', 'function-result')]
    expect(idsOf(nodes, ['in > a > if', 'if.then > b', 'b > c', 'if > c', 'c > result'])).toEqual(['_root.a', '_root.a.b', '_root.a.b.c'])
  })

  test('has no steps for what stands in a body, and none of a name twice', () => {
    const nodes = [node('m', 'map'), { ...node('inner'), parentId: 'm' }, { ...node('x'), title: 'Same' }, { ...node('y'), title: 'Same' }, { ...node('z'), title: 'A.b' }]
    expect(idsOf(nodes, ['m > x', 'x > y', 'y > z'])).toEqual(['_root.m', '_root.m.x', '_root.m.x.y', '_root.m.x.y.A\u2024b'])
  })

  test('on a cycle, which no version has, is a tree all the same', () => {
    expect(idsOf([node('a'), node('b')], ['a > b > a'])).toEqual(['_root.a', '_root.a.b'])
    expect(idsOf([node('a', 'function-choice'), node('b', 'function-choice'), node('c')], ['a > b > a', 'b > c'])).toEqual(['_root.c'])
  })

  test('says how each step was declared', () => {
    const nodes = [
      {
        ...node('wait', 'function'),
        config: { async: true, remind: { everyMs: 5_000, times: 3 } },
        settings: { timeoutMs: 90_000, compensate: { type: 'function-undo', config: { async: true } } },
      },
      { ...node('again'), settings: { retry: { maxAttempts: 4, backoffMs: 250 } } },
      { ...node('asked'), settings: { retry: { maxAttempts: 2, manual: true } } },
      { ...node('at-once'), settings: { retry: { maxAttempts: 2, backoffMs: 0 } } },
      node('plain'),
      node('child', 'function-child'),
    ]
    const links = ['wait > again > asked > at-once > plain > child', 'again.failed > asked', 'asked.failed > plain']
    const { steps, definition } = treeOf(version({ nodes, links: links.flatMap(linksOf) }))
    const declared = Object.fromEntries(steps.map(({ name, definition: { action: _action, uuid: _uuid, ...more } }) => [name, more]))
    expect(declared).toEqual({
      wait: { name: 'wait', async: true, compensateAsync: true, retryIntervalAwaiting: 5, maxAwaitingRetries: 4, timeout: 90, noCompensation: false, store: true },
      again: { name: 'again', maxRetries: 3, retryInterval: 0.25, continueOnPermanentFailure: true, noCompensation: true, store: true },
      asked: { name: 'asked', maxRetries: 1, autoRetry: false, skipOnPermanentFailure: 'plain', noCompensation: true, store: false },
      'at-once': { name: 'at-once', maxRetries: 1, noCompensation: true, store: false },
      plain: { noCompensation: true, store: false },
      child: { name: 'child', nested: true, noCompensation: true, store: false },
    })
    expect(definition).toMatchObject({ action: 'wait', next: { action: 'again', next: { action: 'asked' } } })
  })

  test('is a function of the version: the same ids, and ULIDs of when it was made, for every run of it', () => {
    const of = version({ nodes: [node('a'), node('b')], links: linksOf('a > b') })
    expect(treeOf(of)).toEqual(treeOf(structuredClone(of)))
    const [a, b] = treeOf(of).steps.map(({ definition }) => definition.uuid)
    expect([a, b]).toEqual([expect.stringMatching(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/), expect.stringMatching(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/)])
    expect(a!.slice(0, 10)).toBe(b!.slice(0, 10))
    expect(a).not.toBe(b)
    expect(treeOf({ ...of, hash: 'other' }).steps[0]!.definition.uuid).not.toBe(a)
  })

  test('whose ids would be long without end has them short: of a thousand steps behind each other, too', () => {
    const nodes = Array.from({ length: 1_000 }, (_each, place) => node(`${'step'.repeat(20)}${place}`))
    const links = nodes.slice(1).map(({ id }, place) => ({ source: nodes[place]!.id, target: id }))
    const graph = { nodes, links }
    const execution = told({ ...run(graph), steps: [] }, undefined)
    expect(JSON.stringify(execution).length).toBeLessThan(2_000_000)
    const { steps } = treeOf(version(graph))
    expect([steps[999]!.id, steps[999]!.depth, steps[998]!.next]).toEqual([`_root.${nodes[999]!.id}`, 1_000, [`_root.${nodes[999]!.id}`]])
  })

  test('of a page that is more than an answer holds is refused, and told when fewer fields are asked for', () => {
    const nodes = Array.from({ length: 1_000 }, (_each, place) => node(`n${place}`))
    const runs = Array.from({ length: 60 }, () => ({ ...run({ nodes, links: [] }), steps: [] }))
    expect(() => page(runs, { limit: 60 })).toThrow(/more than 16 MiB/)
    expect(page(runs, { limit: 60, fields: 'id,state' })).toHaveLength(60)
  })
})

// ── values ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

function node(id: string, type = 'log', config: JsonObject = {}): Node {
  return { id, type, config }
}

function linksOf(chain: string): Link[] {
  const stops = chain.split(' > ')
  return stops.slice(1).map((stop, place) => {
    const [source = '', sourceHandle] = stops[place]!.split('.')
    return { source, target: stop.split('.')[0]!, ...(sourceHandle !== undefined && { sourceHandle }) }
  })
}

function version(graph: Partial<Definition>): Version {
  return { workflowId: '0'.repeat(15), number: 1, hash: 'h', name: 'n', description: '', definition: { kind: 'workflow', nodes: [], links: [], ...graph }, created: at }
}

function run(graph: Partial<Definition>): ListedRun {
  return {
    ...{ id: '01k2v9n0b4xwt7c', workflowId: '0'.repeat(15), workflow: 'flow', version: 1, status: 'running', waitingKind: null, progress: 0, reason: null, transactionId: null },
    ...{ lane: null, parentRunId: null, sessionId: null, trigger: 'manual', tags: [], created: at, startedAt: at, endedAt: null, updated: later, pinned: version(graph) },
  }
}

function step(nodeId: string, more: Partial<RunStep>): RunStep {
  return {
    ...{ key: `r/${nodeId}/-`, runId: '0'.repeat(15), nodeId, step: nodeId, iteration: '', state: 'pending', attempts: 0, failures: 0, output: null, route: null, error: null },
    ...{ reported: false, waitingFor: null, skipReason: null, compensation: null, startedAt: null, lastAttemptAt: null, retryAt: null, timedOutAt: null, endedAt: null },
    ...more,
  }
}

function compensation(state: CompensationState): NonNullable<RunStep['compensation']> {
  return { state, attempts: 0, failures: 0, lastAttemptAt: null, error: null, output: null }
}
