import { createClient } from '@sluice/client'
import { defineStep, defineWorkflow, done, type Flow, type } from '@sluice/server'
import { RunFailedError, startTesting, StillAtWorkError, StillWaitingError } from '@sluice/server/testing'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'

const hour = 3_600_000
const Order = type<{ id: string; cents: number }>({ type: 'object', required: ['id', 'cents'], properties: { id: { type: 'string' }, cents: { type: 'number' } } })
const How = type<{ by: 'road' | 'air' }>({ type: 'object', required: ['by'], properties: { by: { enum: ['road', 'air'] } } })

/** What the steps have really done; nobody is charged in a test, unless it forgets to say so. */
const world: string[] = []

const charge = defineStep('charge', {
  retry: { attempts: 3, everyMs: 6 * hour },
  invoke: async ({ cents }: { cents: number }) => {
    world.push(`charge ${cents}`)
    return done({ id: `ch_${cents}` }, { refund: cents })
  },
  compensate: async (left) => void world.push(`refund ${left?.refund}`),
})

const order = defineWorkflow('order', { input: Order, timeoutMs: 30 * 24 * hour }, (w) => {
  const reserved = w.step('reserve', {
    input: { id: w.input.id },
    invoke: async ({ id }, at) => ({ shelf: `shelf of ${id}`, at: at.now.toISOString() }),
    compensate: async (left) => void world.push(`release ${left?.shelf}`),
  })
  const charged = w.step(charge, { cents: w.input.cents })
  const approval = w.pause('approval', { message: 'Ship it?', form: How })
  const shipped = w.step('ship', {
    async: true,
    output: type<{ tracking: string }>(),
    input: { by: approval.by },
    remind: { everyMs: hour, times: 3 },
    invoke: async ({ by }) => void world.push(`ship by ${by}`),
  })
  const thanked = w.step('thank', { input: { tracking: shipped.tracking }, timeoutMs: 5 * 60_000, invoke: async ({ tracking }, at) => `${tracking} ${await at.secret('SHOP')}` })
  return w.result({ shelf: reserved.shelf, charge: charged.id, tracking: shipped.tracking, thanked }, { pauses: [approval] })
})

const open = () => startTesting({ workflows: [order], secrets: { SHOP: 'Corner' } })
const input = { id: 'o_1', cents: 500 }

test('an order is taken through all that it waits for, in a few words, and typed', async () => {
  await using sluice = await open()
  const charging = sluice.stub(order, charge, async ({ cents }) => ({ id: `test_${cents}` }))
  const shipping = sluice.watch(order, 'ship')
  const run = await sluice.start(order, input)
  await sluice.pauses.approve(run, 'approval', { by: 'air' })
  await sluice.report(run, 'ship', { tracking: 'T1' })
  const result = await run.result()
  expect(result.thanked satisfies string).toBe('T1 Corner')
  expect(result).toMatchObject({ charge: 'test_500', shelf: 'shelf of o_1', tracking: 'T1' })
  expect(charging.calls.map((call) => call.input.cents satisfies number)).toEqual([500])
  expect(charging.calls[0]).toMatchObject({ runId: run.id, key: `${run.id}/charge/-`, attempt: 1 })
  expect(shipping.calls).toMatchObject([{ input: { by: 'air' } }])
  charging.restore()
  const again = await sluice.start(order, { id: 'o_2', cents: 700 })
  await again.get()
  expect(world).toContain('charge 700')
  expect(charging.calls).toHaveLength(2)
})

test('a step that is made to fail is tried again when its time has come, and what was done is undone', async () => {
  await using sluice = await open()
  const twice = sluice.fail(order, charge, 'the bank is closed', { times: 2 })
  const run = await sluice.start(order, { id: 'o_3', cents: 901 })
  await expect(run.result()).rejects.toThrow(StillWaitingError)
  expect(twice.calls).toHaveLength(1)
  await sluice.skip({ hours: 6 })
  expect(twice.calls).toHaveLength(2)
  await sluice.skip({ hours: 6 })
  const [first, second, third] = twice.calls
  expect(twice.calls.map(({ attempt }) => attempt)).toEqual([1, 2, 3])
  // Steps see the time that was skipped.
  expect(second!.at.getTime() - first!.at.getTime()).toBeGreaterThanOrEqual(6 * hour)
  expect(third!.at.getTime() - second!.at.getTime()).toBeLessThan(6 * hour + 20_000)
  expect(world).toContain('charge 901')
  expect((await sluice.pauses.open(run)).map(({ nodeId }) => nodeId)).toEqual(['approval'])

  const reserving = sluice.watch(order, 'reserve')
  sluice.fail(order, 'charge', new Error('no money'), { permanent: true })
  const broke = await sluice.start(order, { id: 'o_4', cents: 902 })
  const failure = await broke.result().catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(RunFailedError)
  expect(failure).toMatchObject({ code: 'step_failed', step: 'charge', message: expect.stringContaining('no money') as string })
  expect(reserving.undoings).toMatchObject([{ input: { shelf: 'shelf of o_4' } }])
  expect(world).toContain('release shelf of o_4')
  expect(world).not.toContain('charge 902')
})

test('time alone takes a run to its end, or the test is told what it waits for', async () => {
  await using sluice = await open()
  sluice.fail(order, charge)
  const run = await sluice.start(order, input)
  const before = sluice.now().getTime()
  await expect(sluice.finish(run)).rejects.toThrow(/step_failed in charge/)
  expect(sluice.now().getTime() - before).toBeGreaterThanOrEqual(12 * hour)
  expect(sluice.now().getTime() - before).toBeLessThan(12 * hour + 60_000)
  sluice.stub(order, charge, { invoke: async () => ({ id: 'ch' }) })
  const asks = await sluice.start(order, input)
  await sluice.settle()
  await expect(sluice.finish(asks)).rejects.toThrow(/a pause of approval \(moved by pauses.approve, decline or override\)/)
})

test('what waits for a report is reminded, and takes too long; a failure that is reported counts', async () => {
  await using sluice = await open()
  const shipping = sluice.watch(order, 'ship')
  const run = await sluice.start(order, input)
  await sluice.pauses.approve(run, 'approval', { by: 'road' })
  await sluice.settle()
  expect(shipping.calls).toHaveLength(1)
  await sluice.skip({ hours: 12 })
  expect(shipping.calls).toHaveLength(4)
  await sluice.skip({ days: 30 })
  await expect(run.result()).rejects.toMatchObject({ code: 'timed_out' })
  const lost = await sluice.start(order, input)
  await sluice.pauses.approve(lost, 'approval', { by: 'road' })
  await sluice.reportFailure(lost, 'ship', 'lost at sea')
  await expect(lost.result()).rejects.toThrow(/lost at sea/)
})

test('a step that hangs is waited for, and its time-out comes when it is asked for', async () => {
  await using sluice = await startTesting({ workflows: [order], secrets: { SHOP: 'Corner' }, patienceMs: 5_000 })
  const aborted = Promise.withResolvers<void>()
  sluice.stub(order, 'thank', (_: unknown, at) => new Promise(() => at.signal.addEventListener('abort', () => aborted.resolve())))
  const run = await sluice.start(order, input)
  await sluice.pauses.approve(run, 'approval', { by: 'road' })
  await sluice.report(run, 'ship', { tracking: 'T' })
  await expect(sluice.skip({ minutes: 10 })).rejects.toThrow(StillAtWorkError)
  await expect(sluice.settle()).rejects.toThrow(`thank of order in run ${run.id} is still at work`)
  await sluice.skip({ minutes: 10 }, { whileWorking: true })
  await aborted.promise
  await expect(run.result()).rejects.toMatchObject({ code: 'timed_out', step: 'thank', message: expect.stringContaining('300000 ms') as string })
})

test('a step at work over which time is skipped is not taken for dead', async () => {
  const release = Promise.withResolvers<string>()
  const slow = defineWorkflow('slow', (w) => w.step('work', { timeoutMs: 100 * hour, invoke: () => release.promise }))
  await using sluice = await startTesting({ workflows: [slow] })
  const working = sluice.watch(slow, 'work')
  const run = await sluice.start(slow)
  // Whoever looks for workers that are silent looks every two seconds or so.
  for (let skipped = 0; skipped < 8; skipped++) {
    await sluice.skip({ hours: 6 }, { whileWorking: true })
    await sleep(1_100)
  }
  release.resolve('done')
  expect(await run.result()).toBe('done')
  expect(working.calls).toHaveLength(1)
})

test('a run that waits for another one that waits for a person is not skipped after for ever', async () => {
  const child = defineWorkflow('asking', (w) => {
    w.sleep('rest', 5 * hour)
    const asked = w.pause('ask', { message: '?' })
    return w.result('asked', { pauses: [asked] })
  })
  const parent = defineWorkflow('parent', (w) => w.run(child))
  const ticking = defineWorkflow('ticking', { schedule: { everyMs: hour } }, () => null)
  await using sluice = await startTesting({ workflows: [child, parent, ticking] })
  const run = await sluice.start(parent)
  await expect(sluice.finish(run)).rejects.toThrow(/a child of asking-as-step/)
  const [asking] = await sluice.runs(child)
  await sluice.pauses.approve(asking!, 'ask')
  expect(await run.result()).toBe('asked')
  expect((await sluice.runs(ticking)).length).toBeGreaterThanOrEqual(4)
})

test('a schedule in code starts its runs', async () => {
  const nightly = defineWorkflow('nightly', { schedule: { cron: '0 3 * * *', timeZone: 'UTC', input: { full: true } } }, (w: Flow<{ full: boolean }>) => ({
    ran: w.step('sweep', { input: w.input, invoke: async ({ full }, at) => ({ full, on: at.now.toISOString().slice(0, 13) }) }),
  }))
  await using sluice = await startTesting({ workflows: [nightly], at: '2026-05-01T00:00:00Z' })
  await sluice.skip({ days: 2 })
  const results = await Promise.all((await sluice.runs(nightly)).map((run) => run.result()))
  expect(results.map(({ ran }) => ran)).toEqual([
    { full: true, on: '2026-05-01T03' },
    { full: true, on: '2026-05-02T03' },
  ])
})

test('a test is told what it got wrong', async () => {
  await using sluice = await open()
  expect(() => sluice.stub(order, 'chrage', () => {})).toThrow(/no step "chrage": its steps are reserve, charge, ship, thank/)
  expect(() => sluice.stub(order, 'thank', { compensate: () => {} })).toThrow(/nothing that undoes it/)
  await expect(sluice.skip({ days: -1 })).rejects.toThrow(RangeError)
  await expect(sluice.skip({ weeks: 1 } as never)).rejects.toThrow(RangeError)
  await expect(startTesting({ at: 'tomorrow' })).rejects.toThrow('There is no such time: tomorrow')
  await expect(sluice.start(order, { id: 'o', cents: 'many' } as never)).rejects.toMatchObject({ code: 'input_invalid' })
  await expect(sluice.start(defineWorkflow('other', () => ({})))).rejects.toMatchObject({ code: 'workflow_missing' })
})

test('the SDK is there too, and a test ends with runs in flight', async () => {
  const sluice = await startTesting({ workflows: [order], client: createClient })
  const cut = Promise.withResolvers<void>()
  sluice.stub(order, charge, (_, at) => new Promise((resolve) => at.signal.addEventListener('abort', () => (cut.resolve(), resolve({ id: '' })))))
  const run = await sluice.client.workflow<typeof order>('order').start(input)
  await sluice.client.runs.wait({ id: run.id, until: 'accepted' })
  await expect.poll(() => sluice.watch(order, charge).calls.length, { timeout: 10_000 }).toBe(1)
  await sluice.close()
  await cut.promise
})

test('what is misused does not compile', () => {
  const misused = async (sluice: Awaited<ReturnType<typeof open>>): Promise<void> => {
    // @ts-expect-error the input is asked for
    await sluice.start(order)
    // @ts-expect-error cents are a number
    await sluice.start(order, { id: 'o', cents: '5' })
    const run = await sluice.start(order, input)
    // @ts-expect-error it asks nothing of that name
    await sluice.pauses.approve(run, 'aproval', { by: 'air' })
    // @ts-expect-error the form asks for `by`
    await sluice.pauses.approve(run, 'approval')
    // @ts-expect-error nothing goes by sea
    await sluice.pauses.approve(run, 'approval', { by: 'sea' })
    // @ts-expect-error it gives an id
    sluice.stub(order, charge, async () => ({ number: 1 }))
    // @ts-expect-error there are cents, and no euros
    sluice.stub(order, charge, async ({ euros }) => ({ id: String(euros) }))
    const result = await run.result()
    result.tracking satisfies string
    // @ts-expect-error it returns nothing of that name
    result.track satisfies string
    // @ts-expect-error no client was given
    sluice.client.runs satisfies object
  }
  expect(misused).toBeTypeOf('function')
})
