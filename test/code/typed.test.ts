import { createClient, type InputOf, type Json, type OutputOf, type PausesOf, RunFailedError, type Sluice } from '@sluice/client'
import { defineWorkflow, type Flow, type } from '@sluice/server'
import { startTesting } from '@sluice/server/testing'
import { expect, expectTypeOf, test } from 'vitest'

/** What is written on the server reaches who calls it: by its type alone, which a front end imports and nothing else. */

interface Order {
  id: string
  items: { sku: string; cents: number }[]
  note?: string
}

const order = defineWorkflow('typed-order', (w: Flow<Order>) => {
  const total = w.transform({ items: w.input.items }, ({ items }) => items.reduce((sum, { cents }) => sum + cents, 0))
  const charged = w.step('charge', { input: { total }, invoke: async ({ total: cents }) => ({ id: `ch_${cents}`, cents, at: new Date(0) }) })
  const approval = w.pause('approval', { message: w.text`Ship ${w.input.id}?`, form: type<{ by: 'road' | 'air'; gift?: boolean }>({ type: 'object', required: ['by'] }) })
  const asked = w.pause('rating', { message: 'How was it?' })
  const shipped = w.step('ship', { async: true, input: { by: approval.by }, output: type<{ tracking: string }>(), invoke: async () => {} })
  const thanked = w.when(
    'large',
    { total },
    ({ total: cents }) => cents > 1_000,
    () => w.step('thank', { input: { id: w.input.id }, invoke: async ({ id }) => `Thank you for ${id}` }),
  )
  return w.result({ charge: charged.id, at: charged.at, total, tracking: shipped.tracking, thanked, items: w.input.items }, { pauses: [approval, asked] })
})

const nothing = defineWorkflow('typed-nothing', (w) => w.step('one', { invoke: async () => 1 as const }))
const given = {
  id: 'o_1',
  items: [
    { sku: 'a', cents: 700 },
    { sku: 'b', cents: 500 },
  ],
}

test('the type of a workflow says what it takes, what it returns and what its decisions carry', () => {
  expectTypeOf<InputOf<typeof order>>().toEqualTypeOf<Order>()
  expectTypeOf<OutputOf<typeof order>['tracking']>().toEqualTypeOf<string>()
  expectTypeOf<OutputOf<typeof order>['total']>().toEqualTypeOf<number>()
  // As JSON has it.
  expectTypeOf<OutputOf<typeof order>['at']>().toEqualTypeOf<string>()
  // Where the branch was not taken it is not there.
  expectTypeOf<OutputOf<typeof order>['thanked']>().toEqualTypeOf<string | undefined>()
  expectTypeOf<OutputOf<typeof order>['items']>().toEqualTypeOf<Order['items']>()
  expectTypeOf<PausesOf<typeof order>['approval']>().toEqualTypeOf<{ by: 'road' | 'air'; gift?: boolean }>()
  expectTypeOf<keyof PausesOf<typeof order>>().toEqualTypeOf<'approval' | 'rating'>()
  expectTypeOf<OutputOf<typeof nothing>>().toEqualTypeOf<1>()
  expectTypeOf<OutputOf<'anything'>>().toEqualTypeOf<Json>()
})

test('a run is started, decided, reported and read without an annotation', async () => {
  await using server = await startTesting({ workflows: [order, nothing], client: createClient })
  const sluice: Sluice = server.client
  const run = await sluice.workflow<typeof order>('typed-order').start(given, { tags: ['typed'] })
  await run.wait({ until: 'paused' })
  const pause = await run.approve('approval', { inputs: { by: 'air', gift: true } })
  expect(pause.nodeId satisfies 'approval').toBe('approval')
  await run.wait({ until: 'paused' })
  await run.approve('rating')
  await run.wait({ until: 'parked' })
  await sluice.steps.report({ run: { id: run.id }, step: 'ship', outcome: 'completed', output: { tracking: 'T1' } })
  const { charge, at, total, tracking, thanked, items } = await run.result({ timeoutMs: 20_000 })
  expect([charge.toUpperCase(), at.slice(0, 4), total + 1, tracking.length, thanked?.length, items[0]?.sku]).toEqual(['CH_1200', '1970', 1_201, 2, 17, 'a'])

  const small = await sluice.workflow<typeof order>('typed-order').start({ id: 'o_2', items: [] })
  await small.wait({ until: 'paused' })
  await small.decline('approval')
  await expect(small.result({ timeoutMs: 20_000 })).rejects.toBeInstanceOf(RunFailedError)
  expect((await (await sluice.workflow<typeof nothing>('typed-nothing').start()).result({ timeoutMs: 20_000 })) satisfies 1).toBe(1)
})

test('what does not fit does not compile', () => {
  const misused = async (sluice: Sluice): Promise<void> => {
    const handle = sluice.workflow<typeof order>('typed-order')
    // @ts-expect-error it needs an input
    await handle.start()
    // @ts-expect-error cents are a number
    await handle.start({ id: 'o', items: [{ sku: 'a', cents: '1' }] })
    // @ts-expect-error what it does not know it does not take
    await handle.start({ ...given, colour: 'red' })
    const run = await handle.start(given)
    // @ts-expect-error no node of this name asks
    await run.approve('aproval', { inputs: { by: 'air' } })
    // @ts-expect-error the form asks for `by`
    await run.approve('approval')
    // @ts-expect-error nothing goes by sea
    await run.override('approval', { inputs: { by: 'sea' } })
    const result = await run.result()
    // @ts-expect-error there is no such field
    void result.track
    // @ts-expect-error where the branch was not taken it is not there
    result.thanked satisfies string
    // @ts-expect-error a name is no type of a workflow
    sluice.workflow<{ input: Order }>('typed-order')
  }
  expect(misused).toBeTypeOf('function')
})
