import { Fault } from '@sluice/schema'
import type { ProblemCode } from '../../../rpc/faults.ts'
import { type DialectRow, Other, route } from '../../dialect.ts'
import { ApiError } from '../contract.ts'
import { AdminUserResponse, AuthSessionEnded, AuthSessionResponse, AuthTokenResponse, EmailpassRequest } from '../contract-auth.ts'
import { adminUserOf, authContextOf } from '../mapping/auth.ts'

const tags = ['auth']
const extension = true

/** Hours that a session lasts. */
const sessionSeconds = 10 * 3_600

const user = { id: 'hq3kz0a1b2c3d4e', email: 'ada@example.com', name: 'Ada Lovelace', created: '2026-01-01T09:00:00.000Z' }
const token = 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhY3Rvcl90eXBlIjoidXNlciJ9.c2lnbmF0dXJl'

const unauthorized = (message: string): Other => new Other(401, { type: 'unauthorized', message })

const noText = { password: 'Password should be a string', email: 'Email should be a string' }

/** What is missing is said as by its server: the password first. */
function textsOf({ email, password }: { email?: unknown; password?: unknown }): { email: string; password: string } {
  if (typeof password !== 'string' || password === '') throw new Fault('input_invalid', { message: noText.password })
  if (typeof email !== 'string' || email === '') throw new Fault('input_invalid', { message: noText.email })
  return { email, password }
}

/** What no user could have is as wrong as what none has. */
function refusedLogin({ code, message }: { code: ProblemCode; message: string }): Other | undefined {
  if (code === 'input_invalid' && Object.values(noText).includes(message)) return unauthorized(message)
  return code === 'login_failed' || code === 'input_invalid' ? unauthorized('Invalid email or password') : undefined
}

/** A key is no login: there is nothing to prolong or to end. */
const refusedKey = ({ code }: { code: ProblemCode }): Other | undefined =>
  code === 'permission_denied' ? unauthorized('An API key has no session: log in with an email and a password') : undefined

/** Of the source: who asks. A GET of the login is left out: it could say a password only where it is logged. */
export const authRows: readonly DialectRow[] = [
  route('auth.login', {
    name: 'PostActor_typeAuth_provider',
    method: 'POST',
    path: '/auth/user/emailpass',
    summary: 'Log in',
    description: 'Answers with a token for 24 hours. Of one name ten attempts may fail in a minute; then it is a 429.',
    tags,
    extension,
    body: EmailpassRequest.default({}),
    reply: AuthTokenResponse,
    faults: ['login_failed'],
    example: { body: { email: user.email, password: 'correct horse battery' }, reply: { token } },
    ask: ({ body }) => textsOf(body),
    answer: (pair) => ({ token: pair.token }),
    onFault: refusedLogin,
  }),

  // No door of the core makes users of strangers. This one stands before one that is open to all, is not come to, and leaves no trace in the audit log.
  route('auth.refresh', {
    name: 'PostActor_typeAuth_provider_register',
    method: 'POST',
    path: '/auth/user/emailpass/register',
    summary: 'Registration is disabled',
    description: 'Always a 403: people are invited by an admin.',
    tags,
    extension,
    status: 403,
    faults: ['permission_denied'],
    reply: ApiError,
    ask() {
      throw new Fault('permission_denied')
    },
    answer: () => noRegistration,
    onFault: () => new Other(403, noRegistration),
  }),

  route('auth.renew', {
    name: 'PostSession',
    method: 'POST',
    path: '/auth/session',
    summary: 'Begin a session',
    description: 'Puts a token of the login that asks into the cookie `connect.sid`, for ten hours. Browsers send it along from pages that may use it; no script reads it.',
    tags,
    extension,
    reply: AuthSessionResponse,
    faults: ['credential_invalid'],
    example: { reply: { user: authContextOf(user.id) } },
    ask: () => ({ forSeconds: sessionSeconds }),
    answer: (renewed) => ({ user: authContextOf(renewed.user.id) }),
    keeps: (renewed) => renewed,
    onFault: refusedKey,
  }),

  route('auth.leave', {
    name: 'DeleteSession',
    method: 'DELETE',
    path: '/auth/session',
    summary: 'End the session',
    description: 'Ends the login behind it with all its tokens, and takes the cookie away. Other logins of the user stay.',
    tags,
    extension,
    reply: AuthSessionEnded,
    example: { reply: { success: true } },
    ask: () => undefined,
    answer: () => ({ success: true as const }),
    keeps: () => null,
    onFault: refusedKey,
  }),

  route('auth.renew', {
    name: 'PostAdminAuthTokenRefresh',
    method: 'POST',
    path: '/auth/token/refresh',
    summary: 'Get another token for one that still holds',
    description: 'By token or by cookie, for 24 hours, and never past the seventh day of a login.',
    tags,
    extension,
    reply: AuthTokenResponse,
    faults: ['credential_invalid'],
    example: { reply: { token } },
    ask: () => ({}),
    answer: (renewed) => ({ token: renewed.token }),
    onFault: refusedKey,
  }),

  route('auth.me', {
    name: 'GetUsersMe',
    method: 'GET',
    path: '/admin/users/me',
    summary: 'Get who asks',
    tags,
    extension,
    reply: AdminUserResponse,
    example: { reply: { user: adminUserOf(user) } },
    ask: () => undefined,
    answer: (me) => ({ user: adminUserOf(me.user) }),
  }),
]

const noRegistration = { type: 'forbidden' as const, message: 'Registration is disabled: ask an admin to be invited' }
