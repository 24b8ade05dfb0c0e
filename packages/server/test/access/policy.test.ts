import { Fault, roles, type Role } from '@sluice/schema'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { actions, atLeast, authorize, covers, decide, scopes as knownScopes, type Action } from '../../src/access/policy.ts'
import type { Principal } from '../../src/access/principal.ts'

const someone = (role: Role, rest: Partial<Principal> = {}): Principal => ({
  id: 'u1',
  userId: 'u1',
  workspaceId: 'w1',
  role,
  scopes: null,
  credential: 'token',
  email: 'a@b',
  name: '',
  ...rest,
})

const role = fc.constantFrom(...roles)
const action = fc.constantFrom(...actions)
const credential = fc.constantFrom<Principal['credential']>('token', 'cookie', 'key', 'anonymous')
const resource = fc.record({ workspaceId: fc.constantFrom('w1'), ownerId: fc.constantFrom('u1', 'u2') }, { requiredKeys: [] })
const scopes = fc.array(fc.constantFrom(...knownScopes), { minLength: 1, maxLength: 5 })

describe('rights', () => {
  test('a role may all that the roles below it may', () => {
    fc.assert(
      fc.property(role, role, action, credential, fc.option(scopes), resource, (one, other, what, by, narrowed, about) => {
        const [higher, lower] = atLeast(one, other) ? [one, other] : [other, one]
        const rest = { credential: by, scopes: narrowed }
        return decide(someone(lower, rest), what, about) !== 'allow' || decide(someone(higher, rest), what, about) === 'allow'
      }),
      { numRuns: 2_000 },
    )
  })

  test('scopes never widen: what a narrowed key may, the whole key may', () => {
    fc.assert(
      fc.property(role, action, scopes, resource, (as, what, narrowed, about) => {
        const key = someone(as, { credential: 'key' })
        return decide({ ...key, scopes: narrowed }, what, about) !== 'allow' || decide(key, what, about) === 'allow'
      }),
      { numRuns: 2_000 },
    )
  })

  test('more scopes never take a right away', () => {
    fc.assert(
      fc.property(role, action, scopes, scopes, (as, what, some, more) => {
        const key = someone(as, { credential: 'key', scopes: some })
        return decide(key, what) !== 'allow' || decide({ ...key, scopes: [...some, ...more] }, what) === 'allow'
      }),
    )
  })

  test('what belongs to another workspace does not exist, whoever asks', () => {
    fc.assert(
      fc.property(
        role,
        action,
        credential,
        fc.option(scopes),
        fc.constantFrom('u1', 'u2', undefined),
        (as, what, by, narrowed, ownerId) => decide(someone(as, { credential: by, scopes: narrowed }), what, { workspaceId: 'w2', ownerId }) === 'hide',
      ),
    )
  })

  test('what a key may hand on, it may do itself', () => {
    fc.assert(
      fc.property(scopes, fc.constantFrom(...knownScopes), action, (held, wanted, what) => !covers(held, wanted) || !covers([wanted], what) || covers(held, what)),
      { numRuns: 2_000 },
    )
  })
})

describe('the table', () => {
  const allowed = (as: Role, rest?: Partial<Principal>): Action[] => actions.filter((what) => decide(someone(as, rest), what) === 'allow')

  test('an owner may everything', () => expect(allowed('owner')).toEqual(actions))

  test('a viewer reads, and minds their own account', () => {
    expect(allowed('viewer').filter((what) => !what.endsWith('.read'))).toEqual(['keys.manage', 'users.manage', 'account.manage'])
  })

  test.each<[Action, Role]>([
    ['runs.start', 'operator'],
    ['runs.control', 'operator'],
    ['runs.report', 'operator'],
    ['runs.signal', 'operator'],
    ['pauses.decide', 'operator'],
    ['queues.read', 'viewer'],
    ['queues.push', 'operator'],
    ['queues.manage', 'editor'],
    ['workflows.edit', 'editor'],
    ['workflows.publish', 'editor'],
    ['runs.try', 'editor'],
    ['files.use', 'operator'],
    ['members.manage', 'admin'],
    ['secrets.manage', 'admin'],
    ['workspaces.manage', 'owner'],
  ])('%s begins with the role %s', (what, least) => {
    expect(roles.filter((as) => decide(someone(as), what) === 'allow')).toEqual(roles.slice(0, roles.indexOf(least) + 1))
  })

  test("another user's keys are an admin's business, and hidden from the rest", () => {
    expect(roles.map((as) => decide(someone(as), 'keys.manage', { ownerId: 'u2' }))).toEqual(['allow', 'allow', 'hide', 'hide', 'hide'])
    expect(roles.map((as) => decide(someone(as), 'keys.manage', { ownerId: 'u1' }))).toEqual(roles.map(() => 'allow'))
  })

  test('a key cannot end tokens of its user nor get itself one, whatever its role', () => {
    expect(decide(someone('owner', { credential: 'key' }), 'account.manage')).toBe('deny')
  })

  test('anonymous makes no keys and has no account', () => {
    const rest = { credential: 'anonymous' } as const
    expect(decide(someone('editor', rest), 'keys.manage')).toBe('deny')
    expect(decide(someone('editor', rest), 'account.manage')).toBe('deny')
    expect(decide(someone('editor', rest), 'users.manage')).toBe('deny')
  })

  test('a scope is a noun, an action or everything; a key can always say who it is', () => {
    const key = (held: string[]) => allowed('owner', { credential: 'key', scopes: held })
    expect(key(['runs'])).toEqual(actions.filter((what) => what.startsWith('runs.') || what === 'account.read'))
    expect(key(['runs.start'])).toEqual(['runs.start', 'account.read'])
    expect(key(['*'])).toEqual(actions.filter((what) => what !== 'account.manage'))
    expect(key(['run'])).toEqual(['account.read'])
    expect(key([])).toEqual(['account.read'])
  })
})

describe('authorize', () => {
  test('a denied action is permission_denied and named; a hidden resource is a missing one', () => {
    expect(() => authorize(someone('viewer'), 'runs.start')).toThrow(new Fault('permission_denied', { details: { action: 'runs.start' } }))
    expect(() => authorize(someone('owner'), 'runs.read', { workspaceId: 'w2' }, 'run_missing')).toThrow(new Fault('run_missing'))
    expect(() => authorize(someone('viewer'), 'runs.read', { workspaceId: 'w1' })).not.toThrow()
  })
})
