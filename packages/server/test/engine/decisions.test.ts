import { limits } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { Play, graph } from './play.ts'

const asked = (...links: string[]) => new Play(graph({ ask: { type: 'pause' }, next: {}, no: {}, late: {} }, 'ask -> next', ...links))

describe('a decision on a pause', () => {
  test('approve completes the step with its input, and the inputs of the decision merged in', () => {
    const play = asked().pause('ask').decide('approve', { limit: 2 })
    expect(play.step('ask')).toMatchObject({ state: 'completed', route: ['default'] })
    expect(play.step('ask')!.output!.value).toEqual({ asked: 'ask', limit: 2 })
    expect(play.states()['next']).toBe('running')
  })

  test('override makes the inputs the output', () => {
    const play = asked().pause('ask').decide('override', { limit: 2 })
    expect(play.step('ask')!.output!.value).toEqual({ limit: 2 })
  })

  test('decline leaves by the link drawn for it; the normal followers are skipped', () => {
    const play = asked('ask:declined -> no').pause('ask').decide('decline')
    expect(play.step('next')).toMatchObject({ state: 'skipped', skipReason: 'declined' })
    expect(play.states()['no']).toBe('running')
  })

  test('decline without such a link undoes what completed and cancels the run', () => {
    const play = new Play(graph({ first: { settings: { compensate: { type: 'work' } } }, ask: { type: 'pause' } }, 'first -> ask'))
    play.complete('first').pause('ask').decide('decline')
    expect(play.run.status).toBe('compensating')
    play.complete('first')
    expect(play.run).toMatchObject({ status: 'cancelled', reason: { code: 'pause_declined', step: 'ask' } })
  })

  test('two decisions: the first stands, the second changes nothing', () => {
    const play = asked('ask:declined -> no').pause('ask')
    const { id } = play.rows.openPauses()[0]!
    play.decide('approve', null, id).decide('decline', null, id)
    expect(play.rows.pause(id)).toMatchObject({ status: 'approved', decision: { action: 'approve' } })
    expect(play.step('ask')!.route).toEqual(['default'])
  })

  test('one that comes under a hold is recorded; what follows starts on release', () => {
    const play = asked().pause('ask').outside({ is: 'held' }).decide('approve')
    expect(play.states()).toMatchObject({ ask: 'completed' })
    expect(play.step('next')).toBeUndefined()
    play.outside({ is: 'released' }).holder()
    expect(play.states()['next']).toBe('running')
  })
})

describe('a pause that nobody decides in time', () => {
  test('leaves by the link drawn for that', () => {
    const play = asked('ask:expired -> late')
    play.pause('ask', { expiresInMs: 100, onExpiry: { action: 'approve' } }).pass(100)
    expect(play.states()).toMatchObject({ ask: 'completed', late: 'running', next: 'skipped' })
    expect(play.events('pause')).toEqual(['pause.opened', 'pause.expired'])
  })

  test.each([
    ['approve', 'completed', 'running'],
    ['override', 'completed', 'running'],
    ['decline', 'cancelled', 'cancelled'],
  ] as const)('takes its default, %s, where no link is drawn', (action, ask, next) => {
    const play = asked().pause('ask', { expiresInMs: 100, onExpiry: { action } }).pass(100)
    expect(play.states()['ask']).toBe(ask)
    expect(play.states()['next'] ?? 'cancelled').toBe(next)
  })

  test('fails with pause_expired where there is neither', () => {
    const play = asked().pause('ask', { expiresInMs: 100 }).pass(99)
    expect(play.run.status).toBe('running')
    play.complete('no').complete('late')
    expect(play.run).toMatchObject({ status: 'waiting', waitingKind: 'pause' })
    play.pass(1)
    expect(play.run).toMatchObject({ status: 'failed', reason: { code: 'pause_expired', step: 'ask' } })
  })

  test("waits for ever when the node sets no time, and as long as the node's own time-out when it sets that", () => {
    expect(asked().pause('ask').rows.timers.size).toBe(0)
    const play = new Play(graph({ ask: { type: 'pause', settings: { timeoutMs: 70 } } })).pause('ask')
    expect([...play.rows.timers.values()]).toEqual([play.now + 70])
  })
})

describe('what a pause holds up', () => {
  test('its dependants only: other work goes on, and the run is running', () => {
    const play = asked().pause('ask')
    expect(play.run).toMatchObject({ status: 'running', waitingKind: null })
    expect(play.states()).toEqual({ ask: 'waiting', no: 'running', late: 'running' })
  })

  test('with blocks: run, everything not yet started', () => {
    const play = new Play(graph({ ask: { type: 'pause' }, work: {}, after: {} }, 'work -> after')).pause('ask', { blocks: 'run' })
    play.complete('work')
    expect(play.step('after')).toBeUndefined()
    expect(play.run).toMatchObject({ status: 'waiting', waitingKind: 'pause' })
    play.decide('approve')
    expect(play.states()['after']).toBe('running')
  })
})

test(`more than ${limits.openPauses} pauses wait for a place, and one of them is tried again for each that comes free`, () => {
  const people = limits.openPauses + 8
  const play = new Play(graph({ each: { type: 'map' }, ask: { type: 'pause', parentId: 'each' } })).fan('each', people, { concurrency: people })
  for (let index = 0; index < people; index++) play.pause('ask', {}, String(index))
  expect(play.rows.openPauses()).toHaveLength(limits.openPauses)
  expect(play.run).toMatchObject({ status: 'waiting', waitingKind: 'pause', steps: people + 1 })
  for (let decided = 1; decided <= 3; decided++) {
    play.crash()
    expect(play.run.steps).toBe(people + decided)
    play.decide('approve').pause('ask', {}, play.tasks[0]!.iteration)
  }
  expect(play.rows.openPauses()).toHaveLength(limits.openPauses)
  expect(play.events('step.completed')).toHaveLength(3)
})
