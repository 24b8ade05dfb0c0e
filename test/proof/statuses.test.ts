import type { Definition, JsonObject, NodeSettings } from '@sluice/schema'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { approval, flow, post, router, signal, subworkflow, values } from '../support/flow.ts'
import { type FaceName, once, type Round, type Teller } from './face.ts'
import { standsAs } from './agree.ts'
import { createPlace, type Place } from './place.ts'
import { type Standing, standings, stepFaces, type StepStanding, stepStandings, stepWord } from './statuses.ts'

/** How every face tells a run, and each of its steps, in every state that there is: the table of docs/faces.md. */

let place: Place
beforeAll(async () => {
  place = await createPlace()
})
afterAll(() => place?.[Symbol.asyncDispose]())

const speaker = (name: FaceName): Teller => place.tellers.get(name)!
const url = (path: string): string => place.server.toy.url + path
const undone = (path: string): NodeSettings => ({ compensate: { type: 'http-request', config: { method: 'POST', url: url(path) } } })
const fails = () => post(url('/refuse/statuses'))

let names = 0
/** A round of a new chatbot: so those tell it, too, who know conversations alone. */
async function begun(definition: Definition, at: Place = place): Promise<Round> {
  const native = at.tellers.get('native')!
  const workflow = await at.named(await native.draw({ ...definition, kind: 'chatbot' }, `Standing ${++names}`))
  return at.roundOf(workflow, await native.start(workflow, 'Ada'))
}

const is = (round: Round, status: string) => place.eye.wait(round.run, (run) => run.status === status)
const control = (round: Round, verb: string, body: JsonObject = {}) => place.eye.call('POST', `/v1/runs/${round.run}/${verb}`, body)

/** A run that is brought to stand so. */
const brought: Record<Exclude<Standing, 'queued'>, () => Promise<Round>> = {
  async running() {
    const round = await begun(flow({ in: 'input', call: post(url('/hang/running')) }, ['in > call']))
    await place.server.toy.came('running')
    return round
  },
  async 'running, a pause open'() {
    const round = await begun(flow({ in: 'input', call: post(url('/hang/beside')), ask: approval() }, ['in > call', 'in > ask']))
    await place.server.toy.came('beside')
    await once('a pause is open', async () => (await place.eye.pauses(round.run))[0])
    return round
  },
  async 'waiting for a pause'() {
    const round = await begun(flow({ in: 'input', ask: approval() }, ['in > ask']))
    await is(round, 'waiting')
    return round
  },
  async 'waiting for a signal'() {
    const round = await begun(flow({ in: 'input', hear: signal('go') }, ['in > hear']))
    await is(round, 'waiting')
    return round
  },
  async held() {
    const round = await brought['waiting for a pause']()
    await control(round, 'hold')
    return round
  },
  // Cancelled while its child, which is being undone, has not come to its end.
  async cancelling() {
    const child = await place.eye.workflow(flow({ a: values({}, { settings: undone('/hang/child') }), b: fails() }, ['a > b']))
    const round = await begun(flow({ in: 'input', sub: subworkflow(child.id) }, ['in > sub']))
    await place.server.toy.came('child')
    await control(round, 'cancel')
    await is(round, 'cancelling')
    return round
  },
  async compensating() {
    const round = await begun(flow({ in: 'input', a: values({}, { settings: undone('/hang/undoing') }), b: fails() }, ['in > a > b']))
    await place.server.toy.came('undoing')
    return round
  },
  completed: () => ended(flow({ in: 'input', a: values({}) }, ['in > a']), 'completed'),
  failed: () => ended(flow({ in: 'input', b: fails() }, ['in > b']), 'failed'),
  'failed, not undone': () => ended(flow({ in: 'input', a: values({}, { settings: undone('/refuse/undoing') }), b: fails() }, ['in > a > b']), 'failed'),
  async cancelled() {
    const round = await brought['waiting for a pause']()
    await control(round, 'cancel')
    await is(round, 'cancelled')
    return round
  },
  compensated: () => ended(flow({ in: 'input', a: values({}, { settings: undone('/ok/undone') }), b: fails() }, ['in > a > b']), 'compensated'),
}

async function ended(definition: Definition, status: string): Promise<Round> {
  const round = await begun(definition)
  await is(round, status)
  return round
}

test.for(standings.filter((standing) => standing !== 'queued'))('a run that is %s is told so by every face', async (standing) => {
  await standsAs(place, standing, await brought[standing]())
})

test('a run that is queued is told so by every face', async () => {
  await using idle = await createPlace({ SLUICE_ROLE: 'api' })
  await standsAs(idle, 'queued', await begun(flow({ in: 'input', a: values({}) }, ['in > a']), idle))
})

test('steps in every state are told so by every face that tells steps', async () => {
  const round = await begun(
    flow(
      {
        in: 'input',
        done: values({}),
        call: post(url('/hang/steps')),
        later: values({}),
        ask: approval(),
        hear: signal('go'),
        again: post(url('/fail/9/again'), { settings: { retry: { maxAttempts: 9, backoffMs: 3_600_000 } } }),
        bad: fails(),
        after: values({}),
        choose: router({ yes: 'false' }),
        never: values({}),
      },
      ['in > done', 'in > call > later', 'in > ask', 'in > hear', 'in > again', 'in > bad > after', 'in > choose', 'choose.yes > never'],
      { onFailure: 'continue' },
    ),
  )
  const standing: Record<string, StepStanding> = {
    done: 'completed',
    call: 'running',
    later: 'pending',
    ask: 'waiting for a pause',
    hear: 'waiting for a signal',
    again: 'retrying',
    bad: 'failed',
    after: 'skipped after a failure',
    never: 'skipped by a route',
  }
  const settled: Record<string, string> = {
    call: 'running',
    ask: 'waiting',
    hear: 'waiting',
    again: 'retrying',
    bad: 'failed',
    after: 'skipped',
    never: 'skipped',
    done: 'completed',
  }
  await once('all steps stand as they are to', async () => {
    const states = Object.fromEntries((await place.eye.get(round.run)).nodes.map(({ nodeId, state }) => [nodeId, state]))
    return Object.entries(settled).every(([step, state]) => states[step] === state) || undefined
  })
  await toldAs(round, standing)
  await control(round, 'cancel')
  await is(round, 'cancelled')
  const cancelled: Record<string, StepStanding> = { call: 'cancelled', ask: 'cancelled', hear: 'cancelled', again: 'cancelled' }
  await toldAs(round, cancelled, ['pyspur', 'medusa'])
  expect(new Set([...Object.values(standing), ...Object.values(cancelled)])).toEqual(new Set(stepStandings))
})

async function toldAs(round: Round, standing: Record<string, StepStanding>, names = stepFaces): Promise<void> {
  for (const name of names) {
    const told = await speaker(name).steps!(round)
    expect(Object.fromEntries(Object.keys(standing).map((step) => [step, told[step] ?? null])), name).toEqual(
      Object.fromEntries(Object.entries(standing).map(([step, each]) => [step, stepWord(name, each)])),
    )
  }
}
