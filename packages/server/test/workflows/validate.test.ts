import type { Definition, JsonObject, Node } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { validate } from '../../src/workflows/validate.ts'
import { catalogue, definition, merge } from './toys.ts'

const issues = (given: Definition) => validate(given, catalogue)
const places = (given: Definition) => issues(given).map(({ nodeId, field }) => `${nodeId} ${field}`)
const only = (given: Definition) => {
  const found = issues(given)
  expect(found).toHaveLength(1)
  return found[0]!
}
const node = (type: string, config: JsonObject, more: Partial<Node> = {}): Node => ({ id: 'n', type, config, ...more })
const alone = (type: string, config: JsonObject) => definition([node(type, config)])

describe('the graph', () => {
  test('a sound definition has no issues', () => {
    const sound = definition(
      [
        { id: 'in', type: 'input', title: 'Start', config: { schema: { type: 'object' } } },
        { id: 'r', type: 'router', config: { routes: [{ name: 'big', when: 'input.n > 5 && Start.n > 1' }] } },
        { id: 'h', type: 'human', config: { message: 'Approve {{ nodes.Start.n }}?' } },
        { id: 'm', type: 'map', config: { items: '{{ nodes.Start.list }}' } },
        { id: 'w', type: 'work', parentId: 'm', config: { url: 'http://x/{{ item.id }}/{{ nodes.Start.id }}/{{ index }}' } },
        { id: 'o', type: 'output', config: { map: { all: '{{ m.results }}' } } },
      ],
      [
        ['in', 'r'],
        ['r', 'h', 'big'],
        ['r', 'm'],
        ['h', 'm', 'declined'],
        ['m', 'o'],
        ['m', 'o', 'failed'],
      ],
    )
    expect(issues(sound)).toEqual([])
  })

  test('all that is wrong is said at once, each with its node and field', () => {
    const broken = definition(
      [merge('a'), merge('a'), { id: 'x', type: 'unheard-of' }, node('work', { url: 1, odd: true }), merge('c', { parentId: 'gone' }), merge('d', { parentId: 'a' })],
      [
        ['a', 'nowhere'],
        ['a', 'a'],
        ['a', 'n'],
        ['a', 'n'],
        ['n', 'x', 'sideways'],
        ['d', 'n'],
      ],
    )
    expect(places(broken).sort()).toEqual(
      ['a id', 'a links.0.target', 'a links.1', 'a links.3', 'c parentId', 'd links.5', 'd parentId', 'n config.odd', 'n config.url', 'n links.4.sourceHandle', 'x type'].sort(),
    )
  })

  test('a cycle names its nodes, once, and not what is behind it', () => {
    const cyclic = definition(
      ['a', 'b', 'c', 'behind', 'before'].map((id) => merge(id, { title: id.toUpperCase() })),
      [
        ['before', 'a'],
        ['a', 'b'],
        ['b', 'c'],
        ['c', 'a'],
        ['c', 'behind'],
      ],
    )
    expect(only(cyclic)).toEqual({ nodeId: 'a', field: null, message: 'These nodes wait for each other: A → B → C → A' })
  })

  test('two cycles are two issues', () => {
    expect(
      issues(
        definition(
          ['a', 'b', 'c', 'd'].map((id) => merge(id)),
          [
            ['a', 'b'],
            ['b', 'a'],
            ['c', 'd'],
            ['d', 'c'],
            ['b', 'c'],
          ],
        ),
      ),
    ).toHaveLength(2)
  })

  test('a body has a map or a loop around it, and a map and a loop have a body', () => {
    expect(places(definition([node('map', { items: [] })]))).toEqual(['n type'])
    expect(places(definition([merge('a', { parentId: 'b' }), merge('b', { parentId: 'a' })]))).toEqual(['a parentId', 'b parentId'])
    expect(places(definition([merge('a', { parentId: 'a' })]))).toEqual(['a parentId'])
  })

  test('an unknown handle lists the known ones; declared, fixed and configured ones are known', () => {
    const routes = { routes: [{ name: 'big', when: true }] }
    const issue = only(
      definition(
        [node('router', routes), merge('b')],
        [
          ['n', 'b', 'small'],
          ['n', 'b', 'big'],
          ['n', 'b', 'failed'],
          ['n', 'b'],
        ],
      ),
    )
    expect(issue).toMatchObject({ nodeId: 'n', field: 'links.0.sourceHandle', message: 'n has no handle small; it has big, default, failed' })
  })

  test('a node type may be refused in a kind of definition', () => {
    expect(only(definition([node('human', { message: 'hi' })], [], { kind: 'chatbot' })).field).toBe('type')
  })

  test('extra has a bound', () => expect(only(definition([merge('a', { extra: { x: 'x'.repeat(17_000) } })])).field).toBe('extra'))
})

describe('configs and expressions', () => {
  test('a config is decoded as it stands: a text may stand for what the type lets be a text', () => {
    expect(issues(alone('template', { text: 'x', size: '{{ input.size }}' }))).toEqual([])
    expect(only(alone('work', { url: 'x', count: '{{ input.count }}' })).field).toBe('config.count')
    expect(only(alone('work', {})).field).toBe('config.url')
  })

  test('what does not compile is said with its place', () => {
    expect(only(alone('template', { text: 'Dear {{ input.name' }))).toMatchObject({ field: 'config.text', message: expect.stringContaining('not closed') })
    expect(
      only(
        alone('router', {
          routes: [
            { name: 'a', when: true },
            { name: 'b', when: 'input.n >' },
          ],
        }),
      ),
    ).toMatchObject({ field: 'config.routes.1.when', message: expect.stringContaining('(at character 10)') })
    expect(only(alone('value', { value: '"x".matches("(a+)+")' })).message).toContain('matches() is not available')
  })

  test('a condition that cannot be true or false is an issue', () => expect(only(alone('router', { routes: [{ name: 'a', when: '1 + 1' }] })).message).toContain('gives int'))

  test('raw strings are left alone', () => expect(issues(alone('work', { url: 'x', note: '{{ never closed' }))).toEqual([]))

  test('a name that can never be there is an issue that lists the known ones', () => {
    const chain = (text: string) =>
      definition(
        [merge('a', { title: 'First one' }), merge('b'), node('template', { text }), merge('z')],
        [
          ['a', 'b'],
          ['b', 'n'],
          ['n', 'z'],
        ],
      )
    expect(issues(chain('{{ b.x }} {{ nodes.b }} {{ nodes["First one"] }} {{ data.x }} {{ run.id }} {{ item }} {{ last }}'))).toEqual([])
    expect(only(chain('{{ stranger.x }}')).message).toMatch(/^stranger is not known here; .*of steps before this one: b$/)
    expect(only(chain('{{ nodes.z }}')).message).toBe('nodes.z names no step before this one; there are: First one, b')
    expect(only(chain('{{ a.x }}')).message).toContain('a is not known here')
    expect(only(chain('{{ ["First one"] }}')).message).toContain('First one is not known here')
  })

  test('inside a body what is upstream of the body is known too', () => {
    const inside = definition(
      [merge('before'), node('map', { items: [] }, { id: 'm' }), node('template', { text: '{{ nodes.before }}{{ nodes.after }}' }, { parentId: 'm' }), merge('after')],
      [
        ['before', 'm'],
        ['m', 'after'],
      ],
    )
    expect(only(inside).message).toContain('nodes.after names no step')
  })

  test('check() speaks of the config as it is written', () =>
    expect(only(alone('router', { routes: [] }))).toMatchObject({ field: 'config.routes', message: 'A router needs a route' }))

  test('a body as a whole is not retried and has no time-out', () => {
    const settings = { retry: { maxAttempts: 2 }, timeoutMs: 5 }
    const inside = definition([node('map', { items: [] }, { id: 'm', settings }), node('template', { text: '' }, { parentId: 'm' })])
    expect(issues(inside).map(({ field }) => field)).toEqual(['settings.retry', 'settings.timeoutMs'])
  })

  test('undoing is done by a type that can, with a sound config', () => {
    const undone = (type: string, config: JsonObject = {}) => definition([node('work', { url: 'x' }, { settings: { compensate: { type, config } } })])
    expect(issues(undone('work', { url: 'http://x/{{ n.id }}/{{ nodes.n.id }}' }))).toEqual([])
    expect(only(undone('map'))).toMatchObject({ field: 'settings.compensate.type', message: 'A map cannot undo a step' })
    expect(only(undone('unheard-of')).field).toBe('settings.compensate.type')
    expect(only(undone('work', { url: '{{ x.y }}' })).field).toBe('settings.compensate.config.url')
  })

  test('a JSON Schema in a config is one that can be used', () => {
    expect(issues(alone('input', { schema: { type: 'object', properties: { n: { type: 'integer' } } } }))).toEqual([])
    expect(only(alone('input', { schema: { properties: { n: { pattern: '(a+)+$' } } } }))).toMatchObject({ field: 'config.schema.properties.n.pattern' })
    expect(only(alone('input', { schema: { type: 'nonsense' } })).field).toBe('config.schema')
  })
})
