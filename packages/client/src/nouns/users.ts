import type { Account, ChangePassword, ListUsers, OneUser, PasswordToken, TokenPair, UpdateUser } from '@sluice/schema'
import type { Calls } from '../calls.ts'
import type { Input } from '../input.ts'
import type { Listing } from '../listing.ts'
import type { CallOptions } from '../options.ts'

/** People. Everybody sees and changes themselves, admins see those of the workspace, owners change those who belong to no other. */
export interface Users {
  /** Those of the workspace, for its admins; else oneself alone. */
  list(filter?: Input<typeof ListUsers>, options?: CallOptions): Listing<Account>
  /** Throws `NotFoundError` (`user_missing`). */
  get(which: Input<typeof OneUser>, options?: CallOptions): Promise<Account>
  /** What is absent stays as it is. Throws `ConflictError` (`name_taken`) for an email in use. */
  update(change: Input<typeof UpdateUser>, options?: CallOptions): Promise<Account>
  /** What they did stays, without a name. Throws `ConflictError` (`last_owner`). */
  delete(which: Input<typeof OneUser>, options?: CallOptions): Promise<void>
  /** Ends every other token of the user; this client goes on with the new ones. Throws `InvalidError` for a wrong current password. */
  changePassword(passwords: Input<typeof ChangePassword>, options?: CallOptions): Promise<TokenPair>
  /** A token by which another user sets a password, once: to be handed on. */
  resetPassword(which: Input<typeof OneUser>, options?: CallOptions): Promise<PasswordToken>
}

/** `adopt` is told of the tokens that replace the caller's own. */
export const usersOf = ({ list, read, write, repeat, remove }: Calls, adopt: (tokens: TokenPair) => void): Users => ({
  list: (filter, options) => list('users.list', filter, options),
  get: (which, options) => read('users.get', which, options),
  update: (change, options) => repeat('users.update', change, options),
  delete: (which, options) => remove('users.delete', which, options),
  async changePassword(passwords, options) {
    const tokens = await write<TokenPair>('users.changePassword', passwords, options)
    adopt(tokens)
    return tokens
  },
  resetPassword: (which, options) => write('users.resetPassword', which, options),
})
