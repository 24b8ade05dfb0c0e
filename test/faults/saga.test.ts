import type { Json } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { here } from '../support/processes.ts'
import { createRig, type Rig, type Server, tell } from '../support/rig.ts'
import { type Account, type Effect, type Manner, type Manners, orderNamed, type Place, type Point, shop, type Shop } from '../support/shop.ts'

/**
 * The order of `examples/workflows` fails at each of its calls in each way, alone and with its server killed with -9 before and after each of them,
 * and ends with all of its effects or with none. What the services saw is the judge.
 */

// ── what happens to orders ─────────────────────────────────────────────────────────────────────────────────────────────

/** What comes from outside when the parcel is ordered: a report, or a cancel that undoes. */
type Outside = 'report' | 'failure' | 'cancel'
type Call = Place | Outside

interface Saga {
  name: string
  shop?: Manners
  outside?: Outside
  /** The request at which it comes, where that is not the ordering of the parcel: it is there already, and not answered. */
  at?: Place
  /** Everything that is called, in this order, by a run that nothing else happens to. */
  calls: readonly Call[]
  ends: 'completed' | 'compensated' | 'cancelled' | 'failed'
  /** What is there in the end; of what has completed everything, of anything else nothing, unless told otherwise. */
  left?: Partial<Record<Effect, number>>
}

const all = { reserve: 1, charge: 1, parcel: 1, mail: 1 }
const none = { reserve: 0, charge: 0, parcel: 0, mail: 0 }

const calls = (text: string): Call[] => text.split(' ') as Call[]
const saga = (name: string, happens: Omit<Saga, 'name' | 'calls'>, text: string): Saga => ({ name, ...happens, calls: calls(text) })

const sagas: readonly Saga[] = [
  saga('all goes well', { ends: 'completed' }, 'reserve charge parcel report mail'),

  saga('reserving is refused', { shop: { reserve: 'refuses' }, ends: 'compensated' }, 'reserve release'),
  saga('reserving breaks down', { shop: { reserve: 'breaks' }, ends: 'compensated' }, 'reserve reserve reserve release'),
  saga('reserved, and nobody hears of it', { shop: { reserve: 'loses' }, ends: 'compensated' }, 'reserve reserve reserve release'),
  saga('charging is refused', { shop: { charge: 'refuses' }, ends: 'compensated' }, 'reserve charge refund release'),
  saga('charging breaks down', { shop: { charge: 'breaks' }, ends: 'compensated' }, 'reserve charge charge charge refund release'),
  saga('charged, and nobody hears of it', { shop: { charge: 'loses' }, ends: 'compensated' }, 'reserve charge charge charge refund release'),
  saga('the parcel is refused', { shop: { parcel: 'refuses' }, ends: 'compensated' }, 'reserve charge parcel recall refund release'),
  saga('the parcel breaks down', { shop: { parcel: 'breaks' }, ends: 'compensated' }, 'reserve charge parcel parcel parcel recall refund release'),
  saga('the parcel is ordered, and nobody hears of it', { shop: { parcel: 'loses' }, ends: 'compensated' }, 'reserve charge parcel parcel parcel recall refund release'),
  saga(
    'each call breaks down once',
    { shop: { reserve: ['breaks'], charge: ['loses'], parcel: ['breaks'] }, ends: 'completed' },
    'reserve reserve charge charge parcel parcel report mail',
  ),
  saga('the carrier reports a failure', { outside: 'failure', ends: 'compensated' }, 'reserve charge parcel failure recall refund release'),
  saga('the mail is refused', { shop: { mail: 'refuses' }, ends: 'completed', left: { ...all, mail: 0 } }, 'reserve charge parcel report mail'),
  saga('the mail breaks down', { shop: { mail: 'breaks' }, ends: 'completed', left: { ...all, mail: 0 } }, 'reserve charge parcel report mail mail mail'),
  saga('mailed, and nobody hears of it', { shop: { mail: 'loses' }, ends: 'completed' }, 'reserve charge parcel report mail mail mail'),

  saga('recalling breaks down once', { outside: 'failure', shop: { recall: ['breaks'] }, ends: 'compensated' }, 'reserve charge parcel failure recall recall refund release'),
  saga(
    'recalled, and nobody hears of it once',
    { outside: 'failure', shop: { recall: ['loses'] }, ends: 'compensated' },
    'reserve charge parcel failure recall recall refund release',
  ),
  saga(
    'refunding breaks down twice',
    { outside: 'failure', shop: { refund: ['breaks', 'breaks'] }, ends: 'compensated' },
    'reserve charge parcel failure recall refund refund refund release',
  ),
  saga(
    'refunded, and nobody hears of it once',
    { outside: 'failure', shop: { refund: ['loses'] }, ends: 'compensated' },
    'reserve charge parcel failure recall refund refund release',
  ),
  saga('releasing breaks down once', { outside: 'failure', shop: { release: ['breaks'] }, ends: 'compensated' }, 'reserve charge parcel failure recall refund release release'),
  saga(
    'released, and nobody hears of it once',
    { outside: 'failure', shop: { release: ['loses'] }, ends: 'compensated' },
    'reserve charge parcel failure recall refund release release',
  ),

  saga('recalling is refused', { outside: 'failure', shop: { recall: 'refuses' }, ends: 'failed', left: { parcel: 1 } }, 'reserve charge parcel failure recall refund release'),
  saga(
    'refunding breaks down for good',
    { outside: 'failure', shop: { refund: 'breaks' }, ends: 'failed', left: { charge: 1 } },
    'reserve charge parcel failure recall refund refund refund release',
  ),
  saga('releasing is refused', { outside: 'failure', shop: { release: 'refuses' }, ends: 'failed', left: { reserve: 1 } }, 'reserve charge parcel failure recall refund release'),

  saga('cancelled while it waits for the carrier', { outside: 'cancel', ends: 'cancelled' }, 'reserve charge parcel cancel recall refund release'),
  saga('cancelled while it reserves, and that is done', { outside: 'cancel', at: 'reserve', shop: { reserve: 'swallows' }, ends: 'cancelled' }, 'reserve cancel release'),
  saga(
    'cancelled while it charges, and that is not done',
    { outside: 'cancel', at: 'charge', shop: { charge: 'hangs' }, ends: 'cancelled' },
    'reserve charge cancel refund release',
  ),
  saga(
    'cancelled while it charges, and that is done',
    { outside: 'cancel', at: 'charge', shop: { charge: 'swallows' }, ends: 'cancelled' },
    'reserve charge cancel refund release',
  ),
  saga(
    'cancelled while it charges, and that comes when it is refunded',
    { outside: 'cancel', at: 'charge', shop: { charge: 'lags' }, ends: 'cancelled' },
    'reserve charge cancel refund release',
  ),
  saga(
    'cancelled while the parcel is ordered, and that is done',
    { outside: 'cancel', at: 'parcel', shop: { parcel: 'swallows' }, ends: 'cancelled' },
    'reserve charge parcel cancel recall refund release',
  ),
]

/** With services that do not answer in time: each call is waited for, and its time is up. */
const hanging: readonly Saga[] = [
  saga('reserving hangs', { shop: { reserve: 'hangs' }, ends: 'compensated' }, 'reserve reserve reserve release'),
  saga('charging hangs', { shop: { charge: 'hangs' }, ends: 'compensated' }, 'reserve charge charge charge refund release'),
  saga('charged without an answer', { shop: { charge: 'swallows' }, ends: 'compensated' }, 'reserve charge charge charge refund release'),
  saga('charged when nobody waits any more', { shop: { charge: 'lags' }, ends: 'compensated' }, 'reserve charge charge charge refund release'),
  saga('the parcel hangs', { shop: { parcel: 'hangs' }, ends: 'compensated' }, 'reserve charge parcel parcel parcel recall refund release'),
  saga('the parcel is ordered without an answer', { shop: { parcel: 'swallows' }, ends: 'compensated' }, 'reserve charge parcel parcel parcel recall refund release'),
  saga('the mail hangs', { shop: { mail: 'hangs' }, ends: 'completed', left: { ...all, mail: 0 } }, 'reserve charge parcel report mail mail mail'),
  saga('recalling hangs once', { outside: 'failure', shop: { recall: ['hangs'] }, ends: 'compensated' }, 'reserve charge parcel failure recall recall refund release'),
  saga(
    'refunded without an answer, once',
    { outside: 'failure', shop: { refund: ['swallows'] }, ends: 'compensated' },
    'reserve charge parcel failure recall refund refund release',
  ),
  saga(
    'releasing hangs for good',
    { outside: 'failure', shop: { release: 'hangs' }, ends: 'failed', left: { reserve: 1 } },
    'reserve charge parcel failure recall refund release release release',
  ),
]

// ── when servers are killed ────────────────────────────────────────────────────────────────────────────────────────────

/** Before a call is met, or when it was and nobody has heard of it; of a report or a cancel before it is sent, or right after it was acknowledged. */
interface Moment {
  call: Call
  nth: number
  when: 'before' | 'after'
}

const isUndoing = (call: Call): boolean => call === 'recall' || call === 'refund' || call === 'release'
const isOutside = (call: Call): call is Outside => call === 'report' || call === 'failure' || call === 'cancel'

/** Every moment of a saga: before and after each of its calls. */
const momentsOf = ({ calls: made }: Saga): Moment[] =>
  made.flatMap((call, index) => {
    const nth = made.slice(0, index + 1).filter((each) => each === call).length
    return [
      { call, nth, when: 'before' },
      { call, nth, when: 'after' },
    ] satisfies Moment[]
  })

const isSilent = (manner: Manner | undefined): boolean => manner === 'hangs' || manner === 'swallows' || manner === 'lags'

/** Where the answer never comes, there is no moment after it; and what comes from outside meanwhile cannot be held back any more. */
const isThere = ({ shop: manners = {}, at }: Saga, { call, when }: Moment): boolean => {
  const manner = isOutside(call) ? 'works' : manners[call]
  return !(isSilent([manner].flat()[0]) && when === 'after') && !(call === at && when === 'before')
}

const nameOf = ({ name }: Saga, moment?: Moment): string => (moment ? `${name}, killed ${moment.when} ${moment.call} ${moment.nth}` : name)

// ── one order ──────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Case {
  saga: Saga
  moment: Moment | undefined
  /** It is started and reported on as Medusa's clients do it. */
  medusa: boolean
  transactionId: string
  account: Account
  run: string
  /** What came from outside and was acknowledged. */
  acknowledged: Promise<void>
  /** What comes from outside may come. */
  send(): void
  /** It stands where it is to be killed. */
  stands(): Promise<boolean>
}

interface World {
  rig: Rig
  services: Shop
  /** The server that is asked. */
  server: Server
  over: AbortController
}

let count = 0

/** Starts an order to which this happens. */
async function begin(world: World, saga: Saga, moment?: Moment): Promise<Case> {
  const transactionId = `o${++count}`
  const medusa = count % 3 === 0 && !(moment && isOutside(moment.call))
  const outside = saga.outside ?? 'report'
  const point: Point | undefined = moment && !isOutside(moment.call) ? { ...moment, place: moment.call } : undefined
  const account = world.services.open(transactionId, saga.shop, point)
  const isHeld = moment !== undefined && isOutside(moment.call)
  const gate = Promise.withResolvers<void>()
  const due = Promise.withResolvers<void>()
  const acknowledged = Promise.withResolvers<void>()
  const made: Case = {
    ...{ saga, moment, medusa, transactionId, account, run: '', acknowledged: acknowledged.promise, send: gate.resolve },
    async stands() {
      if (!isHeld) return account.isReached()
      const [row] = await world.rig.database.query<{ status: string }>('select status from runs where id = $1', [made.run])
      return saga.at === undefined ? row!.status === 'waiting' : account.calls.includes(saga.at)
    },
  }
  if (!isHeld) gate.resolve()
  if (saga.at === undefined) account.done = (place) => place === 'parcel' && due.resolve()
  else account.came = (place) => place === saga.at && due.resolve()
  void Promise.all([gate.promise, due.promise])
    .then(() => tellUntilHeard(world, made, outside))
    .then(acknowledged.resolve)

  const input = orderNamed(transactionId)
  if (medusa) {
    // It is answered when the run waits or has ended, with what a step failed with: that it was stored, its rows say.
    void askedUntilTaken(world.server, { input, transaction_id: transactionId })
    const stored = async () =>
      ([{ id: made.run = '' } = {}] = await world.rig.database.query<{ id: string }>('select id from runs where transaction_id = $1', [transactionId])).length > 0
    await world.rig.until(`${transactionId} is stored`, stored, 40_000)
  } else {
    made.run = await started(world.server, transactionId, { input })
  }
  return made
}

/** Likewise, of who waits until the run is parked: until then the server may be killed. */
async function askedUntilTaken(server: Server, body: object): Promise<void> {
  for (;;) {
    const answer = await server.call('POST', '/admin/workflows-executions/order/run', body).catch(() => null)
    if (answer?.status !== 503) return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

/** As a client does it that comes again when the server is busy. */
async function started(server: Server, transactionId: string, more: object): Promise<string> {
  for (;;) {
    const { status, body } = await server.start('order', { transactionId, idempotencyKey: transactionId, ...more })
    if (status === 201) return body.id
    if (status !== 503) throw new Error(`not started: ${status} ${JSON.stringify(body)}`)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

/** Some at a time, so that a busy server is not asked by all of them at once. */
async function beginAll(world: World, points: readonly { saga: Saga; moment?: Moment }[]): Promise<Case[]> {
  const cases: Case[] = []
  for (let at = 0; at < points.length; at += 16) cases.push(...(await Promise.all(points.slice(at, at + 16).map((point) => begin(world, point.saga, point.moment)))))
  return cases
}

/** Somebody outside, who comes again until it is taken: by whichever server is there. */
async function tellUntilHeard(world: World, made: Case, outside: Outside): Promise<void> {
  while (!world.over.signal.aborted) {
    const { status, body } = await (outside === 'cancel' ? cancel(world, made) : report(world, made, outside))
    const code = body?.error?.code
    // Who cancels again, having heard nothing the first time, is told that it is under way, or has ended.
    if (status < 300 && status >= 200) return
    if (outside === 'cancel' && (code === 'run_compensating' || code === 'run_ended')) return
    // A report that comes before the run has noted that its parcel is ordered is too early; 0 is no answer at all.
    const isEarly = status === 0 || status === 503 || code === 'step_not_waiting' || /when status is/.test(JSON.stringify(body))
    if (!isEarly) return void made.account.faults.push(`${outside} is answered with ${status} ${JSON.stringify(body)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const cancel = ({ server }: World, { run }: Case) => server.call('POST', `/v1/runs/${run}/cancel`, { compensate: true })

function report({ server }: World, { medusa, transactionId }: Case, outside: 'report' | 'failure') {
  const failed = outside === 'failure'
  const told: Json = failed ? { message: 'The parcel is lost' } : { tracking: `t-${transactionId}` }
  if (medusa) {
    const path = `/admin/workflows-executions/order/steps/${failed ? 'failure' : 'success'}`
    return server.call('POST', path, { transaction_id: transactionId, step_id: 'ship', response: told })
  }
  const outcome = failed ? { outcome: 'failed', error: { code: 'lost', message: 'The parcel is lost' } } : { outcome: 'completed', output: told }
  return server.call('POST', '/v1/steps/report', { run: { workflow: 'order', transactionId }, step: 'ship', ...outcome })
}

// ── what must hold ─────────────────────────────────────────────────────────────────────────────────────────────────────

interface Ended {
  id: string
  status: string
  reason: { code: string; step?: string } | null
  terminal: string[]
}

/** What is wrong with orders that have ended; nothing. */
async function check({ rig, server }: World, cases: readonly Case[]): Promise<void> {
  const ids = cases.map(({ run }) => run)
  const rows = await rig.database.query<Ended & Record<string, unknown>>(
    `select id, status, reason, array(select type from events where subject_id = runs.id and type ~ '^run\\.(completed|failed|cancelled|compensated)$') as terminal
     from runs where id = any($1)`,
    [ids],
  )
  const byId = new Map(rows.map((row) => [row.id, row]))
  const wrong = await Promise.all(
    cases.map(async (each) => [...faultsOf(each, byId.get(each.run)!), ...(await faultsAtMedusa(server, each))].map((fault) => `${nameOf(each.saga, each.moment)}: ${fault}`)),
  )
  expect(wrong.flat()).toEqual([])
}

function faultsOf({ saga, moment, account }: Case, { status, reason, terminal }: Ended): string[] {
  const left = { ...(saga.ends === 'completed' ? all : none), ...saga.left }
  const balance = account.balance()
  const made = saga.calls.filter((call) => !isOutside(call))
  return [
    ...(status === saga.ends ? [] : [`ended ${status} ${JSON.stringify(reason)}`]),
    ...(terminal.length === 1 ? [] : [`ended ${terminal.length} times`]),
    ...(JSON.stringify(balance) === JSON.stringify(left) ? [] : [`leaves ${JSON.stringify(balance)}`]),
    ...((reason?.code === 'compensation_failed') === (saga.ends === 'failed') ? [] : [`because of ${JSON.stringify(reason)}`]),
    ...account.faults,
    ...(squeezed(account.calls) === squeezed(made) && isBetween(account.calls.length - made.length, repeatsOf(saga, moment)) ? [] : [`called ${account.calls.join(' ')}`]),
  ]
}

/**
 * How many calls more there are than those of a run to which nothing happens: the one that was in the air when the server died, and no other. An attempt that
 * failed, and of which nobody heard, is made again.
 */
function repeatsOf({ shop: manners = {}, at, outside }: Saga, moment: Moment | undefined): [number, number] {
  if (!moment) return [0, 0]
  // Where calls have their time, what is held back for long is called again.
  if (at === undefined && Object.values(manners).flat().some(isSilent)) return [0, 3]
  const { call, nth, when } = moment
  // A cancel meets the next server before or after that calls again what was in the air.
  if (isOutside(call)) return when === 'before' && at === undefined ? [0, 0] : [0, 1]
  const manner = manners[call]
  const failsThen = when === 'after' && typeof manner === 'object' && nth <= manner.length
  if (failsThen) return [0, 0]
  const isBeforeCancel = outside === 'cancel' && call === 'parcel' && when === 'after'
  return isBeforeCancel ? [0, 1] : [1, 1]
}

const isBetween = (value: number, [least, most]: [number, number]): boolean => value >= least && value <= most

const squeezed = (list: readonly Call[]): string => list.filter((each, index) => each !== list[index - 1]).join(' ')

const states = { completed: 'done', compensated: 'reverted', cancelled: 'reverted', failed: 'failed' } as const

/** Medusa's clients see the same. */
async function faultsAtMedusa(server: Server, { saga, transactionId }: Case): Promise<string[]> {
  interface Told {
    workflow_execution: { state: string; execution: { steps: Record<string, { invoke: { state: string }; compensate?: { state: string } }> } }
  }
  const { status, body } = await server.call<Told>('GET', `/admin/workflows-executions/order/${transactionId}`)
  if (status !== 200) return [`retrieved with ${status}`]
  const { state, execution } = body.workflow_execution
  const undone = Object.entries(execution.steps).flatMap(([id, { compensate }]) => (compensate?.state === 'reverted' ? [id.split('.').at(-1)!] : []))
  const undoings = { recall: 'parcel', refund: 'charge', release: 'reserve' } as Partial<Record<Call, Effect>>
  const wanted = [...new Set(saga.calls.flatMap((call) => undoings[call] ?? []))].filter((effect) => !(saga.ends === 'failed' && saga.left?.[effect]))
  return [
    ...(state === states[saga.ends] ? [] : [`is ${state} for Medusa's clients`]),
    ...(wanted.every((effect) => undone.includes(effect)) ? [] : [`Medusa's clients see ${undone.join()} undone`]),
  ]
}

// ── worlds ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Worlds extends AsyncDisposable {
  world: World
  /** Another server, which is asked from now on. */
  serve(): Promise<void>
}

async function worlds(patienceMs: number): Promise<Worlds> {
  const rig = await createRig()
  const services = await shop()
  const env = { SLUICE_WORKFLOWS: here('../../examples/workflows'), SHOP_URL: services.url, SHOP_PATIENCE_MS: String(patienceMs) }
  const world: World = { rig, services, server: await rig.serve({ env }), over: new AbortController() }
  return {
    world,
    async serve() {
      world.server = await rig.serve({ env })
    },
    async [Symbol.asyncDispose]() {
      world.over.abort()
      await rig[Symbol.asyncDispose]()
      await services.close()
    },
  }
}

/** Kills the server while each of these stands at its moment, with the last of what it has been answered unread, and lets another one go on. */
async function kill({ world, serve }: Worlds, cases: readonly Case[]): Promise<void> {
  const told = cases.filter(({ moment }) => moment && isOutside(moment.call) && moment.when === 'after')
  const standing = async (): Promise<Case[]> => {
    const each = await Promise.all(cases.map((one) => one.stands()))
    return cases.filter((_, index) => !each[index])
  }
  let missing: Case[] = []
  await world.rig
    .until('all stand where they are to be killed', async () => (missing = await standing()).length === 0, 60_000)
    .catch((error: Error) => {
      throw new Error(`not there: ${missing.map((one) => `${nameOf(one.saga, one.moment)} (${one.account.calls.join(' ')})`).join('; ')}\n${error.message}`)
    })
  for (const one of told) one.send()
  // The first acknowledgement is the last thing that it does.
  if (told.length > 0) await Promise.race(told.map((one) => one.acknowledged))
  world.server.freeze()
  for (const { account } of cases) account.answer()
  await world.server.kill()
  for (const one of cases) one.send()
  await serve()
}

const ended = ({ world }: Worlds, cases: readonly Case[], ms: number): Promise<void> =>
  world.rig.ended(
    cases.map(({ run }) => run),
    ms,
  )

describe.concurrent('an order', () => {
  test('that fails at any of its calls, in any way, ends with all of its effects or with none', { timeout: 120_000 }, async () => {
    await using own = await worlds(60_000)
    const cases = await beginAll(
      own.world,
      sagas.map((each) => ({ saga: each })),
    )
    await ended(own, cases, 60_000)
    await check(own.world, cases)
  })

  test('whose server is killed with -9 before or after any call of any of these, ends so too, each effect applied once', { timeout: 300_000 }, async () => {
    await using own = await worlds(120_000)
    const begun = performance.now()
    const points = sagas.flatMap((each) => momentsOf(each).flatMap((moment) => (isThere(each, moment) ? [{ saga: each, moment }] : [])))
    const isTold = ({ moment }: { moment: Moment }, call: Outside): boolean => moment.call === call && moment.when === 'after'
    // The end of each server is an acknowledgement of another kind.
    const kinds: Outside[] = ['report', 'failure', 'cancel']
    const rest = points.filter((point) => !kinds.some((call) => isTold(point, call)))
    let before: Case[] = []
    for (const [index, call] of kinds.entries()) {
      const chosen = [...points.filter((point) => isTold(point, call)), ...rest.filter((_, at) => at % kinds.length === index)]
      const cases = await beginAll(own.world, chosen)
      await ended(own, before, 90_000)
      await kill(own, cases)
      tell(`${cases.length} orders stood where they were killed, ${((performance.now() - begun) / 1000).toFixed(1)} s`)
      await check(own.world, before)
      before = cases
    }
    await ended(own, before, 90_000)
    await check(own.world, before)
    tell(`${points.length} orders, three deaths: ${((performance.now() - begun) / 1000).toFixed(1)} s`)
  })

  test('whose services do not answer ends so when their time is up', { timeout: 120_000 }, async () => {
    await using own = await worlds(2_000)
    const cases = await beginAll(
      own.world,
      hanging.map((each) => ({ saga: each })),
    )
    await ended(own, cases, 60_000)
    await check(own.world, cases)
  })

  test('whose server is killed while a call hangs, or what undoes that call is in the air, ends so too', { timeout: 240_000 }, async () => {
    await using own = await worlds(4_000)
    const inTheAir = hanging.map((each) => ({ saga: each, moment: hungOf(each) }))
    // What was held back at its point too long is asked for again, and stands there: twice, at 4 s each.
    const failed = hanging.filter(({ outside, ends }) => outside === undefined && ends === 'compensated')
    const undone = failed.flatMap((each) =>
      momentsOf(each)
        .filter(({ call }) => isUndoing(call))
        .map((moment) => ({ saga: each, moment })),
    )
    for (const points of [inTheAir, undone]) {
      const cases = await beginAll(own.world, points)
      await kill(own, cases)
      await ended(own, cases, 90_000)
      await check(own.world, cases)
    }
  })
})

/** While its service hangs for the first time. */
function hungOf({ shop: manners = {} }: Saga): Moment {
  return { call: Object.keys(manners)[0] as Place, nth: 1, when: 'before' }
}
