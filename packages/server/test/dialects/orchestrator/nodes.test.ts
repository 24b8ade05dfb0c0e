import type { Definition, Json, JsonObject, Link, Node } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { identifierOf, nodeNamed, nodes, orchestratorNodes, typeFor } from '../../../src/dialects/orchestrator/nodes.ts'
import { createModels } from '../../../src/models/models.ts'
import { createCatalogue } from '../../../src/nodes/catalogue.ts'
import { StepFailure } from '../../../src/nodes/contract.ts'
import type { StepResult } from '../../../src/nodes/contract.ts'
import { createOutside } from '../../../src/outside/outside.ts'
import { createSandbox } from '../../../src/sandbox/sandbox.ts'
import { graphOf } from '../../../src/workflows/graph.ts'
import { prepare } from '../../../src/workflows/prepare.ts'
import { validate } from '../../../src/workflows/validate.ts'

const outside = createOutside({ allow: [] })
const catalogue = createCatalogue({ outside, sandbox: createSandbox(), models: createModels({ configured: null, outside }) }, [], orchestratorNodes)

const definition = (given: Node[], links: Link[] = []): Definition => ({ kind: 'workflow', settings: { onFailure: 'continue' }, nodes: given, links })
const one = (identifier: string, config: JsonObject): Definition => definition([{ id: 'n', type: typeFor(identifier), config }])
/** What is wrong with the node itself, not with where it stands. */
const issues = (identifier: string, config: JsonObject) =>
  validate(one(identifier, config), catalogue)
    .filter(({ field, message }) => field?.startsWith('config') || message.includes('not done here'))
    .map(({ field, message }) => `${field}: ${message}`)

/** The library's config that form values come to, with such data. */
const meant = (identifier: string, config: JsonObject, data: JsonObject = {}): unknown =>
  prepare(graphOf(one(identifier, config), catalogue), catalogue)
    .node('n')
    .render({ data })

function failure(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof StepFailure) return error.message
    throw error
  }
  throw new Error('it did not fail')
}

const required = 'This field is required.'
const url = 'https://api.example.com'

describe('form values', () => {
  test.each<[string, JsonObject, string[]]>([
    ['counter', {}, ['min_value', 'max_value', 'direction', 'step'].map((field) => `config.${field}: ${required}`)],
    ['counter', { min_value: 5, max_value: 5, direction: 'increment', step: 1 }, ['config: min_value must be less than max_value']],
    ['counter', { min_value: '0', max_value: ' 10 ', direction: 'decrement', step: '2' }, []],
    [
      'counter',
      { min_value: '0', max_value: 1.5, direction: 'up', step: 0 },
      [
        'config.max_value: Enter a whole number.',
        'config.direction: Select a valid choice. up is not one of the available choices.',
        'config.step: Ensure this value is greater than or equal to 1.',
      ],
    ],
    ['counter', { min_value: '{{ data.x }}', max_value: '{{ data.y }}', direction: '{{ data.z }}', step: '{{ data.s }}' }, []],
    ['counter', { min_value: '', max_value: null, direction: ' ', step: 1 }, ['min_value', 'max_value', 'direction'].map((field) => `config.${field}: ${required}`)],
    ['string-iterator-producer', { separator_type: 'newline' }, [`config.data_content: ${required}`]],
    ['string-iterator-producer', { data_content: 'a', separator_type: 'custom' }, []],
    ['string-iterator-producer', { data_content: '{{ oh', separator_type: 'comma' }, []],
    ['webhook-producer', {}, [`config.webhook_id: ${required}`]],
    ['webhook-producer', { webhook_id: 'a b' }, ['config.webhook_id: Webhook ID can only contain letters, numbers, hyphens, and underscores']],
    ['webhook-producer', { webhook_id: 'x'.repeat(256) }, ['config.webhook_id: Ensure this value has at most 255 characters (it has 256).']],
    ['webhook-producer', { webhook_id: ' my-hook_1 ' }, []],
    ['queue-reader-dummy', {}, []],
    ['queue-reader', { queue_name: 'default' }, []],
    ['queue-node-writer', { queue_name: 'a/b' }, ['config.queue_name: The name of a queue has letters, digits, dots, hyphens and underscores.']],
    ['if-condition', {}, [`config.condition_expression: ${required}`]],
    ['if-condition', { condition_expression: "data.get('n', 0) > 5" }, []],
    ['static-delay-node', {}, [`config.interval: ${required}`, `config.unit: ${required}`]],
    [
      'static-delay-node',
      { interval: 0, unit: 'weeks' },
      ['config.interval: Ensure this value is greater than or equal to 1.', 'config.unit: Select a valid choice. weeks is not one of the available choices.'],
    ],
    ['static-delay-node', { interval: 1_000, unit: 'months' }, ['config.interval: Ensure this time is at most ten years.']],
    ['dynamic-delay-node', { total_time: 1, unit: 'hours' }, [`config.executions: ${required}`]],
    ['dynamic-delay-node', { total_time: 1, unit: 'hours', executions: 3, jitter_percent: 101 }, ['config.jitter_percent: Ensure this value is less than or equal to 100.']],
    ['http-request', {}, [`config.url: ${required}`]],
    ['http-request', { method: 'GET', url, headers: '[1]' }, ['config.headers: Headers must be a JSON object (dictionary)']],
    ['http-request', { method: 'GET', url, query_params: '7' }, ['config.query_params: Query params must be a JSON object (dictionary)']],
    ['http-request', { method: 'GET', url, headers: '{oh' }, [expect.stringMatching(/^config\.headers: Invalid JSON in headers: /)]],
    ['http-request', { method: 'GET', url, query_params: 'x' }, [expect.stringMatching(/^config\.query_params: Invalid JSON in query params: /)]],
    [
      'http-request',
      { method: 'FETCH', url: `${url}/${'x'.repeat(2048)}`, timeout_seconds: 0.05 },
      [
        'config.method: Select a valid choice. FETCH is not one of the available choices.',
        'config.url: Ensure this value has at most 2048 characters (it has 2072).',
        'config.timeout_seconds: Ensure this value is greater than or equal to 0.1.',
      ],
    ],
    ['http-request', { method: 'GET', url: { a: 1 } }, ['config.url: Enter a text.']],
    [
      'http-request',
      { method: 'GET', url: '{{ data.url', headers: '{"a":"{{ oh }}"}' },
      [expect.stringMatching(/^config\.url: /), expect.stringMatching(/^config\.headers\.a: oh is not known here; there is only data/)],
    ],
    ['http-request', { method: 'GET', url, auth_type: '', timeout_seconds: '', unheard: [1] }, []],
    ['data-transformer', {}, [`config.output_template: ${required}`]],
    ['data-transformer', { output_template: '{oh' }, [expect.stringMatching(/^config\.output_template: Invalid JSON in output template: /)]],
    ['data-transformer', { output_template: '{"n": {{ data.n }}}' }, []],
    ['for-each', {}, []],
    [
      'http-response',
      { status_code: 99, body_source: 'custom', body_json: '{' },
      ['config.status_code: Ensure this value is greater than or equal to 100.', expect.stringMatching(/^config\.body_json: Invalid JSON: /)],
    ],
    ['http-response', { status_code: 200, body_source: 'from_input', body_json: '{' }, []],
    ['file-writer', { mode: 'x' }, [`config.file_path: ${required}`, 'config.mode: Select a valid choice. x is not one of the available choices.']],
    ['playwright-web-page-loader', {}, ['type: Web Page Loader is not done here: it needs a service that this server does not have']],
  ])('of %s, %j, are told what is wrong with them', (identifier, config, told) => expect(issues(identifier, config)).toEqual(told))

  test.each<[string, JsonObject, JsonObject, unknown]>([
    ['counter', { min_value: '0', max_value: 10, direction: 'increment', step: 1 }, {}, { from: 0, to: 10, step: 1, direction: 'up' }],
    ['counter', { min_value: 0, max_value: '{{ data.n }}', direction: 'decrement', step: '2' }, { n: '6' }, { from: 6, to: 0, step: 2, direction: 'down' }],
    ['string-iterator-producer', { data_content: 'a{{ x }}', separator_type: 'comma' }, {}, { items: 'a{{ x }}', separator: ',' }],
    ['string-iterator-producer', { data_content: 'a', separator_type: 'custom', custom_separator: ' ' }, {}, { items: 'a', separator: ' ' }],
    ['string-iterator-producer', { data_content: 'a', separator_type: 'custom', custom_separator: '' }, {}, { items: 'a', separator: '\n' }],
    ['webhook-producer', { webhook_id: ' hook ' }, {}, { name: 'hook' }],
    ['queue-reader-dummy', {}, {}, {}],
    ['queue-reader', { queue_name: 'default' }, {}, {}],
    ['queue-reader', { queue_name: ' orders ' }, {}, { queue: 'orders' }],
    ['queue-node-writer', { queue_name: 'orders' }, { a: { b: '{{ c }}' } }, { queue: 'orders', value: { a: { b: '{{ c }}' } } }],
    ['queue-node-writer', {}, { a: 1 }, { value: { a: 1 } }],
    ['static-delay-node', { interval: '2', unit: 'minutes' }, {}, { ms: 120_000, output: {} }],
    ['static-delay-node', { interval: '{{ data.n }}', unit: 'months' }, { n: 1 }, { ms: 2_592_000_000, output: {} }],
    ['dynamic-delay-node', { total_time: 1, unit: 'hours', executions: '20' }, {}, { spread: { totalMs: 3_600_000, over: 20, jitter: 0.3 }, output: {} }],
    ['dynamic-delay-node', { total_time: 1, unit: 'seconds', executions: 2, jitter_percent: 0 }, {}, { spread: { totalMs: 1_000, over: 2, jitter: 0 }, output: {} }],
    ['http-request', { method: 'GET', url }, {}, { method: 'GET', url, onError: 'give', timeoutMs: 30_000 }],
    [
      'http-request',
      {
        method: 'POST',
        url: ' {{ data.base }}/a ',
        headers: '{"X-A":"{{ data.q }}","x-n":5,"x-null":null}',
        query_params: { page: '{{ data.n }}' },
        body: '{"n":"{{ data.n }}","q":"{{ data.q }}"}',
        timeout_seconds: '0.1',
      },
      { base: url, n: 7, q: 'so "it" is' },
      { method: 'POST', url: `${url}/a`, onError: 'give', timeoutMs: 100, headers: { 'X-A': 'so "it" is', 'x-n': '5' }, query: { page: '7' }, body: { n: '7', q: 'so "it" is' } },
    ],
    [
      'http-request',
      { method: 'PUT', url, body: '{"n": {{ data.n }}, "l": {{ data.l | tojson }}}' },
      { n: 7, l: ['a'] },
      { method: 'PUT', url, onError: 'give', timeoutMs: 30_000, body: { n: 7, l: ['a'] } },
    ],
    [
      'http-request',
      { method: 'PATCH', url, body: '{{ data.o }}', headers: '{{ data.h }}' },
      { o: { a: [1] }, h: { a: 'b' } },
      { method: 'PATCH', url, onError: 'give', timeoutMs: 30_000, body: { a: [1] }, headers: { a: 'b' } },
    ],
    ['http-request', { method: 'POST', url, body: 'hello {{ data.n }}' }, { n: 1 }, { method: 'POST', url, onError: 'give', timeoutMs: 30_000, body: 'hello 1' }],
    ['http-request', { method: 'DELETE', url, body: '{"a":1}' }, {}, { method: 'DELETE', url, onError: 'give', timeoutMs: 30_000 }],
    [
      'http-request',
      { method: 'GET', url, auth_type: 'basic', auth_username: 'ann', auth_password: 'p:w', headers: { authorization: 'other', a: 'b' } },
      {},
      { method: 'GET', url, onError: 'give', timeoutMs: 30_000, headers: { a: 'b', Authorization: `Basic ${btoa('ann:p:w')}` } },
    ],
    [
      'http-request',
      { method: 'GET', url, auth_type: 'bearer', auth_bearer_token: '{{ data.t }}' },
      { t: 'tok' },
      { method: 'GET', url, onError: 'give', timeoutMs: 30_000, headers: { Authorization: 'Bearer tok' } },
    ],
    ['http-request', { method: 'GET', url, auth_type: '', auth_bearer_token: 'tok' }, {}, { method: 'GET', url, onError: 'give', timeoutMs: 30_000 }],
    ['data-transformer', { output_template: '{"name":"{{ data.name }}","twice": {{ data.n * 2 }}}' }, { name: 'Ann', n: 2 }, { values: { name: 'Ann', twice: 4 } }],
    ['data-transformer', { output_template: '{"name":"{{ data.name }}"}' }, { name: '"quoted" {{ data.name }}' }, { values: { name: '"quoted" {{ data.name }}' } }],
    ['data-transformer', { output_template: '{"a":1}', overwrite: 'false' }, {}, { values: { data_transformer: { a: 1 } } }],
    ['data-transformer', { output_template: '[1,2]', overwrite: true }, {}, { values: { data_transformer: [1, 2] } }],
    ['for-each', { array_expression: '{{ data.items }}' }, { items: [{ a: "it's" }, null] }, { items: [{ a: "it's" }, null], concurrency: 1 }],
    ['for-each', { array_expression: '["a", "{{ data.b }}"]' }, { b: 'B' }, { items: ['a', 'B'], concurrency: 1 }],
    ['for-each', { array_expression: "['a', True, None, 1.5]" }, {}, { items: ['a', true, null, 1.5], concurrency: 1 }],
    ['for-each', { array_expression: ' webhook.the-body.0 ' }, { webhook: { 'the-body': { 0: [1] } } }, { items: [1], concurrency: 1 }],
    ['for-each', { array_expression: 'items' }, { items: [1, 2] }, { items: [1, 2], concurrency: 1 }],
    ['for-each', { array_expression: 'nowhere.at.all' }, {}, { items: [], concurrency: 1 }],
    ['for-each', { array_expression: '{"a":1}' }, {}, { items: [], concurrency: 1 }],
    ['for-each', {}, {}, { items: [], concurrency: 1 }],
    ['file-writer', { file_path: '../{{ data.a }}.json', mode: 'a' }, { a: 'x' }, { name: '../x.json', content: '{\n  "a": "x"\n}', append: true }],
    ['file-writer', { file_path: 'a', mode: 'w', content: 'is {{ data.a }}' }, { a: 'x' }, { name: 'a', content: 'is x', append: false }],
    ['http-response', { status_code: '201', body_source: 'from_input', body_json: '{"not":"this"}' }, { a: { b: 1 } }, { status: 201, body: { a: { b: 1 } } }],
    ['http-response', { status_code: 200, body_source: 'custom', body_json: '{"a":"{{ data.a }}"}' }, { a: 'x' }, { status: 200, body: { a: 'x' } }],
    ['http-response', { status_code: 200, body_source: 'custom' }, { a: 'x' }, { status: 200, body: {} }],
  ])('of %s, %j, with the data %j, mean %j', (identifier, config, data, library) => {
    expect(issues(identifier, config)).toEqual([])
    expect(meant(identifier, config, data)).toEqual(library)
  })

  test.each<[string, JsonObject, JsonObject, string]>([
    [
      'counter',
      { min_value: '{{ data.n }}', max_value: '{{ data.m }}', direction: 'increment', step: '{{ data.s }}' },
      { n: 'x', m: null, s: 0 },
      `min_value: Enter a whole number.; max_value: ${required}; step: Ensure this value is greater than or equal to 1.`,
    ],
    ['counter', { min_value: '{{ data.n }}', max_value: 1, direction: 'increment', step: 1 }, { n: 1 }, 'min_value must be less than max_value'],
    ['http-request', { method: 'GET', url: '{{ data.nothing }}', headers: '{{ data.h }}' }, { h: [1] }, `url: ${required}; headers: Headers must be a JSON object (dictionary)`],
    ['data-transformer', { output_template: '{"a": {{ data.a }}}' }, { a: 'x' }, 'output_template: Invalid JSON in output template: '],
    ['webhook-producer', { webhook_id: '{{ data.name }}' }, { name: 'a b' }, 'webhook_id: Webhook ID can only contain letters, numbers, hyphens, and underscores'],
  ])('of %s that do not fit once they are rendered fail the step in the words of the form', (identifier, config, data, message) =>
    expect(failure(() => meant(identifier, config, data))).toContain(`Form validation failed after rendering: ${message}`),
  )
})

describe('a condition', () => {
  const route = (condition_expression: string, data: JsonObject) => {
    const node = catalogue.get('if-condition')!
    const config = meant('if-condition', { condition_expression }, data)
    const result = node.behaviour.is === 'pure' ? node.behaviour.run(config, { input: {} } as never) : null
    return node.alias!.gives!(result!, { condition_expression })
  }
  test('goes by yes or no, and tells why', () => {
    expect(route("data['n'] > 5 and not data.get('off')", { n: 6 })).toEqual({
      output: { if_condition: { route: 'yes', expression: "data['n'] > 5 and not data.get('off')", result: true } },
      route: ['yes'],
    })
    expect(route("data.get('n', 0) > 5", {})).toEqual({ output: { if_condition: { route: 'no', expression: "data.get('n', 0) > 5", result: false } }, route: ['no'] })
  })
  test('reads a template in it as its value, a quoted one as that in text, and never what comes in as Python', () => {
    const by = (condition: string, data: JsonObject) => route(condition, data).route
    expect(by('{{ data.n }} > 5 and {{ data.n }} < 7', { n: 6 })).toEqual(['yes'])
    expect(by('"{{ data.n }}" == "6" and {{ data["s"] }} == \'x\'', { n: 6, s: 'x' })).toEqual(['yes'])
    expect(by("'{{ data.s }}' == 'x'", { s: "' or True or '" })).toEqual(['no'])
    expect(by("data['s'] == '{'", { s: '{' })).toEqual(['yes'])
    expect(issues('if-condition', { condition_expression: "'a{{ data.s }}' == 'ax'" })).toEqual([
      'config.condition_expression: A template cannot be a part of a text here: write an expression.',
    ])
  })
  test('names its place when it is none', () => {
    expect(issues('if-condition', { condition_expression: '__import__("os")' })).toEqual([expect.stringMatching(/^config\.condition_expression: /)])
    expect(issues('if-condition', { condition_expression: 'ghost > 1' })).toEqual([expect.stringMatching(/^config\.condition_expression: ghost is not known/)])
  })
  test('has the handles yes and no', () => {
    const nodesOf = (sourceHandle: string) =>
      definition(
        [
          { id: 'c', type: typeFor('counter'), config: { min_value: 0, max_value: 1, direction: 'increment', step: 1 } },
          { id: 'n', type: 'if-condition', config: { condition_expression: 'data' } },
          { id: 'd', type: 'static-delay-node', config: { interval: 1, unit: 'seconds' } },
        ],
        [
          { source: 'c', target: 'n' },
          { source: 'n', target: 'd', sourceHandle },
        ],
      )
    const strange = (handle: string) => validate(nodesOf(handle), catalogue).filter(({ field }) => field?.startsWith('links.1'))
    expect(strange('yes')).toEqual([])
    expect(strange('no')).toEqual([])
    expect(strange('maybe')).toHaveLength(1)
  })
})

describe('what a step came to', () => {
  const told = (identifier: string, output: Json, config: JsonObject = {}): Json => {
    const { alias } = nodeNamed(identifier)!
    const result: StepResult = { output }
    return alias.gives ? alias.gives(result, config).output : output
  }
  test.each<[string, Json, Json, JsonObject?]>([
    ['counter', { value: 3, index: 1, from: 1, to: 9, step: 2, direction: 'up' }, { counter: { current: 3, min: 1, max: 9, step: 2, direction: 'increment', iteration: 2 } }],
    ['counter', { value: 9, index: 0, from: 9, to: 1, step: 2, direction: 'down' }, { counter: { current: 9, min: 1, max: 9, step: 2, direction: 'decrement', iteration: 1 } }],
    ['counter', { items: 3, failed: 0, last: null }, { items: 3, failed: 0, last: null }],
    ['string-iterator-producer', { value: 'a', index: 0 }, { string_iterator: { value: 'a', iteration_index: 1 } }],
    [
      'webhook-producer',
      { id: 'd', body: { a: 1 }, headers: { h: '1' }, method: 'POST', query: { q: '2' }, receivedAt: '2026-01-31T12:00:00.000Z' },
      { webhook: { webhook_id: 'hook', data: { body: { a: 1 }, headers: { h: '1' }, method: 'POST', query_params: { q: '2' } }, timestamp: '2026-01-31T12:00:00.000Z' } },
      { webhook_id: 'hook' },
    ],
    ['http-request', { status: 200, headers: {}, body: 1, durationMs: 1.25, error: null }, { http_request: { status: 200, headers: {}, body: 1, duration_ms: 1.25, error: null } }],
    ['for-each', { results: [{ a: 1 }, { a: 2, b: 3 }] }, { forEachNode: { results: [1, [2, 3]] }, loop_results: [1, [2, 3]] }],
    ['for-each', { results: [{ each: { forEachNode: { state: { index: 0, item: 1 } } } }] }, { forEachNode: { results: [] }, loop_results: [] }],
    ['http-response', { status: 201, body: { a: 1 } }, { __http_response__: true, status: 201, body: { a: 1 } }],
    ['queue-reader-dummy', { any: 1 }, { any: 1 }],
  ])('of %s is told in its manner', (identifier, output, expected, config) => expect(told(identifier, output, config)).toEqual(expected))
})

test('a name that the library has, too, is another type in definitions, and is told as it is called', () => {
  for (const { identifier, alias } of nodes) {
    expect(typeFor(identifier)).toBe(alias.type)
    expect(identifierOf(alias.type)).toBe(identifier)
    expect(catalogue.get(alias.type)?.alias).toBe(alias)
  }
  expect(typeFor('anything')).toBe('anything')
  expect(identifierOf('orchestrator:anything')).toBe('orchestrator:anything')
})
