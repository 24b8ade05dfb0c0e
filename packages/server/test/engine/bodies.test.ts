import { describe, expect, test } from 'vitest'
import { Play, graph } from './play.ts'

const mapped = (more: Parameters<typeof graph>[0] = {}, ...links: string[]) =>
  graph({ each: { type: 'map' }, a: { parentId: 'each' }, b: { parentId: 'each' }, ...more }, 'a -> b', ...links)
const item = (index: number) => String(index)

describe('a map', () => {
  test('of no items is asked for its results at once', () => {
    const play = new Play(mapped()).fan('each', 0).answer('each', false, { results: [] })
    expect(play.step('each')!.output!.value).toEqual({ results: [] })
  })

  test('runs as many items at once as it may, and asks for the results after the last', () => {
    const play = new Play(mapped()).fan('each', 3, { concurrency: 2 })
    expect(play.states()).toMatchObject({ 'a@0': 'running', 'a@1': 'running' })
    expect(play.step('a', item(2))).toBeUndefined()
    play.complete('a', 1, ['default'], item(1)).complete('b', 1, ['default'], item(1))
    expect(play.states()).toMatchObject({ 'a@2': 'running' })
    for (const index of [0, 2]) play.complete('a', 1, ['default'], item(index)).complete('b', 1, ['default'], item(index))
    expect(play.answer('each', false, { results: [1, 1, 1] }).gather().run.status).toBe('completed')
  })

  test('fails with the first item that failed for good: the others start nothing more, finish what is under way, and their waits are closed', () => {
    const play = new Play(mapped()).fan('each', 3, { concurrency: 3 })
    play.pause('a', {}, item(1)).fail('a', { iteration: item(0), code: 'http_503' })
    expect(play.states()).toMatchObject({ each: 'running', 'a@0': 'failed', 'a@1': 'cancelled', 'a@2': 'running' })
    play.complete('a', 1, ['default'], item(2))
    expect(play.step('b', item(2))).toBeUndefined()
    expect(play.step('each')).toMatchObject({ state: 'failed', error: { code: 'http_503', details: { iteration: '0', step: 'a' } } })
    expect(play.run).toMatchObject({ status: 'failed', reason: { code: 'step_failed', step: 'each' } })
  })

  test('that collects goes on, and counts the items that failed', () => {
    const play = new Play(mapped()).fan('each', 2, { concurrency: 2, collect: true }).fail('a', { iteration: item(0) })
    expect(play.step('each')!.body).toMatchObject({ live: 1, failed: 1, error: null })
    play.complete('a', 1, ['default'], item(1)).complete('b', 1, ['default'], item(1)).answer('each', false, { results: [] }).gather()
    expect(play.run.status).toBe('completed')
  })

  test('an item whose failure a link takes up has not failed', () => {
    const play = new Play(mapped({}, 'a:failed -> b'))
      .fan('each', 1)
      .fail('a', { iteration: item(0) })
      .complete('b', 1, ['default'], item(0))
    expect(play.step('each')!.body).toMatchObject({ failed: 0, done: 1 })
  })

  test('its failure may be taken up by a link drawn for it', () => {
    const play = new Play(mapped({ rescue: {} }, 'each:failed -> rescue')).fan('each', 1).fail('a', { iteration: item(0) })
    expect(play.states()).toMatchObject({ each: 'failed', rescue: 'running' })
    expect(play.complete('rescue').gather().run.status).toBe('completed')
  })

  test('without a body counts its items through', () => {
    expect(new Play(graph({ each: { type: 'map' } })).fan('each', 5, { concurrency: 2 }).answer('each', false).gather().run.status).toBe('completed')
  })

  test('that cannot be asked for its results fails', () => {
    const play = new Play(mapped()).fan('each', 0).holder({ is: 'unanswerable', nodeId: 'each', iteration: '', error: { code: 'limit_exceeded', message: 'Too large' } })
    expect(play.run.reason).toMatchObject({ code: 'limit_exceeded', step: 'each' })
  })

  test('goes on with another worker: what was under way is tried again, what was asked is asked again', () => {
    const play = new Play(mapped()).fan('each', 1).crash()
    expect(play.step('a', item(0))).toMatchObject({ state: 'running', attempts: 2 })
    play.complete('a', 1, ['default'], item(0)).complete('b', 1, ['default'], item(0)).crash()
    expect(play.answer('each', false).gather().run.status).toBe('completed')
  })
})

describe('a loop', () => {
  const looped = graph({ again: { type: 'loop' }, a: { parentId: 'again' } })

  test('is asked before each iteration and gives what it is answered at the end', () => {
    const play = new Play(looped).fan('again', null)
    for (let index = 0; index < 3; index++) play.answer('again', true).complete('a', index, ['default'], item(index))
    play.answer('again', false, { count: 3 })
    expect(play.step('again')!.output!.value).toEqual({ count: 3 })
    expect(play.step('again')!.body).toMatchObject({ next: 3, done: 3, live: 0 })
  })

  test('a pause inside opens once an iteration', () => {
    const play = new Play(looped).fan('again', null)
    for (let index = 0; index < 2; index++) play.answer('again', true).pause('a', {}, item(index)).decide('approve')
    expect(play.events('pause.opened')).toHaveLength(2)
  })

  test('fails with its iteration', () => {
    expect(new Play(looped).fan('again', null).answer('again', true).fail('a', { iteration: '0' }).run).toMatchObject({ status: 'failed', reason: { step: 'again' } })
  })

  test('an answer to a question that is not open is refused', () => {
    const play = new Play(looped).fan('again', null).answer('again', true)
    play.answer('again', true)
    expect(play.step('again')!.body!.next).toBe(1)
  })
})

describe('bodies in each other', () => {
  const nested = graph({ outer: { type: 'map' }, inner: { type: 'map', parentId: 'outer' }, x: { parentId: 'inner' }, y: { parentId: 'inner' }, side: { parentId: 'outer' } })

  test('when an outer item stops, what is open inside it closes with the last attempt under way, however it stood there', () => {
    const play = new Play(nested).fan('outer', 2, { concurrency: 1, collect: true }).fan('inner', 1, { collect: true, iteration: '0' })
    // The inner item has stopped, and waits for y.
    play.fail('x', { iteration: '0.0' }).fail('side', { iteration: '0' }).complete('y', 1, ['default'], '0.0')
    expect(play.states()).toMatchObject({ 'inner@0': 'cancelled', 'inner@1': 'running', 'side@1': 'running' })
    expect(play.step('outer')!.body).toMatchObject({ failed: 1, live: 1, next: 2 })
  })

  test('a failure rises through both', () => {
    const play = new Play(nested).fan('outer', 1).complete('side', 1, ['default'], '0').fan('inner', 2, { concurrency: 2, iteration: '0' })
    play.fail('x', { iteration: '0.1', code: 'http_500' }).complete('y', 1, ['default'], '0.1').complete('x', 1, ['default'], '0.0').complete('y', 1, ['default'], '0.0')
    expect(play.states()).toMatchObject({ 'inner@0': 'failed', outer: 'failed' })
    expect(play.step('outer')!.error!.message).toBe('Iteration 0: Iteration 1: It broke')
  })

  test('a question whose worker died is not waited for in an item that has stopped', () => {
    const play = new Play(nested).fan('outer', 1, { collect: true }).fan('inner', 0, { iteration: '0' }).fail('side', { iteration: '0' })
    expect(play.states()).toMatchObject({ 'inner@0': 'running' })
    play.crash()
    expect(play.states()).toMatchObject({ 'inner@0': 'cancelled' })
    expect(play.answer('outer', false).gather().run.status).toBe('completed')
  })
})

test('under onFailure: continue an item goes on to its end before it fails', () => {
  const play = new Play(graph({ each: { type: 'map' }, a: { parentId: 'each' }, b: { parentId: 'each' } }, { onFailure: 'continue' })).fan('each', 1).fail('a', { iteration: '0' })
  expect(play.states()).toMatchObject({ 'b@0': 'running', each: 'running' })
  play.complete('b', 1, ['default'], '0')
  expect(play.run.status).toBe('failed')
})
