import type { Account, ApiKey, AuditRecord, InvitedMember, Member, Page, PasswordToken, Role, TokenPair, User, Workspace } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { refusal, testServer, type TestServer } from './support/server.ts'

const password = 'correct horse battery'
let server: TestServer
let people = 0

beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

/** A call as somebody; as the owner of `default` unless named. */
const call = <T>(method: string, path: string, body?: unknown, as?: string): Promise<T> => server.call<T>(method, path, body, as === undefined ? {} : { as })
const codeOf = async (work: Promise<unknown>) => (await refusal(work)).code
const login = (email: string, more: object = {}) => call<TokenPair>('POST', '/v1/auth/login', { email, password, ...more }, '')

/** A new member of a workspace, `default` unless its owner's token is given, logged in there. */
async function member(role: Role, as?: string) {
  const email = `person${++people}@example.com`
  const { userId } = await call<InvitedMember>('POST', '/v1/members', { email, role, password }, as)
  return { userId, email, ...(await login(email)) }
}

/** Another workspace, made by a new owner of `default` who stands in it now. */
async function elsewhere() {
  const owner = await member('owner')
  const workspace = await call<Workspace>('POST', '/v1/workspaces', { name: 'Elsewhere' }, owner.token)
  const { token } = await call<TokenPair>('POST', '/v1/auth/switch', { workspace: workspace.id }, owner.token)
  return { workspace, owner, token }
}

const draft = { kind: 'workflow', nodes: [{ id: 'wait', type: 'signal' }], links: [] } as const

describe('workspaces', () => {
  test.each(['login', 'switch'] as const)('who comes to one that is deleted at that moment, by %s, is told that there is nothing to come to', async (how) => {
    const { workspace, owner } = await elsewhere()
    const { database } = server.db
    const isWaiting = async () =>
      (await database.query(`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%refresh_tokens%'`)).length > 0
    let coming: Promise<string> | undefined
    await database.transaction(async (tx) => {
      await tx.query('delete from workspaces where id = $1', [workspace.id])
      coming = codeOf(how === 'login' ? login(owner.email, { workspace: workspace.id }) : call('POST', '/v1/auth/switch', { workspace: workspace.id }, owner.token))
      coming.catch(() => {})
      // It has read the workspace, and cannot write before this is over.
      await expect.poll(isWaiting, { timeout: 20_000 }).toBe(true)
    })
    expect(await coming).toBe('credential_invalid')
  })

  test('who creates one owns it, finds it in the list, and switches to it', async () => {
    const { workspace, owner, token } = await elsewhere()
    expect(workspace).toMatchObject({ handle: workspace.id, name: 'Elsewhere', role: 'owner', isDefault: false })
    const { items } = await call<Page<Workspace>>('GET', '/v1/workspaces?count=true', undefined, owner.token)
    expect(items.map(({ name, role, isDefault }) => [name, role, isDefault])).toEqual([
      ['Default', 'owner', true],
      ['Elsewhere', 'owner', false],
    ])
    expect(await call('GET', `/v1/workspaces/${workspace.id}`, undefined, token)).toEqual(workspace)
  })

  test('one that the credential does not stand in is a missing one, by id and by handle, to its owner too; a key sees its own alone', async () => {
    const { workspace, owner, token } = await elsewhere()
    await call('PATCH', `/v1/workspaces/${workspace.id}`, { handle: `far-${workspace.id}` }, token)
    for (const ref of [workspace.id, `far-${workspace.id}`, 'nowhere'])
      for (const as of [owner.token, undefined]) {
        expect(await codeOf(call('GET', `/v1/workspaces/${ref}`, undefined, as))).toBe('workspace_missing')
        expect(await codeOf(call('PATCH', `/v1/workspaces/${ref}`, { name: 'Mine' }, as))).toBe('workspace_missing')
        expect(await codeOf(call('DELETE', `/v1/workspaces/${ref}`, undefined, as))).toBe('workspace_missing')
      }
    const { secret } = await call<ApiKey & { secret: string }>('POST', '/v1/keys', { name: 'k' }, token)
    expect((await call<Page<Workspace>>('GET', '/v1/workspaces', undefined, secret)).items.map(({ id }) => id)).toEqual([workspace.id])
    expect((await call<Page<Workspace>>('GET', '/v1/workspaces', undefined, (await member('viewer')).token)).items.map(({ handle }) => handle)).toEqual(['default'])
  })

  test("only an owner creates, changes and deletes one; the handle is unique, and `default` is nobody else's", async () => {
    const { workspace, token } = await elsewhere()
    const admin = await member('admin', token)
    for (const [method, path, body] of [
      ['POST', '/v1/workspaces', { name: 'Mine' }],
      ['PATCH', `/v1/workspaces/${workspace.id}`, { name: 'Mine' }],
      ['DELETE', `/v1/workspaces/${workspace.id}`, undefined],
    ] as const)
      expect(await codeOf(call(method, path, body, admin.token))).toBe('permission_denied')
    const handle = `taken-${workspace.id}`
    await call('POST', '/v1/workspaces', { name: 'One', handle })
    expect(await codeOf(call('POST', '/v1/workspaces', { name: 'Two', handle }))).toBe('handle_taken')
    expect(await codeOf(call('PATCH', `/v1/workspaces/${workspace.id}`, { handle }, token))).toBe('handle_taken')
    expect(await codeOf(call('PATCH', `/v1/workspaces/${workspace.id}`, { handle: 'default' }, token))).toBe('handle_taken')
    expect(await codeOf(call('PATCH', '/v1/workspaces/default', { handle: 'free' }))).toBe('workspace_in_use')
    expect(await codeOf(call('DELETE', '/v1/workspaces/default'))).toBe('workspace_in_use')
  })

  test('one goes with all that is in it, but not while runs are live or a member has no other or no other default', async () => {
    const { workspace, owner, token } = await elsewhere()
    const path = `/v1/workspaces/${workspace.id}`
    const flow = await call<{ id: string }>('POST', '/v1/workflows', { name: 'Flow', definition: draft }, token)
    const run = await call<{ id: string }>('POST', '/v1/runs', { workflow: flow.id }, token)
    expect(await refusal(call('DELETE', path, undefined, token))).toMatchObject({ code: 'workspace_in_use', details: { liveRuns: 1 } })
    await call('POST', `/v1/runs/${run.id}/cancel`, {}, token)
    await call('GET', `/v1/runs/${run.id}/wait?until=finished&ms=20000`, undefined, token)

    const guest = await member('viewer', token)
    expect(await refusal(call('DELETE', path, undefined, token))).toMatchObject({ code: 'workspace_in_use', details: { members: 1 } })
    await call('DELETE', `/v1/members/${guest.userId}`, undefined, token)
    await call('PATCH', `/v1/users/${owner.userId}`, { defaultWorkspace: workspace.id }, token)
    expect(await refusal(call('DELETE', path, undefined, token))).toMatchObject({ code: 'workspace_in_use', details: { members: 1 } })
    await call('PATCH', `/v1/users/${owner.userId}`, { defaultWorkspace: 'default' }, token)

    const { secret } = await call<{ secret: string }>('POST', '/v1/keys', { name: 'k' }, token)
    await call('GET', path, undefined, secret)
    await call('DELETE', path, undefined, token)
    for (const as of [token, secret]) expect(await codeOf(call('GET', '/v1/workspaces', undefined, as))).toBe('credential_invalid')
    expect((await login(owner.email)).user.id).toBe(owner.userId)
  })

  test('one that was full of everything leaves no row in any table but its audit log', async () => {
    const { workspace, owner, token } = await elsewhere()
    const others = ['audit', 'members', 'rate_limits', 'refresh_tokens', 'tickets', 'users', 'workspaces']
    const before = await counts(others)
    const flow = await call<{ id: string }>(
      'POST',
      '/v1/workflows',
      { name: 'Flow', definition: { ...draft, nodes: [...draft.nodes, { id: 'ask', type: 'human', config: { kind: 'approval', message: 'May we?' } }] } },
      token,
    )
    const form = new FormData()
    form.append('file', new Blob(['hello']), 'a.txt')
    const uploaded = await fetch(`${server.url}/v1/files`, { method: 'POST', body: form, headers: { authorization: `Bearer ${token}` } })
    const { files } = (await uploaded.json()) as { files: { id: string }[] }
    const { session } = await call<{ session: { id: string } }>('POST', '/v1/sessions/send', { text: 'Hello', files: files.map(({ id }) => id) }, token)
    const bound = await call<{ session: { id: string }; runId: string }>('POST', '/v1/sessions/send', { to: flow.id, text: 'Hello', idempotencyKey: 'send' }, token)
    const run = await call<{ id: string }>('POST', '/v1/runs', { workflow: flow.id, idempotencyKey: 'start' }, token)
    await call('GET', `/v1/runs/${run.id}/wait?until=parked&ms=20000`, undefined, token)
    await call('POST', '/v1/signals', { runId: run.id, name: 'unheard', payload: 1 }, token)
    await call('PUT', '/v1/secrets/KEY', { value: 'secret' }, token)
    await call('POST', '/v1/keys', { name: 'k' }, token)
    for (const id of [run.id, bound.runId]) {
      await call('POST', `/v1/runs/${id}/cancel`, {}, token)
      await call('GET', `/v1/runs/${id}/wait?until=finished&ms=20000`, undefined, token)
    }
    const filled = await counts(others)
    const full = [
      'api_keys',
      'events',
      'file_chunks',
      'file_uses',
      'files',
      'idempotency',
      'lines',
      'pauses',
      'runs',
      'secrets',
      'sessions',
      'signals',
      'steps',
      'versions',
      'workflows',
    ]
    for (const table of full) expect([table, filled[table]! > before[table]!]).toEqual([table, true])
    expect(session.id).not.toBe(bound.session.id)

    await call('DELETE', `/v1/workspaces/${workspace.id}`, undefined, token)
    expect(await counts(others)).toEqual(before)
    for (const table of ['members', 'refresh_tokens']) expect(await server.db.database.query(`select from ${table} where workspace_id = $1`, [workspace.id])).toEqual([])
    expect((await login(owner.email)).user.id).toBe(owner.userId)
  })

  test('one that goes while somebody changes something in it takes along what that told', async () => {
    const { workspace, token } = await elsewhere()
    const flow = await call<{ id: string }>('POST', '/v1/workflows', { name: 'Flow', definition: draft }, token)
    const { database } = server.db
    let deleted: Promise<unknown> | undefined
    await database.transaction(async (tx) => {
      await tx.query(`update workflows set name = 'Changed' where id = $1`, [flow.id])
      deleted = call('DELETE', `/v1/workspaces/${workspace.id}`, undefined, token)
      const waits = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
      const end = Date.now() + 20_000
      while ((await database.query(waits)).length === 0 && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20))
      await tx.query(`insert into events (workspace_id, subject_kind, subject_id, seq, type, data, at) values ($1, 'workflow', $2, 1000, 'workflow.updated', '{}', now())`, [
        workspace.id,
        flow.id,
      ])
    })
    await deleted
    expect(await database.query('select from events where workspace_id = $1', [workspace.id])).toEqual([])
  })
})

/** How many rows there are in each table of ours, but for some. */
async function counts(without: readonly string[]): Promise<Record<string, number>> {
  const tables = await server.db.database.query<{ name: string }>(`select tablename as name from pg_tables where schemaname = 'public' order by 1`)
  const counted: Record<string, number> = {}
  for (const { name } of tables)
    if (!without.includes(name)) counted[name] = (await server.db.database.query<{ count: number }>(`select count(*) as count from "${name}"`))[0]!.count
  return counted
}

describe('members', () => {
  test('who is invited without a password sets one, once, with the token that the inviter got; nobody logs in before', async () => {
    const email = `Invited${++people}@Example.com`
    const invited = await call<InvitedMember>('POST', '/v1/members', { email, role: 'editor', name: 'Ida' })
    expect(invited).toMatchObject({ email: email.toLowerCase(), name: 'Ida', role: 'editor', pending: true, created: true })
    for (const guess of ['', ' ', password]) expect(['login_failed', 'input_invalid']).toContain(await codeOf(call('POST', '/v1/auth/login', { email, password: guess }, '')))
    const { token } = invited.setPassword!
    const setting = (given: string, next = password) => call<User>('POST', '/v1/auth/set-password', { token: given, password: next }, '')
    expect(await codeOf(setting(token, 'short'))).toBe('input_invalid')
    const both = await Promise.allSettled([setting(token), setting(token)])
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    for (const none of [token, 'x', 'A'.repeat(43)]) expect(await codeOf(setting(none))).toBe('credential_invalid')
    expect((await login(email)).user).toMatchObject({ id: invited.userId, name: 'Ida' })
    const { items } = await call<Page<Member>>('GET', '/v1/members?limit=100')
    expect(items.find(({ userId }) => userId === invited.userId)).toMatchObject({ pending: false, role: 'editor' })
    expect(JSON.stringify(items)).not.toMatch(/token|hash/i)
  })

  test('who has an account joins with it as it is: no token, no other name or password, the default stays', async () => {
    const { token } = await elsewhere()
    const known = await member('viewer')
    const joined = await call<InvitedMember>('POST', '/v1/members', { email: known.email, role: 'operator', name: 'Other', password: 'another password' }, token)
    expect(joined).toMatchObject({ userId: known.userId, name: '', role: 'operator', created: false, setPassword: null })
    expect((await login(known.email)).user.id).toBe(known.userId)
    expect(await codeOf(call('POST', '/v1/members', { email: known.email, role: 'viewer' }, token))).toBe('member_exists')
    const { items } = await call<Page<Workspace>>('GET', '/v1/workspaces', undefined, known.token)
    expect(items.map(({ handle, role, isDefault }) => [handle === 'default', role, isDefault])).toEqual([
      [true, 'viewer', true],
      [false, 'operator', false],
    ])
  })

  test('an invitation that nobody took is made again; of one who counts elsewhere nobody gets a token', async () => {
    const { token } = await elsewhere()
    const email = `late${++people}@example.com`
    const first = await call<InvitedMember>('POST', '/v1/members', { email, role: 'viewer' })
    expect((await call<InvitedMember>('POST', '/v1/members', { email, role: 'viewer' }, token)).setPassword).toBeNull()
    await call('DELETE', `/v1/members/${first.userId}`, undefined, token)
    await call('DELETE', `/v1/members/${first.userId}`)
    const second = await call<InvitedMember>('POST', '/v1/members', { email, role: 'viewer' })
    expect(second.setPassword?.token).toMatch(/^[\w-]{43}$/)
    expect(await codeOf(call('POST', '/v1/auth/set-password', { token: first.setPassword!.token, password }, ''))).toBe('credential_invalid')
    await call('POST', '/v1/auth/set-password', { token: second.setPassword!.token, password }, '')
    expect((await login(email)).user.id).toBe(first.userId)
  })

  test('another role and removal end tokens at once, and keys do not come back with the next membership', async () => {
    const { userId, email, token } = await member('editor')
    const { secret } = await call<{ secret: string }>('POST', '/v1/keys', { name: 'k' }, token)
    await call('PATCH', `/v1/members/${userId}`, { role: 'operator' })
    expect(await codeOf(call('GET', '/v1/auth/me', undefined, token))).toBe('credential_invalid')
    expect(await call('GET', '/v1/auth/me', undefined, secret)).toMatchObject({ role: 'operator' })
    await call('DELETE', `/v1/members/${userId}`)
    expect(await codeOf(call('GET', '/v1/auth/me', undefined, secret))).toBe('credential_invalid')
    expect(await codeOf(login(email))).toBe('permission_denied')
    await call('POST', '/v1/members', { email, role: 'editor' })
    expect(await codeOf(call('GET', '/v1/auth/me', undefined, secret))).toBe('credential_invalid')
    expect((await login(email)).user.id).toBe(userId)
  })

  test('those of another workspace are missing ones, and the last owner stays', async () => {
    const { owner, token } = await elsewhere()
    const here = await member('viewer')
    expect(await codeOf(call('PATCH', `/v1/members/${here.userId}`, { role: 'admin' }, token))).toBe('user_missing')
    expect(await codeOf(call('DELETE', `/v1/members/${here.userId}`, undefined, token))).toBe('user_missing')
    expect((await call<Page<Member>>('GET', '/v1/members', undefined, token)).items.map(({ userId }) => userId)).toEqual([owner.userId])
    expect(await codeOf(call('DELETE', `/v1/members/${owner.userId}`, undefined, token))).toBe('last_owner')
    expect(await codeOf(call('PATCH', `/v1/members/${owner.userId}`, { role: 'viewer' }, token))).toBe('last_owner')
  })

  test('are listed page by page', async () => {
    const { token } = await elsewhere()
    for (let count = 0; count < 3; count++) await member('viewer', token)
    const all: string[] = []
    for (let cursor = ''; ;) {
      const page = await call<Page<Member>>('GET', `/v1/members?limit=3&count=true${cursor}`, undefined, token)
      expect(page.total).toBe(4)
      all.push(...page.items.map(({ userId }) => userId))
      if (page.nextCursor === null) break
      cursor = `&cursor=${page.nextCursor}`
    }
    expect(new Set(all).size).toBe(4)
    expect(await codeOf(call('GET', '/v1/members?cursor=zzz', undefined, token))).toBe('cursor_invalid')
  })
})

describe('users', () => {
  test('see and change themselves; admins see all of the workspace; all others do not exist', async () => {
    const { owner: foreign, token } = await elsewhere()
    const viewer = await member('viewer', token)
    const admin = await member('admin', token)
    const stranger = await member('viewer')
    const seen = async (as: string) => (await call<Page<Account>>('GET', '/v1/users?limit=100', undefined, as)).items.map(({ id }) => id)
    expect(await seen(viewer.token)).toEqual([viewer.userId])
    expect(await seen(admin.token)).toEqual([foreign.userId, viewer.userId, admin.userId].sort())
    for (const [as, id] of [
      [viewer.token, admin.userId],
      [admin.token, stranger.userId],
      [token, stranger.userId],
    ] as const) {
      expect(await codeOf(call('GET', `/v1/users/${id}`, undefined, as))).toBe('user_missing')
      expect(await codeOf(call('PATCH', `/v1/users/${id}`, { name: 'x' }, as))).toBe('user_missing')
      expect(await codeOf(call('DELETE', `/v1/users/${id}`, undefined, as))).toBe('user_missing')
      expect(await codeOf(call('POST', `/v1/users/${id}/reset-password`, {}, as))).toBe('user_missing')
    }
    const email = `renamed${++people}@example.com`
    expect(await call('PATCH', `/v1/users/${viewer.userId}`, { name: 'Vera', email: email.toUpperCase() }, viewer.token)).toMatchObject({
      id: viewer.userId,
      name: 'Vera',
      email,
      role: 'viewer',
    })
    expect((await login(email)).user.name).toBe('Vera')
    expect(await codeOf(call('PATCH', `/v1/users/${viewer.userId}`, { email: stranger.email }, viewer.token))).toBe('name_taken')
    expect(await codeOf(call('PATCH', `/v1/users/${viewer.userId}`, { email: 'nobody' }, viewer.token))).toBe('input_invalid')
    expect(await codeOf(call('PATCH', `/v1/users/${viewer.userId}`, { defaultWorkspace: 'default' }, viewer.token))).toBe('workspace_missing')
  })

  test('a new password needs the current one and ends all other logins', async () => {
    const { email, token } = await member('viewer')
    expect(await codeOf(call('POST', '/v1/users/change-password', { current: 'not it at all', next: 'another password' }, token))).toBe('input_invalid')
    const pair = await call<TokenPair>('POST', '/v1/users/change-password', { current: password, next: 'another password' }, token)
    expect(await codeOf(call('GET', '/v1/auth/me', undefined, token))).toBe('credential_invalid')
    await call('GET', '/v1/auth/me', undefined, pair.token)
    expect(await codeOf(login(email))).toBe('login_failed')
    await login(email, { password: 'another password' })
  })

  test('an owner resets the password of one who belongs to this workspace alone, and no key does', async () => {
    const { token } = await elsewhere()
    const person = await member('editor', token)
    const admin = await member('admin', token)
    const reset = (as: string, id = person.userId) => call<PasswordToken>('POST', `/v1/users/${id}/reset-password`, {}, as)
    expect(await codeOf(reset(admin.token))).toBe('user_missing')
    expect(await codeOf(reset(admin.token, admin.userId))).toBe('permission_denied')
    const { secret } = await call<{ secret: string }>('POST', '/v1/keys', { name: 'k' }, token)
    expect(await codeOf(reset(secret))).toBe('permission_denied')
    const [old, fresh] = [await reset(token), await reset(token)]
    await call('GET', '/v1/auth/me', undefined, person.token)
    expect(await codeOf(call('POST', '/v1/auth/set-password', { token: old.token, password: 'another password' }, ''))).toBe('credential_invalid')
    await call('POST', '/v1/auth/set-password', { token: fresh.token, password: 'another password' }, '')
    expect(await codeOf(call('GET', '/v1/auth/me', undefined, person.token))).toBe('credential_invalid')
    expect(await codeOf(call('POST', '/v1/auth/refresh', { refreshToken: person.refreshToken }, ''))).toBe('credential_invalid')
    await login(person.email, { password: 'another password' })

    await call('POST', '/v1/members', { email: person.email, role: 'viewer' })
    for (const as of [token, server.token]) {
      expect(await codeOf(reset(as))).toBe('permission_denied')
      expect(await codeOf(call('PATCH', `/v1/users/${person.userId}`, { email: 'mine@example.com' }, as))).toBe('permission_denied')
      expect(await codeOf(call('DELETE', `/v1/users/${person.userId}`, undefined, as))).toBe('permission_denied')
    }
  })

  test('one who is deleted leaves no name, no login and no key behind; a last owner is not', async () => {
    const { owner, token } = await elsewhere()
    expect(await codeOf(call('DELETE', `/v1/users/${owner.userId}`, undefined, token))).toBe('last_owner')
    await call('GET', '/v1/auth/me', undefined, token)
    const [gone, removed] = [await member('editor', token), await member('editor', token)]
    const { secret } = await call<{ secret: string }>('POST', '/v1/keys', { name: 'k' }, gone.token)
    expect(await codeOf(call('DELETE', `/v1/users/${gone.userId}`, undefined, secret))).toBe('permission_denied')
    await call('DELETE', `/v1/users/${gone.userId}`, undefined, gone.token)
    await call('DELETE', `/v1/users/${removed.userId}`, undefined, token)
    for (const as of [gone.token, secret, removed.token]) expect(await codeOf(call('GET', '/v1/auth/me', undefined, as))).toBe('credential_invalid')
    for (const { email, userId } of [gone, removed]) {
      expect(await codeOf(login(email))).toBe('login_failed')
      expect(await codeOf(call('GET', `/v1/users/${userId}`, undefined, token))).toBe('user_missing')
    }
    const kept = await server.db.database.query('select email, name, password_hash from users where id = $1', [gone.userId])
    expect(kept).toEqual([{ email: `deleted:${gone.userId}`, name: '', password_hash: '' }])
    // The email is free again.
    await call('POST', '/v1/members', { email: gone.email, role: 'viewer', password }, token)
    expect((await login(gone.email)).user.id).not.toBe(gone.userId)
  })
})

test('tokens that set passwords are tried ten times a minute, then refused for a while', async () => {
  await using limited = await server.another({ SLUICE_RATE_LIMIT: 'api=1200' })
  const codes = []
  for (let count = 0; count < 11; count++) codes.push(await codeOf(limited.call('POST', '/v1/auth/set-password', { token: 'A'.repeat(43), password }, { as: '' })))
  expect(codes).toEqual([...Array.from({ length: 10 }, () => 'credential_invalid'), 'rate_limited'])
})

describe('the audit log', () => {
  const audit = async (as: string, query = '') => (await call<Page<AuditRecord>>('GET', `/v1/audit?limit=100${query}`, undefined, as)).items

  test('holds what was done and what was refused, by whom and from where, newest first, in its workspace alone', async () => {
    const { owner, token } = await elsewhere()
    const viewer = await member('viewer', token)
    const { id: keyId, secret } = await call<ApiKey & { secret: string }>('POST', '/v1/keys', { name: 'ci' }, token)
    await call('POST', '/v1/workflows', { name: 'Flow' }, secret)
    expect(await codeOf(call('POST', '/v1/workflows', { name: 'Flow' }, viewer.token))).toBe('permission_denied')
    const seen = await audit(token)
    expect(seen.map(({ action, outcome }) => [action, outcome])).toEqual([
      ['workflows.create', 'refused'],
      ['workflows.create', 'done'],
      ['keys.create', 'done'],
      ['auth.login', 'done'],
      ['members.invite', 'done'],
    ])
    expect(seen[0]).toMatchObject({ principalId: viewer.userId, credential: 'token', code: 'permission_denied', details: { name: 'Flow' } })
    expect(seen[1]).toMatchObject({ principalId: keyId, userId: owner.userId, credential: 'key', code: null, ip: '127.0.0.1', requestId: expect.stringMatching(/./) })
    expect(seen[3]).toMatchObject({ principalId: viewer.userId, details: { email: viewer.email } })
    expect(seen[4]).toMatchObject({ principalId: owner.userId, resource: viewer.userId, details: { email: viewer.email, role: 'viewer' } })
    expect(JSON.stringify(seen)).not.toContain(password)
    expect((await audit(server.token)).filter(({ details }) => details['email'] === viewer.email)).toEqual([])
    expect(await codeOf(call('GET', '/v1/audit', undefined, viewer.token))).toBe('permission_denied')
  })

  test('a login that failed is told to the workspace of the user; one of nobody is kept nowhere', async () => {
    const { token } = await elsewhere()
    const person = await member('viewer', token)
    expect(await codeOf(login(person.email.toUpperCase(), { password: 'wrong' }))).toBe('login_failed')
    expect(await codeOf(login(`nobody${person.email}`, { password: 'wrong' }))).toBe('login_failed')
    expect((await audit(token))[0]).toMatchObject({ action: 'auth.login', outcome: 'refused', code: 'login_failed', principalId: null, resource: person.userId })
    expect(await server.db.database.query(`select 1 from audit where action = 'auth.login' and details ->> 'email' like 'nobody%'`)).toEqual([])
    const { token: reset } = await call<PasswordToken>('POST', `/v1/users/${person.userId}/reset-password`, {}, token)
    await call('POST', '/v1/auth/set-password', { token: reset, password }, '')
    expect((await audit(token))[0]).toMatchObject({ action: 'auth.setPassword', outcome: 'done', principalId: null, resource: person.userId })
    expect(JSON.stringify(await audit(token))).not.toContain(reset)
  })

  test('is filtered by user with all their keys, by procedure or noun, by time, and read page by page', async () => {
    const { owner, token } = await elsewhere()
    const editor = await member('editor', token)
    const { id: keyId, secret } = await call<ApiKey & { secret: string }>('POST', '/v1/keys', { name: 'ci' }, editor.token)
    for (const name of ['One', 'Two']) await call('POST', '/v1/workflows', { name }, secret)
    const actions = async (query: string) => (await audit(token, query)).map(({ action }) => action)
    expect(await actions(`&principal=${editor.userId}`)).toEqual(['workflows.create', 'workflows.create', 'keys.create', 'auth.login'])
    expect(await actions(`&principal=${keyId}`)).toEqual(['workflows.create', 'workflows.create'])
    expect(await actions(`&principal=${owner.userId}`)).toEqual(['members.invite'])
    expect(await actions('&action=workflows')).toEqual(['workflows.create', 'workflows.create'])
    expect(await actions('&action=keys.create')).toEqual(['keys.create'])
    expect(await actions('&action=key')).toEqual([])
    const [newest] = await audit(token)
    expect(await audit(token, `&since=${newest!.at}&action=workflows.create`)).toContainEqual(newest)
    expect(await actions(`&since=${new Date(Date.now() + 60_000).toISOString()}`)).toEqual([])
    const first = await call<Page<AuditRecord>>('GET', '/v1/audit?limit=3&count=true', undefined, token)
    const second = await call<Page<AuditRecord>>('GET', `/v1/audit?limit=3&cursor=${first.nextCursor}`, undefined, token)
    expect([first.total, second.nextCursor]).toEqual([5, null])
    expect([...first.items, ...second.items]).toEqual(await audit(token))
  })

  test('outlives its workspace', async () => {
    const { workspace, token } = await elsewhere()
    await call('DELETE', `/v1/workspaces/${workspace.id}`, undefined, token)
    const rows = () => server.db.database.query(`select action, outcome from audit where workspace_id = $1`, [workspace.id])
    await expect.poll(rows, { timeout: 5_000 }).toContainEqual({ action: 'workspaces.delete', outcome: 'done' })
  })
})
