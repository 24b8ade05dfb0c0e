import { Fault, Me, type Role } from '@sluice/schema'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { digest } from '../packages/server/src/access/digest.ts'
import { createAccess, type Access, type Credential, type Principal } from '../packages/server/src/access/authenticate.ts'
import { openDatabase, Outage } from '../packages/server/src/store/database.ts'
import { insertUser } from '../packages/server/src/store/entities/user.ts'
import { insertMember } from '../packages/server/src/store/entities/member.ts'
import { insertWorkspace } from '../packages/server/src/store/entities/workspace.ts'
import { newId } from '../packages/server/src/store/ids.ts'
import { openOrm, StatementRefused, type Orm } from '../packages/server/src/store/orm.ts'
import { testDatabase, type TestDatabase } from './support/database.ts'

const secret = 'a secret of the server, drawn at random'
const clock = { now: Date.parse('2026-01-01T00:00:00.000Z') }
const now = () => clock.now

let db: TestDatabase
let orm: Orm
/** Two servers on one PostgreSQL: what happens on `here` must hold on `there`. */
let here: Access
let there: Access
let owner: Principal

const code = async (work: Promise<unknown>) => {
  const error = await work.then(
    () => 'no fault',
    (thrown: unknown) => thrown,
  )
  return error instanceof Fault ? error.code : error
}
const bearer = (value: string): Credential => ({ kind: 'bearer', value })
const enter = async (access: Access, credential: Credential): Promise<Principal> => {
  const principal = await access.authenticate(credential)
  if (!principal) throw new Error('nobody came')
  return principal
}
const password = 'correct horse battery'
let people = 0

/** A new member of the default workspace, logged in on `here`. */
async function member(role: Role) {
  const email = `person${++people}@example.com`
  const { userId: id } = await here.members.invite(owner, { email, password, role })
  const pair = await here.login({ email, password })
  return { id, email, ...pair, principal: await enter(here, bearer(pair.token)) }
}

/** Another workspace with an owner of its own. */
async function stranger() {
  const workspaceId = newId()
  const email = `stranger${++people}@example.com`
  const { userId: id } = await here.members.invite(owner, { email, password, role: 'viewer' })
  const createdAt = new Date(clock.now)
  await orm.transaction(async (em) => {
    await insertWorkspace(em, { id: workspaceId, handle: `elsewhere-${workspaceId}`, name: 'Elsewhere', createdAt })
    await insertMember(em, { workspaceId, userId: id, role: 'owner', createdAt })
  })
  const { token } = await here.login({ email, password, workspace: workspaceId })
  return { id, email, workspaceId, principal: await enter(here, bearer(token)) }
}

beforeAll(async () => {
  db = await testDatabase()
  orm = openOrm(db.url)
})

afterAll(async () => {
  await orm.close()
  await db.close()
})

beforeEach(async () => {
  clock.now += 60_000
  await db.database.query('truncate users, workspaces cascade')
  here = createAccess({ orm, database: db.database, secret, now })
  there = createAccess({ orm, database: db.database, secret, now })
  await here.members.bootstrap({ adminEmail: 'Owner@Example.com', adminPassword: password })
  owner = await enter(here, bearer((await here.login({ email: 'owner@example.com', password })).token))
})

describe('the first start', () => {
  beforeEach(() => db.database.query('truncate users, workspaces cascade'))

  test('makes one owner of the workspace default, however many processes start at once, and says how to log in to one of them alone', async () => {
    const printed = (await Promise.all([here, there, here, there].map((access) => access.members.bootstrap({})))).filter((answer) => answer !== null)
    expect(printed).toHaveLength(1)
    const { email, password: drawn, generated } = printed[0]!
    expect(generated).toBe(true)
    expect(drawn.length).toBeGreaterThanOrEqual(20)
    const me = await there.me(await enter(there, bearer((await there.login({ email, password: drawn })).token)))
    expect(me).toMatchObject({ role: 'owner', workspace: { handle: 'default' }, credential: 'token', scopes: null })
    expect(await db.database.query('select 1 from users union all select 1 from workspaces')).toHaveLength(2)
    expect(await here.members.bootstrap({})).toBeNull()
  })

  test('waits for another process that is at it', async () => {
    const answers: unknown[] = []
    const starts = await db.database.transaction(async (tx) => {
      await tx.query(`select pg_advisory_xact_lock(hashtext('sluice first start'))`)
      const both = [here, there].map((access) => access.members.bootstrap({}).then((answer) => answers.push(answer)))
      await expect.poll(async () => (await db.database.query(`select 1 from pg_locks where locktype = 'advisory' and not granted`)).length).toBe(2)
      expect(answers).toEqual([])
      return both
    })
    await Promise.all(starts)
    expect(answers.filter((answer) => answer === null)).toHaveLength(1)
  })

  test('takes the credentials that are given, and refuses a password that is none', async () => {
    expect(await code(here.members.bootstrap({ adminPassword: 'short' }))).toBe('input_invalid')
    expect(await code(here.members.bootstrap({ adminEmail: 'nobody' }))).toBe('input_invalid')
    expect(await here.members.bootstrap({ adminEmail: 'Ada@Example.com', adminPassword: password })).toEqual({ email: 'ada@example.com', password, generated: false })
    expect((await here.login({ email: 'ADA@example.com', password })).user.email).toBe('ada@example.com')
  })
})

describe('login', () => {
  test('an unknown user and a wrong password get the same answer after the same time', async () => {
    const timed = async (email: string) => {
      const started = performance.now()
      expect(await code(here.login({ email, password: 'wrong password' }))).toBe('login_failed')
      return performance.now() - started
    }
    await timed('owner@example.com')
    const known: number[] = []
    const unknown: number[] = []
    for (let round = 0; round < 9; round++) {
      known.push(await timed('owner@example.com'))
      unknown.push(await timed('nobody@example.com'))
    }
    const median = (times: number[]) => times.toSorted((a, b) => a - b)[4]!
    // Without a hash for nobody the ratio is some ten times.
    expect(median(known) / median(unknown)).toBeGreaterThan(0.4)
    expect(median(known) / median(unknown)).toBeLessThan(2.5)
  })

  test('goes to the default workspace, or the one asked for by id or handle; one of others is a missing one', async () => {
    const { email, workspaceId, principal } = await stranger()
    const at = async (workspace?: string) => (await enter(there, bearer((await there.login({ email, password, workspace })).token))).workspaceId
    expect(await at()).toBe(owner.workspaceId)
    expect(await at(workspaceId)).toBe(workspaceId)
    expect(await at(`elsewhere-${workspaceId}`)).toBe(workspaceId)
    expect(await code(here.login({ email: 'owner@example.com', password, workspace: workspaceId }))).toBe('workspace_missing')
    expect(await code(here.login({ email: 'owner@example.com', password, workspace: 'nowhere' }))).toBe('workspace_missing')
    expect(await code(here.switch(owner, { workspace: workspaceId }))).toBe('workspace_missing')
    const switched = await enter(there, bearer((await here.switch(principal, { workspace: 'default' })).token))
    expect(switched).toMatchObject({ userId: principal.userId, workspaceId: owner.workspaceId, role: 'viewer' })
  })

  test('many at once are turned away, not queued without end', async () => {
    const answers = await Promise.all(Array.from({ length: 60 }, () => code(here.login({ email: 'nobody@example.com', password }))))
    expect(answers.filter((answer) => answer === 'login_failed').length).toBeGreaterThanOrEqual(34)
    expect(answers).toContain('rate_limited')
    expect(new Set(answers)).toEqual(new Set(['login_failed', 'rate_limited']))
  })
})

describe('a token', () => {
  test('is known on every server and after a restart, as bearer, bare and cookie, but not as a key', async () => {
    const { token, id } = await member('editor')
    const restarted = createAccess({ orm, database: db.database, secret, now })
    for (const access of [here, there, restarted]) expect(await enter(access, bearer(token))).toMatchObject({ id, userId: id, role: 'editor', credential: 'token', scopes: null })
    expect((await enter(here, { kind: 'bare', value: token })).credential).toBe('token')
    expect((await enter(here, { kind: 'cookie', value: token })).credential).toBe('cookie')
    expect(await code(here.authenticate({ kind: 'apiKey', value: token }))).toBe('credential_invalid')
    expect(await code(here.authenticate({ kind: 'basic', value: Buffer.from(`${token}:`).toString('base64') }))).toBe('credential_invalid')
    const elsewhere = createAccess({ orm, database: db.database, secret: 'the secret of another server', now })
    expect(await code(elsewhere.authenticate(bearer(token)))).toBe('credential_invalid')
  })

  test('of a role that changed is not believed: the role is the one of the database', async () => {
    const { token, id } = await member('operator')
    expect((await enter(there, bearer(token))).role).toBe('operator')
    await db.database.query(`update members set role = 'viewer' where user_id = $1`, [id])
    clock.now += 2_000
    expect((await enter(there, bearer(token))).role).toBe('viewer')
  })

  const ends: [string, (person: Awaited<ReturnType<typeof member>>) => Promise<unknown>][] = [
    ['logout', ({ principal }) => here.logout(principal)],
    ['a new password', ({ principal }) => here.changePassword(principal, { current: password, next: 'another password' })],
    ['another role', ({ id }) => here.members.setRole(owner, { userId: id, role: 'viewer' })],
    ['removal from the workspace', ({ id }) => here.members.remove(owner, { userId: id })],
    ['deletion of the user', ({ id }) => db.database.query('delete from users where id = $1', [id])],
  ]
  test.each(ends)('dies with %s within two seconds on every server, on open streams and for refresh too', async (_, end) => {
    const person = await member('editor')
    const credential = bearer(person.token)
    const stream = await enter(there, credential)
    expect(await there.stillValid(stream)).toBe(true)
    await end(person)
    clock.now += 2_000
    for (const access of [here, there]) {
      expect(await code(access.authenticate(credential))).toBe('credential_invalid')
      expect(await access.stillValid(stream)).toBe(false)
    }
    expect(await code(there.refresh({ refreshToken: person.refreshToken }))).toBe('credential_invalid')
  })

  test('that died with its role does not come back with it', async () => {
    const { id, token, principal } = await member('editor')
    await here.members.setRole(owner, { userId: id, role: 'viewer' })
    await here.members.setRole(owner, { userId: id, role: 'editor' })
    clock.now += 2_000
    expect(await there.stillValid(principal)).toBe(false)
    expect(await code(there.authenticate(bearer(token)))).toBe('credential_invalid')
  })

  test('dies at once on the server where it was ended', async () => {
    const person = await member('editor')
    await here.logout(person.principal)
    expect(await code(here.authenticate(bearer(person.token)))).toBe('credential_invalid')
    expect(await here.stillValid(person.principal)).toBe(false)
  })

  test('ends its stream when its day is over', async () => {
    const { principal } = await member('editor')
    clock.now += 24 * 3_600_000
    expect(await here.stillValid(principal)).toBe(false)
  })
})

describe('refresh', () => {
  test('gives new tokens, and each refresh token works once', async () => {
    const first = await member('editor')
    const second = await there.refresh({ refreshToken: first.refreshToken })
    const third = await here.refresh({ refreshToken: second.refreshToken })
    expect(new Set([first.refreshToken, second.refreshToken, third.refreshToken]).size).toBe(3)
    expect((await enter(there, bearer(third.token))).userId).toBe(first.id)
  })

  test('an old one that comes again ends the whole family, tokens included, and no other login', async () => {
    const first = await member('editor')
    const other = await here.login({ email: first.email, password })
    const second = await here.refresh({ refreshToken: first.refreshToken })
    const stream = await enter(there, bearer(second.token))
    clock.now += 60_001
    expect(await code(there.refresh({ refreshToken: first.refreshToken }))).toBe('credential_invalid')
    clock.now += 2_000
    expect(await code(here.refresh({ refreshToken: second.refreshToken }))).toBe('credential_invalid')
    for (const { token } of [first, second]) expect(await code(here.authenticate(bearer(token)))).toBe('credential_invalid')
    expect(await there.stillValid(stream)).toBe(false)
    expect((await enter(here, bearer(other.token))).userId).toBe(first.id)
  })

  test('asked for once more because its answer was lost, gives others, and the lost ones give nothing', async () => {
    const first = await member('editor')
    const lost = await here.refresh({ refreshToken: first.refreshToken })
    clock.now += 59_000
    const second = await there.refresh({ refreshToken: first.refreshToken })
    const third = await here.refresh({ refreshToken: second.refreshToken })
    expect((await enter(there, bearer(third.token))).userId).toBe(first.id)
    // Somebody had it after all: one of the two has stolen.
    expect(await code(there.refresh({ refreshToken: lost.refreshToken }))).toBe('credential_invalid')
    clock.now += 2_000
    for (const { token } of [lost, second, third]) expect(await code(here.authenticate(bearer(token)))).toBe('credential_invalid')
  })

  test('is not asked for once more when its answer was used: that ends the family at once', async () => {
    const first = await member('editor')
    const second = await here.refresh({ refreshToken: first.refreshToken })
    const third = await here.refresh({ refreshToken: second.refreshToken })
    expect(await code(there.refresh({ refreshToken: first.refreshToken }))).toBe('credential_invalid')
    expect(await code(there.refresh({ refreshToken: third.refreshToken }))).toBe('credential_invalid')
  })

  test('of many at once with the same token leaves one that works', async () => {
    const { refreshToken } = await member('editor')
    const pairs = await Promise.all(Array.from({ length: 6 }, (_, turn) => (turn % 2 ? here : there).refresh({ refreshToken })))
    expect(new Set(pairs.map((pair) => pair.refreshToken)).size).toBe(6)
    const answers: unknown[] = []
    // The last one is used first: any of the others would end it.
    const rows = await orm.unit((em) =>
      em
        .getConnection()
        .execute<{ hash: Buffer }[]>(`select hash from refresh_tokens where used_at is null and family in (select family from refresh_tokens where hash = ?)`, [
          digest(refreshToken),
        ]),
    )
    expect(rows).toHaveLength(1)
    const [live, ...others] = [...pairs].sort((a, b) => Number(digest(b.refreshToken).equals(rows[0]!.hash)) - Number(digest(a.refreshToken).equals(rows[0]!.hash)))
    const next = await here.refresh({ refreshToken: live!.refreshToken })
    for (const other of others) answers.push(await code(there.refresh({ refreshToken: other.refreshToken })))
    expect(new Set(answers)).toEqual(new Set(['credential_invalid']))
    expect(await code(here.refresh({ refreshToken: next.refreshToken }))).toBe('credential_invalid')
  })

  test('looks at none of those that were used before: a family that was renewed ten thousand times costs no more than another', async () => {
    const first = await member('editor')
    const second = await here.refresh({ refreshToken: first.refreshToken })
    // Whoever holds the used one holds up nobody.
    let renewed: string | undefined
    await db.database.transaction(async (tx) => {
      await tx.query('select from refresh_tokens where hash = $1 for update', [digest(first.refreshToken)])
      const renewing = there.refresh({ refreshToken: second.refreshToken })
      renewed = await Promise.race([renewing.then(({ refreshToken }) => refreshToken), new Promise<undefined>((resolve) => setTimeout(resolve, 5_000, undefined).unref())])
    })
    expect(renewed).toEqual(expect.any(String))
    expect(await code(here.refresh({ refreshToken: first.refreshToken }))).toBe('credential_invalid')
    expect(await code(here.refresh({ refreshToken: renewed! }))).toBe('credential_invalid')
  })

  test('ends after thirty days, and takes nothing that is none', async () => {
    const { refreshToken, token } = await member('editor')
    for (const none of ['', 'x', token, `${refreshToken}x`, 'A'.repeat(43)]) expect(await code(here.refresh({ refreshToken: none }))).toBe('credential_invalid')
    clock.now += 30 * 24 * 3_600_000
    expect(await code(here.refresh({ refreshToken }))).toBe('credential_invalid')
  })
})

describe('renewal', () => {
  const day = 24 * 3_600_000
  const inSeconds = (ms: number) => new Date(Math.floor(ms / 1_000) * 1_000).toISOString()

  test('gives another token of the same login for one that holds, for a day or as long as asked for', async () => {
    const { token, principal, id } = await member('editor')
    const renewed = await there.renew(principal)
    expect([renewed.user.id, renewed.expiresAt, renewed.token === token]).toEqual([id, inSeconds(clock.now + day), false])
    expect(await enter(here, bearer(renewed.token))).toMatchObject({ userId: id, workspaceId: owner.workspaceId, token: { family: principal.token!.family } })
    const short = await here.renew(principal, { forSeconds: 60 })
    clock.now += 60_000
    expect(await code(here.authenticate(bearer(short.token)))).toBe('credential_invalid')
    await enter(here, bearer(renewed.token))
  })

  test('ends on the seventh day of a login, however often it was renewed; a refresh token begins the week anew', async () => {
    const person = await member('editor')
    const began = clock.now
    let last = person.token
    for (let times = 0; times < 7; times++) {
      last = (await here.renew(await enter(here, bearer(last)))).token
      clock.now += day - 3_600_000
    }
    const { token, expiresAt } = await here.renew(await enter(there, bearer(last)))
    expect(expiresAt).toBe(inSeconds(began + 7 * day))
    const { token: anew } = await here.refresh({ refreshToken: person.refreshToken })
    clock.now = began + 7 * day
    expect(await code(here.authenticate(bearer(token)))).toBe('credential_invalid')
    expect((await here.renew(await enter(here, bearer(anew)))).expiresAt).toBe(inSeconds(clock.now + day))
  })

  test('is not got round by the tokens for another workspace: they die with the same week, however often they are refreshed', async () => {
    const person = await member('editor')
    const began = clock.now
    clock.now += 6 * 3_600_000
    let last = await here.switch(person.principal, { workspace: 'default' })
    for (let times = 0; times < 7; times++) {
      last = await there.refresh({ refreshToken: last.refreshToken })
      last = await here.switch(await enter(here, bearer(last.token)), { workspace: 'default' })
      clock.now += day - 3_600_000
    }
    clock.now = began + 7 * day - 60_000
    last = await there.refresh({ refreshToken: last.refreshToken })
    const { token } = await enter(here, bearer(last.token))
    expect(token!.expiresAt).toBe(Date.parse(inSeconds(began + 7 * day)))
    clock.now = began + 7 * day
    expect([await code(here.authenticate(bearer(last.token))), await code(here.refresh({ refreshToken: last.refreshToken }))]).toEqual(['credential_invalid', 'credential_invalid'])
    // The login itself goes on by its own refresh token.
    await enter(here, bearer((await here.refresh({ refreshToken: person.refreshToken })).token))
  })

  test('of a login that has ended there is none for another workspace, at once on a server that has not heard of it', async () => {
    const { principal } = await member('editor')
    await there.leave(principal)
    expect(await code(here.switch(principal, { workspace: 'default' }))).toBe('credential_invalid')
  })

  test.each<[string, (person: Awaited<ReturnType<typeof member>>) => Promise<unknown>]>([
    ['logout', ({ principal }) => there.logout(principal)],
    ['a new password', ({ principal }) => there.changePassword(principal, { current: password, next: 'another password' })],
    ['the end of its login', ({ principal }) => there.leave(principal)],
    ['another role', ({ id }) => there.members.setRole(owner, { userId: id, role: 'viewer' })],
    ['removal from the workspace', ({ id }) => there.members.remove(owner, { userId: id })],
    [
      'a refresh token that was stolen',
      async ({ refreshToken }) => {
        const second = await there.refresh({ refreshToken })
        await there.refresh({ refreshToken: second.refreshToken })
        await there.refresh({ refreshToken }).catch(() => {})
      },
    ],
  ])('is refused after %s, at once on a server that has not heard of it, and what was renewed before dies too', async (_, end) => {
    const person = await member('editor')
    const before = await here.renew(person.principal)
    await enter(here, bearer(before.token))
    await end(person)
    expect(await code(here.renew(person.principal))).toBe('credential_invalid')
    clock.now += 2_000
    expect(await code(here.authenticate(bearer(before.token)))).toBe('credential_invalid')
  })

  test('is for logins: a key gets no token, and ends none', async () => {
    const { principal } = await member('editor')
    const { secret: key } = await here.keys.create(principal, { name: 'ci' })
    const byKey = await enter(here, bearer(key))
    expect([await code(here.renew(byKey)), await code(here.leave(byKey))]).toEqual(['permission_denied', 'permission_denied'])
  })
})

describe('leaving', () => {
  test('ends one login with all its tokens, and no other of the user', async () => {
    const first = await member('editor')
    const other = await here.login({ email: first.email, password })
    const second = await here.refresh({ refreshToken: first.refreshToken })
    await here.leave(first.principal)
    expect(await code(here.authenticate(bearer(second.token)))).toBe('credential_invalid')
    expect(await code(there.refresh({ refreshToken: second.refreshToken }))).toBe('credential_invalid')
    clock.now += 2_000
    for (const { token } of [first, second]) expect(await code(there.authenticate(bearer(token)))).toBe('credential_invalid')
    expect((await enter(there, bearer(other.token))).userId).toBe(first.id)
    expect((await there.refresh({ refreshToken: other.refreshToken })).user.id).toBe(first.id)
  })

  test('ends a login that is being refreshed at the same moment', async () => {
    const { refreshToken, principal, id } = await member('editor')
    const soon = () => new Promise((resolve) => setTimeout(resolve, 200))
    const [refreshing, leaving] = await db.database.transaction(async (tx) => {
      // New rows of the user wait for this: the refresh has used up its token, and not given another.
      await tx.query('select from users where id = $1 for update', [id])
      const refreshed = there.refresh({ refreshToken })
      await soon()
      const left = here.leave(principal)
      await soon()
      return [refreshed, left] as const
    })
    await leaving
    expect(await code(here.refresh({ refreshToken: (await refreshing).refreshToken }))).toBe('credential_invalid')
  })
})

describe('a new password', () => {
  test('needs the current one, and answers with tokens that live', async () => {
    const { principal, email } = await member('viewer')
    expect(await code(here.changePassword(principal, { current: 'not it at all', next: 'another password' }))).toBe('input_invalid')
    expect(await code(here.changePassword(principal, { current: password, next: 'short' }))).toBe('input_invalid')
    const pair = await here.changePassword(principal, { current: password, next: 'another password' })
    expect((await enter(there, bearer(pair.token))).userId).toBe(principal.userId)
    expect((await there.refresh({ refreshToken: pair.refreshToken })).user.email).toBe(email)
    expect(await code(there.login({ email, password }))).toBe('login_failed')
    await there.login({ email, password: 'another password' })
  })

  test('of two at once one wins', async () => {
    const { principal } = await member('viewer')
    const answers = await Promise.all(['password one', 'password two'].map((next) => code(here.changePassword(principal, { current: password, next }))))
    expect(new Set(answers)).toEqual(new Set(['credential_invalid', 'no fault']))
  })
})

describe('API keys', () => {
  test('act as their user within their scopes, in every spelling of HTTP', async () => {
    const { principal, id } = await member('editor')
    const key = await here.keys.create(principal, { name: 'ci', scopes: ['runs'] })
    expect(key.secret).toMatch(/^sk_[A-Za-z0-9_-]{43}$/)
    expect(key.secret.startsWith(key.prefix)).toBe(true)
    const basic = Buffer.from(`${key.secret}:`).toString('base64')
    for (const credential of [
      bearer(key.secret),
      { kind: 'basic', value: basic },
      { kind: 'basic', value: key.secret },
      { kind: 'apiKey', value: key.secret },
    ] satisfies Credential[])
      expect(await enter(there, credential)).toMatchObject({ id: key.id, keyId: key.id, userId: id, role: 'editor', scopes: ['runs'], credential: 'key' })
    for (const kind of ['bare', 'cookie'] as const) expect(await code(here.authenticate({ kind, value: key.secret }))).toBe('credential_invalid')
    for (const value of [`${key.secret}x`, `sk_${'A'.repeat(43)}`, 'sk_', '']) expect(await code(here.authenticate({ kind: 'apiKey', value }))).toBe('credential_invalid')
  })

  test('die with their revocation and with the membership of their user, on open streams too; they follow its role', async () => {
    const { principal, id } = await member('editor')
    const [one, two] = [await here.keys.create(principal, { name: 'one' }), await here.keys.create(principal, { name: 'two' })]
    const streams = await Promise.all([one, two].map(({ secret: value }) => enter(there, { kind: 'apiKey', value })))
    await here.keys.revoke(principal, { id: one.id })
    expect(await code(here.authenticate(bearer(one.secret)))).toBe('credential_invalid')
    clock.now += 2_000
    expect(await code(there.authenticate(bearer(one.secret)))).toBe('credential_invalid')
    expect(await Promise.all(streams.map((stream) => there.stillValid(stream)))).toEqual([false, true])
    await here.members.setRole(owner, { userId: id, role: 'viewer' })
    clock.now += 2_000
    expect((await enter(there, bearer(two.secret))).role).toBe('viewer')
    expect(await there.stillValid(streams[1]!)).toBe(false)
    await here.members.remove(owner, { userId: id })
    clock.now += 2_000
    expect(await code(there.authenticate(bearer(two.secret)))).toBe('credential_invalid')
  })

  test('are the business of their user and of admins; to all others they do not exist', async () => {
    const [{ principal: editor }, { principal: viewer }, { principal: foreign }] = [await member('editor'), await member('viewer'), await stranger()]
    const { id } = await here.keys.create(editor, { name: 'mine' })
    const names = async (who: Principal, input?: { userId?: string }) => (await here.keys.list(who, input)).items.map(({ name }) => name)
    expect(await names(editor)).toEqual(['mine'])
    expect(await names(viewer)).toEqual([])
    expect(await names(foreign)).toEqual([])
    expect(await names(owner)).toEqual(['mine'])
    expect(await names(owner, { userId: viewer.userId })).toEqual([])
    expect(await code(here.keys.list(viewer, { userId: editor.userId }))).toBe('user_missing')
    for (const who of [viewer, foreign]) expect(await code(here.keys.revoke(who, { id }))).toBe('key_missing')
    await here.keys.revoke(owner, { id })
    await here.keys.revoke(owner, { id })
    expect((await here.keys.list(editor)).items[0]?.revokedAt).toBe(new Date(clock.now).toISOString())
  })

  test('a key makes no key that may do more than itself, and no tokens', async () => {
    const narrow = await enter(here, bearer((await here.keys.create(owner, { name: 'narrow', scopes: ['keys', 'runs.read'] })).secret))
    expect(await code(here.keys.create(narrow, { name: 'all' }))).toBe('permission_denied')
    expect(await code(here.keys.create(narrow, { name: 'all', scopes: ['*'] }))).toBe('permission_denied')
    expect(await code(here.keys.create(narrow, { name: 'more', scopes: ['runs'] }))).toBe('permission_denied')
    expect((await here.keys.create(narrow, { name: 'same', scopes: ['runs.read', 'keys.manage'] })).scopes).toEqual(['runs.read', 'keys.manage'])
    const whole = await enter(here, bearer((await here.keys.create(owner, { name: 'whole' })).secret))
    expect(await code(here.switch(whole, { workspace: 'default' }))).toBe('permission_denied')
    expect(await code(here.logout(whole))).toBe('permission_denied')
    expect(await code(here.changePassword(whole, { current: password, next: 'another password' }))).toBe('permission_denied')
    for (const unknown of [['run'], ['runs.fly'], []]) expect(await code(here.keys.create(owner, { name: 'odd', scopes: unknown }))).toBe('input_invalid')
  })

  test('are listed newest first, page by page', async () => {
    for (const name of ['a', 'b', 'c']) await here.keys.create(owner, { name })
    const first = await here.keys.list(owner, { limit: 2, count: true })
    expect([first.items.map(({ name }) => name), first.total]).toEqual([['c', 'b'], 3])
    const second = await here.keys.list(owner, { limit: 2, cursor: first.nextCursor! })
    expect([second.items.map(({ name }) => name), second.nextCursor]).toEqual([['a'], null])
    expect(await code(here.keys.list(owner, { cursor: `' or true --` }))).toBe('cursor_invalid')
  })

  test('say when they were last used, to the minute, and write no more often', async () => {
    const { secret: value } = await here.keys.create(owner, { name: 'used' })
    const used = async () => (await here.keys.list(owner)).items[0]!.lastUsedAt
    expect(await used()).toBeNull()
    const first = new Date(clock.now).toISOString()
    await here.authenticate(bearer(value))
    await expect.poll(used).toBe(first)
    clock.now += 59_000
    await Promise.all([here.authenticate(bearer(value)), there.authenticate(bearer(value))])
    await new Promise((later) => setTimeout(later, 100))
    expect(await used()).toBe(first)
    clock.now += 1_000
    await here.authenticate(bearer(value))
    await expect.poll(used).toBe(new Date(clock.now).toISOString())
  })
})

describe('tickets', () => {
  test('work once, on any server, and carry the whole principal', async () => {
    const { principal } = await member('operator')
    const { ticket } = await here.ticket(principal)
    const answers = await Promise.allSettled([here, there, here, there].map((access) => access.redeem(ticket)))
    expect(answers.filter(({ status }) => status === 'fulfilled')).toEqual([{ status: 'fulfilled', value: principal }])
    const key = await enter(here, bearer((await here.keys.create(principal, { name: 'k', scopes: ['events'] })).secret))
    expect(await there.redeem((await here.ticket(key)).ticket)).toEqual(key)
  })

  test('end after thirty seconds, and with their principal', async () => {
    const { principal } = await member('operator')
    const [timely, late] = [await here.ticket(owner), await here.ticket(owner)]
    const dead = await here.ticket(principal)
    await here.logout(principal)
    expect(await code(here.redeem(dead.ticket))).toBe('credential_invalid')
    clock.now += 29_999
    expect(await there.redeem(timely.ticket)).toEqual(owner)
    clock.now += 1
    expect(await code(there.redeem(late.ticket))).toBe('credential_invalid')
    for (const none of ['', 'x', 'A'.repeat(43)]) expect(await code(here.redeem(none))).toBe('credential_invalid')
  })

  test('leave nothing behind when nobody uses them', async () => {
    for (let count = 0; count < 5; count++) await here.ticket(owner)
    clock.now += 30_000
    await here.ticket(owner)
    expect(await db.database.query('select 1 from tickets where expires_at <= $1', [new Date(clock.now)])).toEqual([])
  })
})

describe('secrets', () => {
  test('are set by admins, listed by editors without their value, and revealed to the engine alone', async () => {
    const [{ principal: editor }, { principal: operator }] = [await member('editor'), await member('operator')]
    await here.secrets.set(owner, { name: 'stripe', value: 'sk_live_1' })
    clock.now += 1_000
    const kept = await there.secrets.set(owner, { name: 'stripe', value: 'ключ 🔑' })
    expect(Date.parse(kept.updated) - Date.parse(kept.created)).toBe(1_000)
    expect(await here.secrets.reveal(owner.workspaceId, 'stripe')).toBe('ключ 🔑')
    expect(await here.secrets.list(editor)).toEqual({ items: [kept], nextCursor: null })
    expect(await code(here.secrets.list(operator))).toBe('permission_denied')
    expect(await code(here.secrets.set(editor, { name: 'x', value: 'y' }))).toBe('permission_denied')
    expect(await code(here.secrets.delete(editor, { name: 'stripe' }))).toBe('permission_denied')
    await here.secrets.delete(owner, { name: 'stripe' })
    expect(await code(here.secrets.reveal(owner.workspaceId, 'stripe'))).toBe('secret_missing')
    expect(await code(here.secrets.delete(owner, { name: 'stripe' }))).toBe('secret_missing')
  })

  test('stay in their workspace, even when a row is copied, and die with the secret of the server', async () => {
    const { principal: foreign, workspaceId } = await stranger()
    await here.secrets.set(owner, { name: 'stripe', value: 'sk_live_1' })
    expect(await code(here.secrets.reveal(workspaceId, 'stripe'))).toBe('secret_missing')
    expect((await here.secrets.list(foreign)).items).toEqual([])
    await db.database.query('insert into secrets (workspace_id, name, ciphertext) select $1, name, ciphertext from secrets', [workspaceId])
    expect(await code(here.secrets.reveal(workspaceId, 'stripe'))).toBe('secret_missing')
    const other = createAccess({ orm, database: db.database, secret: 'the secret of another server', now })
    await expect(other.secrets.reveal(owner.workspaceId, 'stripe')).rejects.toThrow(/SLUICE_SECRET/)
  })

  test('have plain names and at most 64 KiB', async () => {
    for (const name of ['', 'a/b', 'a b', 'a'.repeat(101), `x'; drop table secrets; --`]) {
      expect(await code(here.secrets.set(owner, { name, value: 'v' }))).toBe('input_invalid')
      expect(await code(here.secrets.reveal(owner.workspaceId, name))).toBe('secret_missing')
    }
    const most = 'é'.repeat(32 * 1024)
    await here.secrets.set(owner, { name: 'big', value: most })
    expect(await here.secrets.reveal(owner.workspaceId, 'big')).toBe(most)
    expect(await code(here.secrets.set(owner, { name: 'bigger', value: `${most}!` }))).toBe('input_invalid')
  })
})

describe('members', () => {
  test('nobody gives or takes a role above their own', async () => {
    const [{ principal: admin }, { id }] = [await member('admin'), await member('viewer')]
    await here.members.setRole(admin, { userId: id, role: 'admin' })
    expect(await code(here.members.setRole(admin, { userId: id, role: 'owner' }))).toBe('permission_denied')
    expect(await code(here.members.setRole(admin, { userId: owner.userId, role: 'viewer' }))).toBe('permission_denied')
    expect(await code(here.members.remove(admin, { userId: owner.userId }))).toBe('permission_denied')
    expect(await code(here.members.invite(admin, { email: 'x@example.com', password, role: 'owner' }))).toBe('permission_denied')
    const { principal: viewer } = await member('viewer')
    expect(await code(here.members.setRole(viewer, { userId: viewer.userId, role: 'owner' }))).toBe('permission_denied')
  })

  test('a workspace keeps an owner, also when two leave at once', async () => {
    expect(await code(here.members.setRole(owner, { userId: owner.userId, role: 'viewer' }))).toBe('last_owner')
    expect(await code(here.members.remove(owner, { userId: owner.userId }))).toBe('last_owner')
    const { principal: second } = await member('owner')
    const answers = await Promise.all([code(here.members.remove(owner, { userId: owner.userId })), code(there.members.remove(second, { userId: second.userId }))])
    expect(new Set(answers)).toEqual(new Set(['last_owner', 'no fault']))
  })

  test('an email has one user, also when two are made at once', async () => {
    const add = (email: string) => code(here.members.invite(owner, { email, password, role: 'viewer' }))
    expect(new Set(await Promise.all([add('twin@example.com'), add('Twin@Example.com')]))).toEqual(new Set(['member_exists', 'no fault']))
  })

  test('are seen by themselves and by admins; those of another workspace do not exist', async () => {
    const [{ id, principal }, { id: other }, { principal: foreign }] = [await member('viewer'), await member('viewer'), await stranger()]
    expect(await here.users.get(principal, { id })).toMatchObject({ id, role: 'viewer' })
    expect(await here.users.get(owner, { id })).toMatchObject({ id })
    expect(await code(here.users.get(principal, { id: other }))).toBe('user_missing')
    expect(await code(here.users.get(foreign, { id }))).toBe('user_missing')
    expect(await code(here.members.setRole(foreign, { userId: id, role: 'admin' }))).toBe('user_missing')
  })
})

describe('without a credential', () => {
  test('there is nobody, unless the server lets anonymous in, who is never an admin', async () => {
    expect(await here.authenticate(null)).toBeNull()
    const open = createAccess({ orm, database: db.database, secret, now, anonymousRole: 'operator' })
    const anonymous = (await open.authenticate(null))!
    expect(anonymous).toMatchObject({ role: 'operator', credential: 'anonymous', workspaceId: owner.workspaceId })
    expect(Me.parse(await open.me(anonymous)).user.name).toBe('anonymous')
    expect([await open.stillValid(anonymous), await here.stillValid(anonymous)]).toEqual([true, false])
    expect(await code(open.authenticate(bearer('nonsense')))).toBe('credential_invalid')
    expect(await code(open.keys.create(anonymous, { name: 'k' }))).toBe('permission_denied')
    expect(() => createAccess({ orm, database: db.database, secret, anonymousRole: 'admin' })).toThrow(/anonymous/)
  })
})

describe('what is kept and what is said', () => {
  test('no secret stands in any table as it is', async () => {
    const { principal, token, refreshToken } = await member('editor')
    const { secret: key } = await here.keys.create(principal, { name: 'k' })
    const { ticket } = await here.ticket(principal)
    await here.secrets.set(owner, { name: 'stripe', value: 'sk_live_1' })
    const tables = await db.database.query<{ name: string }>(`select tablename as name from pg_tables where schemaname = 'public'`)
    const dump = (await Promise.all(tables.map(({ name }) => db.database.query(`select t::text as row from "${name}" t`)))).flat()
    const text = JSON.stringify(dump)
    expect(text).toContain('argon2id')
    for (const word of [password, token, refreshToken, key, ticket, 'sk_live_1']) {
      expect(text).not.toContain(word)
      expect(text).not.toContain(Buffer.from(word).toString('hex'))
    }
  })

  test('text of a user is a value to PostgreSQL, whatever it says', async () => {
    for (const name of [`'); drop table users; --`, `\\'; select 1; --`, '? ?? $1 \\? :name', '{"$ne": null}', '\u2028"`🔑']) {
      await here.keys.create(owner, { name })
      expect((await here.keys.list(owner, { limit: 1 })).items[0]?.name).toBe(name)
      expect(await code(here.login({ email: name, password: name }))).toBe('login_failed')
      expect(await code(here.login({ email: 'owner@example.com', password, workspace: name }))).toBe('workspace_missing')
    }
  })

  test('what PostgreSQL refuses is told without the values of the row', async () => {
    const row = {
      id: newId(),
      email: 'owner@example.com',
      name: '',
      passwordHash: 'THE-HASH',
      tokenEpoch: 1,
      defaultWorkspaceId: owner.workspaceId,
      createdAt: new Date(),
      updatedAt: new Date(),
    }
    const error = await orm.unit((em) => insertUser(em, row)).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(StatementRefused)
    expect(error).toMatchObject({ code: '23505', constraint: 'users_email_key' })
    const said = error as StatementRefused
    expect(JSON.stringify([said.message, said.stack, said.cause, Object.entries(said)])).not.toMatch(/THE-HASH|owner@example/)
  })

  test('a PostgreSQL that is away is an outage, at once, for every question', async () => {
    const url = 'postgres://nobody@127.0.0.1:1/nothing'
    const [lostOrm, lost] = [openOrm(url), openDatabase({ url })]
    const access = createAccess({ orm: lostOrm, database: lost, secret, now })
    const { token } = await member('viewer')
    const started = performance.now()
    for (const work of [
      () => access.login({ email: 'a@b', password }),
      () => access.authenticate(bearer(token)),
      () => access.stillValid(owner),
      () => access.keys.list(owner),
      () => access.members.bootstrap({}),
    ])
      await expect(work()).rejects.toThrow(Outage)
    expect(performance.now() - started).toBeLessThan(3_000)
    await Promise.all([lostOrm.close(), lost.close()])
  })

  test('an outage that is over leaves nothing wrong behind', async () => {
    const { token, principal } = await member('viewer')
    await db.database.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()')
    clock.now += 2_000
    await expect.poll(async () => (await enter(here, bearer(token))).userId, { timeout: 5_000 }).toBe(principal.userId)
    await expect.poll(async () => (await here.me(principal)).user.id, { timeout: 5_000 }).toBe(principal.userId)
  })
})
