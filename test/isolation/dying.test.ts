import type { JsonObject, Role } from '@sluice/schema'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { callerOf } from '../support/server.ts'
import { bearer } from './faces.ts'
import { type Listening, openRealtime, streamDoors } from './listening.ts'
import { type Site, site } from './site.ts'
import { filled, password, type World } from './world.ts'

/** A credential dies within 5 s of what ends it, on whatever it has open: every way of listening, for each thing that ends it. */

let here: Site
let world: World
beforeAll(async () => {
  here = await site()
  world = await here.world('dying')
})
afterAll(() => here[Symbol.asyncDispose]())

let people = 0
interface Person {
  id: string
  email: string
  token: string
}

async function person(role: Role): Promise<Person> {
  const email = `person-${++people}@made.example`
  const { userId: id } = await world.caller.call<{ userId: string }>('POST', '/v1/members', { email, role, name: 'Person', password })
  const { token } = await callerOf(here.server.url, '').call<{ token: string }>('POST', '/v1/auth/login', { email, password })
  return { id, email, token }
}

/** Everything that there is to listen to, by every way. */
async function listening(credential: Record<string, string>): Promise<Map<string, Listening>> {
  const open = new Map<string, Listening>()
  for (const door of streamDoors) {
    const input = filled(door.entry.sends[0]!, (kind) => world.things[kind]) as JsonObject
    open.set(door.name, await door.open(here.server.url, input, credential))
  }
  open.set('realtime', await openRealtime(here.server.url, ['workflow_sessions/*', 'notes/*'], credential))
  for (const [name, each] of open) {
    expect([name, [101, 200].includes(each.status)]).toEqual([name, true])
    // It has begun: nothing that is still on its way is taken for an end.
    await expect.poll(() => each.text() !== '', { timeout: 20_000, message: `${name} says something` }).toBe(true)
    expect([name, each.hasEnded(), each.text().slice(0, 200)]).toEqual([name, false, expect.any(String)])
  }
  return open
}

/** Promised in 5 s; waited for twice as long, and more. */
const within = { timeout: 15_000, interval: 50 }

const endings: readonly { what: string; end(who: Person): Promise<unknown> }[] = [
  { what: 'logout', end: ({ token }) => world.caller.call('POST', '/v1/auth/logout', {}, { as: token }) },
  { what: 'the end of the login', end: ({ token }) => world.caller.call('POST', '/v1/auth/leave', {}, { as: token }) },
  { what: 'another password', end: ({ token }) => world.caller.call('POST', '/v1/users/change-password', { current: password, next: 'yet another horse' }, { as: token }) },
  { what: 'another role', end: ({ id }) => world.caller.call('PATCH', `/v1/members/${id}`, { role: 'editor' }) },
  { what: 'removal from the workspace', end: ({ id }) => world.caller.call('DELETE', `/v1/members/${id}`) },
  { what: 'deletion', end: ({ id }) => world.caller.call('DELETE', `/v1/users/${id}`) },
]

test.each(endings)('all that a token has open ends with $what', { timeout: 90_000 }, async ({ end }) => {
  const who = await person('admin')
  const open = await listening(bearer(who.token))
  await end(who)
  const left = (): string[] => [...open].filter(([, each]) => !each.hasEnded()).map(([name]) => name)
  await expect.poll(left, within).toEqual([])
})

test('all that a key has open ends with its revocation', { timeout: 90_000 }, async () => {
  const { id, secret } = await world.caller.call<{ id: string; secret: string }>('POST', '/v1/keys', { name: 'listens' })
  const open = await listening({ 'x-api-key': secret })
  await world.caller.call('DELETE', `/v1/keys/${id}`)
  const left = (): string[] => [...open].filter(([, each]) => !each.hasEnded()).map(([name]) => name)
  await expect.poll(left, within).toEqual([])
})
