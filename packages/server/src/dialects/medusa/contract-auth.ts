import { Json, Timestamp } from '@sluice/schema'
import { z } from 'zod'

/**
 * Who asks, as Medusa's clients know it: what its document leaves out and none of them can do without.
 * Source: @medusajs/medusa, `api/auth` and `api/admin/users/me`, and @medusajs/js-sdk 2.21.
 */

/** Anything at all: what is not a text is told by the answer, in the words of the source. */
const text = z.unknown().optional().meta({ type: 'string' })

export const EmailpassRequest = z.strictObject({ email: text, password: text })

export const AuthTokenResponse = z.object({ token: z.string() })

/** As a token says it, and a session. */
export const AuthContext = z.object({
  actor_id: z.string(),
  actor_type: z.literal('user'),
  auth_identity_id: z.string(),
  auth_provider: z.literal('emailpass'),
  app_metadata: z.object({ user_id: z.string() }),
  user_metadata: z.record(z.string(), Json),
})
export type AuthContext = z.output<typeof AuthContext>

export const AuthSessionResponse = z.object({ user: AuthContext })

export const AuthSessionEnded = z.object({ success: z.literal(true) })

export const AdminUser = z.object({
  id: z.string(),
  email: z.string(),
  first_name: z.string().nullable(),
  last_name: z.string().nullable(),
  avatar_url: z.null(),
  metadata: z.null(),
  created_at: Timestamp,
  updated_at: Timestamp,
  deleted_at: z.null(),
})
export type AdminUser = z.output<typeof AdminUser>

export const AdminUserResponse = z.object({ user: AdminUser })

export const authWords = { EmailpassRequest, AuthTokenResponse, AuthContext, AuthSessionResponse, AuthSessionEnded, AdminUser, AdminUserResponse }

export const authMeanings = {
  schemas: {
    EmailpassRequest: 'The email and the password of a user',
    AuthTokenResponse: 'A token',
    AuthContext: 'Who a token or a session is of',
    AuthSessionResponse: 'Who the session is of',
    AuthSessionEnded: 'The session is no more',
    AdminUser: 'A user',
    AdminUserResponse: 'Who asks',
  },
  keys: {
    email: 'The email, whatever the case of its letters',
    password: 'The password',
    token: 'A JWT, which goes into the header `Authorization`, behind `Bearer `',
    'AuthSessionResponse.user': 'Who it is of',
    'AdminUserResponse.user': 'The user behind the credential',
    actor_id: 'The id of the user',
    actor_type: 'Always `user`: there are no others here',
    auth_identity_id: 'The id of the user: people here have one identity',
    auth_provider: 'How they log in',
    app_metadata: 'What the application knows of them',
    user_metadata: 'Nothing',
    success: 'Always so',
    'AdminUser.id': 'The id of the user',
    first_name: 'What stands before the last word of the name',
    last_name: 'The last word of the name, where it has several',
    avatar_url: 'There are none here',
    'AdminUser.metadata': 'There is none here',
    'AdminUser.created_at': 'When the user was made',
    'AdminUser.updated_at': 'The same: a later change is not kept',
    'AdminUser.deleted_at': 'Who is deleted is not told of',
  },
}
