import { Fault, type Event, type EventField, type Where } from '@sluice/schema'
import { expect, test } from 'vitest'
import { createSieve, type Told } from '../../src/events/sieve.ts'

const run = 'run000000000001'
const workflow = 'workflow0000001'
const told = (seq: number, more: object = { type: 'progress', progress: seq }): Told => ({
  event: { subject: { kind: 'run', id: run }, seq, cursor: `c${seq}`, at: '2026-01-31T12:00:00.000Z', ...more } as Event,
  workflowId: workflow,
})
const many = (from: number, to: number): Told[] => Array.from({ length: to - from + 1 }, (_, index) => told(from + index))
const cursors = (where: Where<EventField>, ...pages: Told[][]): string[][] => {
  const sieve = createSieve(where)
  return pages.map((page) => sieve(page).map((item) => `${item.cursor}${item.type === 'passed' ? ' passed' : ''}`))
}

test('picks events by what they carry; what one does not carry is null', () => {
  const page = [
    told(1, { type: 'run.started' }),
    told(2, { type: 'step.started', nodeId: 'a', step: 'A', iteration: '' }),
    told(3, { type: 'log', nodeId: 'b', step: 'B', iteration: '', level: 'error' }),
  ]
  expect(cursors({ nodeId: 'a' }, page)).toEqual([['c2']])
  expect(cursors({ nodeId: { ne: 'a' } }, page)).toEqual([['c1', 'c3']])
  expect(cursors({ or: [{ type: { like: 'run.%' } }, { level: 'error' }] }, page)).toEqual([['c1', 'c3']])
  expect(cursors({ workflowId: workflow, runId: run, seq: { gt: 1 }, sessionId: null }, page)).toEqual([['c2', 'c3']])
})

test('says how far it has come after a hundred that were not wanted, over pages too', () => {
  expect(cursors({ type: 'log' }, many(1, 99), many(100, 100), many(101, 150))).toEqual([[], ['c100 passed'], []])
  expect(cursors({ type: 'log' }, [...many(1, 90), told(91, { type: 'log' })], many(92, 190), many(191, 191))).toEqual([['c91'], [], ['c191 passed']])
})

test('what cannot be asked of events is refused before there are any', () => {
  expect(() => createSieve({ message: 'x' } as object)).toThrow(Fault)
  expect(() => createSieve({ seq: 'x' })).toThrow(
    expect.objectContaining({ code: 'input_invalid', issues: [{ path: ['where', 'seq', 'eq'], message: 'expected a number' }] }) as Error,
  )
})
