import { expect, test } from 'vitest'
import type { ToldChange } from '../../../src/dialects/dialect.ts'
import { subscriptionOf } from '../../../src/dialects/pocketbase/routes/realtime.ts'
import { createRealtime } from '../../../src/dialects/pocketbase/stream.ts'
import { topicSaid } from '../../../src/dialects/pocketbase/topics.ts'

/** As the published SDK spells it. */
const spelled = (topic: string, options: object): string => `${topic}?options=${encodeURIComponent(JSON.stringify(options))}`

test.each([
  ['workflow_sessions/*', { watched: { collection: 'workflow_sessions' } }],
  ['workflow_sessions', { watched: { collection: 'workflow_sessions' } }],
  ['pbc_3436149272/abc', { watched: { collection: 'pbc_3436149272', id: 'abc' } }],
  [
    spelled('runs/*', { query: { filter: 'status = "a/b?c"', expand: 'workflow', fields: 'id' } }),
    { watched: { collection: 'runs', filter: 'status = "a/b?c"', expand: 'workflow', fields: 'id' } },
  ],
  [spelled('runs/*', { query: { replay: 'tab', remove: true } }), { watched: { collection: 'runs', kept: true, removals: true }, replay: 'tab' }],
  [spelled('runs/*', { query: { remove: 'false', filter: '', replay: null } }), { watched: { collection: 'runs' } }],
  ['runs/*?options={broken', { watched: { collection: 'runs' } }],
  [spelled('runs/*', { query: 'no' }), { watched: { collection: 'runs' } }],
  ['runs/*?options=null', { watched: { collection: 'runs' } }],
  ['runs/*?other=1', { watched: { collection: 'runs' } }],
])('%s is read as PocketBase reads it', (topic, said) => {
  expect(topicSaid(topic)).toEqual(said)
})

test.each(['', '/', 'runs/', '/x', 'runs/a/b', '?options=1'])('%j is no topic of a collection', (topic) => {
  expect(topicSaid(topic)).toBeNull()
})

test('of the topics of a request those with a replay are kept, and a name that cannot be is refused', () => {
  const kept = spelled('runs/*', { query: { replay: 'tab' } })
  expect(subscriptionOf({ clientId: 'c', subscriptions: ['runs/*', kept] })).toEqual({ connection: 'c', topics: ['runs/*', kept], kept: [kept] })
  expect(subscriptionOf({ clientId: 'c', subscriptions: null })).toEqual({ connection: 'c', topics: [] })
  expect(() => subscriptionOf({ clientId: 'c', subscriptions: [spelled('runs/*', { query: { replay: 'x'.repeat(101) } })] })).toThrow(
    expect.objectContaining({ code: 'input_invalid' }),
  )
})

const realtime = createRealtime({
  recordOf: ({ id, values }) => ({ id, ...values }),
  pickFields(fields) {
    if (fields === 'bad(') throw new Error('cannot be read')
    return (value) => Object.fromEntries(Object.entries(value).filter(([name]) => fields.split(',').includes(name)))
  },
})
const record = { collection: { id: 'c', name: 'runs' }, id: 'r', values: { title: 'a\nb', size: 1 }, instants: [] }

const messageOf = (told: ToldChange, topic = 'runs/*'): string => realtime.about(topic) + realtime.message(told, realtime.topic(topic)!)

test('a message is of three lines, and its event is the topic as it was subscribed', () => {
  expect(realtime.head('abc') + realtime.greeting('abc')).toBe('id:abc\nevent:PB_CONNECT\ndata:{"clientId":"abc"}\n\n')
  const topic = spelled('runs/*', { query: { fields: 'title' } })
  expect(messageOf({ action: 'update', record }, topic)).toBe(`event:${topic}\ndata:{"record":{"title":"a\\nb"},"action":"update"}\n\n`)
})

test('fields that cannot be read pick nothing out, and no topic breaks the framing', () => {
  expect(messageOf({ action: 'create', record }, spelled('runs/*', { query: { fields: 'bad(' } }))).toContain('"record":{"id":"r","title":"a\\nb","size":1}')
  expect(
    messageOf({ action: 'create', record }, 'runs/*?\r\ndata:{}\r\n\r\n')
      .trimEnd()
      .split(/\r\n|\r|\n/),
  ).toHaveLength(2)
})

test('what is told of a kept topic says how far that is, and that something was missed has no record', () => {
  expect(messageOf({ action: 'delete', record, cursor: '7.1' })).toMatch(/"action":"delete","cursor":"7.1"\}\n\n$/)
  expect(messageOf({ action: 'resync', cursor: '9.0' })).toBe('event:runs/*\ndata:{"record":{},"action":"resync","cursor":"9.0"}\n\n')
})

test('a record over a mebibyte has its large values by their size alone', () => {
  const large = { ...record, values: { context: 'x'.repeat(1_100_000), title: 'kept' } }
  expect(messageOf({ action: 'update', record: large })).toBe('event:runs/*\ndata:{"record":{"id":"r","context":{"truncated":1100002},"title":"kept"},"action":"update"}\n\n')
})
