import type { JsonObject } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { coalesce } from '../../src/nodes/library/coalesce.ts'
import { delay } from '../../src/nodes/library/delay.ts'
import { respond } from '../../src/nodes/library/respond.ts'
import { external } from '../../src/nodes/library/external.ts'
import { human } from '../../src/nodes/library/human.ts'
import { input } from '../../src/nodes/library/input.ts'
import { log } from '../../src/nodes/library/log.ts'
import { loop } from '../../src/nodes/library/loop.ts'
import { map } from '../../src/nodes/library/map.ts'
import { merge } from '../../src/nodes/library/merge.ts'
import { output as outputNode } from '../../src/nodes/library/output.ts'
import { router } from '../../src/nodes/library/router.ts'
import { signal } from '../../src/nodes/library/signal.ts'
import { staticValue } from '../../src/nodes/library/static-value.ts'
import { subworkflow } from '../../src/nodes/library/subworkflow.ts'
import { template } from '../../src/nodes/library/template.ts'
import { context, decode, failure, now, output, run, wait } from './asked.ts'

const proto = JSON.parse('{"__proto__": {"polluted": true}}') as JsonObject

describe('input', () => {
  test('gives what the run was started with', async () => {
    expect((await run(input, {}, { given: { a: 1 } })).output).toEqual({ a: 1 })
    expect(input.entry).toBe(true)
  })
})

describe('output', () => {
  test('gives its map', async () => {
    expect(await output(outputNode, { map: { total: 3 } }, { a: 1, b: 2 })).toEqual({ total: 3 })
    expect(await output(outputNode, { map: {} }, { a: 1 })).toEqual({})
  })
  test('without a map gives the one output that came in, else all by step name', async () => {
    expect(await output(outputNode, {}, { a: [1] })).toEqual([1])
    expect(await output(outputNode, {}, { a: null })).toBeNull()
    expect(await output(outputNode, {}, { a: 1, b: 2 })).toEqual({ a: 1, b: 2 })
    expect(await output(outputNode)).toEqual({})
    expect(outputNode.returns).toBe(true)
  })
})

test('static-value gives its values, template its text', async () => {
  expect(await output(staticValue, { values: { a: [1, { b: null }] } })).toEqual({ a: [1, { b: null }] })
  expect(await output(template, { text: 'Dear Ada' })).toEqual({ text: 'Dear Ada' })
})

describe('router', () => {
  const routes = (...when: boolean[]) => ({ routes: when.map((each, at) => ({ name: `r${at}`, when: each })) })
  const taken = async (config: JsonObject) => (await run(router, config, { input: { a: 7 } })).route

  test('takes the first route that matches, or all, else default', async () => {
    expect(await taken(routes(false, true, true))).toEqual(['r1'])
    expect(await taken({ ...routes(false, true, true), mode: 'all' })).toEqual(['r1', 'r2'])
    expect(await taken(routes(false, false))).toEqual(['default'])
    expect(await taken({ ...routes(false), mode: 'all' })).toEqual(['default'])
  })
  test('lets its input through', async () => {
    expect(await output(router, routes(true), { a: 7 })).toBe(7)
    expect(await output(router, routes(true), { a: 7, b: 8 })).toEqual({ a: 7, b: 8 })
  })
  test('lets it through by step name, however many there are, if it is to', async () => {
    const passing = (passes: string, came: JsonObject) => output(router, { ...routes(true), passes }, came)
    expect(await passing('steps', { a: 7 })).toEqual({ a: 7 })
    expect(await passing('steps', {})).toEqual({})
    expect(await passing('value', { a: 7 })).toBe(7)
  })
  test('a condition that was never read is not taken for true', async () => {
    expect(await taken({ routes: [{ name: 'r', when: 'input.a > 1' }] })).toEqual(['default'])
  })
  test('takes a route by its rules', async () => {
    const large = { name: 'large', rules: [{ value: '1250', operator: 'greater_than', operand: 1000 }] }
    const small = { name: 'small', rules: [{ value: '1250', operator: 'less_than', operand: 1000 }] }
    expect(await taken({ routes: [small, large] })).toEqual(['large'])
    expect(await taken({ routes: [small] })).toEqual(['default'])
    expect(await taken({ routes: [small, { name: 'any', rules: [] }, large], mode: 'all' })).toEqual(['any', 'large'])
  })
  test('a route has a condition or rules', () => {
    const places = (...given: JsonObject[]) => router.check!({ routes: given.map((route, at) => ({ name: `r${at}`, ...route })) }).map(({ path }) => path.join('.'))
    expect(places({ when: 'true' }, { rules: [] })).toEqual([])
    expect(places({ when: 'true', rules: [] }, {})).toEqual(['routes.0.when', 'routes.1.when'])
  })
  test('a route of a draft that has both, or neither, is not taken', async () => {
    expect(await taken({ routes: [{ name: 'both', when: true, rules: [] }, { name: 'neither' }, { name: 'r', when: true }], mode: 'all' })).toEqual(['r'])
  })
  test('names of routes are unique and not those of every node', () => {
    const named = (...names: string[]) => router.check!({ routes: names.map((name) => ({ name, when: 'true' })) }).map(({ path }) => path.join('.'))
    expect(named('a', 'b')).toEqual([])
    expect(named('a', 'b', 'a')).toEqual(['routes.2.name'])
    expect(named('default', 'failed')).toEqual(['routes.0.name', 'routes.1.name'])
    expect(router.check!({ routes: 'nonsense' })).toEqual([])
    expect(router.check!({ routes: [null, 1, { when: true }] })).toEqual([])
  })
})

describe('merge', () => {
  test('puts objects together, the later step winning, and others under their step names', async () => {
    expect(await output(merge, {}, { a: { x: 1, y: 1 }, b: { y: 2 }, c: [3], d: null })).toEqual({ x: 1, y: 2, c: [3], d: null })
  })
  test('puts each under its step name, if it is to', async () => {
    const came = { a: { x: 1 }, b: { x: 2 }, c: 3 }
    expect(await output(merge, { by: 'step' }, came)).toEqual(came)
    expect(await output(merge, { by: 'step' }, { a: { x: 1 } })).toEqual({ a: { x: 1 } })
    expect(await output(merge, { by: 'key' }, came)).toEqual({ x: 2, c: 3 })
  })
  test('keeps a key that names the prototype as data', async () => {
    const merged = (await output(merge, {}, { a: proto, b: { x: 1 } })) as JsonObject
    expect(Object.getPrototypeOf(merged)).toBe(Object.prototype)
    expect(JSON.stringify(merged)).toBe('{"__proto__":{"polluted":true},"x":1}')
  })
})

describe('coalesce', () => {
  test('gives the first that is not null, by preference, then by order', async () => {
    const came = { a: null, b: 0, c: 'c' }
    expect(await output(coalesce, {}, came)).toBe(0)
    expect(await output(coalesce, { order: ['c', 'b'] }, came)).toBe('c')
    expect(await output(coalesce, { order: ['a', 'missing', 'toString'] }, came)).toBe(0)
    expect(await output(coalesce, {}, { a: null })).toBeNull()
    expect(await output(coalesce)).toBeNull()
  })
})

describe('human', () => {
  test('asks for a pause', () => {
    expect(wait(human, { kind: 'approval', message: 'Pay?' })).toEqual({
      for: 'pause',
      pause: { kind: 'approval', message: 'Pay?', form: null, assignee: null, expiresInMs: null, onExpiry: null, blocks: 'dependants' },
    })
    const all = {
      kind: 'question',
      message: 'How much?',
      form: { type: 'object' },
      assignee: 'ada',
      expiresInMs: '5000',
      onExpiry: { action: 'override', inputs: { a: 1 } },
      blocks: 'run',
      passes: 'steps',
    }
    expect(wait(human, all)).toEqual({ for: 'pause', pause: { ...all, expiresInMs: 5000 } })
    expect(human.handles).toEqual({ fixed: ['declined', 'expired'] })
  })
  test('a default needs an expiry, and an expiry a number', async () => {
    expect(human.check!({ onExpiry: { action: 'approve' } })).toMatchObject([{ path: ['onExpiry'] }])
    expect(human.check!({ onExpiry: { action: 'approve' }, expiresInMs: 1 })).toEqual([])
    expect(await failure(() => wait(human, { kind: 'approval', message: '', expiresInMs: 'soon' }))).toMatchObject({ code: 'config_invalid', retry: false })
  })
})

describe('signal, external, delay', () => {
  test('a signal is awaited by its name, else by the id of the node', async () => {
    expect(wait(signal, {}, { nodeId: 'paid' })).toEqual({ for: 'signal', name: 'paid', timeoutMs: null })
    expect(wait(signal, { name: 'paid-42', timeoutMs: 10 })).toEqual({ for: 'signal', name: 'paid-42', timeoutMs: 10 })
    expect(await failure(() => wait(signal, { name: '' }))).toMatchObject({ code: 'config_invalid' })
    expect(signal.handles).toEqual({ fixed: ['expired'] })
  })
  test('an external step waits for its report', () => {
    expect(wait(external)).toEqual({ for: 'report' })
  })
  test.each<[JsonObject, string]>([
    [{ ms: 1500 }, '2026-01-31T12:00:01.500Z'],
    [{ ms: '1500' }, '2026-01-31T12:00:01.500Z'],
    [{ ms: 0 }, '2026-01-31T12:00:00.000Z'],
    [{ until: '2026-02-01T00:00:00Z' }, '2026-02-01T00:00:00.000Z'],
    [{ until: ' 2026-02-01T01:00:00.250+01:00 ' }, '2026-02-01T00:00:00.250Z'],
    [{ until: '2026-02-01' }, '2026-02-01T00:00:00.000Z'],
    [{ until: '2020-01-01' }, now.toISOString()],
  ])('a delay of %j ends at %s', (config, at) => {
    expect(wait(delay, config)).toEqual({ for: 'timer', at: new Date(at) })
  })
  test.each<JsonObject>([
    { ms: 'soon' },
    { ms: '-1' },
    { ms: '1e3' },
    { ms: '9'.repeat(15) },
    { until: '' },
    { until: 'tomorrow' },
    { until: '2026-02-01T00:00' },
    { until: '2026-13-01' },
  ])('a delay of %j fails for good', async (config) => {
    expect(await failure(() => wait(delay, config))).toMatchObject({ code: 'config_invalid', retry: false })
  })
  test('a delay gives what it is told to', () => {
    expect(wait(delay, { ms: 0, output: { a: [null] } })).toEqual({ for: 'timer', at: now, output: { a: [null] } })
    expect(wait(delay, { ms: 0, output: null })).toEqual({ for: 'timer', at: now, output: null })
  })
  describe('a spread delay', () => {
    const delays = (spread: JsonObject, passes: number, more: { runId?: string; nodeId?: string } = {}) =>
      Array.from({ length: passes }, (_, pass) => {
        const request = wait(delay, { spread }, { pass, ...more })
        return request.for === 'timer' ? request.at.getTime() - now.getTime() : NaN
      })
    const sum = (numbers: number[]) => numbers.reduce((whole, each) => whole + each, 0)

    test('comes to exactly its time over each round, however it is cut', () => {
      for (const [totalMs, over, jitter] of [
        [1_000, 7, 1],
        [10, 3, 0.3],
        [1, 5, 1],
        [0, 4, 1],
        [86_400_000, 20, 0.3],
        [999_999, 1, 1],
      ] as const) {
        const found = delays({ totalMs, over, jitter }, over * 3)
        for (const round of [0, 1, 2]) expect(sum(found.slice(round * over, (round + 1) * over))).toBe(totalMs)
        const average = totalMs / over
        for (const each of found) expect(Math.abs(each - average)).toBeLessThanOrEqual(jitter * average + 1)
      }
    })
    test('is the same wherever it is asked, and another in another round, node and run', () => {
      const spread = { totalMs: 60_000, over: 6, jitter: 0.5 }
      const found = delays(spread, 12)
      expect(delays(spread, 12)).toEqual(found)
      expect(found.slice(6)).not.toEqual(found.slice(0, 6))
      expect(delays(spread, 12, { runId: 'other' })).not.toEqual(found)
      expect(delays(spread, 12, { nodeId: 'other' })).not.toEqual(found)
    })
    test('without jitter is even', () => {
      expect(delays({ totalMs: 1_000, over: 4, jitter: 0 }, 5)).toEqual([250, 250, 250, 250, 250])
      expect(delays({ totalMs: '1000', over: 4 }, 4)).toEqual([250, 250, 250, 250])
    })
  })
  test('a response has a status of HTTP, and gives its body or what comes in', async () => {
    expect(await output(respond, {}, { a: { x: 1 } })).toEqual({ status: 200, body: { x: 1 } })
    expect(await output(respond, { status: '404', body: null }, { a: { x: 1 } })).toEqual({ status: 404, body: null })
    for (const status of [99, 600, 'x', '']) expect(await failure(() => output(respond, { status }))).toMatchObject({ code: 'config_invalid', retry: false })
  })
  test('a delay is given in one way', () => {
    expect(delay.check!({})).toHaveLength(1)
    expect(delay.check!({ ms: 1, until: 'x' })).toHaveLength(1)
    expect(delay.check!({ ms: 1 })).toEqual([])
  })
})

describe('map, loop, subworkflow', () => {
  const plan = (config: JsonObject) => (map.behaviour.is === 'map' ? map.behaviour.plan(decode(map, config) as never) : null)
  test('a map plans its items', async () => {
    expect(plan({ items: [1, { a: 2 }] })).toEqual({ items: [1, { a: 2 }], concurrency: 10, onItemFailure: 'fail' })
    expect(plan({ items: [], concurrency: 1, onItemFailure: 'collect' })).toEqual({ items: [], concurrency: 1, onItemFailure: 'collect' })
    for (const items of [{ a: 1 }, 'text', null, 3]) expect(await failure(() => plan({ items }))).toMatchObject({ code: 'items_not_a_list', retry: false })
    expect(await failure(() => plan({ items: Array.from({ length: 100_001 }, () => 0) }))).toMatchObject({ code: 'limit_exceeded', retry: false })
  })

  const again = (config: JsonObject, count: number) => (loop.behaviour.is === 'loop' ? loop.behaviour.again(decode(loop, config) as never, count) : null)
  const max = (config: JsonObject) => (loop.behaviour.is === 'loop' ? loop.behaviour.max(decode(loop, config) as never) : null)
  test('a loop goes on while its condition holds, or a number of times, and is bounded', async () => {
    expect([again({ while: true }, 5), again({ while: false }, 0), again({ while: 'unread' }, 0)]).toEqual([true, false, false])
    expect([again({ times: 2 }, 1), again({ times: 2 }, 2), again({ times: '2' }, 1), again({ times: 0 }, 0)]).toEqual([true, false, true, false])
    expect([max({ while: true }), max({ times: 5 }), max({ while: true, max: 7 })]).toEqual([1000, 10_000, 7])
    expect(await failure(() => again({ times: 'many' }, 0))).toMatchObject({ code: 'config_invalid', retry: false })
    expect(() => decode(loop, { while: true, max: 10_001 })).toThrow('between 1 and 10000')
    expect([loop.check!({}), loop.check!({ while: 'true', times: 1 }), loop.check!({ times: 1 })].map((issues) => issues.length)).toEqual([1, 1, 0])
  })

  test('a sub-workflow is started with its input, else with what comes in', () => {
    const child = (config: JsonObject, came: JsonObject) =>
      subworkflow.behaviour.is === 'child' ? subworkflow.behaviour.child(decode(subworkflow, config) as never, context({ input: came })) : null
    expect(child({ workflow: 'invoice' }, { a: 1 })).toEqual({ workflow: 'invoice', version: null, input: 1 })
    expect(child({ workflow: 'invoice', version: 3, input: null }, { a: 1 })).toEqual({ workflow: 'invoice', version: 3, input: null })
    expect(child({ workflow: 'invoice' }, { a: 1, b: 2 })).toMatchObject({ input: { a: 1, b: 2 } })
  })
})

test('log writes its line, bounded, and lets its input through', async () => {
  const lines: unknown[] = []
  const abilities = { ...context().abilities, log: (...line: unknown[]) => void lines.push(line) }
  expect((await run(log, { message: 'x'.repeat(20_000) }, { input: { a: 1 }, abilities })).output).toBe(1)
  await run(log, { level: 'warn', message: 'careful' }, { abilities })
  expect(lines).toEqual([
    ['info', 'x'.repeat(10_000)],
    ['warn', 'careful'],
  ])
})
