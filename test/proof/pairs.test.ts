import type { Definition, Run, RunEvent } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { audit } from '../support/audit.ts'
import { approval, flow, post, router, values } from '../support/flow.ts'
import { agree, standsAs } from './agree.ts'
import { type FaceName, faceNames, once, type Round, type Teller, type Watching } from './face.ts'
import { faces } from './faces.ts'
import { asking, createPlace, type Place } from './place.ts'
import { draws, faceOf, impossible, type Pair, pairs } from './plan.ts'
import { type Transports, transportsOf } from './transports.ts'

/**
 * For every ordered pair of faces: what is made in the first is run, or gone on with, in the second, watched in a third, and what it
 * asks is answered in a fourth. All faces tell its status as the table has it, and everyone who watches is told the same events.
 */

let place: Place
let transports: Transports
beforeAll(async () => {
  place = await createPlace()
  transports = transportsOf(place.server.url, place.token)
})
afterAll(async () => {
  await transports?.close()
  await place?.[Symbol.asyncDispose]()
})

const speaker = (name: FaceName): Teller => place.tellers.get(name)!
const told = pairs()

/** Its question is open. */
const asks = (run: string) => place.eye.wait(run, ({ status, waitingKind }) => status === 'waiting' && waitingKind === 'pause')

/** A round that the first has made, where it draws nothing: natively answered, and over. */
async function before(first: FaceName, round: Round): Promise<Round> {
  await asks(round.run)
  await speaker('native').answer(round, `of the first round, by ${first}`)
  await place.eye.wait(round.run)
  return round
}

async function begin({ first, second, goesOn }: Pick<Pair, 'first' | 'second' | 'goesOn'>, watch: (workflow: Round['workflow']) => Promise<void>): Promise<Round> {
  const drawing = draws(first) ? first : 'native'
  const workflow = await place.named(await speaker(drawing).draw(asking({ brief: true }), `${first} and ${second}`))
  if (!draws(first)) await speaker('native').publish(workflow)
  const made = draws(first) ? null : await before(first, await place.roundOf(workflow, await speaker(first).start(workflow, 'Ada')))
  await watch(workflow)
  if (goesOn !== 'continues') return place.roundOf(workflow, await speaker(second).start(workflow, 'Grace'))
  await speaker(second).continue(made!, 'Grace')
  const latest = async (): Promise<Run> => (await place.eye.call<{ items: Run[] }>('GET', `/v1/runs?sessionId=${made!.session}`)).items[0]!
  return { ...made!, run: await once('another round', async () => ((await latest()).id === made!.run ? undefined : (await latest()).id)), number: 2 }
}

/** The playground knows conversations alone; PocketBase, too, but for its view of runs. */
const canWatch = (name: FaceName, { session }: Round): boolean => session !== null || name !== 'playground'

/** By all who can. */
async function watchedBy(workflow: Round['workflow']): Promise<Map<FaceName, Watching>> {
  const able = faces.filter(({ departures }) => departures.watch === undefined)
  return new Map(await Promise.all(able.map(async ({ name }) => [name, await speaker(name).watch(workflow)] as const)))
}

async function tell({ third, fourth, ...pair }: Pair): Promise<void> {
  let watching = new Map<FaceName, Watching>()
  try {
    const round = await begin(pair, async (workflow) => void (watching = await watchedBy(workflow)))
    expect(round.session === null).toBe(pair.goesOn === 'runs')
    // From the first event on, and live from the next one.
    const streams = Promise.all(transports.all.map(async ({ name, events }) => [name, await events(round.run)] as const))
    streams.catch(() => {})
    await watching.get(third)!.paused(round)
    await asks(round.run)
    await standsAs(place, 'waiting for a pause', round)
    await speaker(fourth).answer(round, `by ${fourth}`)
    await watching.get(third)!.whole(round)
    expect(await place.eye.wait(round.run)).toMatchObject({ status: 'completed' })
    await standsAs(place, 'completed', round)

    const events = await place.eye.events(round.run)
    audit(events)
    const answer = events.find((event): event is Extract<RunEvent, { type: 'pause.decided' }> => event.type === 'pause.decided')!
    expect(answer.pause.decision).toMatchObject({ action: 'approve', inputs: { text: `by ${fourth}` }, by: { id: place.userId } })
    for (const [name, all] of await streams) expect(all, name).toEqual(events)
    for (const [name, { whole }] of watching) if (canWatch(name, round)) agree(faceOf(name), await whole(round), events)
    const runs = (await place.eye.call<{ items: Run[] }>('GET', `/v1/runs?workflow=${round.workflow.id}`)).items
    expect(runs.map(({ version }) => version)).toEqual(draws(pair.first) ? [1] : [1, 1])
    for (const [name, { runs: listed }] of place.tellers) if (listed) expect(await listed(round.workflow), `what ${name} lists`).toEqual(runs.map(({ id }) => id))
  } finally {
    for (const { leave } of watching.values()) leave()
  }
}

test('each face plays each part that it can', () => {
  const parts = (part: 'first' | 'second' | 'third' | 'fourth') => [...new Set(told.map((pair) => pair[part]))].toSorted()
  expect(told.length + impossible.length).toBe(faceNames.length * (faceNames.length - 1))
  expect(parts('first')).toEqual([...faceNames].toSorted())
  expect(parts('second')).toEqual([...faceNames].toSorted())
  for (const [part, chapter] of [
    ['third', 'watch'],
    ['fourth', 'answer'],
  ] as const)
    expect(parts(part)).toEqual(
      faces
        .filter(({ departures }) => departures[chapter] === undefined)
        .map(({ name }) => name)
        .toSorted(),
    )
})

describe.each(faceNames)('what is made in %s', (first) => {
  test('is run or continued, watched and answered in every other', { timeout: 120_000 }, async () => {
    const mine = told.filter((pair) => pair.first === first)
    const outcomes = await Promise.allSettled(mine.map(tell))
    const wrong = mine.flatMap(({ second, third, fourth }, at) => (outcomes[at]!.status === 'rejected' ? [`${second}, ${third}, ${fourth}: ${outcomes[at]!.reason}`] : []))
    expect(wrong.join('\n')).toBe('')
  })
})

describe('a run that does not complete is told alike by everyone who watches', () => {
  const undone = (path: string) => ({ compensate: { type: 'http-request', config: { method: 'POST', url: place.server.toy.url + path } } })
  const refusing = () => post(`${place.server.toy.url}/refuse/told`)
  const ends: Record<string, [definition: () => Definition, end: (run: string) => Promise<unknown>, status: string]> = {
    failed: [() => flow({ in: 'input', bad: refusing() }, ['in > bad']), async () => {}, 'failed'],
    undone: [
      () =>
        flow(
          {
            in: 'input',
            again: post(`${place.server.toy.url}/fail/1/told-again`, { settings: { retry: { maxAttempts: 2, backoffMs: 1 }, ...undone('/ok/told-undone') } }),
            choose: router({ yes: 'false' }),
            never: values({}),
            bad: refusing(),
          },
          ['in > again > choose > bad', 'choose.yes > never'],
        ),
      async () => {},
      'compensated',
    ],
    cancelled: [() => flow({ in: 'input', ask: approval() }, ['in > ask']), async (run) => (await asks(run), place.eye.call('POST', `/v1/runs/${run}/cancel`, {})), 'cancelled'],
    declined: [
      () => flow({ in: 'input', a: values({}, { settings: undone('/ok/told-declined') }), ask: approval() }, ['in > a > ask']),
      async (run) => (await asks(run), place.eye.decide((await place.eye.pauses(run))[0]!, 'decline')),
      'cancelled',
    ],
  }

  test.for(Object.entries(ends))('%s', async ([name, [definition, end, status]]) => {
    const native = speaker('native')
    const workflow = await place.named(await native.draw({ ...definition(), kind: 'chatbot' }, `Ends ${name}`))
    const watching = await watchedBy(workflow)
    try {
      const round = await place.roundOf(workflow, await native.start(workflow, 'Ada'))
      const streams = Promise.all(transports.all.map(async ({ name: transport, events }) => [transport, await events(round.run)] as const))
      await end(round.run)
      expect((await place.eye.wait(round.run)).status).toBe(status)
      const events = await place.eye.events(round.run)
      audit(events)
      for (const [transport, all] of await streams) expect(all, transport).toEqual(events)
      for (const [watcher, { whole }] of watching) agree(faceOf(watcher), await whole(round), events)
    } finally {
      for (const { leave } of watching.values()) leave()
    }
  })
})

test.for(impossible)('what is made in $first cannot be run in $second', async ({ first, second, answered }) => {
  await expect(begin({ first, second, goesOn: 'runs' }, async () => {})).rejects.toMatchObject({ status: answered })
})
