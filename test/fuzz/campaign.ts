import type { JsonObject } from '@sluice/schema'
import { type Caller, callerOf, Refused } from '../support/server.ts'
import { attacked, type Attacked, bomb, bombs } from './attacks.ts'
import { isOutage, judge, type Verdict } from './answers.ts'
import { type Target, targets } from './operations.ts'
import { createRandom, type Random } from './random.ts'
import { curlOf, validDraft, type Wire, wireOf } from './request.ts'
import { binding, createScene, freshRefresh, password, type Scene } from './scene.ts'
import { type Answer, createSender, type Sender } from './send.ts'
import { admin, type Fuzzed, secret } from './server.ts'
import { converse, type SocketName, socketNames } from './sockets.ts'

/** How often an operation was met, and how it went. */
export interface Met {
  valid: number
  /** Of these. */
  welcome: number
  mutated: number
  statuses: Map<number, number>
}

export interface Finding {
  target: string
  attack: string
  verdict: string
  curl: string
}

export interface Report {
  requests: number
  met: Map<string, Met>
  findings: Finding[]
  /** 503 and 507. */
  outages: number
  /** Left by us, after having waited for long. */
  left: number
  /** The slowest that were answered: of the clock. */
  slow: { target: string; ms: number; curl: string }[]
  hidden: string[]
  /** What was under way when the event loop was held, longest first. */
  held: { turnMs: number; lateMs: number; during: string[] }[]
}

interface Span {
  from: number
  to: number
  what: string
}

/** Operations that are asked to wait, or to do what takes as long as somebody's workflow does. */
const waits =
  /wait|start|run|send|ask|report|decide|fork|try|execute|completion|signal|stop|delete|cancel|batch|watch|subscribe|events|follow|realtime|PauseAction|records|retry|hold|release/i
const waitingMs = 4_000
/** For the rest: nothing takes that long, whatever else the machine does. */
const patienceMs = 45_000

/** Ends a session, or the credential that it is sent with. */
const endsLogin =
  /^(auth\.(logout|leave|switch|renew|refresh)|users\.changePassword|logout|DeleteSession|PostSession|PostAdminAuthTokenRefresh|authRefresh|refreshToken|records\.renew)$/

export interface CampaignOptions {
  requests: number
  /** What is never answered with success. */
  unwelcome: ReadonlySet<string>
  /** At the same time. */
  beside?: number
}

/** Meets every operation in turn, with what it takes and with what it should not, until so many requests were sent. */
export async function campaign(server: Fuzzed, { requests, unwelcome, beside = 10 }: CampaignOptions): Promise<Report> {
  const random = createRandom('fuzz')
  const report: Report = { requests: 0, met: new Map(), findings: [], outages: 0, left: 0, slow: [], held: [], hidden: [secret, admin.password, password] }
  const cast = await createCast(server, random, report)
  const sender = createSender(server.url)
  const before = server.turns().length
  const queue = order(random, requests)
  const spans: Span[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < queue.length && server.lives()) {
      const at = next++
      if (at > 0 && at % 250 === 0) {
        tellHeld(server, before, report, spans)
        // What its things are made with are valid requests, too.
        await cast.renew().catch((error: unknown) => report.findings.push({ target: 'the things of a scene', attack: 'none', verdict: String(error), curl: '' }))
      }
      const { target, isValid } = queue[at]!
      const stage = { server, sender, cast, random: createRandom(`fuzz ${at}`), report, spans }
      await (typeof target === 'string' ? talk(stage, target, isValid) : meet(stage, target, isValid))
    }
  }
  await Promise.all(Array.from({ length: beside }, worker))
  await insist({ server, sender, cast, random, report, spans }, unwelcome)
  await explode({ server, sender, cast, random, report, spans })
  sender.close()
  cast.close()
  tellHeld(server, before, report, spans)
  return report
}

interface Turn {
  target: Target | SocketName
  isValid: boolean
}

/** Conversations over a socket in one round: of six kinds, and over tRPC's everything can be said. */
const talks: readonly SocketName[] = [...socketNames, 'socket /trpc', 'socket /trpc', 'socket /trpc', 'socket /trpc', 'socket /ws/workflow/{workflow_id}/']

/** Round after round of all operations, mixed: in each one valid request and two that are not. */
function order(random: Random, requests: number): Turn[] {
  const queue: Turn[] = []
  while (queue.length < requests) queue.push(...random.shuffled([...targets, ...talks].flatMap((target) => [true, false, false].map((isValid) => ({ target, isValid })))))
  return queue.slice(0, requests)
}

/** What was not welcome once is asked for again, of things that nobody has touched: chance alone must not tell that nothing is ever answered. */
async function insist(stage: Stage, unwelcome: ReadonlySet<string>): Promise<void> {
  const { report, cast, server } = stage
  const cold = targets.filter(({ name }) => !unwelcome.has(name) && (report.met.get(name)?.welcome ?? 0) === 0 && (report.met.get(name)?.valid ?? 0) > 0)
  for (const target of cold) {
    // Of some the choices that are drawn for them seldom fit together.
    for (let tries = 0; tries < 40 && report.met.get(target.name)!.welcome === 0 && server.lives(); tries++) {
      if (tries % 20 === 0) await cast.renew()
      await meet({ ...stage, random: createRandom(`${target.name} ${tries}`) }, target, true)
    }
  }
}

/** Each expression that should not be, once. */
async function explode({ server, sender, cast, random, report, spans }: Stage): Promise<void> {
  const target = targets.find(({ name }) => name === 'sluice nodeTypes.try')!
  for (const each of bombs) {
    const draft = validDraft(
      target,
      random,
      binding(target, cast.scene(), () => ''),
    )
    const credential = await cast.credential('owner', cast.scene(), random)
    const request = { attack: 'expressions', ...bomb({ ...draft, headers: credential ? [credential] : [] }, each) }
    report.requests++
    const from = Date.now()
    const answer = await sender.send(request.wire, { patienceMs })
    spans.push({ from, to: Date.now(), what: JSON.stringify(each).slice(0, 300) })
    note(report, target, request, answer, false, server)
  }
}

interface Cast {
  close(): void
  scene(): Scene
  renew(): Promise<void>
  /** A credential of the owner's in another workspace. */
  within(workspace: string): Promise<string>
  /** Of a principal: by name, or of any of them. */
  credential(of: 'owner' | 'any', scene: Scene, random: Random): Promise<[string, string] | null>
  ids(): readonly string[]
}

/** Asked again while the server says that it is busy: what else runs on this machine may keep it so. */
async function comingAgain<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++)
    try {
      return await ask()
    } catch (error) {
      if (tries === 5 || !(error instanceof Refused) || error.status !== 503) throw error
      await new Promise((resolve) => setTimeout(resolve, 1_000))
    }
}

/** Everybody who asks, and the things that they ask for. */
async function createCast({ url }: Fuzzed, random: Random, report: Report): Promise<Cast> {
  const login = async (): Promise<string> => (await callerOf(url, '').call<{ token: string }>('POST', '/v1/auth/login', admin)).token
  let token = await login()
  let owner: Caller = callerOf(url, token)
  const key = async (role: string): Promise<string> => {
    const email = `${role}@fuzz.example`
    const { setPassword } = await owner.call<{ setPassword: { token: string } }>('POST', '/v1/members', { email, role })
    await callerOf(url, '').call('POST', '/v1/auth/set-password', { token: setPassword.token, password })
    return (await callerOf(url, '').call<{ token: string }>('POST', '/v1/auth/login', { email, password })).token
  }
  const [editor, viewer, operator] = await Promise.all(['editor', 'viewer', 'operator'].map(key))
  const api = await owner.call<{ secret: string }>('POST', '/v1/keys', { name: 'fuzz' })
  report.hidden.push(api.secret)
  const pyspur = targets.find(({ id, over }) => id === 'createWorkflow' && over === 'rest')!.operation!.requestBody!.content['application/json']!.example as JsonObject
  let number = 0
  const scenes: Scene[] = []
  // Only who stands in a workspace deletes it.
  const within = async (workspace: string): Promise<string> => (await owner.call<{ token: string }>('POST', '/v1/auth/switch', { workspace })).token
  const drop = async (id: string): Promise<unknown> => owner.call('DELETE', `/v1/workspaces/${id}`, undefined, { as: await within(id) })
  const foreign: string[] = []
  const renew = async (): Promise<void> => {
    // Who asks may have lost what they asked with.
    const alive = await owner.call('GET', '/v1/auth/me').then(
      () => true,
      () => false,
    )
    if (!alive) owner = callerOf(url, (token = await login()))
    const made = await comingAgain(() => createScene(url, { admin: owner, token }, number++, pyspur))
    scenes.push(made)
    report.hidden.push(...made.secrets)
    if (scenes.length <= 3) return
    const past = scenes.shift()!
    past.close()
    foreign.push(...random.shuffled(past.ids).slice(0, 10))
    foreign.splice(0, Math.max(0, foreign.length - 200))
    // A user has a hundred of each at most. What requests may ask for stays.
    const asked = new Set(scenes.flatMap(({ ids }) => ids))
    const { items } = await owner.call<{ items: { id: string; handle: string }[] }>('GET', '/v1/workspaces?limit=100')
    for (const { id } of items.filter((each) => each.handle !== 'default' && !asked.has(each.id))) await drop(id).catch(() => {})
    const keys = await owner.call<{ items: { id: string; name: string; revokedAt: string | null }[] }>('GET', '/v1/keys?limit=100')
    const spent = keys.items.filter(({ id, name, revokedAt }) => name !== 'fuzz' && revokedAt === null && !asked.has(id))
    for (const { id } of spent) await owner.call('DELETE', `/v1/keys/${id}`).catch(() => {})
  }
  await renew()
  return {
    scene: () => scenes.at(-1)!,
    close: () => {
      for (const scene of scenes) scene.close()
    },
    renew,
    within,
    async credential(of, scene, random) {
      const bearer = (text: string): [string, string] => ['authorization', `Bearer ${text}`]
      if (of === 'owner') return bearer(token)
      const drawn = random.whole(20)
      if (drawn < 12) return bearer(token)
      if (drawn < 14) return bearer(editor!)
      if (drawn < 15) return bearer(viewer!)
      if (drawn < 16) return bearer(operator!)
      if (drawn < 17) return ['x-api-key', api.secret]
      if (drawn < 18) return ['authorization', `Basic ${Buffer.from(`${api.secret}:`).toString('base64')}`]
      if (drawn < 19) return null
      return bearer(scene.email)
    },
    ids: () => [...scenes.flatMap(({ ids }) => ids), ...foreign, 'default', '0'.repeat(15)],
  }
}

interface Stage {
  server: Fuzzed
  sender: Sender
  cast: Cast
  random: Random
  report: Report
  spans: Span[]
}

let count = 0

async function meet({ server, sender, cast, random, report, spans }: Stage, target: Target, isValid: boolean): Promise<void> {
  const scene = cast.scene()
  const draft = validDraft(
    target,
    random,
    binding(target, scene, () => `${report.requests}-${count++}`),
  )
  const open = /login|auth\.setPassword|authWithPassword|PostActor_type/i.test(target.id)
  const spends = endsLogin.test(target.id)
  const credential = open
    ? null
    : isValid && !spends
      ? await cast.credential('owner', scene, random)
      : spends
        ? (['authorization', '@token@'] as [string, string])
        : await cast.credential('any', scene, random)
  if (credential) draft.headers.push(credential)
  const request: Attacked = isValid ? { attack: 'none', wire: wireOf(draft), there: true } : attacked(draft, random, { ids: cast.ids() })
  if (isValid && target.id === 'workspaces.delete') {
    const place = scene.things['workspace']![0]!
    const token = await cast.within(place).catch(() => 'x')
    for (const header of request.wire.headers) if (header[0] === 'authorization') header[1] = `Bearer ${token}`
  }
  const wire = await freshened(request.wire, scene)
  const patience = waits.test(target.id) || waits.test(target.name) ? waitingMs : patienceMs
  report.requests++
  const from = Date.now()
  const answer = await sender.send(wire, { patienceMs: patience })
  spans.push({ from, to: Date.now(), what: `${target.name} (${request.attack}): ${curlOf(server.url, wire).slice(0, 500)}` })
  note(report, target, { ...request, wire }, answer, isValid, server)
}

async function talk({ server, cast, random, report, spans }: Stage, name: SocketName, isValid: boolean): Promise<void> {
  const scene = cast.scene()
  const [, bearer = ''] = (await cast.credential('owner', scene, random)) ?? []
  const from = Date.now()
  report.requests++
  const { verdict, welcome, said } = await converse(name, {
    url: server.url,
    token: bearer.replace('Bearer ', ''),
    scene,
    random,
    prey: { ids: cast.ids() },
    isValid,
    hidden: report.hidden,
    unique: () => `${report.requests}-${count++}`,
  })
  spans.push({ from, to: Date.now(), what: `${name}: ${said.slice(0, 500)}` })
  const met = metOf(report, name)
  met[isValid ? 'valid' : 'mutated']++
  if (isValid && welcome) met.welcome++
  if (verdict !== null) report.findings.push({ target: name, attack: isValid ? 'none' : 'over a socket', verdict, curl: said })
}

function metOf(report: Report, name: string): Met {
  const met = report.met.get(name) ?? { valid: 0, welcome: 0, mutated: 0, statuses: new Map<number, number>() }
  report.met.set(name, met)
  return met
}

/** With a credential got just now in the place of those that are spent by their use. */
async function freshened(wire: Wire, scene: Scene): Promise<Wire> {
  const text = wire.body?.toString('latin1') ?? ''
  const asks = text.includes(freshRefresh) || wire.path.includes(freshRefresh) || wire.headers.some(([, value]) => value === '@token@')
  if (!asks || wire.raw) return wire
  const { token, refreshToken } = await scene.login().catch(() => ({ token: 'x', refreshToken: 'x' }))
  return {
    ...wire,
    headers: wire.headers.map(([name, value]) => [name, value === '@token@' ? `Bearer ${token}` : value]),
    body: wire.body && Buffer.from(text.replaceAll(freshRefresh, refreshToken), 'latin1'),
  }
}

function note(report: Report, target: Target, { attack, wire, there }: Attacked, answer: Answer, isValid: boolean, server: Fuzzed): void {
  const met = metOf(report, target.name)
  met[isValid ? 'valid' : 'mutated']++
  if (isValid && answer.status >= 200 && answer.status < 300) met.welcome++
  met.statuses.set(answer.status, (met.statuses.get(answer.status) ?? 0) + 1)
  if (isOutage(answer)) report.outages++
  const verdict = verdictOf(report, target, { attack, wire, there }, answer, server)
  if (verdict !== null) report.findings.push({ target: target.name, attack, verdict, curl: curlOf(server.url, wire) })
  if (answer.status > 0) {
    report.slow.push({ target: `${target.name} (${attack})`, ms: answer.ms, curl: curlOf(server.url, wire).slice(0, 600) })
    if (report.slow.length > 200) report.slow = slowest(report.slow)
  }
}

export const slowest = (all: Report['slow']): Report['slow'] => all.toSorted((a, b) => b.ms - a.ms).slice(0, 12)

function verdictOf(report: Report, target: Target, { attack, wire, there }: Attacked, answer: Answer, server: Fuzzed): Verdict {
  if (answer.status === 0) {
    if (wire.raw) return null
    if (!server.lives()) return 'the server has ended'
    const isLate = answer.error === 'no answer in time'
    if (isLate && waits.test(target.name)) {
      report.left++
      return null
    }
    // It hangs up while more is sent than it reads.
    if (!isLate && (wire.body?.length ?? 0) > 1_000_000) return null
    return `no answer: ${answer.error} after ${Math.round(answer.ms)} ms`
  }
  return judge({ target, wire, answer, there: there && attack !== 'batch', hidden: report.hidden })
}

/** What was under way during the long turns since the last look. */
function tellHeld(server: Fuzzed, before: number, report: Report, spans: Span[]): void {
  for (const { at, turnMs, lateMs } of server.turns().slice(before + report.held.length))
    report.held.push({ turnMs, lateMs, during: spans.flatMap(({ from, to, what }) => (from <= at && to >= at - lateMs - 20 ? [what] : [])) })
  spans.splice(0, Math.max(0, spans.length - 500))
}
