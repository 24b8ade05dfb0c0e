import { describe, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { defineStep, defineWorkflow, done, permanentFailure, type, type Flow, type Ref } from '../../src/code/index.ts'

/** What the compiler knows of a workflow without being told. The bodies run as well: whatever has a type has to be there. */

interface Item {
  sku: string
  count: number
}
interface Order {
  id: string
  total: number
  items: Item[]
  customer: { name: string; vat?: string; address: { city: string } | null }
  payment: { kind: 'card'; card: string } | { kind: 'invoice'; days: number }
  labels: Record<string, string>
  pair: [string, number]
  note?: string
  rest: unknown
}

const define = (build: (w: Flow<Order>) => void) => defineWorkflow('order', build)

describe('references', () => {
  test('are of what stands in the value', () =>
    void define((w) => {
      const { input } = w
      expectTypeOf(input).toEqualTypeOf<Ref<Order>>()
      expectTypeOf(input.id).toEqualTypeOf<Ref<string>>()
      expectTypeOf(input.items).toEqualTypeOf<Ref<Item[]>>()
      expectTypeOf(input.items.length).toEqualTypeOf<Ref<number>>()
      expectTypeOf(input.customer.address).toEqualTypeOf<Ref<{ city: string } | null>>()
      expectTypeOf(input.pair[1]).toEqualTypeOf<Ref<number>>()
      // @ts-expect-error -- there is no such key
      void input.nothing
      // @ts-expect-error -- a reference has none of the methods of its value
      void (() => input.items.map((item) => item))
    }))

  test('to what may not be there say so: optional, of one member of a union, below null, of a list or a record', () =>
    void define(({ input }) => {
      expectTypeOf(input.note).toEqualTypeOf<Ref<string | undefined>>()
      expectTypeOf(input.customer.vat).toEqualTypeOf<Ref<string | undefined>>()
      expectTypeOf(input.customer.address.city).toEqualTypeOf<Ref<string | undefined>>()
      expectTypeOf(input.payment.kind).toEqualTypeOf<Ref<'card' | 'invoice'>>()
      expectTypeOf(input.payment.days).toEqualTypeOf<Ref<number | undefined>>()
      expectTypeOf(input.items[0]!).toEqualTypeOf<Ref<Item | undefined>>()
      expectTypeOf(input.items[0]!.sku).toEqualTypeOf<Ref<string | undefined>>()
      expectTypeOf(input.labels['colour']!).toEqualTypeOf<Ref<string | undefined>>()
    }))

  test('to anything lead anywhere, and to the unknown nowhere', () =>
    void defineWorkflow('any', (w: Flow<{ known: unknown; free: ReturnType<typeof JSON.parse> }>) => {
      void w.input.free.a.b[0]
      // @ts-expect-error -- nobody knows what is there
      void w.input.known.a
    }))

  test('are not the value: comparing and computing with them does not compile', () =>
    void define(({ input }) => {
      // @ts-expect-error -- a reference is no number
      void (() => input.total > 100)
      // @ts-expect-error -- a reference is no number
      void (() => input.total * 2)
      // @ts-expect-error -- a reference is no text
      void (() => input.id === 'o_1')
    }))
})

describe('steps', () => {
  test('get the values of what they are given, give what they return, and undo that', () =>
    void define((w) => {
      const reserved = w.step('reserve', {
        input: { order: w.input, items: w.input.items, first: w.input.items[0]!, warehouse: 'north', tags: ['a', w.input.id], at: new Date(), none: undefined },
        invoke: async (input, at) => {
          expectTypeOf(input).toEqualTypeOf<{ order: Order; items: Item[]; first: Item | undefined; warehouse: string; tags: string[]; at: string; none: undefined }>()
          expectTypeOf(at.attempt).toEqualTypeOf<number>()
          return { reservation: 'r_1', until: new Date(), lines: input.items.map(({ sku }) => ({ sku })) }
        },
        compensate: async (left) => {
          expectTypeOf(left).toEqualTypeOf<{ reservation: string; until: string; lines: { sku: string }[] } | undefined>()
        },
      })
      expectTypeOf(reserved.until).toEqualTypeOf<Ref<string>>()
      expectTypeOf(reserved.lines[0]!.sku).toEqualTypeOf<Ref<string | undefined>>()
      w.step('whole', { input: w.input, invoke: (order) => expectTypeOf(order).toEqualTypeOf<Order>() })
      w.step('none', { invoke: async (input) => expectTypeOf(input).toEqualTypeOf<undefined>() })
      expectTypeOf(w.step('void', { invoke: async () => {} })).toEqualTypeOf<Ref<null>>()
      // @ts-expect-error -- the value of a step has no such key
      void (() => reserved.nothing)
    }))

  test('undo what they leave for it, where that is something else than what they give', () =>
    void define((w) => {
      const charged = w.step('charge', {
        input: { total: w.input.total },
        invoke: async ({ total }) => (total > 1_000 ? permanentFailure('Too much', { hold: 'h_1' }) : done({ paid: total }, { charge: 'ch_1' })),
        compensate: (left) => expectTypeOf(left).toEqualTypeOf<{ charge: string } | undefined>(),
      })
      expectTypeOf(charged).toEqualTypeOf<Ref<{ paid: number }>>()
    }))

  test('that wait for a report give what is reported, or what they give at once', () =>
    void define((w) => {
      const shape = z.object({ tracking: z.string(), parcels: z.number().optional() })
      const shipped = w.step('ship', {
        async: true,
        output: shape,
        invoke: async () => {},
        compensate: (left) => expectTypeOf(left).toEqualTypeOf<{ tracking: string; parcels?: number | undefined } | undefined>(),
      })
      expectTypeOf(shipped).toEqualTypeOf<Ref<{ tracking: string; parcels?: number | undefined }>>()
      expectTypeOf(w.step('typed', { async: true, output: type<Item>(), invoke: async () => {} })).toEqualTypeOf<Ref<Item>>()
      expectTypeOf(w.step('untyped', { async: true, invoke: async () => {} })).toEqualTypeOf<Ref<unknown>>()
      const mixed = w.step('mixed', {
        input: w.input.total,
        async: true,
        output: type<{ by: 'report' }>(),
        invoke: async (total) => (total > 3 ? { by: 'itself' as const } : undefined),
      })
      expectTypeOf(mixed).toEqualTypeOf<Ref<{ by: 'report' } | { by: 'itself' }>>()
    }))

  test('that may fail without an end to the run give their value, or nothing', () =>
    void define((w) => {
      const invoke = async () => 1
      expectTypeOf(w.step('a', { onFailure: 'stop', invoke })).toEqualTypeOf<Ref<number>>()
      expectTypeOf(w.step('b', { onFailure: 'continue', invoke })).toEqualTypeOf<Ref<number | undefined>>()
      expectTypeOf(w.step('c', { onFailure: 'skip', invoke })).toEqualTypeOf<Ref<number | undefined>>()
      expectTypeOf(w.step('d', { onFailure: { skipTo: 'e' }, invoke })).toEqualTypeOf<Ref<number | undefined>>()
      w.step('e', { invoke })
      // @ts-expect-error -- there is no such way to fail
      void (() => w.step('f', { onFailure: 'give-up', invoke }))
    }))

  test('that are used by several take what their handler takes', () =>
    void define((w) => {
      const reserve = defineStep('reserve', {
        invoke: async ({ items }: { items: Item[]; note?: string }) => ({ count: items.length }),
        compensate: (left) => expectTypeOf(left).toEqualTypeOf<{ count: number } | undefined>(),
      })
      expectTypeOf(w.step(reserve, { items: w.input.items })).toEqualTypeOf<Ref<{ count: number }>>()
      w.step(reserve, { items: [{ sku: w.input.id, count: 1 }], note: w.input.note }, { name: 'again' })
      const ping = defineStep('ping', { invoke: async () => 'pong' })
      expectTypeOf(w.step(ping)).toEqualTypeOf<Ref<string>>()
      // @ts-expect-error -- a text is no list of items
      void (() => w.step(reserve, { items: w.input.id }))
      // @ts-expect-error -- it needs items
      void (() => w.step(reserve, {}))
      // @ts-expect-error -- it needs an input
      void (() => w.step(reserve))
      // @ts-expect-error -- the first item may not be there
      void (() => w.step(reserve, { items: [w.input.items[0]] }))
    }))
})

describe('what is computed and chosen', () => {
  test('a transform gives what it returns, and is not async', () =>
    void define((w) => {
      const total = w.transform({ items: w.input.items, rate: 2 }, ({ items, rate }) => items.reduce((sum, { count }) => sum + count * rate, 0))
      expectTypeOf(total).toEqualTypeOf<Ref<number>>()
      expectTypeOf(w.transform(w.input, (order) => ({ name: order.customer.name })).name).toEqualTypeOf<Ref<string>>()
      // @ts-expect-error -- what waits is a step
      void (() => w.transform(w.input, async (order) => order.id))
    }))

  test('a branch that may not be taken gives its value, or nothing', () =>
    void define((w) => {
      const holds = ({ total }: { total: number }) => total > 100
      const step = (name: string) => w.step(name, { invoke: async () => ({ sent: true }) })
      const thanked = w.when(
        'big',
        { total: w.input.total },
        ({ total }) => total > 100,
        () => step('thank'),
      )
      expectTypeOf(thanked).toEqualTypeOf<Ref<{ sent: boolean } | undefined>>()
      expectTypeOf(thanked.sent).toEqualTypeOf<Ref<boolean | undefined>>()
      const either = w.when(
        'kind',
        { total: w.input.total },
        holds,
        () => step('x'),
        () => ({ id: w.input.id }),
      )
      expectTypeOf(either).toEqualTypeOf<Ref<{ sent: boolean } | { id: string }>>()
      expectTypeOf(w.when('only', { total: w.input.total }, holds, () => void step('y'))).toEqualTypeOf<Ref<undefined>>()
    }))

  test('branches beside each other give a tuple of what they return', () =>
    void define((w) => {
      const [a, b, c] = w.parallel(
        () => w.step('a', { invoke: async () => 1 }),
        () => ({ text: w.step('b', { invoke: async () => 'x' }) }),
        () => {},
      )
      expectTypeOf(a).toEqualTypeOf<Ref<number>>()
      expectTypeOf(b).toEqualTypeOf<{ text: Ref<string> }>()
      expectTypeOf(c).toEqualTypeOf<void>()
    }))
})

describe('a workflow', () => {
  test('takes what its schema takes and returns what its definition does, as clients see it', () => {
    const order = defineWorkflow('order', { input: z.object({ id: z.string(), total: z.number(), note: z.string().optional() }) }, (w) => {
      const charged = w.step('charge', { input: { total: w.input.total }, invoke: async ({ total }) => ({ total, at: new Date() }) })
      const fine = w.pause('approval', { message: 'Fine?', form: z.object({ limit: z.number() }) })
      const created = w.hook('orderCreated', { id: w.input.id })
      return w.result({ id: w.input.id, at: charged.at, limit: fine.limit, fixed: true }, { hooks: [created], pauses: [fine] })
    })
    expectTypeOf(order.types.input).toEqualTypeOf<{ id: string; total: number; note?: string | undefined }>()
    expectTypeOf(order.types.output).toEqualTypeOf<{ id: string; at: string; limit: number; fixed: boolean }>()
    expectTypeOf(order.types.pauses).toEqualTypeOf<{ approval: { limit: number } }>()
    order.hooks.orderCreated(
      async (values) => {
        expectTypeOf(values).toEqualTypeOf<{ id: string }>()
        return { mail: 7 }
      },
      (left) => expectTypeOf(left).toEqualTypeOf<{ mail: number } | undefined>(),
    )
    // @ts-expect-error -- there is no such hook
    void order.hooks.nothing
  })

  test('says its types with a plain value too, and with an annotation in place of a schema', () => {
    const plain = defineWorkflow('plain', { retainForSeconds: 60 }, (w: Flow<Order>) => ({ id: w.input.id, note: w.input.note }))
    expectTypeOf(plain.types).toEqualTypeOf<{ input: Order; output: { id: string; note: string | undefined } } & object>()
    expectTypeOf(defineWorkflow('one', (w: Flow<Order>) => w.input.total).types.output).toEqualTypeOf<number>()
    expectTypeOf(defineWorkflow('none', (w) => void w.step('a', { invoke: async () => 1 })).types.output).toEqualTypeOf<null>()
    // @ts-expect-error -- what waits is a step
    void (() => defineWorkflow('late', async (w: Flow<Order>) => w.input.id))
  })

  test('is a step of another one with its types', () => {
    const inner = defineWorkflow('inner', (w: Flow<{ amount: number }>) => ({ doubled: w.transform(w.input.amount, (amount) => amount * 2) }))
    defineWorkflow('outer', (w: Flow<Order>) => {
      const came = w.run(inner, { amount: w.input.total }, { compensate: (left) => expectTypeOf(left).toEqualTypeOf<{ doubled: number } | undefined>() })
      expectTypeOf(came).toEqualTypeOf<Ref<{ doubled: number }>>()
      expectTypeOf(w.run(inner, { amount: 1 }, { name: 'again', onFailure: 'continue' })).toEqualTypeOf<Ref<{ doubled: number } | undefined>>()
      expectTypeOf(w.run('drawn', { any: w.input.id }, { name: 'drawn', output: type<Item>() })).toEqualTypeOf<Ref<Item>>()
      // @ts-expect-error -- it takes a number
      void (() => w.run(inner, { amount: w.input.id }))
    })
  })

  test('waits for what has a type', () =>
    void define((w) => {
      expectTypeOf(w.signal<Item>('paid')).toEqualTypeOf<Ref<Item>>()
      expectTypeOf(w.signal('sent', { payload: type<Item>(), timeoutMs: 5, onFailure: 'continue' })).toEqualTypeOf<Ref<Item | undefined>>()
      expectTypeOf(w.pause('question', { message: w.input.id, form: type<{ yes: boolean }>() }).yes).toEqualTypeOf<Ref<boolean>>()
      expectTypeOf(w.node('fetch', 'http-request', { method: 'GET', url: 'http://x' }, { output: type<{ status: number }>() }).status).toEqualTypeOf<Ref<number>>()
      // @ts-expect-error -- a text is no time
      void (() => w.sleep('rest', w.input.id))
    }))
})
