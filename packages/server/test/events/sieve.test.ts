import { Fault, type Event, type EventField, type Where } from '@sluice/schema'
import { expect, test } from 'vitest'
import { Page } from '../../src/events/page.ts'
import { momentOf, numbered } from '../../src/events/place.ts'
import { createSieve, type Told, unseen } from '../../src/events/sieve.ts'

const run = 'run000000000001'
const workflow = 'workflow0000001'
const told = (seq: number, more: object = { type: 'progress', progress: seq }): Told => ({
  event: { subject: { kind: 'run', id: run }, seq, cursor: `c${seq}`, at: '2026-01-31T12:00:00.000Z', ...more } as Event,
  workflowId: workflow,
  owner: null,
})
const pageOf = (...all: Told[]): Page => {
  const entries = all.map((each) => ({ ...each, place: numbered(each.event.seq) }))
  return new Page({ after: numbered(all[0]!.event.seq - 1), end: entries.at(-1)!.place, entries, isLast: false, bytes: 0 })
}
const cursors = (where: Where<EventField> | undefined, page: Page) => page.sift(createSieve(where)).events.map(({ cursor }) => cursor)

test('picks events by what they carry; what one does not carry is null', () => {
  const page = pageOf(
    told(1, { type: 'run.started' }),
    told(2, { type: 'step.started', nodeId: 'a', step: 'A', iteration: '' }),
    told(3, { type: 'log', nodeId: 'b', step: 'B', iteration: '', level: 'error' }),
  )
  expect(cursors(undefined, page)).toEqual(['c1', 'c2', 'c3'])
  expect(cursors({ nodeId: 'a' }, page)).toEqual(['c2'])
  expect(cursors({ nodeId: { ne: 'a' } }, page)).toEqual(['c1', 'c3'])
  expect(cursors({ or: [{ type: { like: 'run.%' } }, { level: 'error' }] }, page)).toEqual(['c1', 'c3'])
  expect(cursors({ workflowId: workflow, runId: run, seq: { gt: 1 }, sessionId: null }, page)).toEqual(['c2', 'c3'])
})

test('within its scope alone', () => {
  const mine = (who: string) => ({ key: who, fits: ({ owner }: Told) => owner === who })
  const page = pageOf(told(1), { ...told(2), owner: 'ada' }, { ...told(3), owner: 'bob' })
  for (const [who, cursor] of [
    ['ada', 'c2'],
    ['bob', 'c3'],
  ] as const)
    expect(page.sift(createSieve({ type: 'progress' }, mine(who))).events.map((event) => event.cursor)).toEqual([cursor])
})

test('is asked about an event once, however many ask for the same', () => {
  let asked = 0
  const counting = { key: 'some', fits: () => ++asked > 0 }
  const page = pageOf(told(1), told(2))
  const first = page.sift(createSieve({ type: 'progress' }, counting))
  expect(page.sift(createSieve({ type: 'progress' }, { ...counting })).events).toBe(first.events)
  expect(asked).toBe(2)
  page.sift(createSieve({ type: 'log' }, counting))
  expect(asked).toBe(4)
})

test('tells how many were left out since the last one that was not', () => {
  const page = pageOf(told(1), told(2, { type: 'log' }), told(3), told(4))
  expect(page.sift(createSieve({ type: 'log' }))).toMatchObject({ events: [{ seq: 2 }], silence: 2 })
  expect(page.sift(createSieve({ type: 'message' }))).toEqual({ events: [], silence: 4 })
  expect(page.passed).toEqual([{ type: 'passed', cursor: 'c4' }])
})

test('what cannot be asked of events is refused before there are any', () => {
  expect(() => createSieve({ message: 'x' } as object)).toThrow(Fault)
  expect(() => createSieve({ seq: 'x' })).toThrow(
    expect.objectContaining({ code: 'input_invalid', issues: [{ path: ['where', 'seq', 'eq'], message: 'expected a number' }] }) as Error,
  )
})

test('what a snapshot has shown is left out, for as long as any of it may come; what was open then is told', () => {
  const entries = [10n, 11n, 12n, 13n, 14n].map((xid, index) => ({ ...told(index + 1), place: { xid, position: index } }))
  // 10 and 12 were open; 11 had committed; 13 was not begun.
  const first = unseen(createSieve(undefined), momentOf('10:13:10,12')).sift(entries.slice(0, 2))
  expect(first.events.map(({ seq }) => seq)).toEqual([1])
  if (!first.next || first.next === 'anew') throw new Error('it goes on with what it began with')
  const second = first.next.sift(entries.slice(2))
  expect(second.events.map(({ seq }) => seq)).toEqual([3, 4, 5])
  expect(second.next).toMatchObject({ key: '' })
})
