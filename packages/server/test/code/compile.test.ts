import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineStep, defineWorkflow, type, type Flow } from '../../src/code/index.ts'
import { compileTemplate } from '../../src/expressions/index.ts'
import { passThrough } from '../../src/nodes/contract.ts'
import { hashOf } from '../../src/workflows/canonical.ts'
import { issuesOf, linksOf, nodeOf, takenBy, takesOf } from './compiled.ts'

interface Order {
  id: string
  total: number
  items: { sku: string; 'odd/key~"': number }[]
}

const invoke = async () => ({ id: 1 })

/** All that a definition may have, in one. */
const everything = () =>
  defineWorkflow(
    'order',
    { input: z.object({ id: z.string(), total: z.number(), items: z.array(z.object({ sku: z.string() })) }), retainForSeconds: 60, idempotent: true, timeoutMs: 9_000 },
    (w) => {
      const reserved = w.step('reserve', { input: { items: w.input.items }, invoke, compensate: async () => {}, retry: { attempts: 3, everyMs: 500 }, timeoutMs: 1_000 })
      const total = w.transform({ total: w.input.total }, ({ total }) => total * 2)
      const [a, b] = w.parallel(
        () => w.step('charge', { input: { total }, invoke, onFailure: 'continue' }),
        () => {
          w.step('pick', { invoke })
          return w.when(
            'heavy',
            { total },
            ({ total }) => total > 9,
            () => w.step('truck', { invoke }),
            () => w.step('bike', { invoke }),
          )
        },
      )
      const shipped = w.step('ship', {
        async: true,
        output: z.object({ tracking: z.string() }),
        invoke: async () => {},
        compensate: async () => {},
        compensateAsync: true,
        remind: { everyMs: 5, times: 2 },
      })
      const fine = w.pause('approval', {
        message: w.text`Ship ${w.input.id} for {{ ${reserved.id} }}?`,
        form: type<{ limit: number }>(),
        expiresInMs: 5,
        onExpiry: { action: 'approve' },
      })
      w.sleep('rest', 1_000)
      w.sleep('until', { until: shipped.tracking })
      const paid = w.signal<{ by: string }>('paid', { timeoutMs: 10 })
      const fetched = w.node(
        'fetch',
        'http-request',
        { method: 'GET', url: w.text`http://x/${w.input.id}`, query: { tracking: shipped.tracking } },
        { output: type<{ status: number }>() },
      )
      const child = w.run('other', { id: w.input.id }, { name: 'nested', version: 2, compensate: async () => {} })
      const created = w.hook('created', { id: w.input.id, run: w.runId })
      return w.result({ a: a.id, b: b.id, tracking: shipped.tracking, limit: fine.limit, paid: paid.by, status: fetched.status, child }, { hooks: [created], pauses: [fine] })
    },
  )

describe('what is composed comes to a definition', () => {
  test('that the core finds nothing to say about, whatever it has', () => {
    expect(issuesOf(everything())).toEqual([])
    expect(everything().definition.settings).toEqual({ retainForSeconds: 60, idempotent: true, timeoutMs: 9_000 })
  })

  test('of steps in the order of their calls, branches beside each other, and what comes after a block behind all of them', () => {
    expect(linksOf(everything())).toEqual([
      ...['input → reserve', 'reserve → charge', 'reserve → pick', 'pick → heavy', 'heavy -then→ truck', 'heavy → bike'],
      ...['charge → ship', 'charge -failed→ ship', 'truck → ship', 'bike → ship', 'ship → approval', 'approval → rest', 'rest → until', 'until → paid'],
      ...['paid → fetch', 'fetch → nested', 'nested → created', 'created → result'],
    ])
  })

  test('with the settings of each step', () => {
    const workflow = everything()
    expect(nodeOf(workflow, 'reserve')).toMatchObject({
      type: 'function',
      config: { workflow: 'order', name: 'reserve', takes: { items: '$input/items' } },
      settings: {
        retry: { maxAttempts: 3, backoffMs: 500, factor: 1, jitter: 0 },
        timeoutMs: 1_000,
        compensate: { type: 'function-undo', config: { workflow: 'order', name: 'reserve' } },
      },
    })
    expect(nodeOf(workflow, 'ship')).toMatchObject({
      config: { async: true, remind: { everyMs: 5, times: 2 }, output: { type: 'object', properties: { tracking: { type: 'string' } }, required: ['tracking'] } },
      settings: { compensate: { type: 'function-undo', config: { workflow: 'order', name: 'ship', async: true } } },
    })
    expect(nodeOf(workflow, 'nested')).toMatchObject({ type: 'function-child', config: { workflow: 'order', child: 'other', version: 2, takes: { id: '$input/id' } } })
    expect(nodeOf(workflow, 'created').config).toEqual({ workflow: 'order', name: 'created', hook: true, takes: { id: '$input/id', run: '$run/id' } })
    expect(nodeOf(workflow, 'approval').config).toMatchObject({ kind: 'approval', passes: 'nothing', expiresInMs: 5, onExpiry: { action: 'approve' } })
  })

  test('that can be drawn: from left to right, no two nodes in one place, and without titles, which would be other names', () => {
    const { nodes } = everything().definition
    const places = nodes.map(({ position }) => `${position!.x} ${position!.y}`)
    expect(new Set(places).size).toBe(nodes.length)
    const columnOf = (id: string) => nodes.find((node) => node.id === id)!.position!.x
    for (const { source, target } of everything().definition.links) expect(columnOf(source)).toBeLessThan(columnOf(target))
    expect(nodes.filter(({ title }) => title !== undefined)).toEqual([])
  })

  test('the same each time', () => {
    expect(hashOf(everything().definition)).toBe(hashOf(everything().definition))
    expect([...everything().functions.keys()]).toEqual([...everything().functions.keys()])
  })

  test('whose only node beside its input and its result is what it has: nothing', () => {
    const empty = defineWorkflow('empty', () => {})
    expect(empty.definition).toEqual({
      kind: 'workflow',
      nodes: [
        { id: 'input', type: 'input', config: {}, position: { x: 0, y: 0 } },
        { id: 'result', type: 'function-result', config: { workflow: 'empty' }, position: { x: 240, y: 0 } },
      ],
      links: [{ source: 'input', target: 'result' }],
    })
    expect(issuesOf(empty)).toEqual([])
  })

  test('with patterns left out of its schemas: the server runs no regular expressions of others', () => {
    const email = defineWorkflow('mail', { input: z.object({ to: z.email(), pattern: z.string().regex(/x/), of: z.literal('pattern') }) }, (w) => w.input.to)
    expect(nodeOf(email, 'input').config).toEqual({
      schema: {
        type: 'object',
        properties: { to: { type: 'string', format: 'email' }, pattern: { type: 'string' }, of: { type: 'string', const: 'pattern' } },
        required: ['to', 'pattern', 'of'],
      },
    })
    expect(issuesOf(email)).toEqual([])
  })
})

describe('what a step takes', () => {
  const order: Order = { id: 'o_1', total: 5, items: [{ sku: 'a', 'odd/key~"': 7 }] }
  const scope = { input: { ...order } as never }

  test('is what was given, with every reference followed, whatever the names of keys', () => {
    const workflow = defineWorkflow('order', (w: Flow<Order>) => {
      w.step('a', {
        input: {
          all: [w.input.id, { total: w.input.total }],
          odd: w.input.items[0]!['odd/key~"'],
          count: w.input.items.length,
          missing: w.input.items[9]!.sku,
          run: w.runId,
          no: null,
        },
        invoke,
      })
    })
    expect(takesOf(workflow, 'a')).toMatchObject({ odd: '$input/items/0/odd~1key~0"' })
    expect(takenBy(workflow, 'a', { ...scope, run: { id: 'r_1' } })).toEqual({ all: ['o_1', { total: 5 }], odd: 7, count: 1, run: 'r_1', no: null })
  })

  test('is no reference where a text or a key only looks like one', () => {
    const given = { price: '$5', input: '$input/id', twice: '$$', nested: { $apply: '$x', to: 1 }, $if: { $literal: { $of: ['$'] } }, path: [] }
    const workflow = defineWorkflow('order', (w: Flow<Order>) => w.step('a', { input: { ...given, id: w.input.id }, invoke }))
    expect(takenBy(workflow, 'a', scope)).toEqual({ ...given, id: 'o_1' })
    expect(issuesOf(workflow)).toEqual([])
  })

  test('is computed by transforms, of transforms, and of what stands in what they give', () => {
    const workflow = defineWorkflow('order', (w: Flow<Order>) => {
      const first = w.transform({ items: w.input.items }, ({ items }) => ({ skus: items.map(({ sku }) => sku), $odd: 1 }))
      const second = w.transform({ skus: first.skus, by: 2 }, ({ skus, by }) => skus.length * by)
      w.step('a', { input: { second, sku: first.skus[0]!, odd: first.$odd, none: first.skus[5]! }, invoke })
    })
    expect(takenBy(workflow, 'a', scope)).toEqual({ second: 2, sku: 'a', odd: 1 })
    expect(issuesOf(workflow)).toEqual([])
  })

  test('is what the branch gave that was taken, and of the other nothing is computed', () => {
    const workflow = defineWorkflow('order', (w: Flow<Order>) => {
      const came = w.when(
        'big',
        { total: w.input.total },
        ({ total }) => total > 3,
        () => {
          const told = w.step('tell', { invoke: async () => ({ by: 'mail' }) })
          return { by: told.by, length: w.transform(told, ({ by }) => by.length) }
        },
        () => ({ by: w.input.id, length: 0 }),
      )
      w.step('a', { input: { by: came.by, came }, invoke })
    })
    const told = { tell: { by: 'mail' } }
    expect(takenBy(workflow, 'a', { ...scope, nodes: { big: true, ...told } })).toEqual({ by: 'mail', came: { by: 'mail', length: 4 } })
    expect(takenBy(workflow, 'a', { ...scope, nodes: { big: false } })).toEqual({ by: 'o_1', came: { by: 'o_1', length: 0 } })
    expect(takenBy(workflow, 'a', scope)).toEqual({})
    expect(issuesOf(workflow)).toEqual([])
  })

  test('is simply the step of a branch where that is all the branch gives, and not there when it was not taken', () => {
    const workflow = defineWorkflow('order', (w: Flow<Order>) => {
      const told = w.when(
        'big',
        w.input.total,
        (total) => total > 3,
        () => w.step('tell', { invoke }),
      )
      const fixed = w.when(
        'small',
        w.input.total,
        (total) => total < 3,
        () => ({ cheap: true }),
      )
      w.step('a', {
        input: {
          id: told.id,
          cheap: fixed.cheap,
          before: w.when(
            'none',
            w.input.total,
            () => true,
            () => w.input.id,
          ),
        },
        invoke,
      })
    })
    expect(takesOf(workflow, 'a')).toMatchObject({ id: '$steps/tell/id' })
    expect(takenBy(workflow, 'a', { ...scope, nodes: { big: false, small: true, none: false } })).toEqual({ cheap: true })
    expect(takenBy(workflow, 'a', { ...scope, nodes: { big: true, tell: { id: 4 }, small: false, none: true } })).toEqual({ id: 4, before: 'o_1' })
    expect(linksOf(workflow)).toEqual([
      'input → big',
      'big -then→ tell',
      'tell → small',
      'big → small',
      'small -then→ none',
      'small → none',
      'none -then→ a',
      'none → a',
      'a → result',
    ])
    expect(issuesOf(workflow)).toEqual([])
  })

  test('is the step of whichever branch was taken', () => {
    const workflow = defineWorkflow('order', (w: Flow<Order>) => {
      const step = (name: string) => () => w.step(name, { invoke })
      const came = w.when('big', w.input.total, (total) => total > 3, step('large'), step('small'))
      w.step('a', { input: { id: came.id }, invoke })
    })
    expect(takenBy(workflow, 'a', { nodes: { big: true, large: { id: 1 } } })).toEqual({ id: 1 })
    expect(takenBy(workflow, 'a', { nodes: { big: false, small: { id: 2 } } })).toEqual({ id: 2 })
    expect(takenBy(workflow, 'a', { nodes: { big: true, large: null } })).toEqual({})
  })

  test('of a pause is what was filled in, and nothing of the step before it', () => {
    expect(nodeOf(everything(), 'approval').config!['passes']).toBe('nothing')
    expect(passThrough({ input: { ship: { limit: 3 } } }, 'nothing')).toEqual({})
  })

  test('in a text is what it was, and braces of the text itself are braces', () => {
    const workflow = defineWorkflow('order', (w: Flow<Order>) => {
      w.step('first', { invoke })
      w.pause('ask', { message: w.text`{{ ${w.input.id} }} {% if %} ${w.input.items[0]!['odd/key~"']} ${'{{ x }}'} ${3}`, assignee: w.input.id })
      w.pause('plain', { message: '{{ input.id }}' })
    })
    const said = (id: string) => compileTemplate(nodeOf(workflow, id).config!['message'] as string).render({ ...scope, nodes: {} })
    expect(said('ask')).toBe('{{ o_1 }} {% if %} 7 {{ x }} 3')
    expect(said('plain')).toBe('{{ input.id }}')
    expect(nodeOf(workflow, 'ask').config!['assignee']).toBe('{{ input["id"] }}')
    expect(issuesOf(workflow)).toEqual([])
  })
})

describe('a step that may fail', () => {
  const links = (build: (w: Flow<Order>) => unknown) => {
    const workflow = defineWorkflow('order', build)
    expect(issuesOf(workflow)).toEqual([])
    return linksOf(workflow)
  }

  test('lets the run go on, or skips to the end, or to a step', () => {
    const steps = (onFailure: 'stop' | 'continue' | 'skip' | { skipTo: string }) =>
      links((w) => {
        w.step('a', { invoke, onFailure })
        w.step('b', { invoke })
        w.step('c', { invoke })
      })
    const straight = ['input → a', 'a → b', 'b → c', 'c → result']
    expect(steps('stop')).toEqual(straight)
    expect(steps('continue').sort()).toEqual([...straight, 'a -failed→ b'].sort())
    expect(steps('skip').sort()).toEqual([...straight, 'a -failed→ result'].sort())
    expect(steps({ skipTo: 'c' }).sort()).toEqual([...straight, 'a -failed→ c'].sort())
  })

  test('in a branch skips within it, or behind the block when nothing runs beside it', () => {
    const inBranch = links((w) => {
      w.when(
        'big',
        w.input.total,
        (total) => total > 1,
        () => {
          w.step('a', { invoke, onFailure: { skipTo: 'c' } })
          w.step('b', { invoke, onFailure: 'skip' })
        },
      )
      w.parallel(
        () => {
          w.step('x', { invoke, onFailure: { skipTo: 'z' } })
          w.step('y', { invoke })
          w.step('z', { invoke })
        },
        () => w.step('beside', { invoke }),
      )
      w.step('c', { invoke })
    })
    expect(inBranch).toEqual(expect.arrayContaining(['a -failed→ c', 'b -failed→ result', 'x -failed→ z']))
  })

  test('last of all leads to the result once, however it is tolerated', () => {
    expect(links((w) => w.step('a', { invoke, onFailure: 'skip' }))).toEqual(['input → a', 'a → result', 'a -failed→ result'])
    expect(links((w) => w.step('a', { invoke, onFailure: 'continue' }))).toEqual(['input → a', 'a → result', 'a -failed→ result'])
  })
})

describe('blocks', () => {
  test('stand in blocks', () => {
    const workflow = defineWorkflow('order', (w: Flow<Order>) => {
      w.parallel(
        () =>
          w.parallel(
            () => w.step('a', { invoke }),
            () =>
              w.when(
                'c',
                w.input.total,
                (total) => total > 1,
                () =>
                  w.parallel(
                    () => w.step('b', { invoke }),
                    () => w.step('d', { invoke }),
                  ),
              ),
          ),
        () => {},
        () => w.step('e', { invoke }),
      )
      w.step('f', { invoke })
    })
    expect(issuesOf(workflow)).toEqual([])
    expect(linksOf(workflow)).toEqual([
      ...['input → a', 'input → c', 'c -then→ b', 'c -then→ d', 'input → e'],
      ...['a → f', 'b → f', 'd → f', 'c → f', 'input → f', 'e → f', 'f → result'],
    ])
    const places = workflow.definition.nodes.map(({ position }) => `${position!.x} ${position!.y}`)
    expect(new Set(places).size).toBe(places.length)
  })

  test('without branches are nothing', () => {
    const workflow = defineWorkflow('order', (w: Flow<Order>) => {
      expect(w.parallel()).toEqual([])
      w.step('a', { invoke })
    })
    expect(linksOf(workflow)).toEqual(['input → a', 'a → result'])
  })
})

describe('functions are found by name', () => {
  test('those of steps by theirs, and by their revision', () => {
    const handler = async () => 1
    const reserve = defineStep('reserve', { invoke: handler, revision: 2 })
    const workflow = defineWorkflow('order', (w: Flow<Order>) => {
      w.step(reserve)
      w.step(reserve, undefined, { name: 'again' })
    })
    expect(workflow.functions.get('reserve@2')).toMatchObject({ is: 'step', invoke: handler })
    expect(workflow.functions.get('again@2')).toMatchObject({ is: 'step', invoke: handler })
    expect(nodeOf(workflow, 'reserve').config).toEqual({ workflow: 'order', name: 'reserve', revision: 2 })
    expect(issuesOf(workflow)).toEqual([])
  })

  test('a handler that changed is of the same version; a transform that changed makes another', () => {
    const of = (handler: () => Promise<number>, transform: (total: number) => number) =>
      hashOf(defineWorkflow('order', (w: Flow<Order>) => w.step('a', { input: w.transform(w.input.total, transform), invoke: handler })).definition)
    const same = of(
      async () => 1,
      (total) => total + 1,
    )
    expect(
      of(
        async () => 2,
        (total) => total + 1,
      ),
    ).toBe(same)
    expect(
      of(
        async () => 1,
        (total) => total + 2,
      ),
    ).not.toBe(same)
  })

  test('of two transforms with one source each is itself', () => {
    const times = (by: number) => (total: number) => total * by
    const workflow = defineWorkflow('order', (w: Flow<Order>) => {
      const twice = times(2)
      w.step('a', { input: [w.transform(w.input.total, twice), w.transform(w.input.total, times(3)), w.transform(w.input.total, twice)], invoke })
    })
    expect(takenBy(workflow, 'a', { input: { total: 5 } })).toEqual([10, 15, 10])
    expect([...workflow.functions.values()].filter(({ is }) => is === 'value')).toHaveLength(2)
  })
})

describe('hooks', () => {
  const hooked = () => defineWorkflow('order', (w: Flow<Order>) => w.result(null, { hooks: [w.hook('created', { id: w.input.id }), w.hook('paid')] }))

  test('do nothing until somebody takes them up, also when the server has the function already', async () => {
    const order = hooked()
    const step = order.functions.get('created')!
    expect(step).toEqual({ is: 'step', invoke: null, compensate: null })
    const handler = async ({ id }: { id: string }) => id
    order.hooks.created(handler)
    expect(step).toEqual({ is: 'step', invoke: handler, compensate: null })
    expect(hashOf(order.definition)).toBe(hashOf(hooked().definition))
    expect(issuesOf(order)).toEqual([])
  })

  test('are undone where they say how, which makes another version', () => {
    const order = hooked()
    order.hooks.created(
      async () => 7,
      async () => {},
    )
    expect(nodeOf(order, 'created').settings).toEqual({ compensate: { type: 'function-undo', config: { workflow: 'order', name: 'created' } } })
    expect(hashOf(order.definition)).not.toBe(hashOf(hooked().definition))
    expect(issuesOf(order)).toEqual([])
  })

  test('have one handler each', () => {
    const order = hooked()
    order.hooks.created(async () => {})
    order.hooks.paid(async () => {})
    expect(() => order.hooks.created(async () => {})).toThrow('Cannot define multiple hook handlers for the created hook')
  })
})

describe('schedules', () => {
  test('are one or more, each with a name', () => {
    const schedulesOf = (schedule: Parameters<typeof defineWorkflow<Order, void>>[1]['schedule']) => defineWorkflow('order', { input: type<Order>(), schedule }, () => {}).schedules
    expect(schedulesOf(undefined)).toEqual([])
    expect(schedulesOf({ cron: '0 8 * * *', timeZone: 'Europe/Berlin', missed: 'once', overlap: 'skip' })).toEqual([
      { name: 'schedule', cron: '0 8 * * *', timeZone: 'Europe/Berlin', missed: 'once', overlap: 'skip' },
    ])
    const input = { id: 'o_1', total: 1, items: [] }
    expect(
      schedulesOf([
        { everyMs: 1_000, input },
        { name: 'nightly', cron: '0 0 * * *' },
      ]),
    ).toEqual([
      { name: 'schedule', everyMs: 1_000, input },
      { name: 'nightly', cron: '0 0 * * *' },
    ])
    expect(() => schedulesOf({ cron: '0 0 * * *', everyMs: 5 })).toThrow('Schedule schedule of workflow order needs one of cron and everyMs')
    expect(() => schedulesOf([{ everyMs: 5 }, { everyMs: 6 }])).toThrow('Schedule schedule of workflow order has a name that another one has')
  })
})
