import type { Json, Run } from '@sluice/schema'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { audit } from '../support/audit.ts'
import { cases } from '../support/effort.ts'
import type { Served } from '../support/server.ts'
import { type FaceName, Refusal, type Round, type Teller, Unsaid } from './face.ts'
import { faces } from './faces.ts'
import { asking, createPlace, type Place } from './place.ts'

/**
 * Eight racers over every face that can answer, on two servers, each with an answer of its own. One wins, and everybody is told so: in a conversation
 * what is said too late is no second answer, but the next message.
 */

let place: Place
let there: Served
let elsewhere: Map<FaceName, Teller>
beforeAll(async () => {
  place = await createPlace()
  there = await place.server.another()
  const teller = async (name: FaceName) =>
    [name, await faces.find((face) => face.name === name)!.teller({ ...place.server, url: there.url, another: place.server.another }, place.token)] as const
  elsewhere = new Map(await Promise.all((['sdk', 'native', 'pyspur'] as const).map(teller)))
})
afterAll(() => place?.[Symbol.asyncDispose]())

const here = (name: FaceName): Teller => place.tellers.get(name)!

/** Whom a race is between: by the face they speak, and where. */
const racers = [
  ['sdk', () => here('sdk')],
  ['native', () => here('native')],
  ['pyspur', () => here('pyspur')],
  ['playground', () => here('playground')],
  ['openai', () => here('openai')],
  ['sdk', () => elsewhere.get('sdk')!],
  ['native', () => elsewhere.get('native')!],
  ['pyspur', () => elsewhere.get('pyspur')!],
] as const
/** In these a message is an answer while a question is open, and a message when it is not. */
const conversing = new Set<FaceName>(['playground', 'openai'])
const rounds = cases(6, 60)

/**
 * What became of an answer: taken, or refused with a conflict, or too late to be sent; or nobody knows, as the machine was too busy for a reply.
 * Anything else is thrown.
 */
async function outcome(face: FaceName, work: Promise<unknown>): Promise<'taken' | 'refused' | 'unknown'> {
  try {
    await work
    return 'taken'
  } catch (error) {
    // Who looks for the open pause first may find that none is left.
    if (error instanceof Unsaid) return 'refused'
    const { status } = error as { status?: number }
    if (status === 503) return 'unknown'
    if (error instanceof Refusal || status !== undefined) {
      // A conflict, which the playground calls a bad request.
      expect([face, status, String(error)]).toEqual([face, face === 'playground' ? 400 : 409, expect.anything()])
      return 'refused'
    }
    throw error
  }
}

test('of eight answers to one question, over all faces and two servers, one counts, and nobody else is told that theirs does', { timeout: cases(120_000, 900_000) }, async () => {
  const workflow = await place.named(await here('native').draw(asking({ brief: true }), 'A race'))
  await here('native').publish(workflow)
  let known = 0
  for (let number = 0; number < rounds; number++) {
    const round: Round = await place.roundOf(workflow, await here('playground').start(workflow, `Ada ${number}`))
    await place.eye.wait(round.run, ({ status, waitingKind }) => status === 'waiting' && waitingKind === 'pause')
    // From another place each time: who is first to be sent is not always the same. Who wins is not asked: on a quiet machine it may be one face every time.
    const order = racers.map((_, at) => (at + number * 3) % racers.length)
    const told = await Promise.all(order.map(async (at) => [at, await outcome(racers[at]![0], racers[at]![1]().answer(round, `by racer ${at}`))] as const))

    const run = await place.eye.wait(round.run)
    const events = await place.eye.events(round.run)
    audit(events)
    const decided = events.flatMap((event) => (event.type === 'pause.decided' ? [event.pause.decision!] : []))
    expect(decided).toHaveLength(1)
    const said = JSON.stringify(decided[0]!.inputs)
    const winner = racers.findIndex((_, at) => said.includes(`by racer ${at}`))
    expect(winner, said).toBeGreaterThanOrEqual(0)
    expect(run.status).toBe('completed')
    for (const [at, outcome] of told) {
      const [face] = racers[at]!
      if (outcome === 'unknown') continue
      if (at === winner) expect([face, outcome]).toEqual([face, 'taken'])
      else if (!conversing.has(face)) expect([at, face, outcome]).toEqual([at, face, 'refused'])
    }
    known += told.filter(([, outcome]) => outcome !== 'unknown').length
    await quiet(round)
  }
  expect(known).toBeGreaterThan((rounds * racers.length) / 2)
})

/** What was said too late has begun rounds of its own, which ask again: they are ended. */
async function quiet({ session }: Round): Promise<void> {
  const live = async () => (await place.eye.call<{ items: Run[] }>('GET', `/v1/runs?sessionId=${session}`)).items.filter(({ endedAt }) => endedAt === null).map(({ id }) => id)
  for (let left = await live(); left.length > 0; left = await live())
    for (const id of left) await place.eye.call<Json>('POST', `/v1/runs/${id}/cancel`).then(() => place.eye.wait(id))
}
