import { describe, expect, test } from 'vitest'
import { payloadOf } from '../../src/engine/payload.ts'
import { Play, graph, undoable } from './play.ts'

const undos = (play: Play) => play.events('step.compens')
const last = (event: string): string => event.split(' ').at(-1)!

describe('undoing', () => {
  test('goes through what completed backwards, one at a time, and takes the failed step in if it declares it', () => {
    const play = new Play(graph({ a: undoable, b: undoable, c: {}, d: undoable }, 'a -> b', 'b -> c', 'c -> d')).complete('a').complete('b').complete('c').fail('d')
    expect(undos(play)).toEqual(['step.compensating d'])
    play.complete('d').complete('b').complete('a')
    expect(undos(play)).toEqual(['d', 'b', 'a'].flatMap((id) => [`step.compensating ${id}`, `step.compensated ${id}`]))
    expect(play.run).toMatchObject({ status: 'compensated', reason: { code: 'step_failed', step: 'd' } })
    expect(play.step('d')).toMatchObject({ state: 'failed', error: { code: 'broken' }, compensation: { state: 'completed' } })
  })

  test('takes in what was cut off under way, or while it was tried again, first of all: what that had done, nobody knows', () => {
    const settings = { retry: { maxAttempts: 2, backoffMs: 100, jitter: 0 }, compensate: { type: 'work' } }
    const play = new Play(graph({ a: undoable, b: undoable, c: { settings }, never: undoable }, 'a -> b', 'a -> c', 'b -> never')).complete('a').fail('c')
    play.outside({ is: 'cancelled', undo: true }).holder()
    expect(play.states()).toEqual({ a: 'completed', b: 'cancelled', c: 'cancelled' })
    for (const id of undos(play).map(last)) play.complete(id)
    while (play.run.status === 'compensating') play.complete(last(undos(play).at(-1)!))
    expect(
      undos(play)
        .filter((each) => each.startsWith('step.compensated'))
        .map(last),
    ).toEqual([expect.stringMatching(/[bc]/), expect.stringMatching(/[bc]/), 'a'])
    expect(play.run.status).toBe('cancelled')
    expect(play.step('b')).toMatchObject({ state: 'cancelled', output: null, compensation: { state: 'completed' } })
  })

  test('takes in what was dispatched and waits for its report, and not what only waited', () => {
    const play = new Play(graph({ out: undoable, ask: { type: 'signal', ...undoable }, bad: {} }))
      .wait('out', { for: 'report' })
      .wait('ask', { for: 'signal', name: 'x', timeoutMs: null })
      .fail('bad')
    expect(undos(play)).toEqual(['step.compensating out'])
    expect(play.complete('out').run.status).toBe('compensated')
  })

  test('gets what the failed step left for it', () => {
    const play = new Play(graph({ a: undoable }))
    const error = { code: 'broken', message: 'It broke' }
    play.holder({ is: 'failed', nodeId: 'a', iteration: '', phase: 'invoke', attempt: 1, error, retry: false, timedOut: false, compensateInput: { charge: 7 } })
    expect(play.step('a')).toMatchObject({ state: 'failed', compensateInput: { charge: 7 } })
    expect(undos(play)).toEqual(['step.compensating a'])
  })

  test('with nothing to undo the run has failed', () => {
    expect(new Play(graph({ a: {}, b: undoable }, 'a -> b')).fail('a').run.status).toBe('failed')
  })

  test('waits until what is under way has finished, and undoes that too', () => {
    const play = new Play(graph({ a: {}, slow: undoable })).fail('a')
    expect(play.run.status).toBe('running')
    play.complete('slow').complete('slow')
    expect(play.run.status).toBe('compensated')
  })

  test('is tried again like the step, and under a time of its own', () => {
    const play = new Play(graph({ a: { settings: { compensate: { type: 'work' }, retry: { maxAttempts: 2, backoffMs: 100, jitter: 0 } } }, b: {} }, 'a -> b'))
      .complete('a')
      .fail('b')
      .fail('a')
    expect(play.step('a')!.compensation).toMatchObject({ state: 'retrying', failures: 1, retryAt: play.now + 100 })
    play.outside({ is: 'due', nodeId: 'a', iteration: '', timer: 'retry' }).holder()
    expect(play.step('a')!.compensation!.state).toBe('retrying')
    play.pass(100).complete('a')
    expect(play.run.status).toBe('compensated')
  })

  test('that fails for good leaves the run failed with compensation_failed; the others are undone all the same', () => {
    const play = new Play(graph({ a: undoable, b: undoable, c: {} }, 'a -> b', 'b -> c')).complete('a').complete('b').fail('c').fail('b').complete('a')
    expect(play.run).toMatchObject({ status: 'failed', reason: { code: 'compensation_failed', step: 'b' } })
    expect(play.step('a')!.compensation!.state).toBe('completed')
  })

  test('goes on with another worker; the result of the dead one is refused', () => {
    const play = new Play(graph({ a: undoable, b: {} }, 'a -> b')).complete('a').fail('b').crash()
    play.holder({ is: 'completed', nodeId: 'a', iteration: '', phase: 'compensate', attempt: 1, output: payloadOf('late'), route: [] })
    expect(play.step('a')!.compensation).toMatchObject({ state: 'running', attempts: 2 })
    expect(play.complete('a').run.status).toBe('compensated')
  })

  test('goes through the iterations of a body as well', () => {
    const play = new Play(graph({ each: { type: 'map' }, a: { parentId: 'each', ...undoable }, bad: {} }, 'each -> bad')).fan('each', 2)
    play.complete('a', 1, ['default'], '0').complete('a', 1, ['default'], '1').answer('each', false).fail('bad')
    play.complete('a', 1, ['default'], '1').complete('a', 1, ['default'], '0')
    expect(undos(play).filter((each) => each.startsWith('step.compensated'))).toEqual(['step.compensated a@1', 'step.compensated a@0'])
  })

  test('may neither ask a person nor wait for a signal', () => {
    const play = new Play(graph({ a: undoable, b: {} }, 'a -> b')).complete('a').fail('b').wait('a', { for: 'signal', name: 'x', timeoutMs: null })
    expect(play.run.reason).toMatchObject({ code: 'compensation_failed' })
  })
})

describe('a step that fails', () => {
  test('is tried again when somebody asks for it, and not before, where it says so: the run waits for that', () => {
    const play = new Play(graph({ a: { settings: { retry: { maxAttempts: 3, manual: true } } }, b: {} }, 'a -> b')).fail('a')
    expect(play.step('a')).toMatchObject({ state: 'retrying', retryAt: null })
    expect(play.run).toMatchObject({ status: 'waiting', waitingKind: 'retry' })
    play.pass(1_000_000).outside({ is: 'retryNow', nodeId: 'a', iteration: '' }).holder()
    expect(play.step('a')).toMatchObject({ state: 'running', attempts: 2 })
    play.fail('a').outside({ is: 'retryNow', nodeId: 'a', iteration: '' }).holder().fail('a')
    expect(play.run).toMatchObject({ status: 'failed', reason: { code: 'step_failed', step: 'a' } })
  })

  test('is tried again after its delay, as often as it may', () => {
    const play = new Play(graph({ a: { settings: { retry: { maxAttempts: 3, backoffMs: 100, factor: 3, jitter: 0 } } } })).fail('a')
    expect(play.step('a')).toMatchObject({ state: 'retrying', retryAt: play.now + 100 })
    expect(play.run).toMatchObject({ status: 'waiting', waitingKind: 'timer' })
    expect(play.pass(100).fail('a').step('a')!.retryAt).toBe(play.now + 300)
    expect(play.pass(300).fail('a').run.status).toBe('failed')
    expect(play.step('a')).toMatchObject({ attempts: 3, failures: 3 })
  })

  test('is not, when it says so, nor when the run has come to its end', () => {
    const retrying = { settings: { retry: { maxAttempts: 3 } } }
    expect(new Play(graph({ a: retrying })).fail('a', { retry: false }).run.status).toBe('failed')
    expect(new Play(graph({ a: retrying, b: {} })).fail('b').fail('a').run.status).toBe('failed')
  })

  test('an attempt whose worker died is none of its failures', () => {
    const play = new Play(graph({ a: { settings: { retry: { maxAttempts: 2, backoffMs: 0 } } } })).crash().crash().fail('a')
    expect(play.step('a')).toMatchObject({ state: 'running', attempts: 4, failures: 1 })
  })

  test('leaves by the link drawn for it, and the run goes on', () => {
    const play = new Play(graph({ a: {}, next: {}, rescue: {} }, 'a -> next', 'a:failed -> rescue')).fail('a')
    expect(play.step('next')).toMatchObject({ state: 'skipped', skipReason: 'upstream_failed' })
    expect(play.complete('rescue').gather().run.status).toBe('completed')
  })

  test('without one, under onFailure: stop, nothing new starts; under continue other paths go on to their end', () => {
    const nodes = { a: {}, after: {}, b: {}, c: {} }
    expect(new Play(graph(nodes, 'a -> after', 'b -> c')).fail('a').complete('b').states()).toEqual({ a: 'failed', b: 'completed' })
    const play = new Play(graph(nodes, 'a -> after', 'b -> c', { onFailure: 'continue' })).fail('a').complete('b').complete('c')
    expect(play.states()).toEqual({ a: 'failed', after: 'skipped', b: 'completed', c: 'completed' })
    expect(play.run).toMatchObject({ status: 'failed', reason: { code: 'step_failed', step: 'a' } })
  })

  test("a node's own codes do not pass for the run's reasons, its time-out does", () => {
    expect(new Play(graph({ a: {} })).fail('a', { code: 'cancelled' }).run.reason!.code).toBe('step_failed')
    const play = new Play(graph({ a: {} })).fail('a', { code: 'timed_out', timedOut: true })
    expect(play.run.reason!.code).toBe('timed_out')
    expect(play.step('a')!.timedOutAt).toBe(play.now)
  })
})
