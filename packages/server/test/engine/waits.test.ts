import { describe, expect, test } from 'vitest'
import { payloadOf } from '../../src/engine/payload.ts'
import type { Happening } from '../../src/engine/happening.ts'
import { Play, graph } from './play.ts'

const signal = (value: string, name = 'go'): Happening => ({ is: 'signalled', name, payload: payloadOf(value) })
const listen = { for: 'signal', name: 'go', timeoutMs: null } as const

describe('signals', () => {
  test('one that comes early, even before the start, is kept for the step that will wait for it', () => {
    const play = new Play(graph({ hear: { type: 'signal' } }), { start: false }).outside(signal('early')).outside(signal('later'))
    play.holder({ is: 'started' }).wait('hear', listen)
    expect(play.step('hear')!.output!.value).toBe('early')
    expect(play.rows.signals.map((each) => each.consumedBy)).toEqual(['hear\n', null])
  })

  test('one that comes in the same turn as the wait is not missed', () => {
    const play = new Play(graph({ hear: { type: 'signal' } }))
    play.holder(signal('now'), { is: 'waits', nodeId: 'hear', iteration: '', phase: 'invoke', attempt: 1, waiting: listen })
    expect(play.step('hear')!.output!.value).toBe('now')
    expect(play.rows.signals).toEqual([])
  })

  test('of two that wait, the first to have come gets it, the second the next', () => {
    const play = new Play(graph({ b: { type: 'signal' }, slow: {}, a: { type: 'signal' } }, 'slow -> a')).wait('b', listen)
    play.now++
    play.complete('slow').wait('a', listen).outside(signal('one'))
    expect(play.states()).toMatchObject({ b: 'completed', a: 'waiting' })
    play.outside(signal('two')).holder()
    expect(play.step('a')!.output!.value).toBe('two')
  })

  test('another name wakes nobody', () => {
    const play = new Play(graph({ hear: { type: 'signal' } })).wait('hear', listen).outside(signal('x', 'stop'))
    expect(play.run).toMatchObject({ status: 'waiting', waitingKind: 'signal' })
  })

  test.each([
    [[], 'failed'],
    [['hear:expired -> late'], 'running'],
  ])('a wait whose time is up takes the link drawn for that, else it has failed', (links, status) => {
    const play = new Play(graph({ hear: { type: 'signal' }, late: {} }, 'hear -> late', ...links)).wait('hear', { ...listen, timeoutMs: 50 }).pass(50)
    expect(play.run.status).toBe(status)
    if (status === 'failed') expect(play.run.reason).toMatchObject({ code: 'timed_out', step: 'hear' })
  })
})

describe('reports', () => {
  const report = (outcome: 'completed' | 'failed', phase: 'invoke' | 'compensate' = 'invoke'): Happening => ({
    is: 'reported',
    nodeId: 'out',
    iteration: '',
    phase,
    outcome: outcome === 'completed' ? { completed: payloadOf({ done: true }), compensateInput: { undo: 'this' } } : { failed: { code: 'no', message: 'It did not' } },
    fingerprint: outcome,
  })

  test('is asked for again after a while, so many times, by calling the step again; the time-out counts from the first call', () => {
    const remind = { everyMs: 100, times: 2 }
    const play = new Play(graph({ out: { settings: { timeoutMs: 350 } } })).wait('out', { for: 'report', remind })
    expect(play.pass(100).holder().step('out')).toMatchObject({ state: 'running', attempts: 2 })
    expect(play.wait('out', { for: 'report', remind }).pass(99).step('out')!.state).toBe('waiting')
    expect(play.pass(1).holder().step('out')).toMatchObject({ state: 'running', attempts: 3, failures: 0 })
    play.wait('out', { for: 'report', remind }).pass(100).holder()
    expect(play.step('out')!.state).toBe('waiting')
    expect(play.pass(50).run).toMatchObject({ status: 'failed', reason: { code: 'timed_out' } })
  })

  test('that stayed out is waited for as long again when the step is tried again', () => {
    const remind = { everyMs: 200, times: 9 }
    const settings = { timeoutMs: 350, retry: { maxAttempts: 2, backoffMs: 1_000, jitter: 0 } }
    const play = new Play(graph({ out: { settings } })).wait('out', { for: 'report', remind }).pass(200).wait('out', { for: 'report', remind }).pass(150)
    expect(play.step('out')).toMatchObject({ state: 'retrying', failures: 1 })
    play.pass(1_000).wait('out', { for: 'report', remind }).pass(199)
    expect(play.step('out')).toMatchObject({ state: 'waiting', attempts: 3 })
    play.pass(1).crash().wait('out', { for: 'report', remind }).pass(149)
    expect(play.step('out')!.state).toBe('waiting')
    expect(play.pass(1).run).toMatchObject({ status: 'failed', reason: { code: 'timed_out' } })
  })

  test('counts also while the step is called again for want of it: what that call comes to then changes nothing', () => {
    const play = new Play(graph({ out: {} })).wait('out', { for: 'report', remind: { everyMs: 100, times: 9 } }).pass(100)
    expect(play.step('out')!.state).toBe('running')
    play.outside(report('completed'))
    expect(play.step('out')).toMatchObject({ state: 'completed', attempts: 2, output: { value: { done: true } } })
    play.holder({ is: 'waits', nodeId: 'out', iteration: '', phase: 'invoke', attempt: 2, waiting: { for: 'report' } })
    expect(play.step('out')!.state).toBe('completed')
  })

  test('settles the step, once: the same one again, or another, changes nothing', () => {
    const play = new Play(graph({ out: {}, next: {} }, 'out -> next')).wait('out', { for: 'report' }).outside(report('completed')).holder()
    const row = play.step('out')
    play.outside(report('completed')).outside(report('failed'))
    expect(play.step('out')).toEqual(row)
    expect(row).toMatchObject({ state: 'completed', reported: 'completed', compensateInput: { undo: 'this' } })
  })

  test('a failure is one failed attempt: the step is tried again, and waits again', () => {
    const play = new Play(graph({ out: { settings: { retry: { maxAttempts: 2, jitter: 0 } } } })).wait('out', { for: 'report' }).outside(report('failed')).holder()
    expect(play.step('out')).toMatchObject({ state: 'retrying', failures: 1 })
    play.pass(1_000).wait('out', { for: 'report' }).outside(report('failed')).holder()
    expect(play.run).toMatchObject({ status: 'failed', reason: { code: 'step_failed' } })
  })

  test('one that stays out counts as a failed attempt too', () => {
    const play = new Play(graph({ out: { settings: { timeoutMs: 30, retry: { maxAttempts: 2 } } } })).wait('out', { for: 'report' }).pass(30)
    expect(play.step('out')).toMatchObject({ state: 'retrying', failures: 1, error: { code: 'timed_out' }, timedOutAt: play.now })
  })

  test('an undoing may wait for one as well, for as long as the step may', () => {
    const play = new Play(graph({ out: { settings: { timeoutMs: 30, compensate: { type: 'work' }, retry: { maxAttempts: 2, jitter: 0 } } }, bad: {} }, 'out -> bad'))
      .wait('out', { for: 'report' })
      .outside(report('completed'))
      .holder()
    play.fail('bad').wait('out', { for: 'report' })
    expect(play.step('out')!.compensation!.state).toBe('waiting')
    play.pass(30)
    expect(play.step('out')!.compensation).toMatchObject({ state: 'retrying', failures: 1 })
    play.pass(1_000).wait('out', { for: 'report' }).outside(report('completed', 'compensate')).holder()
    expect(play.run.status).toBe('compensated')
  })
})

describe('timers', () => {
  test('a delay ends when it is due, not before, and only once', () => {
    const play = new Play(graph({ sleep: {} })).wait('sleep', { for: 'timer', at: 6_000 })
    play.outside({ is: 'due', nodeId: 'sleep', iteration: '', timer: 'wait' })
    expect(play.states()).toEqual({ sleep: 'waiting' })
    expect([...play.rows.timers.values()]).toEqual([6_000])
    play.pass(5_000)
    expect(play.states()).toEqual({ sleep: 'completed' })
    play.outside({ is: 'due', nodeId: 'sleep', iteration: '', timer: 'wait' })
    expect(play.events('step.completed')).toHaveLength(1)
  })

  test('a time already past completes at once', () => {
    expect(new Play(graph({ sleep: {} })).wait('sleep', { for: 'timer', at: 1 }).states()).toEqual({ sleep: 'completed' })
  })

  test('a timer of a wait that is over does not end the next one', () => {
    const play = new Play(graph({ out: { settings: { timeoutMs: 5_000, retry: { maxAttempts: 3, backoffMs: 0 } } } })).wait('out', { for: 'report' })
    play.outside({ is: 'reported', nodeId: 'out', iteration: '', phase: 'invoke', outcome: { failed: { code: 'no', message: 'no' } }, fingerprint: 'f' }).pass(0)
    play.now += 4_000
    play.wait('out', { for: 'report' }).outside({ is: 'due', nodeId: 'out', iteration: '', timer: 'wait' })
    expect(play.step('out')).toMatchObject({ state: 'waiting', failures: 1 })
    expect([...play.rows.timers.values()]).toEqual([play.now + 5_000])
  })
})

describe('children', () => {
  const sub = { type: 'child', settings: { retry: { maxAttempts: 2, backoffMs: 0 } } }
  const ended = (outcome: Extract<Happening, { is: 'childEnded' }>['outcome'], failures = 0, runId = 'kid'): Happening => ({
    is: 'childEnded',
    nodeId: 'sub',
    iteration: '',
    runId,
    failures,
    outcome,
  })
  const done = { completed: payloadOf('ok') }
  const broken = { failed: { code: 'child_failed', message: 'It failed' } }

  test('a completed one completes the step', () => {
    const play = new Play(graph({ sub })).wait('sub', { for: 'child', runId: 'kid' }).outside(ended(done)).holder()
    expect(play.step('sub')!.output!.value).toBe('ok')
  })

  test('one that ends before its step has come to wait is not lost', () => {
    const play = new Play(graph({ sub })).outside(ended(done))
    play.holder({ is: 'waits', nodeId: 'sub', iteration: '', phase: 'invoke', attempt: 1, waiting: { for: 'child', runId: 'kid' } }).gather()
    expect(play.run.status).toBe('completed')
  })

  test('one that ends while its step is to be tried again, because a worker died, counts too', () => {
    const play = new Play(graph({ sub })).outside({ is: 'held' }).crash().outside(ended(done)).outside({ is: 'released' }).holder()
    expect(play.step('sub')).toMatchObject({ state: 'completed', attempts: 1 })
  })

  test('a failed one is a failed attempt; told again it does not count for the next', () => {
    const play = new Play(graph({ sub })).wait('sub', { for: 'child', runId: 'kid' }).outside(ended(broken)).pass(0)
    expect(play.step('sub')).toMatchObject({ state: 'running', attempts: 2, failures: 1 })
    play.outside(ended(broken))
    expect(play.step('sub')).toMatchObject({ state: 'running', failures: 1 })
    play
      .wait('sub', { for: 'child', runId: 'kid2' })
      .outside(ended(broken, 1, 'kid2'))
      .holder()
    expect(play.run).toMatchObject({ status: 'failed', reason: { code: 'child_failed', step: 'sub' } })
  })

  test('a cancelled one fails the step with child_cancelled', () => {
    const play = new Play(graph({ sub: { type: 'child' } })).wait('sub', { for: 'child', runId: 'kid' })
    play.outside(ended({ failed: { code: 'child_cancelled', message: 'It was cancelled' } })).holder()
    expect(play.run.reason).toMatchObject({ code: 'child_cancelled' })
  })

  test('when its time is up it is cancelled, and the step goes on when it has ended', () => {
    const play = new Play(graph({ sub: { ...sub, settings: { ...sub.settings, timeoutMs: 10 } } })).wait('sub', { for: 'child', runId: 'kid' })
    play.now += 10
    play.outside({ is: 'due', nodeId: 'sub', iteration: '', timer: 'wait' })
    expect([...play.turn.childrenToCancel]).toEqual(['kid'])
    // Whoever was to cancel it may have died: the holder says it again.
    expect([...play.crash().turn.childrenToCancel]).toEqual(['kid'])
    expect(play.states()).toEqual({ sub: 'waiting' })
    play.outside(ended({ failed: { code: 'child_cancelled', message: 'It was cancelled' } })).holder()
    expect(play.step('sub')).toMatchObject({ state: 'running', attempts: 2, error: { code: 'timed_out' } })
  })

  test('when the run stops it is told to cancel, and the run ends after it', () => {
    const play = new Play(graph({ sub: { type: 'child', settings: { compensate: { type: 'work' } } }, bad: {} })).wait('sub', { for: 'child', runId: 'kid' }).fail('bad')
    expect([...play.turn.childrenToCancel]).toEqual(['kid'])
    expect(play.run).toMatchObject({ status: 'waiting', waitingKind: 'child', ending: { to: 'failed' } })
    // It had completed before it was told: that stands, and is undone.
    play.outside(ended(done)).holder()
    expect(play.run.status).toBe('compensating')
    play.complete('sub')
    expect(play.run).toMatchObject({ status: 'compensated', reason: { step: 'bad' } })
  })

  test('one that was started for a step which has ended meanwhile is told to cancel', () => {
    const play = new Play(graph({ sub: { type: 'child' } }))
    play.cancel().holder({ is: 'waits', nodeId: 'sub', iteration: '', phase: 'invoke', attempt: 1, waiting: { for: 'child', runId: 'kid' } })
    expect([...play.turn.childrenToCancel]).toEqual(['kid'])
  })
})
