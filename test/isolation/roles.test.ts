import { setTimeout as sleep } from 'node:timers/promises'
import type { JsonObject, Role } from '@sluice/schema'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { deriveKeys } from '../../packages/server/src/access/keyring.ts'
import { createTokens } from '../../packages/server/src/access/tokens.ts'
import { long } from '../support/effort.ts'
import { callerOf, secret } from '../support/server.ts'
import { ask, bearer, type Door, doors } from './faces.ts'
import { streamDoors } from './listening.ts'
import type { Entry } from './operations.ts'
import { type Site, site } from './site.ts'
import { filled, nobodys, owner, password, type Things, type World } from './world.ts'

/**
 * Who may do what, by every way and with every credential. What is named is nobody's, so that nothing comes of it: whoever may is told
 * that it is not there, or that it is done; whoever may not, that they may not.
 */

const roles = ['viewer', 'operator', 'editor', 'admin', 'owner'] as const satisfies readonly Role[]
const rankOf = (least: Entry['least']): number => (least === 'public' || least === 'anyone' ? 0 : roles.indexOf(least))
const mayAsRole = (role: Role, least: Entry['least']): boolean => rankOf(role) >= rankOf(least)

let here: Site
let world: World
let nobody: Things
let workspace: string
const tokens = new Map<Role, string>()
const people = new Map<Role, string>()
/** Keys of the owner: to one scope each, and to all but one. */
const keys = new Map<string, string>()
let whole = ''
let none = ''

const wantedScopes = [...new Set([...doors, ...streamDoors].flatMap(({ entry: { scope } }) => (scope === null ? [] : [scope])))]
const scopes = [...new Set(wantedScopes.flatMap((wanted) => wanted.split(' ')))]

beforeAll(async () => {
  here = await site()
  world = await here.world('named')
  nobody = nobodys(world.things)
  // Those who try are of a workspace with nothing in it.
  const first = await owner(here.server.url, 'tried')
  workspace = first.workspace
  const caller = callerOf(here.server.url, first.token)
  tokens.set('owner', first.token)
  for (const role of roles.slice(0, -1)) {
    const email = `${role}@tried.example`
    await caller.call('POST', '/v1/members', { email, role, password, name: role })
    people.set(role, email)
    tokens.set(role, (await caller.call<{ token: string }>('POST', '/v1/auth/login', { email, password }, { as: '' })).token)
  }
  const key = async (name: string, held: readonly string[] | null): Promise<string> => (await caller.call<{ secret: string }>('POST', '/v1/keys', { name, scopes: held })).secret
  for (const wanted of wantedScopes) keys.set(`only ${wanted}`, await key(`only ${wanted}`, wanted.split(' ')))
  for (const scope of scopes) {
    const others = scopes.filter((each) => each !== scope)
    keys.set(`all but ${scope}`, await key(`all but ${scope}`, others))
  }
  whole = await key('whole', null)
  none = await key('none', ['nodeTypes.read'])
})
afterAll(() => here[Symbol.asyncDispose]())

/** The same token, as it is when its time is over. */
async function runOut(token: string): Promise<string> {
  const { tokens: signing } = deriveKeys(secret)
  const { expiresAt, ...claims } = await createTokens(signing, Date.now).verify(token)
  return createTokens(signing, () => Date.now() - (expiresAt - Date.now()) - 60_000).sign(claims)
}

type Decision = 'unknown' | 'forbidden' | 'let in'
const decisionOf = (status: number): Decision => (status === 401 ? 'unknown' : status === 403 ? 'forbidden' : 'let in')

const nobodysInput = (sent: JsonObject): JsonObject => filled(sent, (kind) => nobody[kind]) as JsonObject

async function decided(door: Door, credential: Record<string, string>): Promise<Decision> {
  const { status, text } = await ask(here.server.url, door.request(nobodysInput(door.sends[0]!)), credential)
  // Nobody registers themselves: its clients are told that it is not to be had.
  if (status >= 500 && door.id !== 'orchestrator.register') throw new Error(`${door.name}: ${status} ${text}`)
  // A batch tells within what became of its members.
  return door.id === 'pocketbase.batch' && /"(status|code)":403/.test(text) ? 'forbidden' : decisionOf(status)
}

/** A login of its own, for what ends it. */
const login = async (role: Role): Promise<string> =>
  role === 'owner'
    ? (await callerOf(here.server.url, '').call<{ token: string }>('POST', '/v1/auth/login', { email: 'owner-marked-tried@made.example', password })).token
    : (await callerOf(here.server.url, '').call<{ token: string }>('POST', '/v1/auth/login', { email: people.get(role), password })).token

test('each operation, by each way, is for who the product says, and for nobody else', { timeout: 300_000 }, async () => {
  const problems: string[] = []
  const short = await runOut(tokens.get('owner')!)
  for (const door of doors) {
    const { least, ends } = door.entry
    const isPublic = least === 'public'
    for (const [who, credential] of [
      ['nobody', {}],
      ['one whose token has run out', bearer(short)],
      ['one with a token of nobody', bearer(`${tokens.get('owner')!.slice(0, -4)}AAAA`)],
    ] as const) {
      const decision = await decided(door, credential)
      // Where no credential is asked for one that does not hold is passed over, or told; what logs in refuses as it does.
      if (!isPublic && decision !== 'unknown') problems.push(`${door.name} for ${who}: ${decision}`)
    }
    if (isPublic) continue
    // What ends a login does so for all alike: those at both ends try it, and log in again.
    for (const role of ends ? ([roles[0], roles[4]] as const) : roles) {
      const decision = await decided(door, bearer(tokens.get(role)!))
      if (ends) tokens.set(role, await login(role))
      const should: Decision = mayAsRole(role, least) ? 'let in' : 'forbidden'
      if (decision !== should) problems.push(`${door.name} for ${role}: ${decision}, not ${should}`)
    }
  }
  expect(problems.join('\n')).toBe('')
})

test('a key reaches what its scopes say, within the role of its user, by each way', { timeout: 300_000 }, async () => {
  const problems: string[] = []
  for (const door of doors) {
    const { least, scope, keys: forKeys = true } = door.entry
    if (least === 'public') continue
    const tried: [string, string, Decision][] =
      scope === null
        ? [
            ['one scope', none, forKeys ? 'let in' : 'forbidden'],
            ['all scopes', whole, forKeys ? 'let in' : 'forbidden'],
          ]
        : [
            ['the scope alone', keys.get(`only ${scope}`)!, forKeys ? 'let in' : 'forbidden'],
            ...scope.split(' ').map((each): [string, string, Decision] => [`all scopes but ${each}`, keys.get(`all but ${each}`)!, 'forbidden']),
          ]
    for (const [which, key, should] of tried) {
      const decision = await decided(door, { 'x-api-key': key })
      // Medusa's words for a login that is none are those of no credential.
      if (decision !== should && !(should === 'forbidden' && !forKeys && decision === 'unknown')) problems.push(`${door.name} for a key with ${which}: ${decision}, not ${should}`)
    }
  }
  expect(problems.join('\n')).toBe('')
})

/** Medusa's server takes keys as Basic alone. */
const refusesBearerKey = (door: Door): boolean => door.dialect === 'medusa' && door.over === 'rest'
/** `GET` that changes something takes no cookie: a link would be enough. */
const takesNoCookie = new Set(['rest orchestrator.startExecution', 'rest orchestrator.stopExecution'])

test('one decision, however the credential is shown: as a bearer, bare, as a cookie, as a key in its header, as Basic', { timeout: 300_000 }, async () => {
  const problems: string[] = []
  const origin = here.server.url
  const url = here.server.url
  const caller = callerOf(url, '')
  // Those on both sides of each line, with a key that may all that they may.
  const keysOf = new Map<Role, string>()
  for (const role of roles) keysOf.set(role, (await caller.call<{ secret: string }>('POST', '/v1/keys', { name: `of ${role}`, scopes: null }, { as: tokens.get(role)! })).secret)
  for (const door of doors) {
    const { least, ends, scope, keys: forKeys = true } = door.entry
    // Over tRPC the address is the same for all.
    if (least === 'public' || ends || (!long && door.over === 'trpc' && door.dialect !== null)) continue
    const at = rankOf(least)
    for (const role of at > 0 ? [roles[at - 1]!, roles[at]!] : [roles[at]!]) {
      const should: Decision = mayAsRole(role, least) ? 'let in' : 'forbidden'
      const [token, key] = [tokens.get(role)!, keysOf.get(role)!]
      // Of a user who is not theirs to see a viewer is told that there is none, whatever they show.
      const byKey: Decision = forKeys ? should : scope === null ? 'forbidden' : 'let in'
      const shown: [string, Record<string, string>, Decision][] = [
        ['a bare token', { authorization: token }, should],
        ['a cookie', { cookie: `sluice_session=${token}`, origin }, takesNoCookie.has(door.name) ? 'unknown' : should],
        ['a cookie from elsewhere', { cookie: `sluice_session=${token}`, origin: 'https://elsewhere.example' }, 'unknown'],
        ['x-api-key', { 'x-api-key': key }, byKey],
        ['Basic', { authorization: `Basic ${Buffer.from(`${key}:`).toString('base64')}` }, byKey],
        ['a key as bearer', bearer(key), refusesBearerKey(door) ? 'unknown' : byKey],
      ]
      for (const [how, credential, expected] of shown) {
        const decision = await decided(door, credential)
        if (decision !== expected && !(expected === 'forbidden' && !forKeys && decision === 'unknown'))
          problems.push(`${door.name} for ${role} with ${how}: ${decision}, not ${expected}`)
      }
    }
  }
  expect(problems.join('\n')).toBe('')
})

test('a stream is for who the product says, by each way', { timeout: 120_000 }, async () => {
  const problems: string[] = []
  const statusOf = async (door: (typeof streamDoors)[number], credential: Record<string, string>): Promise<number> => {
    const listening = await door.open(here.server.url, nobodysInput(door.entry.sends.at(-1)!), credential)
    // Where it has begun, it is told over it what is wrong.
    const hasBegun = listening.status === 101 || listening.status === 200
    if (hasBegun) await expect.poll(() => listening.hasEnded() || /snapshot|error|closed|44\d\d/.test(listening.text()), { timeout: 20_000 }).toBe(true)
    if (/closed|"type":"error"/.test(listening.text())) await Promise.race([listening.ended, sleep(2_000)])
    const text = listening.text()
    listening.close()
    if (!hasBegun) return listening.status
    return /permission_denied|closed 4403/.test(text) ? 403 : /credential_|closed 4401/.test(text) ? 401 : 404
  }
  for (const door of streamDoors) {
    const { least, scope } = door.entry
    if (decisionOf(await statusOf(door, {})) !== 'unknown') problems.push(`${door.name} for nobody`)
    for (const role of roles) {
      const decision = decisionOf(await statusOf(door, bearer(tokens.get(role)!)))
      if (decision !== (mayAsRole(role, least) ? 'let in' : 'forbidden')) problems.push(`${door.name} for ${role}: ${decision}`)
    }
    for (const [key, should] of [
      [keys.get(`all but ${scope}`)!, 'forbidden'],
      [whole, 'let in'],
    ] as const) {
      const decision = decisionOf(await statusOf(door, { 'x-api-key': key }))
      if (decision !== should) problems.push(`${door.name} for a key: ${decision}, not ${should}`)
    }
  }
  expect(problems.join('\n')).toBe('')
  expect(workspace).not.toBe(world.things.workspace)
})
