import { expect, test } from 'vitest'
import { channelName, sourceName } from '../../src/engine/state.ts'
import { payloadOf as payload } from '../../src/engine/payload.ts'
import { graph, Play, undoable } from './play.ts'

const counting = () => new Play(graph({ p: { type: 'producer' }, a: {}, b: {} }, 'p -> a', 'a -> b'))

test('items come one after another, each with an iteration of its own for all that it leads to', () => {
  const play = counting().begin('p').give('p', 1).complete('a', 1, ['default'], '0')
  expect(play.tasks.filter(({ phase }) => phase === 'ask')).toHaveLength(1)
  play.complete('b', 1, ['default'], '0').give('p', 2).complete('a', 2, ['default'], '1').complete('b', 2, ['default'], '1').end('p').gather()
  expect(play.run.status).toBe('completed')
  expect(play.events('step')).toEqual([
    ...['step.started p', 'step.started p@0', 'step.completed p@0', 'step.started a@0', 'step.completed a@0', 'step.started b@0', 'step.completed b@0'],
    ...['step.started p@1', 'step.completed p@1', 'step.started a@1', 'step.completed a@1', 'step.started b@1', 'step.completed b@1', 'step.completed p'],
  ])
})

test('what is drawn by `done` comes once, after the last item', () => {
  const play = new Play(graph({ p: { type: 'producer' }, a: {}, z: {} }, 'p -> a', 'p:done -> z'))
    .begin('p')
    .give('p', 1)
    .complete('a', 1, ['default'], '0')
    .end('p')
    .complete('z')
    .gather()
  expect(play.events('step.started')).toEqual(['step.started p', 'step.started p@0', 'step.started a@0', 'step.started z'])
  expect(play.run.status).toBe('completed')
})

test('a producer without items, and one that leads to nothing, come to their end', () => {
  expect(counting().begin('p').end('p').gather().run.status).toBe('completed')
  const alone = new Play(graph({ p: { type: 'producer' } })).begin('p').give('p', 1).give('p', 2).end('p').gather()
  expect([alone.run.status, alone.step('p')!.body!.done]).toEqual(['completed', 2])
})

test.each(['stop', 'continue'] as const)('a failed item does not end the run, and the next one comes (onFailure %s)', (onFailure) => {
  const play = new Play(graph({ p: { type: 'producer' }, a: {}, b: {} }, 'p -> a', 'a -> b', { onFailure }))
  play.begin('p').give('p', 1).fail('a', { iteration: '0' }).give('p', 2).complete('a', 2, ['default'], '1').complete('b', 2, ['default'], '1').end('p').gather()
  expect([play.run.status, play.step('p')!.body!.done, play.step('p')!.body!.failed]).toEqual(['completed', 1, 1])
})

test('a failed item undoes its own steps in reverse, and nothing else, before the next one comes', () => {
  const play = new Play(graph({ p: { type: 'producer' }, a: undoable, b: undoable, c: {}, other: undoable }, 'p -> a', 'a -> b', 'b -> c'))
  // `other` is no entry beside a producer.
  play.begin('p').give('p', 1)
  for (const id of ['a', 'b', 'c']) play.complete(id, null, ['default'], '0')
  play.give('p', 2).complete('a', 2, ['default'], '1').complete('b', 2, ['default'], '1').fail('c', { iteration: '1' })
  expect(play.tasks.filter(({ phase }) => phase === 'ask')).toHaveLength(2)
  play.complete('b', null, ['default'], '1').complete('a', null, ['default'], '1')
  expect(play.events('step.comp').filter((event) => event.startsWith('step.compens'))).toEqual([
    ...['step.compensating b@1', 'step.compensated b@1', 'step.compensating a@1', 'step.compensated a@1'],
  ])
  play.end('p').gather()
  expect(play.run.status).toBe('completed')
})

test('a cancel undoes what is under way, and not the items that settled', () => {
  const play = new Play(graph({ p: { type: 'producer' }, a: undoable, b: {} }, 'p -> a', 'a -> b'))
  play.begin('p').give('p', 1).complete('a', 1, ['default'], '0').complete('b', 1, ['default'], '0').give('p', 2).complete('a', 2, ['default'], '1').cancel(true)
  expect(play.events('step.compensating')).toEqual(['step.compensating a@1'])
})

test('a declined pause is the end of its item alone', () => {
  const play = new Play(graph({ p: { type: 'producer' }, a: {} }, 'p -> a'))
    .begin('p')
    .give('p', 1)
    .pause('a', {}, '0')
    .decide('decline')
    .give('p', 2)
    .complete('a', 2, ['default'], '1')
    .end('p')
    .gather()
  expect([play.run.status, play.step('a', '0')!.error!.code]).toEqual(['completed', 'pause_declined'])
})

test('producers run beside each other, and each comes alone to a node that both lead to', () => {
  const play = new Play(graph({ p: { type: 'producer' }, q: { type: 'producer' }, x: {}, j: {} }, 'p -> j', 'q -> x', 'x -> j')).begin('p').begin('q')
  play.give('p', 'p0').give('q', 'q0').complete('j', 1, ['default'], '0').give('p', 'p1').complete('x', 1, ['default'], '1').complete('j', 1, ['default'], '1')
  play.complete('j', 1, ['default'], '2').end('p').end('q').gather()
  expect(play.run.status).toBe('completed')
  expect(play.events('step.started').filter((event) => event.includes(' j@'))).toEqual(['step.started j@0', 'step.started j@2', 'step.started j@1'])
  expect(play.events('step.skipped')).toEqual([])
})

test('a join under `all` asks only for ways that the item may come', () => {
  const play = new Play(graph({ p: { type: 'producer' }, q: { type: 'producer' }, j: {} }, 'p -> j', 'q -> j', { join: 'all' })).begin('p').give('p', 1)
  expect(play.task('j', '0').phase).toBe('invoke')
})

test('an item that comes by a signal waits for it, and its producer looks at what came', () => {
  const play = counting().begin('p').await('p', 'go')
  expect([play.run.status, play.step('p', '0')!.waitingFor!.signal]).toEqual(['waiting', 'go'])
  play
    .outside({ is: 'signalled', name: 'go', payload: payload(7) })
    .holder()
    .give('p', 7, null, { took: true })
  expect(play.step('p', '0')!.state).toBe('completed')
  expect(play.rows.signals.every(({ consumedBy }) => consumedBy !== null)).toBe(true)
})

test('who waits for a queue listens until something was delivered, once', () => {
  const play = counting()
    .begin('p')
    .await('p', sourceName('queue', 'orders', 'p\n'), { kind: 'queue', name: 'orders', after: null })
  expect([...play.rows.listeners.values()]).toEqual(['queue:orders'])
  play.outside({ is: 'delivered', nodeId: 'p', iteration: '0', payload: payload(1) })
  expect(play.rows.listeners.size).toBe(0)
  play
    .holder()
    .give('p', 1, null, { took: true })
    .complete('a', 1, ['default'], '0')
    .complete('b', 1, ['default'], '0')
    .await('p', sourceName('queue', 'orders', 'p\n'), { kind: 'queue', name: 'orders', after: null })
  expect([...play.rows.listeners.keys()]).toEqual(['p\n1'])
  play.cancel()
  expect([play.rows.listeners.size, play.run.status]).toEqual([0, 'cancelled'])
})

const piped = () => new Play(graph({ p: { type: 'producer' }, w: { type: 'writer' }, r: { type: 'producer' }, a: {} }, 'p -> w', 'w -> r', 'r -> a'))
const ofChannel = channelName('r\n', '')

test('what a writer gives is an item of the reader that it leads to, which ends when nothing is written any more', () => {
  const play = piped().begin('p').begin('r').await('r', ofChannel).give('p', 1).complete('w', 'one', ['default'], '0')
  play.give('r', 'one', null, { took: true }).complete('a', 1, ['default'], '0').await('r', ofChannel)
  expect(play.step('r')!.state).toBe('running')
  play.end('p').end('r').gather()
  expect(play.run.status).toBe('completed')
})

test('a reader that comes late finds what was written before it was there, and after its writers have ended', () => {
  const play = new Play(
    graph({ s: { type: 'input' }, t: {}, p: { type: 'producer' }, w: { type: 'writer' }, r: { type: 'producer' } }, 's -> p', 's -> t', 't -> r', 'p -> w', 'w -> r'),
  )
  play.complete('s').begin('p').give('p', 1).complete('w', 'one', ['default'], '0').end('p').complete('t').begin('r').await('r', ofChannel).give('r', 'one', null, { took: true })
  play.await('r', ofChannel).end('r').gather()
  expect([play.run.status, play.step('r')!.body!.done]).toEqual(['completed', 1])
})

test('a producer whose items write more than is read waits until there is room', () => {
  const play = piped().begin('p').begin('r').await('r', ofChannel)
  for (let item = 0; item < 100; item++) play.give('p', item).complete('w', item, ['default'], String(item))
  const asked = () => play.tasks.filter(({ phase, nodeId }) => phase === 'ask' && nodeId === 'p').length
  expect(asked()).toBe(100)
  play.give('r', 0, null, { took: true })
  expect(asked()).toBe(101)
})

test('of settled items the last 100 keep their steps, and the last 100 that failed; the rest are counts', () => {
  const play = new Play(graph({ p: { type: 'producer' }, a: {} }, 'p -> a')).begin('p')
  for (let item = 0; item < 230; item++) {
    play.give('p', item)
    if (item % 2 === 0) play.fail('a', { iteration: String(item) })
    else play.complete('a', item, ['default'], String(item))
  }
  const kept = [...play.rows.steps.keys()].filter((key) => key.startsWith('a\n'))
  // The last 100, of which 50 failed, and 50 failed ones before them.
  expect(kept).toHaveLength(150)
  expect(play.step('p')!.body!.items!.folded).toEqual({ p: { completed: 80 }, a: { completed: 65, failed: 15 } })
  play.crash().end('p').gather()
  expect([play.run.status, play.step('p')!.body!.done, play.step('p')!.body!.failed]).toEqual(['completed', 115, 115])
})

test('the bounds of a run count for each item, and for what is outside of items', () => {
  const play = new Play(graph({ p: { type: 'producer' }, a: {} }, 'p -> a')).begin('p')
  for (let item = 0; item < 50; item++) play.give('p', item).complete('a', item, ['default'], String(item))
  expect(play.run.steps).toBe(1)
})

test('under a hold no item begins, and after it the producer is asked again', () => {
  const play = counting().begin('p').outside({ is: 'held' }).give('p', 1)
  expect(play.step('p', '0')).toBeUndefined()
  play.outside({ is: 'released' }).holder().give('p', 1)
  expect(play.step('p', '0')!.state).toBe('completed')
})

test('whoever takes a run over asks its producers where they stand', () => {
  const play = counting().begin('p').give('p', 1, { at: 1 }).crash().complete('a', 1, ['default'], '0').complete('b', 1, ['default'], '0').crash()
  expect([play.task('p').phase, play.step('p')!.body!.items!.state]).toEqual(['ask', { at: 1 }])
})

test('a trial of a producer is of one item', () => {
  const play = new Play(graph({ p: { type: 'producer' } }), { given: { trial: { nodeId: 'p' } } }).begin('p').give('p', 'first').gather()
  expect([play.run.status, play.step('p')!.output!.value]).toEqual(['completed', 'first'])
})

test('what a trial starts runs as a whole', () => {
  const play = new Play(graph({ p: { type: 'producer' } }), { given: { trial: { nodeId: '' } } }).begin('p').give('p', 1).give('p', 2).end('p').gather()
  expect([play.run.status, play.step('p')!.body!.done]).toEqual(['completed', 2])
})

test('a drawn map runs what one handle leads to for each element, and then goes on by the other', () => {
  const play = new Play(graph({ m: { type: 'drawn' }, x: {}, y: {}, z: {} }, 'm:each -> x', 'x -> y', 'm -> z')).fan('m', 2)
  play.complete('m', 'e0', ['default', 'each'], '0').complete('x', 1, ['default'], '0').complete('y', 1, ['default'], '0')
  play.complete('m', 'e1', ['default', 'each'], '1').complete('x', 1, ['default'], '1').complete('y', 1, ['default'], '1').answer('m', false).complete('z').gather()
  expect(play.run.status).toBe('completed')
  expect(play.events('step.started')).toEqual(['m', 'm@0', 'x@0', 'y@0', 'm@1', 'x@1', 'y@1', 'z'].map((step) => `step.started ${step}`))
})

test('an answer that was given while the item it was about came to its end is no answer: what had come is taken once', () => {
  const limited = graph({ p: { type: 'producer', settings: { timeoutMs: 1_000 } }, a: {} }, 'p -> a', { onFailure: 'continue' })
  const play = new Play(limited).begin('p').await('p', 'go')
  play.outside({ is: 'signalled', name: 'go', payload: payload(7) }).holder()
  play.now += 2_000
  // The producer is looking at what came when the time of the item is up.
  play.outside({ is: 'due', nodeId: 'p', iteration: '0', timer: 'wait' }).give('p', 7, { seen: 1 }, { took: true })
  expect(play.step('p', '1')).toBeUndefined()
  play.await('p', 'go').give('p', 7, { seen: 1 }, { took: true }).complete('a', 7, ['default'], '1').await('p', 'go')
  expect(play.events('step.completed')).toEqual(['step.completed p@1', 'step.completed a@1'])
  expect(play.rows.signals.map(({ consumedBy }) => consumedBy)).toEqual(['p\n'])
  expect(play.step('p', '2')!.state).toBe('waiting')
})

test('what was told of waits and pauses in items, and what they undid, is not counted against what follows them', () => {
  const play = new Play(graph({ p: { type: 'producer' }, a: undoable, b: {}, z: {} }, 'p -> a', 'a -> b', 'p:done -> z'))
  play.begin('p').give('p', 1).complete('a', 1, ['default'], '0').fail('b', { iteration: '0' }).complete('a', null, ['default'], '0')
  expect(play.run.steps).toBe(1)
  play.rows.head = play.rows.head.replace(/"seq":\d+/, '"seq":60000')
  play.crash().end('p').complete('z').gather()
  expect(play.run.status).toBe('completed')
})

test('what an item had begun to undo when its run came to its end is undone once', () => {
  const play = new Play(graph({ s: { type: 'input' }, p: { type: 'producer' }, a: undoable, b: {}, x: undoable, y: {} }, 's -> p', 'p -> a', 'a -> b', 's -> x', 'x -> y'))
  play.complete('s').begin('p').give('p', 1).complete('a', 1, ['default'], '0').fail('b', { iteration: '0' }).wait('a', { for: 'report' }, '0')
  play.complete('x').fail('y')
  play.outside({ is: 'reported', nodeId: 'a', iteration: '0', phase: 'compensate', outcome: { completed: payload(null), compensateInput: undefined }, fingerprint: 'f' }).holder()
  if (play.run.status === 'compensating') play.complete('x')
  expect(play.run.status).toBe('compensated')
  expect(play.events('step.compensating').toSorted()).toEqual(['step.compensating a@0', 'step.compensating x'])
})

test('an item that an undoing inside of it is the last of comes to its end with that', () => {
  const play = new Play(graph({ p: { type: 'producer' }, q: { type: 'producer' }, a: undoable, b: {}, x: {} }, 'p -> q', 'p -> x', 'q -> a', 'a -> b'))
  play.begin('p').give('p', 1).begin('q', '0').give('q', 1, null, { iteration: '0' }).complete('a', 1, ['default'], '0.0').fail('b', { iteration: '0.0' })
  play.fail('x', { iteration: '0' }).complete('a', null, ['default'], '0.0').end('p').gather()
  expect([play.run.status, play.step('p')!.body!.failed]).toEqual(['completed', 1])
  expect(play.events('step.compensating')).toEqual(['step.compensating a@0.0'])
})

test('that an item could not be undone is no part of how its run ends', () => {
  const play = new Play(graph({ p: { type: 'producer' }, a: undoable, b: {}, y: undoable, z: {} }, 'p -> a', 'a -> b', 'p:done -> y', 'y -> z'))
  play.begin('p').give('p', 1).complete('a', 1, ['default'], '0').fail('b', { iteration: '0' }).fail('a', { iteration: '0', retry: false })
  play.end('p').complete('y').fail('z').complete('y')
  expect([play.run.status, play.run.reason!.code]).toEqual(['compensated', 'step_failed'])
})

test('an item that a producer inside of it withdrew is not kept longer than the others', () => {
  const play = new Play(graph({ p: { type: 'producer' }, q: { type: 'producer' }, a: {} }, 'p -> q', 'q -> a')).begin('p')
  for (let item = 0; item < 103; item++) {
    const iteration = String(item)
    play.give('p', item).begin('q', iteration)
    play
      .await('q', 'go', null, iteration)
      .outside({ is: 'signalled', name: 'go', payload: payload(7) })
      .holder()
      .end('q', iteration)
  }
  expect([...play.rows.steps.keys()].filter((key) => key.startsWith('q\n') && key.endsWith('.0'))).toHaveLength(100)
})

test('while an item undoes, and waits for that, its run waits', () => {
  const play = new Play(graph({ p: { type: 'producer' }, a: undoable, b: {} }, 'p -> a', 'a -> b'))
  play.begin('p').give('p', 1).complete('a', 1, ['default'], '0').fail('b', { iteration: '0' }).wait('a', { for: 'report' }, '0')
  expect([play.run.status, play.run.waitingKind]).toEqual(['waiting', 'report'])
})

const asksOf = (play: Play, id: string) => play.tasks.filter(({ phase, nodeId }) => phase === 'ask' && nodeId === id).length

test('a reader that is skipped, or is no part of the run, holds up nobody who writes to it', () => {
  const links = ['s -> p', 's -> t', 't:a -> r', 'p -> w', 'w -> r']
  const play = new Play(graph({ s: { type: 'input' }, t: { type: 'router' }, p: { type: 'producer' }, w: { type: 'writer' }, r: { type: 'producer' } }, ...links))
  play.complete('s').begin('p')
  for (let item = 0; item < 100; item++) play.give('p', item).complete('w', item, ['default'], String(item))
  expect([play.run.status, asksOf(play, 'p')]).toEqual(['running', 100])
  play.complete('t', 1, ['default'])
  expect([play.step('r')!.state, asksOf(play, 'p')]).toEqual(['skipped', 101])
  play.give('p', 1).complete('w', 1, ['default'], '100').end('p').gather()
  const apart = new Play(graph({ s: { type: 'input' }, p: { type: 'producer' }, w: { type: 'writer' }, x: {}, r: { type: 'producer' } }, 's -> p', 'x -> r', 'p -> w', 'w -> r'))
  apart.complete('s').begin('p').give('p', 1).complete('w', 1, ['default'], '0').end('p').gather()
  expect([play.run.status, apart.run.status, apart.rows.signals]).toEqual(['completed', 'completed', []])
})

test('a map whose elements write more than is read waits until there is room', () => {
  const links = ['s -> m', 's -> t', 't -> r', 'm:each -> w', 'w -> r']
  const play = new Play(graph({ s: { type: 'input' }, t: {}, m: { type: 'drawn' }, w: { type: 'writer' }, r: { type: 'producer' } }, ...links)).complete('s').fan('m', 110)
  const begun = () => play.events('step.started').filter((event) => event.includes(' m@')).length
  for (let at = 0; at < 100; at++) play.complete('m', at, ['each'], String(at)).complete('w', at, ['default'], String(at))
  expect(begun()).toBe(100)
  play.complete('t').begin('r').await('r', ofChannel).give('r', 0, null, { took: true })
  expect(begun()).toBe(101)
})

test('of an item that stopped before a join nothing is kept in memory', () => {
  const play = new Play(graph({ p: { type: 'producer' }, a: {}, b: {}, c: {}, j: {} }, 'p -> a', 'p -> b', 'b -> c', 'a -> j', 'c -> j')).begin('p')
  for (const item of ['0', '1', '2']) play.give('p', item).complete('a', 1, ['default'], item).fail('b', { iteration: item })
  expect([play.step('p')!.body!.failed, play.turn.state.looked.size]).toEqual([3, 0])
})
