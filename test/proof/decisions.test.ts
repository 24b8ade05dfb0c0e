import { createClient, SluiceError } from '@sluice/client'
import type { AuditRecord, Decision, DecisionAction, JsonObject, Pause, Run } from '@sluice/schema'
import { createTRPCClient, createWSClient, wsLink } from '@trpc/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import type { AppRouter } from '../../packages/server/src/rpc/router.ts'
import { clientOf } from '../dialects/pyspur/server.ts'
import { audit } from '../support/audit.ts'
import { cases } from '../support/effort.ts'
import { approval, flow, template } from '../support/flow.ts'
import { callerOf, Refused } from '../support/server.ts'
import type { Named, Round } from './face.ts'
import { faces } from './faces.ts'
import { createPlace, type Place } from './place.ts'

/**
 * Eight racers decide one approval, each otherwise, by every way on which it can be decided, on two servers. The faces that have no
 * word for a decision try what comes nearest at the same moment. Who wins is not asked: that one does, and that all are told so.
 */

/** What a racer says. The inputs make it another decision than all others; the label names the racer in what is told of it. */
interface Said {
  action: DecisionAction
  inputs: JsonObject
  label: string
  key: string
}

/** What a racer is told: that it counts, with the decision where the face tells that; or who has decided what. */
type Told = { counts: true; decision: Decision | null } | { counts: false; action: string; label: string }

type Decide = (asked: { pause: string; run: string; said: Said }) => Promise<Told>

/** The ways of deciding at one server, as one person. */
interface Ways {
  sdk: Decide
  sdkByRun: Decide
  rest: Decide
  socket: Decide
  /** Calls that come at the same moment go as one request. */
  batch: Decide
  batchOfPySpur: Decide
  pyspur: Decide
  pyspurByPause: Decide
}

const racers: readonly { way: keyof Ways; server: 0 | 1 }[] = [
  { way: 'sdk', server: 0 },
  { way: 'sdkByRun', server: 1 },
  { way: 'rest', server: 1 },
  { way: 'socket', server: 0 },
  { way: 'batch', server: 1 },
  { way: 'batchOfPySpur', server: 1 },
  { way: 'pyspur', server: 0 },
  { way: 'pyspurByPause', server: 1 },
]
const actions = ['approve', 'decline', 'override'] as const
const rounds = cases(8, 60)

let place: Place
/** By server, and by who speaks to it: an editor and the owner, so that not all who decide are one person. */
let ways: readonly (readonly Opened[])[]
let people: readonly string[]
beforeAll(async () => {
  place = await createPlace()
  const there = await place.server.another()
  const tokens = [place.token, place.server.token]
  people = tokens.map((token) => (JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as { sub: string }).sub)
  ways = [place.server.url, there.url].map((url) => tokens.map((token) => waysOf(url, token)))
})
afterAll(async () => {
  await Promise.all((ways ?? []).flat().map((each) => each.close()))
  await place?.[Symbol.asyncDispose]()
})

test(
  'of eight different decisions on one approval, over all faces and two servers, one counts: all are told the same, and the run goes its way',
  { timeout: 180_000 },
  async () => {
    const won = new Map<string, number>()
    const [plain, linked] = [await drawn(false), await drawn(true)]
    for (let number = 0; number < rounds; number++) {
      // In each half of the rounds each way says each action, and there is a way for those who are declined, or none.
      const hasLink = number % 2 === 1
      const round = await begun(hasLink ? linked : plain, `Ada ${number}`)
      const [pause] = await place.eye.pauses(round.run)
      const asked = racers.map((_, at) => ({
        pause: pause!.id,
        run: round.run,
        said: { action: actions[(at + number) % 3]!, inputs: { by: `racer ${at}` }, label: `racer ${at}`, key: `round ${number}, racer ${at}` },
      }))
      const decide = async (at: number, server: 0 | 1): Promise<{ at: number; told: Told }> => ({ at, told: await ways[server]![racers[at]!.server]![racers[at]!.way](asked[at]!) })

      // From another place each time; and in some rounds everybody says it twice at once, as one does who hears nothing.
      const order = racers.map((_, at) => (at + number * 3) % racers.length)
      const twice = number % 3 === 2
      const [told] = await Promise.all([
        Promise.all([...order, ...(twice ? order : [])].map((at) => decide(at, racers[at]!.server))),
        ...faces.filter(({ departures }) => departures.decide).map(({ name }) => beside(place.tellers.get(name)!.decide(round))),
      ])

      const run = await place.eye.wait(round.run)
      const events = await place.eye.events(round.run)
      audit(events)
      const decisions = events.flatMap((event) => (event.type === 'pause.decided' ? [event.pause.decision!] : []))
      expect(decisions).toHaveLength(1)
      const decision = decisions[0]!
      const winner = racers.findIndex((_, at) => decision.by.label === `racer ${at}`)
      expect(winner, JSON.stringify(decision)).toBeGreaterThanOrEqual(0)
      const { action, inputs, label } = asked[winner]!.said
      const { way, server } = racers[winner]!
      expect(decision).toMatchObject({ action, inputs, by: { id: people[server], label } })
      won.set(way, (won.get(way) ?? 0) + 1)

      // Everybody was told so, and is told so when they say it again, at the other server.
      const again = await Promise.all(racers.map((racer, at) => decide(at, racer.server === 0 ? 1 : 0)))
      for (const each of [...told, ...again]) {
        const expected: Told = each.at === winner ? { counts: true, decision: each.told.counts && each.told.decision === null ? null : decision } : { counts: false, action, label }
        expect([racers[each.at], each.told]).toEqual([racers[each.at], expected])
      }
      await standsAs(pause!.id, round, decision)
      went(run, { action, inputs, hasLink, text: `Ada ${number}` })
      await recorded(pause!.id, round.run, { done: twice ? 3 : 2, refused: (racers.length - 1) * (twice ? 3 : 2) })
      await quiet(round)
    }
    process.stderr.write(`  measured: decided by ${[...won].map(([way, times]) => `${way} ${times}`).join(', ')}\n`)
  },
)

// ── what is decided ────────────────────────────────────────────────────────────────────────────────────────────────────

/** A conversation whose round wants one approval; whoever is declined goes a way of their own, or none. */
async function drawn(hasLink: boolean): Promise<Named> {
  const definition = flow({ in: 'input', allow: approval(), out: 'output', ...(hasLink && { gone: template('Not this time') }) }, [
    'in > allow > out',
    ...(hasLink ? ['allow.declined > gone > out'] : []),
  ])
  const native = place.tellers.get('native')!
  const workflow = await place.named(await native.draw({ ...definition, kind: 'chatbot' }, hasLink ? 'With a way for the declined' : 'Without'))
  await native.publish(workflow)
  return workflow
}

async function begun(workflow: Named, text: string): Promise<Round> {
  const round = await place.roundOf(workflow, await place.tellers.get('native')!.start(workflow, text))
  await place.eye.wait(round.run, ({ status, waitingKind }) => status === 'waiting' && waitingKind === 'pause')
  return round
}

/** Of a face without a word for it: whether it is refused or taken for a message, the story tells. Here it must not count. */
const beside = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => expect((error as { status?: number }).status ?? 404).toBeLessThan(500))

// ── how it is decided ──────────────────────────────────────────────────────────────────────────────────────────────────

interface Opened extends Ways {
  close(): Promise<void>
}

interface Problem {
  code: string
  details: JsonObject
}

function waysOf(url: string, token: string): Opened {
  const headers = { authorization: `Bearer ${token}` }
  const sluice = createClient({ url, token, retries: 0 })
  const { call } = callerOf(url, token)
  const spur = clientOf(url, token)
  class Authorized extends WebSocket {
    constructor(target: string) {
      super(target, { headers })
    }
  }
  const socket = createWSClient({ url: `${url.replace('http', 'ws')}/trpc`, WebSocket: Authorized as never })
  const trpc = createTRPCClient<AppRouter>({ links: [wsLink({ client: socket })] })

  /** Exactly the winner's, or the conflict that names the winner; anything else fails. */
  const natively = async (work: Promise<unknown>, problemOf: (error: unknown) => Problem | null): Promise<Told> => {
    try {
      return { counts: true, decision: ((await work) as { decision?: Decision }).decision ?? null }
    } catch (error) {
      const problem = problemOf(error)
      if (problem?.code !== 'pause_decided') throw error
      const { action, by } = problem.details['decision'] as unknown as Decision
      return { counts: false, action, label: by.label! }
    }
  }
  const ofSdk = (error: unknown) => (error instanceof SluiceError && error.status === 409 ? { code: error.code, details: error.details } : null)
  const ofRest = (error: unknown) => (error instanceof Refused && error.status === 409 ? { code: error.code, details: error.details } : null)
  const ofTrpc = (error: unknown) => {
    const { data } = error as { data?: Problem & { status: number } }
    return data?.status === 409 ? data : null
  }
  const inPySpur = ({ action, inputs, label }: Said) => ({ action: action.toUpperCase(), inputs, user_id: label, comments: null })
  const spoken = (status: number, detail: unknown): Told => {
    if (status < 400) return { counts: true, decision: null }
    const [, action, label] = /was decided already: (\w+) by (racer \d) at /.exec(String(detail)) ?? []
    if (status !== 409 || action === undefined) throw new Error(`${status} ${JSON.stringify(detail)}`)
    return { counts: false, action: action.toLowerCase(), label: label! }
  }
  const batched = gathering(async (calls) => {
    const response = await fetch(`${url}/trpc/${calls.map(({ path }) => path).join()}?batch=1`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify(Object.fromEntries(calls.map(({ input }, at) => [at, input]))),
    })
    return (await response.json()) as Answered[]
  })
  return {
    sdk: ({ pause, said: { action, inputs, label, key } }) => natively(sluice.pauses[action](pause, { inputs, label, idempotencyKey: key }), ofSdk),
    sdkByRun: ({ run, said: { action, inputs, label, key } }) => natively(sluice.pauses.decide({ runId: run, action, inputs, label, idempotencyKey: key }), ofSdk),
    rest: ({ pause, said: { key, ...said } }) => natively(call('POST', `/v1/pauses/${pause}/decide`, said, { headers: { 'idempotency-key': key } }), ofRest),
    socket: ({ pause, said: { key, ...said } }) => natively(trpc.pauses.decide.mutate({ id: pause, ...said, idempotencyKey: key }), ofTrpc),
    batch: ({ pause, said: { key, ...said } }) => natively(batched('pauses.decide', { id: pause, ...said, idempotencyKey: key }), ofTrpc),
    batchOfPySpur: ({ run, said }) => natively(batched('dialects.pyspur.processPauseAction', { path: { run_id: run }, body: inPySpur(said) }), ofTrpc),
    async pyspur({ run, said }) {
      const { status, body } = await spur.call('POST', `/wf/process_pause_action/${run}/`, inPySpur(said))
      return spoken(status, body.detail)
    },
    async pyspurByPause({ pause, said }) {
      const { status, body } = await spur.call('POST', `/wf/process_pause_action/PH_${pause}/`, inPySpur(said))
      return spoken(status, body.detail)
    },
    close: () => socket.close(),
  }
}

interface Answered {
  result?: { data: unknown }
  error?: { data: Problem & { status: number } }
}

interface Call {
  path: string
  input: unknown
}

/** Calls of one turn are sent as one. Rejects with the error of its answer. */
function gathering(send: (calls: readonly Call[]) => Promise<Answered[]>): (path: string, input: unknown) => Promise<unknown> {
  let next: { calls: Call[]; sent: Promise<Answered[]> } | null = null
  return async (path, input) => {
    if (!next) {
      const calls: Call[] = []
      next = {
        calls,
        sent: Promise.resolve().then(() => {
          next = null
          return send(calls)
        }),
      }
    }
    const at = next.calls.push({ path, input }) - 1
    const { result, error } = (await next.sent)[at]!
    return result ? result.data : Promise.reject(Object.assign(new Error(JSON.stringify(error)), error))
  }
}

// ── what became of it ──────────────────────────────────────────────────────────────────────────────────────────────────

const statuses = { approve: 'approved', decline: 'declined', override: 'overridden' } as const

/** Whoever looks sees the one that won. */
async function standsAs(pause: string, { run }: Round, decision: Decision): Promise<void> {
  const status = statuses[decision.action]
  expect(await place.eye.call<Pause>('GET', `/v1/pauses/${pause}`)).toMatchObject({ status, decision })
  expect(await createClient({ url: place.server.url, token: place.token }).pauses.get({ id: pause })).toMatchObject({ status, decision })
  const { body } = await clientOf(place.server.url, place.token).call('GET', `/wf/pause_history/${run}/`)
  expect(body).toMatchObject([{ id: `PH_${pause}`, resume_action: decision.action.toUpperCase(), resume_user_id: decision.by.label }])
  expect(await place.eye.call('GET', `/api/collections/pauses/records/${pause}`)).toMatchObject({ status })
}

/** The run went the winner's way, and no other. */
function went(run: Run, { action, inputs, hasLink, text }: { action: DecisionAction; inputs: JsonObject; hasLink: boolean; text: string }): void {
  if (action === 'decline' && !hasLink) return void expect(run).toMatchObject({ status: 'cancelled', reason: { code: 'pause_declined' } })
  expect(run.status).toBe('completed')
  if (action === 'override') expect(run.output).toEqual(inputs)
  if (action === 'approve') expect(run.output).toMatchObject({ ...inputs, text })
  if (action === 'decline') expect(run.output).toMatchObject({ text: 'Not this time' })
}

/** The audit log: everybody who came too late was refused. A call that is answered is written down a little later. */
async function recorded(pause: string, run: string, counts: { done: number; refused: number }): Promise<void> {
  await expect
    .poll(
      async () => {
        const { items } = await place.server.call<{ items: AuditRecord[] }>('GET', '/v1/audit?action=pauses.decide&limit=100')
        const here = items.filter(({ resource }) => resource === pause || resource === run)
        return {
          done: here.filter(({ outcome }) => outcome === 'done').length,
          refused: here.filter(({ outcome, code }) => outcome === 'refused' && code === 'pause_decided').length,
          failed: here.filter(({ outcome }) => outcome === 'failed').length,
        }
      },
      { timeout: 20_000 },
    )
    .toEqual({ ...counts, failed: 0 })
}

/** What was said beside it in the conversation has begun rounds of its own, which ask again: they are ended. */
async function quiet({ session }: Round): Promise<void> {
  const live = async () => (await place.eye.call<{ items: Run[] }>('GET', `/v1/runs?sessionId=${session}`)).items.filter(({ endedAt }) => endedAt === null).map(({ id }) => id)
  for (let left = await live(); left.length > 0; left = await live()) for (const id of left) await place.eye.call('POST', `/v1/runs/${id}/cancel`).then(() => place.eye.wait(id))
}
