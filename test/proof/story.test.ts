import type { Pause, Run, Version, Workflow } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Chapter, chapters, type Departure, type Face, type FaceName, faceNames, once, Refusal, type Round, type Teller, Unsaid } from './face.ts'
import { agree } from './agree.ts'
import { faces } from './faces.ts'
import { asking, createPlace, type Place } from './place.ts'
import { pageOf } from './page.ts'
import { wordOf } from './statuses.ts'

/**
 * One story, told in every face: a workflow is drawn and published, run, watched, asked about, answered, approved and cancelled, and
 * what is not there, not allowed or has no form is refused. What a face cannot say it departs from, with a reason, and what comes nearest to
 * it has to be refused; somebody who speaks natively then does it in its place. What a face says to have done is looked for natively.
 */

let place: Place
beforeAll(async () => {
  place = await createPlace()
})
afterAll(() => place?.[Symbol.asyncDispose]())

/** What a face makes of a chapter. Undefined: it departs from it, as it says. Fails when it does what it says that it cannot, or is refused otherwise. */
async function told<T>(departure: Departure | undefined, verb: () => Promise<T>): Promise<T | undefined> {
  if (!departure) return verb()
  const refused = await verb().then(
    (value) => new Error(`listed as a departure, and done all the same: ${JSON.stringify(value)}`),
    (error: unknown) => error,
  )
  const answered = refused instanceof Unsaid ? 'nothing' : typeof refused === 'object' && refused !== null && 'status' in refused ? refused.status : refused
  expect(answered, `${departure.tried} does not answer as the departure says`).toBe(departure.answered)
  return undefined
}

describe.each(faces)('$title', (face: Face) => {
  const says = (chapter: Chapter) => face.departures[chapter] === undefined
  const tell = <T>(chapter: Chapter, verb: (teller: Teller) => Promise<T>): Promise<T | undefined> => told(face.departures[chapter], () => verb(place.tellers.get(face.name)!))
  const native = () => place.tellers.get('native')!
  const pauseIn = ({ run }: Round, step: number): Promise<Pause> =>
    once(`question ${step} is open`, async () => {
      const { items } = await place.eye.call<{ items: Pause[] }>('GET', `/v1/pauses?runId=${run}`)
      return items.length === step ? items.find(({ status }) => status === 'open') : undefined
    })
  const pauseAfter = (id: string) => place.eye.call<Pause>('GET', `/v1/pauses/${id}`)

  test('tells the story, but for its departures', { timeout: 90_000 }, async () => {
    const made = (await tell('draw', (teller) => teller.draw(asking(), `Story of ${face.name}`))) ?? (await native().draw(asking(), `Story of ${face.name}`))
    const { draft } = await place.eye.call<Workflow>('GET', `/v1/workflows/${made}`)
    expect(draft.nodes.filter(({ type }) => type === 'human')).toHaveLength(2)
    const workflow = await place.named(made)

    await tell('publish', (teller) => teller.publish(workflow))
    if (!says('publish')) await native().publish(workflow)
    expect((await place.eye.call<{ items: Version[] }>('GET', `/v1/workflows/${made}/versions`)).items).toHaveLength(1)

    const watching = await tell('watch', (teller) => teller.watch(workflow))
    const begun = await tell('start', (teller) => teller.start(workflow, 'Ada'))
    const round = await place.roundOf(workflow, begun!)

    const question = await pauseIn(round, 1)
    expect(question.message).toMatch(/^May (Ada|nobody) come in\?$/)
    const asked = await tell('pause', (teller) => teller.pause(round))
    if (says('pause')) expect(asked).toBe(question.message)
    await place.eye.wait(round.run, ({ status }) => status === 'waiting')
    await watching?.paused(round)
    const word = wordOf(face.name, 'waiting for a pause')
    const status = await tell('status', (teller) => (face.conversations && round.session === null ? Promise.reject(new Unsaid('no conversation')) : teller.status(round)))
    if (says('status')) expect(status).toBe(word)

    await tell('answer', (teller) => teller.answer(round, 'yes'))
    if (!says('answer')) await native().answer(round, 'yes')
    const approval = await pauseIn(round, 2)
    expect(await pauseAfter(question.id)).toMatchObject({ status: 'approved', decision: { by: { id: place.userId } } })

    const wanted = await tell('pause', (teller) => teller.pause(round))
    if (says('pause')) expect(wanted).toBe(approval.message)
    await tell('decide', (teller) => teller.decide(round))
    if (!says('decide')) await native().decide(round)
    const ended = await place.eye.wait(round.run)
    expect(ended.status).toBe('completed')
    expect(await pauseAfter(approval.id)).toMatchObject({ status: 'approved', decision: { by: { id: place.userId } } })
    if (watching) agree(face, await watching.whole(round), await place.eye.events(round.run))
    watching?.leave()

    // Another round, in a conversation that goes on; and its end before its time.
    const first = await place.roundOf(workflow, await native().start(workflow, 'Grace'))
    await pauseIn(first, 1)
    await native().answer(first, 'yes')
    await pauseIn(first, 2)
    await native().decide(first)
    await place.eye.wait(first.run)
    await tell('continue', (teller) => teller.continue(first, 'Linus'))
    if (!says('continue')) await native().continue(first, 'Linus')
    const rounds = await place.eye.call<{ items: Run[] }>('GET', `/v1/runs?sessionId=${first.session}`)
    expect(rounds.items).toHaveLength(2)
    const second: Round = { ...first, run: rounds.items[0]!.id, number: 2 }
    await pauseIn(second, 1)
    await tell('cancel', (teller) => teller.cancel(second))
    if (!says('cancel')) await native().cancel(second)
    expect((await place.eye.wait(second.run)).status).toBe('cancelled')
  })

  test('refuses what is not there, not allowed, and has no form', async () => {
    const { missing = 404, forbidden = 403, malformed = 400 } = face.refusals ?? {}
    const workflow = await place.named(await native().draw(asking({ brief: true }), `Kept from viewers by ${face.name}`))
    await native().publish(workflow)
    const refusal = (call: Promise<unknown>) =>
      call.then(
        (value) => ({ status: 200, value }),
        (error: unknown) => error,
      )
    expect(await refusal(place.tellers.get(face.name)!.missing())).toMatchObject({ status: missing })
    expect(await refusal(place.viewers.get(face.name)!.start(workflow, 'Mallory'))).toMatchObject({ status: forbidden })
    expect(await refusal(place.tellers.get(face.name)!.malformed())).toMatchObject({ status: malformed })
    expect((await place.eye.call<{ items: Run[] }>('GET', `/v1/runs?workflow=${workflow.id}`)).items).toEqual([])
  })
})

test('a departure that works is found out, and so is one that is answered otherwise, and one that is not listed', async () => {
  const departure: Departure = { why: '', tried: 'it', answered: 404 }
  const found = (given: Departure | undefined, verb: () => Promise<unknown>) =>
    told(given, verb).then(
      () => false,
      () => true,
    )
  expect(await found(departure, async () => 'done')).toBe(true)
  expect(await found(departure, () => Promise.reject(new Refusal(500, {})))).toBe(true)
  expect(await found({ ...departure, answered: 'nothing' }, () => Promise.reject(new Refusal(404, {})))).toBe(true)
  expect(await found(undefined, () => Promise.reject(new Refusal(404, {})))).toBe(true)
  expect(await found(departure, () => Promise.reject(new Refusal(404, {})))).toBe(false)
})

test('docs/faces.md has what each face can say, and why not', async () => {
  expect(faces.map(({ name }) => name).toSorted()).toEqual([...faceNames].toSorted() satisfies FaceName[])
  for (const { departures } of faces) for (const chapter of Object.keys(departures)) expect(Object.keys(chapters)).toContain(chapter)
  // Its own words are written by `vitest run -u`.
  await expect(pageOf(faces)).toMatchFileSnapshot('../../docs/faces.md')
})
