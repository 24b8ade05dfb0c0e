import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { DefinitionError, defineWorkflow, ReferenceMisuse, type, type Flow, type Ref } from '../../src/code/index.ts'

/** What is wrong is said where it is written: by workflow and step, before anything runs. */

interface Order {
  id: string
  total: number
  items: string[]
}

const invoke = async () => ({ id: 1 })
const problem = (build: (w: Flow<Order>) => void): string => {
  try {
    defineWorkflow('order', build)
  } catch (error) {
    if (!(error instanceof DefinitionError)) throw error
    expect(error.workflow).toBe('order')
    return error.message
  }
  throw new Error('It was defined')
}

describe('names', () => {
  test('are of one step each', () => {
    const twice = (second: (w: Flow<Order>) => unknown) =>
      problem((w) => {
        w.step('a', { invoke })
        second(w)
      })
    const said = 'Step a is already defined in workflow order.'
    expect(twice((w) => w.step('a', { invoke }))).toBe(said)
    expect(
      twice((w) =>
        w.when(
          'a',
          null,
          () => true,
          () => {},
        ),
      ),
    ).toBe(said)
    expect(twice((w) => w.hook('a'))).toBe(said)
    expect(twice((w) => w.parallel(() => w.signal('a')))).toBe(said)
  })

  test('have no dots and no unusual characters, and are not those of the input and the result', () => {
    const named = (name: string) => problem((w) => w.step(name, { invoke }))
    for (const name of ['a.b', 'a b', 'ü', '', 'a'.repeat(81), '__proto__.x'])
      expect(named(name)).toBe(`A step of workflow order cannot be called ${JSON.stringify(name)}: a name has 1 to 80 characters of A-Z a-z 0-9 _ -`)
    expect(named('input')).toBe('A step of workflow order cannot be called input: so is its own input')
    expect(named('result')).toMatch('its own result')
    expect(() => defineWorkflow('an order', () => {})).toThrow('A workflow cannot be called "an order"')
    expect(problem((w) => w.run('in.ner', {}))).toMatch('cannot be called "in.ner-as-step"')
  })
})

describe('a reference used as if it were the value', () => {
  const misuse = (use: (order: Ref<Order>) => unknown): string => {
    let said = ''
    defineWorkflow('order', (w: Flow<Order>) => {
      try {
        use(w.input)
      } catch (error) {
        expect(error).toBeInstanceOf(ReferenceMisuse)
        said = (error as Error).message
      }
    })
    return said
  }
  /** What it would be if it were no reference. */
  const any = <T = number>(reference: Ref<unknown>) => reference as unknown as T

  test.each<[string, (order: Ref<Order>) => unknown, string]>([
    ['in a text', (order) => `${any<string>(order.id)}`, '$input/id is a reference and cannot be used as a text or a number'],
    ['joined to a text', (order) => 'a' + any<string>(order.id), 'used as a text or a number'],
    ['in a comparison', (order) => any(order.total) > 100, '$input/total is a reference and cannot be used as a text or a number'],
    ['in a sum', (order) => any(order.total) * 2, 'used as a text or a number'],
    ['made a text', (order) => any<{ toString(): string }>(order.total).toString(), 'used as a text or a number'],
    ['as a key', (order) => ({ [any<string>(order.id)]: 1 }), 'used as a text or a number'],
    ['in a loop', (order) => [...any<string[]>(order.items)], '$input/items is a reference and cannot be iterated over'],
    ['spread', (order) => ({ ...order }), '$input is a reference and cannot be spread'],
    ['by its keys', (order) => Object.keys(order), 'asked for its keys'],
    ['asked for a key', (order) => 'id' in order, 'asked for its keys'],
    ['by a method', (order) => any<string[]>(order.items).map((item) => item), '$input/items/map is a reference and cannot be called'],
    ['as JSON', (order) => JSON.stringify(order), 'written as JSON'],
    ['as a promise', (order) => any<Promise<string>>(order.id).then(() => {}), 'awaited'],
    ['written to', (order) => (any<{ id: string }>(order).id = 'x'), 'written to'],
  ])('%s is told of, with what to do', (_where, use, said) => {
    expect(misuse(use)).toMatch(said)
    expect(misuse(use)).toMatch('Compute with w.transform, branch with w.when, or give it to a step as input')
  })

  test('is shown by its place when it is printed', () => {
    defineWorkflow('order', (w: Flow<Order>) => {
      expect(inspect({ id: w.input.items[0] })).toBe('{ id: Reference($input/items/0) }')
      expect(String(inspect(w.transform(w.input.total, (total) => ({ total })).total))).toBe('Reference(a transform/total)')
    })
  })
})

describe('a reference where it leads nowhere', () => {
  test('because it is of another workflow', () => {
    let other: Ref<string>
    defineWorkflow('other', (w: Flow<Order>) => void (other = w.input.id))
    expect(problem((w) => w.step('a', { input: { ids: [other] }, invoke }))).toBe(
      'Step a of workflow order: its input at ids.0 is a reference of another workflow: give it to this one as its input',
    )
  })

  test('because the branch it is in may not have run', () => {
    const inBranch = (use: (w: Flow<Order>, made: Ref<{ id: number }>) => void) =>
      problem((w) => {
        let made!: Ref<{ id: number }>
        w.when(
          'big',
          w.input.total,
          (total) => total > 1,
          () => void (made = w.step('inside', { invoke })),
        )
        use(w, made)
      })
    const said = 'is a reference to inside, which is in a branch of when big and may not have run: return it from the branch, and take what when big gives'
    expect(inBranch((w, made) => w.step('a', { input: made.id, invoke }))).toBe(`Step a of workflow order: its input ${said}`)
    expect(inBranch((w, made) => w.transform({ made }, () => 1))).toBe(`A transform of workflow order: its values at made ${said}`)
    expect(inBranch((w, made) => w.pause('ask', { message: w.text`Fine, ${made.id}?` }))).toBe(`Pause ask of workflow order: its config at message ${said}`)
    expect(
      inBranch((w, made) =>
        w.when(
          'next',
          made,
          () => true,
          () => {},
        ),
      ),
    ).toBe(`Condition next of workflow order: its values ${said}`)
    expect(inBranch((w, made) => w.parallel(() => w.hook('created', made)))).toBe(`Hook created of workflow order: its values ${said}`)
    expect(
      problem((w) => {
        let made!: Ref<{ id: number }>
        w.when(
          'big',
          1,
          () => true,
          () => void (made = w.step('inside', { invoke })),
        )
        return made
      }),
    ).toBe(`The result of workflow order: its value ${said}`)
  })

  test('because what it leads to runs beside it, until all of that has run', () => {
    const beside = (isBeside: boolean) => (w: Flow<Order>) => {
      let made!: Ref<{ id: number }>
      w.parallel(
        () => void (made = w.step('inside', { invoke })),
        () => void w.step('a', { input: isBeside ? made : null, invoke }),
      )
      w.step('after', { input: made, invoke })
    }
    expect(problem(beside(true))).toBe('Step a of workflow order: its input is a reference to inside, which runs beside it in w.parallel: take it after that')
    expect(() => defineWorkflow('order', beside(false))).not.toThrow()
  })

  test('because a text cannot compute', () => {
    expect(problem((w) => w.pause('ask', { message: w.transform(w.input.total, (total) => `Fine, ${total}?`) }))).toBe(
      'Pause ask of workflow order: its config at message is computed: what stands in a text or in the config of a node is what a step gave, or the input',
    )
  })
})

describe('what a step takes', () => {
  const taking = (input: unknown) => problem((w) => w.step('a', { input, invoke }))

  test('becomes JSON, or is refused with its place', () => {
    const said = (what: string) => `Step a of workflow order: its input ${what}`
    expect(taking({ call: () => {} })).toBe(said('at call is a function: what a step takes becomes JSON'))
    expect(taking([1n])).toBe(said('at 0 is a bigint: what a step takes becomes JSON'))
    expect(taking({ a: { b: NaN } })).toBe(said('at a.b is NaN, which JSON has no word for'))
    expect(taking(new Map())).toBe(said('is a Map: what a step takes becomes JSON'))
    const endless: { self?: unknown } = {}
    endless.self = endless
    expect(taking(endless)).toBe(said('at self.self.self is nested deeper than 64, or in itself'))
  })

  test('has no reference under a key that nobody reads', () => {
    const under = problem((w) => w.step('a', { input: Object.fromEntries([['__proto__', { b: w.input.id }]]), invoke }))
    expect(under).toBe('Step a of workflow order: its input at __proto__.b is a reference under the key __proto__, where none is read')
  })
})

describe('a step', () => {
  test('skips to one that comes after it, and not into another branch or out of one that has others beside it', () => {
    const from = (skipTo: string, rest: (w: Flow<Order>) => void = () => {}) =>
      problem((w) => {
        w.step('before', { invoke })
        w.step('a', { invoke, onFailure: { skipTo } })
        rest(w)
      })
    expect(from('nowhere')).toBe('Step a of workflow order skips to nowhere, and there is no such step after it')
    expect(from('before')).toBe('Step a of workflow order skips to before, which is not after it')
    expect(from('a')).toBe('Step a of workflow order skips to a, which is not after it')
    const elsewhere = 'Step a of workflow order skips to inside, which is in a branch that it is not in'
    expect(
      from('inside', (w) =>
        w.when(
          'big',
          1,
          () => true,
          () => w.step('inside', { invoke }),
        ),
      ),
    ).toBe(elsewhere)
    expect(from('inside', (w) => w.parallel(() => w.step('inside', { invoke })))).toBe(elsewhere)
    const beside = (onFailure: 'skip' | { skipTo: string }) =>
      problem((w) => {
        w.parallel(
          () => w.step('a', { invoke, onFailure }),
          () => {},
        )
        w.step('inside', { invoke })
      })
    expect(beside('skip')).toBe('Step a of workflow order cannot skip what comes after the branches beside it: let it continue, or skip to a step of its branch')
    expect(beside({ skipTo: 'inside' })).toBe(elsewhere)
  })

  test('has what it needs, within bounds', () => {
    expect(problem((w) => w.step('a', {} as never))).toBe('Step a of workflow order needs a function `invoke`')
    expect(problem((w) => w.step('a', { invoke, revision: 0 }))).toBe('Step a of workflow order has a revision that is not 1, 2, 3 …')
    expect(problem((w) => w.step('a', { invoke, remind: { everyMs: 5 } }))).toMatch('waits for no report: set async')
    expect(problem((w) => w.step('a', { invoke, compensateAsync: true }))).toMatch('nothing to be undone by')
    expect(problem((w) => w.step('a', { invoke, retry: { attempts: 0 } }))).toMatch(/^Step a of workflow order, settings\.retry\.maxAttempts: /)
    expect(problem((w) => w.step('a', { invoke, timeoutMs: 1.5 }))).toMatch(/^Step a of workflow order, settings\.timeoutMs: /)
    expect(problem((w) => w.pause('ask', { message: 'Fine?', onExpiry: { action: 'approve' } }))).toMatch('never ends: set expiresInMs')
    expect(() => defineWorkflow('order', { retainForSeconds: -1 }, () => {})).toThrow(/^Workflow order, settings\.retainForSeconds: /)
  })

  test('is one of a thousand at most, and all of them together of a bounded size', () => {
    expect(
      problem((w) => {
        for (let at = 0; at < 999; at++) w.step(`s${at}`, { invoke })
      }),
    ).toMatch(/^Workflow order, nodes: /)
    expect(
      problem((w) => {
        let value: Ref<unknown> = w.transform('x'.repeat(1_000), (text) => text)
        for (let at = 0; at < 12; at++) value = w.transform([value, value], ([first]) => first)
        return value
      }),
    ).toMatch(/^Workflow order has \d+ bytes; 2097152 are allowed\. A transform stands in every step that takes it$/)
  })
})

describe('composing', () => {
  test('is done at once, and by functions that can be read', async () => {
    const later = (async () => true) as never
    const late = (async (w: Flow<Order>) => void w.step('a', { invoke })) as never
    expect(problem(late)).toBe('The definition of workflow order is an async function: what is composed is composed at once. What waits is a step')
    expect(problem((w) => w.parallel(async () => {}))).toMatch('A branch of w.parallel of workflow order is an async function')
    expect(
      problem((w) =>
        w.when(
          'big',
          1,
          () => true,
          async () => {},
        ),
      ),
    ).toMatch('A branch of when big of workflow order is an async function')
    expect(problem((w) => w.transform(1, later))).toMatch('A transform of workflow order is an async function')
    expect(problem((w) => w.when('big', 1, later, () => {}))).toMatch('Condition big of workflow order is an async function')
    expect(problem((w) => w.transform(1, Math.abs))).toMatch('is a bound or a native function')
    expect(problem((w) => w.transform(1, ((n: number) => n).bind(null)))).toMatch('is a bound or a native function')
    // What an async function rejects with is told nowhere else.
    await new Promise((resolve) => setTimeout(resolve, 0))
  })

  test('ends with the definition', () => {
    let kept!: Flow<Order>
    defineWorkflow('order', (w: Flow<Order>) => void (kept = w))
    const said = (verb: string) => `w.${verb} was called when workflow order was defined already: a handler composes nothing`
    expect(() => kept.step('a', { invoke })).toThrow(said('step'))
    expect(() => kept.transform(1, (n) => n)).toThrow(said('transform'))
    expect(() =>
      kept.when(
        'b',
        1,
        () => true,
        () => {},
      ),
    ).toThrow(said('when'))
    expect(() => kept.parallel(() => {})).toThrow(said('parallel'))
    expect(() => kept.pause('c', { message: '' })).toThrow(said('pause'))
    expect(() => kept.result(1)).toThrow(said('result'))
  })

  test('knows zod from version 4 on', () => {
    const older = { parse: () => {} } as never
    const said = 'is described by something else than a schema of zod 4 or type<…>()'
    expect(() => defineWorkflow('order', { input: older }, () => {})).toThrow(`The input of workflow order ${said}`)
    expect(() => defineWorkflow('order', { input: z.object({}) }, () => {})).not.toThrow()
    expect(() => defineWorkflow('order', { input: type<Order>() }, () => {})).not.toThrow()
    expect(problem((w) => w.step('a', { output: older, async: true, invoke }))).toBe(`The output of step a of workflow order ${said}`)
    expect(problem((w) => w.pause('ask', { message: '', form: older }))).toBe(`The form of pause ask of workflow order ${said}`)
  })
})
