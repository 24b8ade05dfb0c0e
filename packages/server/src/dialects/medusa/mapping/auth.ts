import type { User } from '@sluice/schema'
import type { AdminUser, AuthContext } from '../contract-auth.ts'

/** Who asks, as Medusa tells it. PURE. */

/** Also what its clients look for in a token. */
export const authContextOf = (userId: string): AuthContext => ({
  actor_id: userId,
  actor_type: 'user',
  auth_identity_id: userId,
  auth_provider: 'emailpass',
  app_metadata: { user_id: userId },
  user_metadata: {},
})

/** People here have one name: what stands before its last word is the first name. */
export function adminUserOf({ id, email, name, created }: User): AdminUser {
  const words = name.trim().split(/\s+/)
  const last = words.length > 1 ? words.at(-1)! : null
  const first = words.slice(0, last === null ? 1 : -1).join(' ')
  return { id, email, first_name: first || null, last_name: last, avatar_url: null, metadata: null, created_at: created, updated_at: created, deleted_at: null }
}
