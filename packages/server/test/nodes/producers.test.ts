import type { Json, JsonObject } from '@sluice/schema'
import { limits } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import type { AnyNode, ProducerState } from '../../src/nodes/contract.ts'
import { counter } from '../../src/nodes/library/counter.ts'
import { iterator } from '../../src/nodes/library/iterator.ts'
import { queueReader } from '../../src/nodes/library/queue-reader.ts'
import { webhook } from '../../src/nodes/library/webhook.ts'
import { context, decode, failure } from './asked.ts'

function next(node: AnyNode, config: JsonObject, at: ProducerState = { state: null, count: 0 }) {
  if (node.behaviour.is !== 'producer') throw new Error(`${node.type} gives no items`)
  return node.behaviour.next(decode(node, config), context(), at)
}

/** All that a producer gives, its state kept as JSON in between, as the engine does. */
function items(node: AnyNode, config: JsonObject): Json[] {
  const given: Json[] = []
  for (let state: Json = null; ;) {
    const produced = next(node, config, { state, count: given.length })
    if (!('item' in produced)) return given
    given.push(produced.item)
    state = JSON.parse(JSON.stringify(produced.state)) as Json
  }
}

const values = (node: AnyNode, config: JsonObject) => items(node, config).map((item) => (item as JsonObject)['value'])

describe('a counter', () => {
  test.each<[JsonObject, number[]]>([
    [{ from: 0, to: 3 }, [0, 1, 2, 3]],
    [{ from: 3, to: 0 }, [3, 2, 1, 0]],
    [{ from: -2, to: 3, step: 2 }, [-2, 0, 2]],
    [{ from: 10, to: 1, step: 4, direction: 'down' }, [10, 6, 2]],
    [{ from: 5, to: 5 }, [5]],
    [{ from: 0, to: 3, direction: 'down' }, []],
    [{ from: 3, to: 0, direction: 'up' }, []],
    [{ from: '1', to: ' 2 ', step: '1' }, [1, 2]],
  ])('of %j gives %j', (config, numbers) => expect(values(counter, config)).toEqual(numbers))

  test('tells of each number which it is, and of what', () => {
    expect(items(counter, { from: 1, to: 3, step: 2 })).toEqual([
      { value: 1, index: 0, from: 1, to: 3, step: 2, direction: 'up' },
      { value: 3, index: 1, from: 1, to: 3, step: 2, direction: 'up' },
    ])
  })

  test('goes on from where it is by its count alone', () => {
    expect(next(counter, { from: 0, to: 9 }, { state: null, count: 9 })).toMatchObject({ item: { value: 9 } })
    expect(next(counter, { from: 0, to: 9 }, { state: null, count: 10 })).toEqual({ ended: true })
  })

  test('that would give too many says so before the first', async () => {
    expect(next(counter, { from: 1, to: limits.items })).toHaveProperty('item')
    expect(await failure(() => next(counter, { from: 0, to: limits.items }))).toMatchObject({ code: 'limit_exceeded', retry: false })
  })

  test.each<JsonObject>([
    { from: 'x', to: 1 },
    { from: 0, to: '1.5' },
    { from: 0, to: 1, step: 0 },
    { from: 0, to: 1, step: '' },
  ])('refuses %j', async (config) => expect(await failure(() => next(counter, config))).toMatchObject({ code: 'config_invalid', retry: false }))
})

describe('an iterator', () => {
  test.each<[JsonObject, Json[]]>([
    [{ items: [1, null, { a: 'b' }, ' '] }, [1, null, { a: 'b' }, ' ']],
    [{ items: ' a \n\n  \r\n b\nc' }, ['a', 'b', 'c']],
    [{ items: 'a, b ,,c,', separator: ',' }, ['a', 'b', 'c']],
    [{ items: 'a<>b<><>c<', separator: '<>' }, ['a', 'b', 'c<']],
    [{ items: '' }, []],
    [{ items: ' \n ' }, []],
    [{ items: [] }, []],
  ])('of %j gives %j', (config, given) => expect(values(iterator, config)).toEqual(given))

  test('tells of each item which it is', () =>
    expect(items(iterator, { items: 'a\n\nb' })).toEqual([
      { value: 'a', index: 0 },
      { value: 'b', index: 1 },
    ]))

  test('of neither list nor text, or of too many, says so before the first', async () => {
    expect(await failure(() => next(iterator, { items: { a: 1 } }))).toMatchObject({ code: 'items_not_a_list', retry: false })
    expect(await failure(() => next(iterator, { items: 'x,'.repeat(limits.items + 1), separator: ',' }))).toMatchObject({ code: 'limit_exceeded' })
    expect(await failure(() => next(iterator, { items: Array(limits.items + 1).fill(0) }))).toMatchObject({ code: 'limit_exceeded' })
    expect(next(iterator, { items: 'x,'.repeat(limits.items), separator: ',' })).toHaveProperty('item')
  })

  test('looks for each part of a long text once', () => {
    const text = 'x\n'.repeat(limits.items)
    const began = process.cpuUsage()
    let state: Json = null
    for (let count = 0; count < limits.items; count++) {
      const produced = next(iterator, { items: text }, { state, count })
      state = 'state' in produced ? produced.state : null
    }
    const { user, system } = process.cpuUsage(began)
    // Gone through from the start each time it were hours.
    expect((user + system) / 1_000).toBeLessThan(10_000)
  })
})

describe('a webhook', () => {
  test('waits for what is sent to its name, gives it, and keeps what it took last', () => {
    expect(next(webhook, { name: 'orders' })).toEqual({ awaits: { webhook: 'orders' } })
    const delivery = { id: 'd1', body: { a: 1 }, headers: {}, method: 'POST', query: {}, receivedAt: '2026-01-31T12:00:00.000Z' }
    const received = webhook.behaviour.is === 'producer' && webhook.behaviour.receive?.({ name: 'orders' }, delivery, { state: null, count: 0 })
    expect(received).toEqual({ item: delivery, state: { after: 'd1' } })
  })

  test.each(['a b', 'a/b', 'é', 'x'.repeat(256)])('has no name like %s', async (name) =>
    expect(await failure(() => next(webhook, { name }))).toMatchObject({ code: 'config_invalid', retry: false }),
  )
})

test('a queue reader waits for its queue, or without one for what leads to it', async () => {
  expect(next(queueReader, { queue: 'orders' })).toEqual({ awaits: { queue: 'orders' } })
  expect(next(queueReader, {})).toEqual({ awaits: { channel: true } })
  expect(next(queueReader, { queue: '' })).toEqual({ awaits: { channel: true } })
  expect(await failure(() => next(queueReader, { queue: 'x'.repeat(201) }))).toMatchObject({ code: 'config_invalid' })
})
