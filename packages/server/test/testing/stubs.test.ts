import { expect, test } from 'vitest'
import { defineWorkflow, type StepAt } from '../../src/code/index.ts'
import { isPermanent, type WrittenFunction } from '../../src/code/written.ts'
import { createStubs, failing } from '../../src/testing/stubs.ts'

const at = { runId: 'r', key: 'r/a/-', attempt: 1, now: new Date(0) } as StepAt

const flow = defineWorkflow('flow', (w) => {
  const a = w.step('a', { invoke: async () => 'own', compensate: async () => 'undone' })
  w.step('b', { revision: 2, invoke: async () => 'of the second revision' })
  const told = w.hook('told', { a })
  return w.result(a, { hooks: [told] })
})

function stepOf(functions: ReadonlyMap<string, WrittenFunction>, key: string) {
  const found = functions.get(key)
  if (found?.is !== 'step') throw new Error(`no step ${key}`)
  // Called with what the test gives.
  return found as { invoke: ((input: unknown, at: StepAt) => Promise<unknown>) | null; compensate: ((left: unknown, at: StepAt) => Promise<unknown>) | null }
}

test('a step is watched, replaced and given back, whatever its revision, also after it was handed out', async () => {
  const stubs = createStubs()
  const { functions } = stubs.watch(flow)
  const a = stepOf(functions, 'a')
  expect(await a.invoke!({ n: 1 }, at)).toBe('own')
  const stub = stubs.of(flow, 'a', { invoke: () => 'stubbed' })
  expect(await a.invoke!({ n: 2 }, at)).toBe('stubbed')
  expect(await a.compensate!('left', at)).toBe('undone')
  expect(stub.calls.map(({ input }) => input)).toEqual([{ n: 1 }, { n: 2 }])
  expect(stub.undoings).toMatchObject([{ input: 'left', runId: 'r', attempt: 1 }])
  const second = stubs.of(flow, 'a', { compensate: () => 'otherwise' })
  stub.restore()
  expect(await a.compensate!(null, at)).toBe('otherwise')
  second.restore()
  expect(await a.invoke!(null, at)).toBe('own')
  stubs.of(flow, 'b', { invoke: () => 'any revision' })
  expect(await stepOf(functions, 'b@2').invoke!(null, at)).toBe('any revision')
  // The workflow itself is as it was.
  expect(await stepOf(flow.functions, 'b@2').invoke!(null, at)).toBe('of the second revision')
})

test('a hook that nobody took up stays one, until it is stubbed', async () => {
  const stubs = createStubs()
  const told = stepOf(stubs.watch(flow).functions, 'told')
  expect(told.invoke).toBeNull()
  stubs.of(flow, 'told', { invoke: () => 'heard' })
  expect(await told.invoke!(null, at)).toBe('heard')
})

test('what is at work is known until it ends, however it ends', async () => {
  const stubs = createStubs()
  const a = stepOf(stubs.watch(flow).functions, 'a')
  const held = Promise.withResolvers<void>()
  stubs.of(flow, 'a', { invoke: () => held.promise })
  const working = a.invoke!(null, at)
  expect(stubs.atWork).toEqual([{ workflow: 'flow', step: 'a', runId: 'r' }])
  held.reject(new Error('no'))
  await expect(working).rejects.toThrow('no')
  expect(stubs.atWork).toEqual([])
})

test('a step fails as often as it is told to, for a while or for good', async () => {
  const twice = failing('no', { times: 2 }, () => 'own')
  expect(() => twice(null as never, at)).toThrow('no')
  expect(() => twice(null as never, at)).toThrow('no')
  expect(twice(null as never, at)).toBe('own')
  const cause = new TypeError('never')
  const error = await Promise.resolve()
    .then(() => failing(cause, { permanent: true }, null)(null as never, at))
    .catch((thrown: unknown) => thrown)
  expect(isPermanent(error)).toBe(true)
  expect(error).toMatchObject({ message: 'never', cause })
})
