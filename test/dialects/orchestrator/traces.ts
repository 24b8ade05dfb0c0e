import type { Json, JsonObject } from '@sluice/schema'
import type { Message } from '../../../packages/server/src/dialects/orchestrator/messages.ts'
import type { Canvas, Drawing } from './canvas.ts'

/**
 * What is told of the execution of a workflow, as tables: a drawing, and the lines that a client of its socket reads. Made from the
 * statements of the Orchestrator's public source that stand beside each; where another thing is told here, `otherwise` says what and why.
 */
export interface Trace extends Drawing {
  what: string
  /** Numbers of statements of the contract; `HEAD` are those of its later state. */
  of: string
  otherwise?: string
  /** What of a node's output stands in its lines; of others nothing does. */
  shows?: Record<string, (output: JsonObject) => Json>
  told: readonly string[]
  /** Ways that go on beside each other: in which order they are told is not said, of each node it is. */
  beside?: true
}

// ── lines ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What is told of a canvas, without the states. */
export function linesOf(messages: readonly Message[], { nameOf }: Pick<Canvas, 'nameOf'>, shows: Trace['shows'] = {}): string[] {
  return messages.flatMap((message) => {
    switch (message.type) {
      case 'node_started':
        return [`${nameOf(message.node_id)} …`]
      case 'node_completed': {
        const name = nameOf(message.node_id)
        const shown = shows[name] && message.output_data !== undefined ? JSON.stringify(shows[name](message.output_data as JsonObject)) : ''
        return [[name, message.route === 'default' ? '✓' : `✓ ${message.route}`, shown].filter(Boolean).join(' ')]
      }
      case 'node_failed':
        return [`${nameOf(message.node_id)} ✗ ${message.error}`]
      case 'workflow_completed':
        return ['completed']
      case 'workflow_failed':
        return [`failed: ${message.error}`]
      default:
        return []
    }
  })
}

/** What is told of each node, in the order of that; of one that runs for several producers no order is said. */
export function byNode(lines: readonly string[]): Record<string, string[]> {
  const told: Record<string, string[]> = {}
  for (const line of lines) (told[line.split(' ')[0]!] ??= []).push(line)
  return Object.fromEntries(Object.entries(told).map(([name, each]) => [name, [...each.filter((line) => line.endsWith('…')), ...each.filter((line) => !line.endsWith('…'))]]))
}

const done = (name: string, ...shown: string[]): string[] => [`${name} …`, [name, '✓', ...shown].join(' ')]
const fails = (name: string, error: string): string[] => [`${name} …`, `${name} ✗ ${error}`]

// ── nodes ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

export const counter = (min_value: Json, max_value: Json, more: JsonObject = {}): [string, JsonObject] => [
  'counter',
  { min_value, max_value, direction: 'increment', step: 1, ...more },
]
const texts = (data_content: string, separator_type = 'newline', custom_separator = ''): [string, JsonObject] => [
  'string-iterator-producer',
  { data_content, separator_type, custom_separator },
]
const when = (condition_expression: string): [string, JsonObject] => ['if-condition', { condition_expression }]
export const gives = (output: string): [string, JsonObject] => ['data-transformer', { output_template: output }]

const current = (output: JsonObject): Json => (output['counter'] as JsonObject)['current'] ?? null
const value = (output: JsonObject): Json => (output['string_iterator'] as JsonObject)['value'] ?? null
const whole = (output: JsonObject): Json => output

const noSentinel = 'A producer that has no more ends; nothing goes through the nodes that is no item (statement 13 tells one more pair of each).'

export const traces: readonly Trace[] = [
  {
    what: 'a counter, and the branch that each number takes',
    of: '6, 8, 9, 13',
    otherwise: noSentinel,
    nodes: {
      count: counter(0, 2),
      even: when("data['counter']['current'] % 2 == 0"),
      yes: gives('{"even": {{ data.counter.current }}}'),
      no: gives('{"odd": {{ data.counter.current }}}'),
    },
    connections: ['count > even', 'even.yes > yes', 'even.no > no'],
    shows: { count: current, yes: whole, no: whole },
    told: [
      ...done('count', '0'),
      ...done('even', 'yes'),
      ...done('yes', '{"even":0}'),
      ...done('count', '1'),
      ...done('even', 'no'),
      ...done('no', '{"odd":1}'),
      ...done('count', '2'),
      ...done('even', 'yes'),
      ...done('yes', '{"even":2}'),
      'completed',
    ],
  },
  {
    what: 'a counter that counts down, by its step',
    of: '2.4 counter',
    nodes: { count: counter(1, 6, { direction: 'decrement', step: 2 }) },
    shows: { count: ({ counter: each }) => each ?? null },
    told: [...[6, 4, 2].flatMap((at, index) => done('count', `{"current":${at},"min":1,"max":6,"step":2,"direction":"decrement","iteration":${index + 1}}`)), 'completed'],
  },
  {
    what: 'a text with commas, trimmed, without its blank parts',
    of: '2.4 string-iterator-producer',
    nodes: { parts: texts(' a ,, b,c ,', 'comma') },
    shows: { parts: ({ string_iterator: each }) => each ?? null },
    told: [...['a', 'b', 'c'].flatMap((part, index) => done('parts', `{"value":"${part}","iteration_index":${index + 1}}`)), 'completed'],
  },
  {
    what: 'a text with a separator of its own, and one whose separator is missing, which has lines',
    of: '2.4 string-iterator-producer',
    nodes: { own: texts('a;;b', 'custom', ';;'), lines: texts('c;;d\ne', 'custom') },
    shows: { own: value, lines: value },
    told: [...done('lines', '"c;;d"'), ...done('lines', '"e"'), ...done('own', '"a"'), ...done('own', '"b"'), 'completed'],
    beside: true,
  },
  {
    what: 'a text with templates, which is not read',
    of: '2.4 string-iterator-producer',
    nodes: { parts: texts('{{ data.x }}') },
    shows: { parts: value },
    told: [...done('parts', '"{{ data.x }}"'), 'completed'],
  },
  {
    what: 'two producers with a common node, which runs for each item of each',
    of: '6',
    nodes: { count: counter(1, 2), parts: texts('a\nb\nc'), both: gives('{"seen": "{{ data.counter.current }}{{ data.string_iterator.value }}"}') },
    connections: ['count > both', 'parts > both'],
    told: [...[1, 2, 3, 4, 5].flatMap(() => done('both')), ...done('count'), ...done('count'), ...done('parts'), ...done('parts'), ...done('parts'), 'completed'],
    beside: true,
  },
  {
    what: 'branches that fork, and the node where they join, which runs once with all that they gave',
    of: '11; HEAD fork/join, 18',
    otherwise: 'A join runs once for an item (statement 11 runs it once a path).',
    nodes: {
      count: counter(1, 2),
      left: when('True'),
      right: when('False'),
      join: gives('{"seen": "{{ data.counter.current }} {{ data.if_condition.route }} {{ data.if_condition_2.route }}"}'),
    },
    connections: ['count > left', 'count > right', 'left.yes > join', 'right.no > join'],
    shows: { count: current, join: whole },
    told: [
      ...[1, 2].flatMap((at) => done('count', `${at}`)),
      ...[1, 2].flatMap((at) => done('join', `{"seen":"${at} yes no"}`)),
      ...[1, 2].flatMap(() => done('left', 'yes')),
      ...[1, 2].flatMap(() => done('right', 'no')),
      'completed',
    ],
    beside: true,
  },
  {
    what: 'a join behind a condition, which is not skipped with the branch that was not taken',
    of: '9, 11; users (3.4)',
    nodes: {
      count: counter(0, 1),
      odd: when("data['counter']['current'] % 2 == 1"),
      yes: gives('{"by": "yes"}'),
      no: gives('{"by": "no"}'),
      join: gives('{"joined": "{{ data.by }}"}'),
      after: gives('{"after": "{{ data.joined }}"}'),
    },
    connections: ['count > odd', 'odd.yes > yes', 'odd.no > no', 'yes > join', 'no > join', 'join > after'],
    shows: { join: whole, after: whole },
    told: [
      ...['no', 'yes'].flatMap((by) => [...done('count'), ...done('odd', by), ...done(by), ...done('join', `{"joined":"${by}"}`), ...done('after', `{"after":"${by}"}`)]),
      'completed',
    ],
  },
  {
    what: 'what is written into a queue, and read by another producer of the workflow',
    of: '10, 20',
    otherwise: 'The reader ends when its writers have, without a sentinel in the queue.',
    nodes: { count: counter(1, 3), write: ['queue-node-writer', {}], read: ['queue-reader-dummy', {}], seen: gives('{"read": {{ data.counter.current }}}') },
    connections: ['count > write', 'write > read', 'read > seen'],
    shows: { count: current, read: current, seen: whole },
    told: [
      ...[1, 2, 3].flatMap((at) => done('count', `${at}`)),
      ...[1, 2, 3].flatMap((at) => done('read', `${at}`)),
      ...[1, 2, 3].flatMap((at) => done('seen', `{"read":${at}}`)),
      ...[1, 2, 3].flatMap(() => done('write')),
      'completed',
    ],
    beside: true,
  },
  {
    what: 'a node that does not block, behind which nothing follows',
    of: '10',
    nodes: { count: counter(1, 2), write: ['queue-node-writer', { queue_name: 'trace-ends' }], never: gives('{"never": true}'), beside: gives('{"beside": true}') },
    connections: ['count > write', 'write > never', 'count > beside'],
    told: [...[1, 2].flatMap(() => done('beside')), ...[1, 2].flatMap(() => done('count')), ...[1, 2].flatMap(() => done('write')), 'completed'],
    beside: true,
  },
  {
    what: 'a node that fails: what it leads to is left out, its neighbours and the items after it are not',
    of: '12, 19',
    nodes: {
      count: counter(0, 1),
      wait: ['static-delay-node', { interval: '{{ data.counter.current }}', unit: 'seconds' }],
      behind: gives('{"behind": {{ data.counter.current }}}'),
      beside: gives('{"beside": {{ data.counter.current }}}'),
    },
    connections: ['count > wait', 'wait > behind', 'count > beside'],
    shows: { behind: whole, beside: whole, count: current },
    told: [
      ...done('behind', '{"behind":1}'),
      ...done('beside', '{"beside":0}'),
      ...done('beside', '{"beside":1}'),
      ...done('count', '0'),
      ...done('count', '1'),
      ...fails('wait', 'Form validation failed after rendering: interval: Ensure this value is greater than or equal to 1.'),
      ...done('wait'),
      'completed',
    ],
    beside: true,
  },
  {
    what: 'a condition that cannot be evaluated, which fails its item and no other',
    of: '12, 2.4 if-condition',
    nodes: { count: counter(1, 2), check: when("data['missing']['key'] > 1"), never: gives('{"never": true}') },
    connections: ['count > check', 'check.yes > never', 'check.no > never'],
    shows: { count: current },
    told: [
      ...[1, 2].flatMap((at) => [...done('count', `${at}`), ...fails('check', "Failed to evaluate condition 'data['missing']['key'] > 1': There is no key 'missing'")]),
      'completed',
    ],
  },
  {
    what: 'a producer that fails, which is seen, and not tried for ever',
    of: '12',
    otherwise: 'The node and the workflow have failed (statement 12: no event, and on it goes after a second).',
    nodes: { count: counter('{{ data.nothing }}', 3), never: gives('{"never": true}') },
    connections: ['count > never'],
    told: [
      'count ✗ Form validation failed after rendering: min_value: This field is required.',
      'failed: Form validation failed after rendering: min_value: This field is required.',
    ],
  },
  {
    what: 'outputs of the same name, which stay beside each other under numbers',
    of: '18',
    nodes: { item: texts('x'), one: when('True'), two: when('False'), all: gives('{"seen": "{{ data.if_condition.route }} {{ data.if_condition_2.route }}"}') },
    connections: ['item > one', 'one.yes > two', 'two.no > all'],
    shows: { all: whole },
    told: [...done('item'), ...done('one', 'yes'), ...done('two', 'no'), ...done('all', '{"seen":"yes no"}'), 'completed'],
  },
  {
    what: 'templates, with the filters of Jinja, and what they give read only once',
    of: '19',
    nodes: {
      parts: texts('{{ 7 * 7 }}\nabc'),
      said: gives('{"said": "{{ data.string_iterator.value | upper }}", "long": {{ data.string_iterator.value | length }}, "list": {{ [1, 2] | tojson }}}'),
    },
    connections: ['parts > said'],
    shows: { said: whole },
    told: [
      ...done('parts'),
      ...done('said', '{"said":"{{ 7 * 7 }}","long":11,"list":[1,2]}'),
      ...done('parts'),
      ...done('said', '{"said":"ABC","long":3,"list":[1,2]}'),
      'completed',
    ],
  },
  {
    what: 'delays, behind which it goes on',
    of: '2.4 static-delay-node, dynamic-delay-node',
    nodes: {
      count: counter(1, 2),
      wait: ['static-delay-node', { interval: 1, unit: 'seconds' }],
      share: ['dynamic-delay-node', { total_time: 1, unit: 'seconds', executions: 2, jitter_percent: 0 }],
      after: gives('{"after": {{ data.counter.current }}}'),
    },
    connections: ['count > wait', 'wait > share', 'share > after'],
    shows: { count: current, after: whole },
    told: [...[1, 2].flatMap((at) => [...done('count', `${at}`), ...done('wait'), ...done('share'), ...done('after', `{"after":${at}}`)]), 'completed'],
  },
  {
    what: 'a list of three, and what its elements gave then',
    of: 'HEAD for-each',
    nodes: {
      one: texts('x'),
      each: ['for-each', { array_expression: '["a", "b", "c"]' }],
      body: gives('{"at": "{{ data.forEachNode.state.index }}{{ data.forEachNode.state.item }}"}'),
      after: gives('{"all": {{ data.loop_results | tojson }}}'),
    },
    connections: ['one > each', 'each.subdag > body', 'each > after'],
    shows: { body: whole, each: ({ loop_results = null }) => loop_results, after: whole },
    told: [
      ...done('one'),
      'each …',
      ...['0a', '1b', '2c'].flatMap((at) => done('body', `{"at":"${at}"}`)),
      'each ✓ [{"at":"0a"},{"at":"1b"},{"at":"2c"}]',
      ...done('after', '{"all":[{"at":"0a"},{"at":"1b"},{"at":"2c"}]}'),
      'completed',
    ],
  },
  {
    what: 'what is no list, which has no elements',
    of: 'HEAD for-each',
    nodes: { one: texts('x'), each: ['for-each', { array_expression: '{{ data.string_iterator.value }}' }], body: gives('{"never": true}'), after: gives('{"after": true}') },
    connections: ['one > each', 'each.subdag > body', 'each > after'],
    shows: { each: ({ loop_results = null }) => loop_results },
    told: [...done('one'), ...done('each', '[]'), ...done('after'), 'completed'],
  },
  {
    what: 'a list with nothing to do for its elements',
    of: 'HEAD for-each',
    nodes: { one: texts('x'), each: ['for-each', { array_expression: '[1, 2]' }], after: gives('{"after": true}') },
    connections: ['one > each', 'each > after'],
    shows: { each: ({ loop_results = null }) => loop_results },
    told: [...done('one'), ...done('each', '[]'), ...done('after'), 'completed'],
  },
  {
    what: 'nodes that no producer leads to, which are no part of it',
    of: '6',
    nodes: { one: texts('x'), seen: gives('{"seen": true}'), lonely: gives('{"never": true}'), behind: gives('{"never": true}') },
    connections: ['one > seen', 'lonely > behind'],
    told: [...done('one'), ...done('seen'), 'completed'],
  },
  {
    what: 'no producer at all',
    of: '6',
    otherwise: 'Without a producer the nodes that nothing leads to begin, once: the page starts a workflow of one http-request (statement 6: nothing runs).',
    nodes: { first: gives('{"first": 1}'), second: gives('{"second": {{ data.first }} }') },
    connections: ['first > second'],
    shows: { second: whole },
    told: [...done('first'), ...done('second', '{"second":1}'), 'completed'],
  },
  {
    what: 'a call that nobody answers, which is a result, and goes on',
    of: 'HEAD http-request',
    nodes: {
      one: texts('x'),
      call: ['http-request', { method: 'GET', url: 'http://10.255.255.1/' }],
      after: gives('{"status": {{ data.http_request.status }}}'),
    },
    connections: ['one > call', 'call > after'],
    shows: { call: ({ http_request: answer }) => ((answer as JsonObject)['error'] as JsonObject)['type'] ?? null, after: whole },
    told: [...done('one'), ...done('call', '"refused_address"'), ...done('after', '{"status":0}'), 'completed'],
  },
  {
    what: 'files, which a node writes and appends to',
    of: '2.4 file-writer',
    nodes: { count: counter(1, 2), file: ['file-writer', { file_path: 'out.json', mode: 'a' }], after: gives('{"after": {{ data.counter.current }}}') },
    connections: ['count > file', 'file > after'],
    shows: { after: whole },
    told: [...[1, 2].flatMap((at) => [...done('count'), ...done('file'), ...done('after', `{"after":${at}}`)]), 'completed'],
  },
  {
    what: 'a producer behind a producer',
    of: '6',
    otherwise: 'Behind a producer, one gives its items for each of its items (statement 6 lets it run by itself, too).',
    nodes: { count: counter(1, 2), parts: texts('a\nb'), seen: gives('{"seen": "{{ data.counter.current }}{{ data.string_iterator.value }}"}') },
    connections: ['count > parts', 'parts > seen'],
    shows: { seen: whole },
    told: [...[1, 2].flatMap((at) => [...done('count'), ...['a', 'b'].flatMap((part) => [...done('parts'), ...done('seen', `{"seen":"${at}${part}"}`)])]), 'completed'],
  },
  {
    what: 'a writer that nothing says the queue of',
    of: '20',
    nodes: { count: counter(1, 2), write: ['queue-node-writer', {}] },
    connections: ['count > write'],
    told: [...[1, 2].flatMap(() => [...done('count'), ...fails('write', 'Nothing reads what is written here: name a queue, or lead to a queue reader')]), 'completed'],
  },
  {
    what: 'nothing at all',
    of: '3',
    otherwise: 'A canvas without nodes is done at once (statement 3: it is an error, and no event tells it).',
    nodes: {},
    told: ['completed'],
  },
]
