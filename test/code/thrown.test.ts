import { createClient } from '@sluice/client'
import { defineWorkflow, done, permanentFailure, type } from '@sluice/server'
import { startTesting } from '@sluice/server/testing'
import { expect, test } from 'vitest'

const circle: Record<string, unknown> = {}
circle['self'] = circle

const thrown = (error: unknown) => () => {
  throw error
}

/** Of one step, which does this: how it ended, and what its undoing got. */
async function outcomeOf(invoke: () => unknown) {
  const undone: unknown[] = []
  let attempts = 0
  const counted = () => {
    attempts++
    return invoke()
  }
  const workflow = defineWorkflow('one', (w) => w.step('do', { invoke: counted, compensate: (left) => void undone.push(left), retry: { attempts: 2, everyMs: 1_000 } }))
  await using sluice = await startTesting({ workflows: [workflow] })
  const run = await sluice.start(workflow)
  await sluice.skip({ seconds: 5 })
  const { status, nodes } = await run.get()
  const { error } = nodes.find(({ nodeId }) => nodeId === 'do')!
  return { status, attempts, error, undone }
}

test.each<[string, unknown, object]>([
  ['a circle', circle, { code: 'error', message: '[object Object]', details: null }],
  ['a number that is no JSON', 10n, { code: 'error', message: '10', details: null }],
  ['an object without a text', Object.create(null), { code: 'error', details: {} }],
  ['nothing', undefined, { code: 'error', message: 'undefined', details: null }],
])('who throws %s has failed once, and tries again', async (_, error, told) => {
  expect(await outcomeOf(thrown(error))).toMatchObject({ status: 'compensated', attempts: 2, error: told })
})

test('a failure for good is told as it was said, also where what it leaves cannot be kept', async () => {
  const failed = { code: 'error', message: 'The card is refused', details: { name: 'PermanentFailure' } }
  expect(await outcomeOf(() => permanentFailure('The card is refused', circle))).toEqual({ status: 'compensated', attempts: 1, error: failed, undone: [undefined] })
  expect(await outcomeOf(() => permanentFailure('The card is refused', { card: 1 }))).toEqual({ status: 'compensated', attempts: 1, error: failed, undone: [{ card: 1 }] })
})

test.each<[string, () => unknown, RegExp]>([
  ['a promise that nobody waited for', () => ({ sent: Promise.resolve({ id: 1 }) }), /promise at sent/],
  ['a Map', () => new Map([['a', 1]]), /There is a Map, .*Object\.fromEntries/],
  ['a Set in a list', () => [new Set([1])], /There is a Set at 0, /],
  ['one in what is left', () => done(1, [{ sent: Promise.resolve() }]), /promise at sent/],
  ['what throws nothing when it is written', () => ({ toJSON: thrown(null) }), /not JSON: null/],
  ['a circle', () => circle, /circular/],
])('what a step gives that is no JSON is said, and not tried again: %s', async (_, invoke, message) => {
  expect(await outcomeOf(invoke)).toMatchObject({ status: 'compensated', attempts: 1, error: { code: 'output_invalid', message: expect.stringMatching(message) } })
})

test('an empty object is one', async () => {
  expect(await outcomeOf(() => ({ a: {}, b: [{}], '{}': [] }))).toMatchObject({ status: 'completed' })
})

test('a report that is not of the shape that the step says is refused, as is one of no step, and the step waits on', async () => {
  const workflow = defineWorkflow('one', (w) => w.step('ship', { async: true, output: type<{ at: string }>({ type: 'object', required: ['at'] }), invoke: () => {} }))
  await using sluice = await startTesting({ workflows: [workflow], client: createClient })
  const run = await sluice.start(workflow)
  await expect(sluice.report(run, 'ship', { to: 'Rome' })).rejects.toMatchObject({ code: 'input_invalid', issues: [{ nodeId: 'ship', path: ['output'] }] })
  const mistyped = sluice.client.steps.report({ run: { id: run.id }, step: 'shipp', outcome: 'completed' })
  await expect(mistyped).rejects.toMatchObject({ code: 'step_missing', message: 'There is no step shipp', details: { step: 'shipp', steps: expect.arrayContaining(['ship']) } })
  await sluice.report(run, 'ship', { at: 'Rome' })
  expect(await run.result()).toEqual({ at: 'Rome' })
})
