import type { JsonObject, Record as CollectionRecord } from '@sluice/schema'
import { route, standing, type DialectRow } from '../../dialect.ts'
import { AuthMethods, AuthResult, AuthWithPassword, CollectionPath, FieldsQuery, RecordQuery } from '../contract.ts'
import { nowhere, refused } from '../errors.ts'
import * as examples from '../examples.ts'
import { recordOf } from '../mapping/record.ts'
import { shownBy } from '../mapping/shown.ts'
import type { Problem } from '../../../rpc/faults.ts'

const at = '/api/collections/{collection}'
const tags = ['auth']

const noLogins = () => refused(404, 'Missing or invalid auth collection context.')
const withoutLogins = (problem: Problem) => (problem.code === 'collection_missing' ? noLogins() : nowhere(problem))

const expanding = ({ expand }: { expand?: string | undefined }) => (expand ? { expand } : {})
const result = ({ token, record }: { token: string; record: CollectionRecord }): JsonObject => ({ record: recordOf(record), token })

const logIn = route('records.login', {
  name: 'authWithPassword',
  method: 'POST',
  path: `${at}/auth-with-password`,
  summary: 'Log in with an email and a password',
  description: 'As a record of `users`, or as one of `_superusers`: an admin or an owner of the workspace. The token goes into the header `Authorization`.',
  tags,
  params: CollectionPath,
  query: RecordQuery,
  body: AuthWithPassword,
  reply: AuthResult,
  faults: ['login_failed', 'credential_invalid', 'collection_missing', 'rate_limited'],
  example: { path: { collection: 'users' }, body: { identity: examples.user.email, password: 'correct horse battery' }, reply: { record: examples.user, token: examples.token } },
  ask({ path, query, body: { identity, password } }) {
    // What cannot be read is refused before anybody is logged in.
    shownBy(query.fields)
    return { collection: path.collection, email: identity, password, ...expanding(query) }
  },
  answer: (login, _setting, { query }) => shownBy(query.fields)(result(login)),
  onFault: withoutLogins,
})

const refresh = route('records.renew', {
  name: 'authRefresh',
  method: 'POST',
  path: `${at}/auth-refresh`,
  summary: 'Get another token for one that still holds',
  tags,
  params: CollectionPath,
  query: RecordQuery,
  reply: AuthResult,
  faults: ['collection_missing', 'superusers_only'],
  example: { path: { collection: 'users' }, reply: { record: examples.user, token: examples.token } },
  ask({ path, query }) {
    shownBy(query.fields)
    return { collection: path.collection, ...expanding(query) }
  },
  answer: (login, _setting, { query }) => shownBy(query.fields)(result(login)),
  onFault: (problem, _setting, { path }) =>
    problem.code === 'superusers_only' ? refused(403, `The request requires auth record from ${path.collection} collection.`) : withoutLogins(problem),
})

/** The names and ids of those whose records log in: no others can be declared. */
const auth = new Set(['users', '_pb_users_auth_', '_superusers', 'pbc_3142635823'])

const methods = {
  mfa: { duration: 0, enabled: false },
  otp: { duration: 0, enabled: false },
  password: { identityFields: ['email'], enabled: true },
  oauth2: { providers: [], enabled: false },
  // As clients before 0.23 ask for it.
  authProviders: [],
  usernamePassword: false,
  emailPassword: true,
}

const listMethods = standing({
  name: 'authMethods',
  method: 'GET',
  path: `${at}/auth-methods`,
  summary: 'Say how records of a collection log in',
  tags,
  params: CollectionPath,
  query: FieldsQuery,
  reply: AuthMethods,
  faults: ['collection_missing'],
  example: { path: { collection: 'users' }, reply: methods },
  answer: (_setting, { path, query }) => (auth.has(path.collection.toLowerCase()) ? shownBy(query.fields)(methods) : noLogins()),
})

export const authRows: readonly DialectRow[] = [logIn, refresh, listMethods]
