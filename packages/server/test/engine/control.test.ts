import { limits } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { payloadOf } from '../../src/engine/payload.ts'
import { shownStatus } from '../../src/engine/state.ts'
import { Play, graph, undoable } from './play.ts'

describe('cancel', () => {
  test('of a queued run ends it at once', () => {
    const play = new Play(graph({ a: {} }), { start: false }).cancel(true)
    expect(play.run).toMatchObject({ status: 'cancelled', reason: { code: 'cancelled' } })
    expect(play.events()).toEqual(['run.cancelling', 'run.cancelled'])
  })

  test('of a running run fences what is under way: it is told to abort, and its result is refused', () => {
    const play = new Play(graph({ a: {}, b: {} })).complete('b').outside({ is: 'cancelled', undo: false })
    expect(play.turn.aborts).toEqual(['a\n'])
    expect(play.run.status).toBe('cancelled')
    play.complete('a')
    expect(play.states()).toEqual({ a: 'cancelled', b: 'completed' })
  })

  test('of a waiting run closes its waits', () => {
    const play = new Play(graph({ ask: {}, sleep: {} })).pause('ask').wait('sleep', { for: 'timer', at: 99_999 }).cancel()
    expect(play.run.status).toBe('cancelled')
    expect(play.events('pause')).toEqual(['pause.opened', 'pause.cancelled'])
    expect(play.rows.timers.size).toBe(0)
  })

  test('of a held run needs no release', () => {
    expect(new Play(graph({ a: {} })).outside({ is: 'held' }).cancel().run).toMatchObject({ status: 'cancelled', heldAt: null })
  })

  test('undoes what completed, if asked, and is cancelled all the same', () => {
    const play = new Play(graph({ a: undoable, b: {} })).complete('a').cancel(true)
    expect(play.run.status).toBe('compensating')
    play.complete('a')
    expect(play.run).toMatchObject({ status: 'cancelled', reason: { code: 'cancelled' } })
    expect(new Play(graph({ a: undoable, b: {} })).complete('a').cancel(false).run.status).toBe('cancelled')
  })

  test('waits for children, and changes nothing a second time or of a run that is being undone', () => {
    const play = new Play(graph({ sub: {}, a: undoable })).wait('sub', { for: 'child', runId: 'kid' }).complete('a').cancel(true)
    expect(play.run.status).toBe('cancelling')
    play.cancel(false)
    expect(play.run.ending).toMatchObject({ undo: true })
    play.outside({ is: 'childEnded', nodeId: 'sub', iteration: '', runId: 'kid', outcome: { failed: { code: 'child_cancelled', message: 'Cancelled' } } }).holder()
    expect(play.run.status).toBe('compensating')
    const { ending } = play.cancel(false).run
    expect(ending).toMatchObject({ undo: true })
  })

  test('overrules another end that the run was on its way to', () => {
    const play = new Play(graph({ a: {}, b: {} })).fail('a')
    expect(play.run).toMatchObject({ status: 'running', ending: { to: 'failed' } })
    expect(play.cancel().run).toMatchObject({ status: 'cancelled', reason: { code: 'cancelled' } })
  })
})

describe('hold', () => {
  test('attempts under way finish and are recorded; nothing starts and the run does not end', () => {
    const play = new Play(graph({ a: {}, b: {} }, 'a -> b')).outside({ is: 'held' }).complete('a')
    expect([shownStatus(play.run), play.states()]).toEqual(['held', { a: 'completed' }])
    play.outside({ is: 'released' }).holder().complete('b').outside({ is: 'held' }).gather()
    expect(play.run.status).toBe('running')
    play.outside({ is: 'released' }).holder().gather()
    expect(play.run.status).toBe('completed')
  })

  test('of a queued run keeps it from starting', () => {
    const play = new Play(graph({ a: {} }), { start: false }).outside({ is: 'held' }).holder({ is: 'started' })
    expect(play.run.status).toBe('queued')
    play.outside({ is: 'released' }).holder({ is: 'started' })
    expect(play.states()).toEqual({ a: 'running' })
  })

  test('a run that failed under a hold is undone after it', () => {
    const play = new Play(graph({ a: undoable, b: {} }, 'a -> b')).complete('a').outside({ is: 'held' }).fail('b')
    expect(play.run).toMatchObject({ status: 'running', ending: { to: 'failed' } })
    play.outside({ is: 'released' }).holder()
    expect(play.run.status).toBe('compensating')
  })

  test('twice is once', () => {
    const play = new Play(graph({ a: {} })).outside({ is: 'held' }).outside({ is: 'held' }).outside({ is: 'released' }).outside({ is: 'released' })
    expect(play.events('run')).toEqual(['run.started', 'run.held', 'run.released'])
  })
})

describe('the time-out of a run', () => {
  const timed = graph({ a: undoable, b: {} }, { timeoutMs: 5_000 })

  test('counts waiting, fences what is under way and undoes what completed', () => {
    const play = new Play(timed).complete('a').pass(5_000)
    expect(play.run.status).toBe('compensating')
    expect(play.states()).toEqual({ a: 'completed', b: 'cancelled' })
    play.complete('a')
    expect(play.run).toMatchObject({ status: 'compensated', reason: { code: 'timed_out' } })
  })

  test('does not count queueing', () => {
    const play = new Play(timed, { start: false })
    play.now += 60_000
    play.holder({ is: 'started' })
    expect(play.run.deadlineAt).toBe(play.now + 5_000)
  })

  test('does not count a hold', () => {
    const play = new Play(timed)
    play.now += 4_000
    play.outside({ is: 'held' }).outside({ is: 'due', nodeId: '', iteration: '', timer: 'deadline' })
    play.now += 60_000
    play.outside({ is: 'released' })
    expect(play.run.deadlineAt).toBe(play.now + 1_000)
    play.pass(999)
    expect(play.run.ending).toBeNull()
    expect(play.pass(1).run.ending).toMatchObject({ reason: { code: 'timed_out' } })
  })

  test('a timer set before a hold does not end the run after it', () => {
    const play = new Play(timed).outside({ is: 'held' })
    play.now += 10_000
    play.outside({ is: 'released' }).outside({ is: 'due', nodeId: '', iteration: '', timer: 'deadline' })
    expect(play.run.ending).toBeNull()
    expect([...play.rows.timers.values()]).toEqual([play.run.deadlineAt])
  })

  test('leaves an ending run the time it needs', () => {
    const play = new Play(timed).complete('a').fail('b')
    expect(play.rows.timers.size).toBe(0)
    play.outside({ is: 'due', nodeId: '', iteration: '', timer: 'deadline' })
    expect(play.run.reason ?? play.run.ending?.reason).toMatchObject({ code: 'step_failed' })
  })
})

describe('a worker that dies of a run', () => {
  test('what was under way is tried again by the next, under a new attempt; what comes from the dead one is refused', () => {
    const play = new Play(graph({ a: {} }))
    const late = { is: 'completed' as const, nodeId: 'a', iteration: '', phase: 'invoke' as const, attempt: 1, output: payloadOf('late'), route: ['default'] }
    play.crash().holder(late)
    expect(play.step('a')).toMatchObject({ state: 'running', attempts: 2, failures: 0 })
    expect(play.complete('a').step('a')!.output!.value).toEqual({ from: 'a' })
  })

  test('what the holder still has in hand when it reads the run anew is not lost', () => {
    const play = new Play(graph({ a: {}, b: {} })).holder({ is: 'claimed', mine: new Set(['a\n#1']) })
    expect([play.step('a')!.attempts, play.step('b')!.attempts]).toEqual([1, 2])
  })

  test('five times without progress: the run ends with worker_lost, and is undone', () => {
    const play = new Play(graph({ a: undoable, b: {} })).complete('a').crash({ is: 'poisoned' })
    expect(play.run).toMatchObject({ status: 'compensating', ending: { reason: { code: 'worker_lost' } } })
    play.complete('a')
    expect(play.run).toMatchObject({ status: 'compensated', reason: { code: 'worker_lost' } })
  })

  test('and when undoing kills it too, the run has failed', () => {
    const play = new Play(graph({ a: undoable, b: {} })).complete('a').crash({ is: 'poisoned' }).crash({ is: 'poisoned' })
    expect(play.run).toMatchObject({ status: 'failed', reason: { code: 'worker_lost' } })
    expect(play.step('a')!.compensation!.state).toBe('failed')
  })

  test('a queued run fails at once; a cancel stands', () => {
    expect(new Play(graph({ a: {} }), { start: false }).outside({ is: 'poisoned' }).run).toMatchObject({ status: 'failed', reason: { code: 'worker_lost' } })
    const play = new Play(graph({ sub: {} })).wait('sub', { for: 'child', runId: 'kid' }).cancel().crash({ is: 'poisoned' })
    expect(play.run).toMatchObject({ status: 'cancelling', ending: { to: 'cancelled' } })
  })

  test('deaths are counted since the last progress', () => {
    const play = new Play(graph({ a: {}, b: {} }), { given: { deaths: 4 } }).complete('a')
    expect(play.run.deaths).toBe(0)
  })
})

describe('a version whose handlers are not here', () => {
  test('the run waits for them, and goes on where they are', () => {
    const play = new Play(graph({ a: {} }))
    play.outside({ is: 'unserved' })
    expect(play.run).toMatchObject({ status: 'waiting', waitingKind: 'version' })
    play.outside({ is: 'signalled', name: 'x', payload: payloadOf(1) })
    expect(play.run).toMatchObject({ status: 'waiting', waitingKind: 'version' })
    play.crash()
    expect(play.run).toMatchObject({ status: 'running', waitingKind: null })
    expect(play.step('a')).toMatchObject({ state: 'running', attempts: 2 })
  })

  test('a queued run waits for them as queued', () => {
    const play = new Play(graph({ a: {} }), { start: false }).outside({ is: 'unserved' })
    expect(play.run).toMatchObject({ status: 'queued', waitingKind: 'version' })
    expect(play.holder({ is: 'started' }).run).toMatchObject({ status: 'running', waitingKind: null })
  })
})

describe('retry now', () => {
  test('a retrying step is tried at once, and not again when its time comes', () => {
    const play = new Play(graph({ a: { settings: { retry: { maxAttempts: 3, backoffMs: 60_000 } } } })).fail('a').outside({ is: 'retryNow', nodeId: 'a', iteration: '' }).holder()
    expect(play.step('a')).toMatchObject({ state: 'running', attempts: 2, failures: 1 })
    expect(play.rows.timers.size).toBe(0)
    play.outside({ is: 'due', nodeId: 'a', iteration: '', timer: 'retry' }).outside({ is: 'retryNow', nodeId: 'a', iteration: '' }).holder()
    expect(play.step('a')!.attempts).toBe(2)
  })
})

test('a run without nodes completes with what it is told it gives', () => {
  expect(new Play(graph({})).gather({}).run).toMatchObject({ status: 'completed', progress: 100, reason: null })
})

test('a run whose output cannot be said has failed', () => {
  const play = new Play(graph({ a: {} })).complete('a')
  play.holder({ is: 'unanswerable', nodeId: '', iteration: '', error: { code: 'limit_exceeded', message: 'Too large' } })
  expect(play.run).toMatchObject({ status: 'failed', reason: { code: 'limit_exceeded' } })
})

test(`more than ${limits.stepsPerRun} attempts end the run with limit_exceeded`, () => {
  const play = new Play(graph({ a: {}, b: {}, c: {} }, 'a -> b', 'b -> c'), { given: { steps: limits.stepsPerRun - 2 } })
  play.complete('a')
  expect(play.states()).toEqual({ a: 'completed', b: 'running' })
  expect(play.complete('b').run).toMatchObject({ status: 'failed', reason: { code: 'limit_exceeded' } })
})

test('an output that is too large fails its step, without a retry', () => {
  const play = new Play(graph({ a: { settings: { retry: { maxAttempts: 3 } } } })).complete('a', 'x'.repeat(limits.stepOutputBytes))
  expect(play.run).toMatchObject({ status: 'failed', reason: { code: 'limit_exceeded', step: 'a' } })
})

test('results that a fork brings along count from the start, and are not undone', () => {
  const given = new Play(graph({ a: {} })).complete('a').step('a')!
  const play = new Play(graph({ a: undoable, b: undoable, c: {} }, 'a -> b', 'b -> c'), { steps: [given] })
  expect(play.states()).toEqual({ a: 'completed', b: 'running' })
  play.complete('b').fail('c').complete('b')
  expect(play.run.status).toBe('compensated')
  expect(play.events('step.compensated')).toEqual(['step.compensated b'])
})
