import type { User } from '@sluice/schema'
import type { AuthUser } from '../contract.ts'

/** Who asks, as Django tells it. PURE. */

/** People here have one name: what stands before its last word is the first name. */
export function userOf({ id, email, name }: User): AuthUser {
  const words = name.trim().split(/\s+/)
  const last = words.length > 1 ? words.at(-1)! : ''
  return { id, username: email, email, first_name: words.slice(0, last === '' ? 1 : -1).join(' '), last_name: last }
}
