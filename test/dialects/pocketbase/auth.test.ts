import PocketBase, { type ClientResponseError } from 'pocketbase'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { admin, refusal as refusedNatively } from '../../support/server.ts'
import { member, type PocketBaseServer, pocketbaseServer, type Row, sdkOf } from './sdk.ts'

/** Who logs in with the published SDK, as what, and what they may change of themselves. */

const password = 'correct horse battery'
const failed = { data: {}, message: 'Failed to authenticate.', status: 400 }
const unseen = { data: {}, message: "The requested resource wasn't found.", status: 404 }
const unnamed = { data: {}, message: 'The request requires valid record authorization token.', status: 401 }

let base: PocketBaseServer
beforeAll(async () => {
  base = await pocketbaseServer()
})
afterAll(() => base?.[Symbol.asyncDispose]())

let count = 0
/** Somebody of their own for a test that changes them. */
const somebody = (role?: string) => member(base.server, `person${(count += 1)}@example.com`, role)

function guest(): PocketBase {
  const pb = new PocketBase(base.server.url)
  pb.autoCancellation(false)
  return pb
}

/** What the SDK is refused with. */
const refusal = async (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    (value) => ({ taken: value }),
    ({ response }: ClientResponseError) => response,
  )

const issue = (code: string, message: unknown = expect.any(String), more: object = {}) => ({ code: `validation_${code}`, message, ...more })

describe('a login', () => {
  test('gives the record of who logs in, and a token that the SDK holds for valid', async () => {
    const who = await somebody()
    const pb = guest()
    const { record, token } = await pb.collection('users').authWithPassword<Row>(who.email, who.password)
    expect(record).toEqual({
      avatar: '',
      collectionId: '_pb_users_auth_',
      collectionName: 'users',
      created: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z$/),
      email: who.email,
      emailVisibility: false,
      id: who.id,
      name: '',
      updated: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z$/),
      verified: expect.any(Boolean),
    })
    expect(Object.keys(record)).toEqual(Object.keys(record).toSorted())
    expect(pb.authStore).toMatchObject({ isValid: true, isSuperuser: false, token, record: { id: who.id } })
    const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString('utf8')) as Row
    expect(claims).toMatchObject({ id: who.id, type: 'auth', collectionId: '_pb_users_auth_', refreshable: true, exp: expect.any(Number) })
    pb.authStore.clear()
    expect(await refusal(pb.collection('users').getList())).toEqual(unnamed)
  })

  test('as a superuser is for admins and owners, in either spelling of the collection', async () => {
    const pb = guest()
    for (const collection of ['_superusers', 'pbc_3142635823']) {
      const { record } = await pb.collection(collection).authWithPassword<Row>(admin.email, admin.password)
      expect(record).toMatchObject({ collectionName: '_superusers', collectionId: 'pbc_3142635823', email: admin.email })
      expect(pb.authStore).toMatchObject({ isValid: true, isSuperuser: true })
    }
    const second = await somebody('admin')
    expect((await guest().collection('_superusers').authWithPassword<Row>(second.email, second.password)).record.id).toBe(second.id)
    for (const role of ['viewer', 'operator', 'editor']) {
      const who = await somebody(role)
      expect([role, await refusal(guest().collection('_superusers').authWithPassword(who.email, who.password))]).toEqual([role, failed])
      expect((await guest().collection('users').authWithPassword<Row>(who.email, who.password)).record.id).toBe(who.id)
    }
  })

  test('that fails does not tell why: not in what it says, and not by how long it takes', async () => {
    const who = await somebody()
    const wrong = {
      nobody: () => guest().collection('users').authWithPassword('nobody@example.com', password),
      'no email': () => guest().collection('users').authWithPassword('nobody', password),
      'another password': () => guest().collection('users').authWithPassword(who.email, 'wrong horse battery'),
      'no superuser': () => guest().collection('_superusers').authWithPassword(who.email, who.password),
    }
    // The least of several: what else the machine does only adds to it.
    const least: Record<string, number> = {}
    for (let round = 0; round < 5; round += 1)
      for (const [name, call] of Object.entries(wrong)) {
        const begun = performance.now()
        expect([name, await refusal(call())]).toEqual([name, failed])
        least[name] = Math.min(least[name] ?? Infinity, performance.now() - begun)
      }
    const times = Object.values(least)
    expect([least, Math.max(...times) < 3 * Math.min(...times)]).toEqual([least, true])
  })

  test('is in the audit log, also where it failed, without a password', async () => {
    const who = await somebody()
    await refusal(guest().collection('users').authWithPassword(who.email, 'wrong horse battery'))
    await guest().collection('users').authWithPassword(who.email, who.password)
    const { items } = await base.server.call<{ items: Row[] }>('GET', '/v1/audit?action=records.login&limit=100')
    const own = items.filter(({ details }) => (details as Row)['email'] === who.email)
    expect(own.map(({ outcome, code }) => [outcome, code])).toEqual([
      ['done', null],
      ['refused', 'login_failed'],
    ])
    expect(JSON.stringify(items)).not.toContain('horse battery')
  })

  test('without a name or a password says which is missing', async () => {
    const send = (body: object, collection = 'users') => refusal(guest().send(`/api/collections/${collection}/auth-with-password`, { method: 'POST', body }))
    const blank = issue('required', 'Cannot be blank.')
    const message = 'An error occurred while validating the submitted data.'
    expect(await send({})).toEqual({ data: { identity: blank, password: blank }, message, status: 400 })
    expect(await send({ identity: admin.email, password: '' })).toEqual({ data: { password: blank }, message, status: 400 })
    expect(await send({ ...admin, identity: admin.email, identityField: 'username' })).toMatchObject({ data: { identityField: issue('invalid_value') }, status: 400 })
    expect(await send({ ...admin, identity: admin.email, identityField: 'email' })).toMatchObject({ taken: { token: expect.any(String) } })
  })

  test('is nothing that other collections have', async () => {
    const missing = { data: {}, message: 'Missing or invalid auth collection context.', status: 404 }
    for (const collection of ['workflow_sessions', 'nosuch']) {
      expect(await refusal(guest().collection(collection).authWithPassword(admin.email, admin.password))).toEqual(missing)
      expect(await refusal(base.pb.collection(collection).authRefresh())).toEqual(missing)
      expect(await refusal(guest().collection(collection).listAuthMethods())).toEqual(missing)
    }
  })

  test('shows the fields that are asked for', async () => {
    const answer = await guest().collection('users').authWithPassword(admin.email, admin.password, { fields: 'token,record.email' })
    expect(answer).toEqual({ token: expect.any(String), record: { email: admin.email } })
  })

  test('is tried ten times a minute under one name', { timeout: 60_000 }, async () => {
    await using limited = await base.server.another({ SLUICE_RATE_LIMIT: 'api=100000' })
    const pb = new PocketBase(limited.url)
    pb.autoCancellation(false)
    const tried = []
    for (let time = 0; time < 12; time += 1) tried.push(await refusal(pb.collection('users').authWithPassword('guessed@example.com', 'wrong horse battery')))
    expect(tried.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => failed))
    expect(tried.at(-1)).toEqual({ data: {}, message: 'Too Many Requests.', status: 429 })
    // Nor by another door.
    expect(await refusal(pb.collection('_superusers').authWithPassword('Guessed@example.com', 'wrong horse battery'))).toMatchObject({ status: 429 })
    await pb.collection('users').authWithPassword(admin.email, admin.password)
  })
})

describe('a refresh', () => {
  test('gives another token for one that holds, and none without', async () => {
    const who = await somebody()
    const pb = await sdkOf(base.server.url, who)
    const { record, token } = await pb.collection('users').authRefresh<Row>()
    expect(record.id).toBe(who.id)
    expect(pb.authStore).toMatchObject({ token, isValid: true, isSuperuser: false })
    expect((await pb.collection('users').getOne<Row>(who.id)).id).toBe(who.id)
    expect(await refusal(guest().collection('users').authRefresh())).toEqual(unnamed)
    const broken = guest()
    broken.authStore.save(`${token.slice(0, -6)}AAAAAA`, null)
    expect(await refusal(broken.collection('users').authRefresh())).toEqual(unnamed)
  })

  test('as a superuser is for superusers', async () => {
    expect(await refusal(base.pb.collection('_superusers').authRefresh())).toEqual({
      data: {},
      message: 'The request requires auth record from _superusers collection.',
      status: 403,
    })
    await base.superuser.collection('_superusers').authRefresh()
    expect(base.superuser.authStore.isSuperuser).toBe(true)
  })
})

test('the ways to log in are a password with an email, for clients old and new', async () => {
  const methods = {
    mfa: { duration: 0, enabled: false },
    otp: { duration: 0, enabled: false },
    password: { identityFields: ['email'], enabled: true },
    oauth2: { providers: [], enabled: false },
  }
  for (const collection of ['users', '_superusers']) {
    expect(await guest().collection(collection).listAuthMethods()).toEqual(methods)
    const all = await guest().send<Row>(`/api/collections/${collection}/auth-methods`, {})
    expect(JSON.stringify(all)).toBe(JSON.stringify({ ...methods, authProviders: [], usernamePassword: false, emailPassword: true }))
  }
  expect(await guest().collection('users').listAuthMethods({ fields: 'password' })).toEqual({ password: methods.password })
})

describe('who asks', () => {
  test('is told by the token with or without Bearer, and by an API key', async () => {
    const who = await somebody()
    const { token } = (await sdkOf(base.server.url, who)).authStore
    const { secret } = await base.server.call<{ secret: string }>('POST', '/v1/keys', { name: 'a script' })
    const listed = async (authorization: string) => (await guest().send<{ items: Row[] }>('/api/collections/users/records', { headers: { Authorization: authorization } })).items
    for (const authorization of [token, `Bearer ${token}`, `bearer ${token}`]) expect((await listed(authorization)).map(({ id }) => id)).toEqual([who.id])
    for (const authorization of [secret, `Bearer ${secret}`]) expect((await listed(authorization)).length).toBeGreaterThan(1)
  })

  test('is no cookie: a page that a browser sends one from is nobody', async () => {
    const { token } = base.superuser.authStore
    const answer = await fetch(`${base.server.url}/api/collections/users/records`, { headers: { cookie: `pb_auth=${encodeURIComponent(JSON.stringify({ token }))}` } })
    expect([answer.status, await answer.json()]).toEqual([401, unnamed])
  })

  test('sees themselves among users, and superusers see all, whom nobody else sees', async () => {
    const [one, other] = [await somebody(), await somebody()]
    const pb = await sdkOf(base.server.url, one)
    expect((await pb.collection('users').getFullList<Row>()).map(({ id }) => id)).toEqual([one.id])
    expect(await refusal(pb.collection('users').getOne(other.id))).toEqual(unseen)
    expect(await refusal(pb.collection('users').update(other.id, { name: 'Mine' }))).toEqual(unseen)
    expect(await refusal(pb.collection('users').delete(other.id))).toEqual(unseen)
    expect(await refusal(pb.collection('_superusers').getList())).toMatchObject({ status: 403, message: 'Only superusers can perform this action.' })
    const all = (await base.superuser.collection('users').getFullList<Row>()).map(({ email }) => email as string)
    expect(all).toEqual(expect.arrayContaining([one.email, other.email, admin.email]))
    expect((await base.superuser.collection('_superusers').getFullList<Row>()).map(({ email }) => email as string)).toContain(admin.email)
  })

  test('of another workspace is not there, not even for superusers', async () => {
    const { id } = await base.server.call<{ id: string }>('POST', '/v1/workspaces', { name: 'Another' })
    const elsewhere = await base.server.call<{ token: string }>('POST', '/v1/auth/switch', { workspace: id })
    const email = 'foreign@example.com'
    const invited = await base.server.call<{ userId: string; setPassword: { token: string } }>('POST', '/v1/members', { email, role: 'operator' }, { as: elsewhere.token })
    await base.server.call('POST', '/v1/auth/set-password', { token: invited.setPassword.token, password })
    const pb = await sdkOf(base.server.url, { email, password })
    expect((await pb.collection('users').getFullList<Row>()).map((row) => row.id)).toEqual([invited.userId])
    expect(await refusal(pb.collection('users').getOne(base.me))).toEqual(unseen)
    const users = base.superuser.collection('users')
    expect(await refusal(users.getOne(invited.userId))).toEqual(unseen)
    expect(await refusal(users.update(invited.userId, { name: 'Mine' }))).toEqual(unseen)
    expect(await refusal(users.delete(invited.userId))).toEqual(unseen)
    expect((await pb.collection('users').getOne<Row>(invited.userId)).name).toBe('')
  })
})

describe('users change of themselves', () => {
  test('their name and email, which the store of the SDK follows; what is not kept is passed over', async () => {
    const who = await somebody()
    const pb = await sdkOf(base.server.url, who)
    const email = `new-${who.email}`
    const changed = await pb.collection('users').update<Row>(who.id, { name: 'Ada', email, emailVisibility: true, verified: true })
    expect(changed).toMatchObject({ id: who.id, name: 'Ada', email, emailVisibility: false, avatar: '' })
    expect(pb.authStore.record).toMatchObject({ name: 'Ada', email })
    expect((await sdkOf(base.server.url, { email, password })).authStore.record!.id).toBe(who.id)
  })

  test('not to an email that is taken, or is none', async () => {
    const who = await somebody()
    const users = (await sdkOf(base.server.url, who)).collection('users')
    const wrong = async (values: object) => refusal(users.update(who.id, values))
    expect(await wrong({ email: admin.email })).toEqual({ data: { email: issue('not_unique', 'Value must be unique.') }, message: 'Failed to update record.', status: 400 })
    expect(await wrong({ email: 'nowhere' })).toMatchObject({ data: { email: issue('is_email') }, status: 400 })
    expect(await wrong({ name: 'x'.repeat(256) })).toMatchObject({ data: { name: issue('max_text_constraint') }, status: 400 })
    expect(await users.getOne<Row>(who.id)).toMatchObject({ email: who.email, name: '' })
  })

  test('their password, with the old one: all tokens die of it, and the new one logs in', async () => {
    const who = await somebody()
    const [pb, elsewhere] = [await sdkOf(base.server.url, who), await sdkOf(base.server.url, who)]
    const next = 'battery horse correct'
    const change = (values: object) => refusal(pb.collection('users').update(who.id, values))
    const blank = issue('required', 'Cannot be blank.')
    expect(await change({ password: next })).toMatchObject({ data: { passwordConfirm: blank, oldPassword: blank }, status: 400 })
    expect(await change({ password: next, passwordConfirm: 'another', oldPassword: password })).toMatchObject({
      data: { passwordConfirm: issue('values_mismatch', "Values don't match.") },
    })
    expect(await change({ password: next, passwordConfirm: next, oldPassword: 'wrong' })).toEqual({
      data: { oldPassword: issue('invalid_old_password', 'Missing or invalid old password.') },
      message: 'Failed to update record.',
      status: 400,
    })
    expect(await change({ password: 'short', passwordConfirm: 'short', oldPassword: password })).toMatchObject({ data: { password: issue('min_text_constraint') }, status: 400 })
    await elsewhere.collection('users').getOne(who.id)

    expect(await pb.collection('users').update<Row>(who.id, { password: next, passwordConfirm: next, oldPassword: password })).toMatchObject({ id: who.id })
    for (const stale of [pb, elsewhere]) expect(await refusal(stale.collection('users').getOne(who.id))).toEqual(unnamed)
    expect(await refusal(guest().collection('users').authWithPassword(who.email, password))).toEqual(failed)
    await guest().collection('users').authWithPassword(who.email, next)
  })

  test('their password, whose old one is guessed no more often than a login', { timeout: 60_000 }, async () => {
    await using limited = await base.server.another({ SLUICE_RATE_LIMIT: 'api=100000' })
    const who = await somebody()
    const pb = await sdkOf(limited.url, who)
    const change = (oldPassword: string) =>
      refusal(pb.collection('users').update(who.id, { password: 'battery horse correct', passwordConfirm: 'battery horse correct', oldPassword }))
    for (let time = 0; time < 10; time += 1) expect(await change(`guess number ${time}`)).toMatchObject({ status: 400, data: { oldPassword: expect.anything() } })
    expect(await change('guess number 10')).toMatchObject({ status: 429 })
    expect(await change(password)).toMatchObject({ status: 429 })
    // What is no guess is not held up.
    expect(await pb.collection('users').update<Row>(who.id, { name: 'Ada' })).toMatchObject({ name: 'Ada' })
  })

  test('that they are there at all, unless sessions are theirs', async () => {
    const [free, bound] = [await somebody(), await somebody()]
    const pb = await sdkOf(base.server.url, bound)
    const session = await pb.collection('workflow_sessions').create<Row>({ title: 'Mine', status: 'idle', currentStepId: 'a', steps: [], user: bound.id })
    expect(await refusal(pb.collection('users').delete(bound.id))).toEqual({
      data: {},
      message: 'Failed to delete record. Make sure that the record is not part of a required relation reference.',
      status: 400,
    })
    await pb.collection('workflow_sessions').delete(session.id)
    await pb.collection('users').delete(bound.id)
    await (await sdkOf(base.server.url, free)).collection('users').delete(free.id)
    for (const { email } of [free, bound]) expect(await refusal(guest().collection('users').authWithPassword(email, password))).toEqual(failed)
  })
})

describe('superusers', () => {
  const wanted = (email: string) => ({ email, name: 'Grace', password, passwordConfirm: password })

  test('take in operators, who log in at once', async () => {
    const made = await base.superuser.collection('users').create<Row>(wanted('grace@example.com'))
    expect(made).toMatchObject({ email: 'grace@example.com', name: 'Grace', collectionName: 'users' })
    for (const secret of ['password', 'tokenKey', 'passwordHash']) expect(made).not.toHaveProperty(secret)
    const pb = await sdkOf(base.server.url, { email: 'grace@example.com', password })
    expect(await pb.collection('workflow_sessions').create<Row>({ title: 'Hers', status: 'idle', currentStepId: 'a', steps: [], user: made.id })).toMatchObject({ user: made.id })
    expect(await refusal(guest().collection('_superusers').authWithPassword('grace@example.com', password))).toEqual(failed)
  })

  test('are told what is wrong with whom they take in, and nobody else takes in anybody', async () => {
    const create = (values: object, pb = base.superuser) => refusal(pb.collection('users').create(values))
    const blank = issue('required', 'Cannot be blank.')
    expect(await create({})).toMatchObject({ data: { email: blank, password: blank }, message: 'Failed to create record.', status: 400 })
    expect(await create({ ...wanted('hedy@example.com'), passwordConfirm: 'another' })).toMatchObject({ data: { passwordConfirm: issue('values_mismatch') } })
    expect(await create(wanted(admin.email))).toMatchObject({ data: { email: issue('not_unique') }, message: 'Failed to create record.' })
    expect(await create(wanted('hedy@example.com'), base.pb)).toMatchObject({ status: 403, message: 'Only superusers can perform this action.' })
    expect(await refusal(guest().collection('users').authWithPassword('hedy@example.com', password))).toEqual(failed)
  })

  test('who are owners change the name of others, and not their password', async () => {
    const who = await somebody()
    expect(await base.superuser.collection('users').update<Row>(who.id, { name: 'Renamed' })).toMatchObject({ name: 'Renamed' })
    expect(await refusal(base.superuser.collection('users').update(who.id, { password: 'x'.repeat(12), passwordConfirm: 'x'.repeat(12) }))).toMatchObject({ status: 403 })
    await sdkOf(base.server.url, who)
    await base.superuser.collection('users').delete(who.id)
    expect(await refusal(guest().collection('users').authWithPassword(who.email, password))).toEqual(failed)
  })

  test('who are admins change nobody but themselves', async () => {
    const [boss, who] = [await somebody('admin'), await somebody()]
    const pb = await sdkOf(base.server.url, boss, '_superusers')
    expect(await refusal(pb.collection('users').update(who.id, { name: 'Renamed' }))).toMatchObject({ status: expect.toBeOneOf([403, 404]) })
    expect(await pb.collection('users').update<Row>(boss.id, { name: 'Boss' })).toMatchObject({ name: 'Boss' })
    expect((await base.superuser.collection('users').getOne<Row>(who.id)).name).toBe('')
  })

  test('are not made, changed or deleted as such', async () => {
    const { id } = base.superuser.authStore.record!
    const superusers = base.superuser.collection('_superusers')
    for (const call of [() => superusers.create(wanted('root@example.com')), () => superusers.update(id, { email: 'root@example.com' }), () => superusers.delete(id)])
      expect(await refusal(call())).toMatchObject({ status: expect.toSatisfy((status: number) => status >= 400 && status < 500), message: expect.stringMatching(/\w/) })
    expect((await refusedNatively(base.server.call('POST', '/v1/auth/login', { email: 'root@example.com', password }))).code).toBe('login_failed')
    expect((await superusers.getOne<Row>(id)).email).toBe(admin.email)
  })
})
