import { Fault } from '@sluice/schema'
import { type DialectRow, Other, route } from '../../dialect.ts'
import { ApiError, AuthUser, LoginRequest, LoginResponse, LogoutRequest, Message, RefreshRequest, RefreshResponse } from '../contract.ts'
import { errorBody, refused } from '../errors.ts'
import * as examples from '../examples.ts'
import { userOf } from '../mapping/user.ts'

const tags = ['auth']
const extension = true

const disabled = errorBody(503, 'Registration is disabled: ask an admin to be invited')

/** Of the source: who asks. */
export const authRows: readonly DialectRow[] = [
  route('auth.login', {
    name: 'login',
    method: 'POST',
    path: '/api/auth/login/',
    summary: 'Get tokens for a user name and a password',
    description: 'The user name is the email. `access` goes into the header `Authorization`, behind `Bearer `.',
    tags,
    extension,
    body: LoginRequest,
    reply: LoginResponse,
    faults: ['login_failed'],
    others: { 400: { description: 'There is no name, or no password', schema: ApiError } },
    example: { body: { username: examples.user.email, password: 'correct horse battery' }, reply: { user: examples.user, ...examples.tokens } },
    ask({ body }) {
      if (body.username.trim() === '' || body.password === '') throw new Fault('input_invalid')
      return { email: body.username, password: body.password }
    },
    answer: ({ user, token, refreshToken }) => ({ user: userOf(user), access: token, refresh: refreshToken }),
    onFault: ({ code }) => (code === 'input_invalid' ? refused(400, 'Username and password are required') : undefined),
  }),

  route('auth.refresh', {
    name: 'refreshToken',
    method: 'POST',
    path: '/api/auth/refresh/',
    summary: 'Get new tokens for a refresh token, once',
    tags,
    extension,
    body: RefreshRequest,
    reply: RefreshResponse,
    faults: ['credential_invalid'],
    example: { body: { refresh: examples.tokens.refresh }, reply: examples.tokens },
    ask({ body }) {
      if (body.refresh === '') throw new Fault('credential_invalid')
      return { refreshToken: body.refresh }
    },
    answer: ({ token, refreshToken }) => ({ access: token, refresh: refreshToken }),
  }),

  route('auth.me', {
    name: 'getMe',
    method: 'GET',
    path: '/api/auth/me/',
    summary: 'Get who asks',
    tags,
    extension,
    reply: AuthUser,
    example: { reply: examples.user },
    ask: () => undefined,
    answer: ({ user }) => userOf(user),
  }),

  route('auth.logout', {
    name: 'logout',
    method: 'POST',
    path: '/api/auth/logout/',
    summary: 'End all tokens of who asks',
    description: '`refresh` need not be said.',
    tags,
    extension,
    body: LogoutRequest.default({}),
    reply: Message,
    faults: ['permission_denied'],
    example: { body: { refresh: examples.tokens.refresh }, reply: { message: 'Logged out successfully' } },
    ask: () => undefined,
    answer: () => ({ message: 'Logged out successfully' }),
  }),

  // No door of the core makes users of strangers. This one stands before one that is open to all, is not come to, and leaves no trace in the audit log.
  route('auth.refresh', {
    name: 'register',
    method: 'POST',
    path: '/api/auth/register/',
    summary: 'Registration is disabled',
    description: 'Always a 503: people are invited by an admin.',
    tags,
    extension,
    reply: ApiError,
    status: 503,
    ask() {
      throw new Fault('permission_denied')
    },
    answer: () => disabled,
    onFault: () => new Other(503, disabled),
  }),
]
