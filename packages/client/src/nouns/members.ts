import type { InvitedMember, InviteMember, ListMembers, Member, OneMember, SetRole } from '@sluice/schema'
import type { Calls } from '../calls.ts'
import type { Input } from '../input.ts'
import type { Listing } from '../listing.ts'
import type { CallOptions } from '../options.ts'

/** Who belongs to the workspace, and as what. */
export interface Members {
  /** With their roles. */
  list(filter?: Input<typeof ListMembers>, options?: CallOptions): Listing<Member>
  /**
   * Takes a user in. Who has no account gets one, and, without a password, a token to set one by: `setPassword`, to be handed
   * on, because nobody is sent a mail. Throws `ConflictError` (`member_exists`), `ForbiddenError`. Not repeated when its answer is lost.
   */
  invite(member: Input<typeof InviteMember>, options?: CallOptions): Promise<InvitedMember>
  /** Throws `NotFoundError` (`user_missing`), `ConflictError` (`last_owner`), `ForbiddenError` for a role above one's own. */
  setRole(role: Input<typeof SetRole>, options?: CallOptions): Promise<void>
  /** Throws `NotFoundError` (`user_missing`), `ConflictError` (`last_owner`). */
  remove(which: Input<typeof OneMember>, options?: CallOptions): Promise<void>
}

export const membersOf = ({ list, write, repeat, remove }: Calls): Members => ({
  list: (filter, options) => list('members.list', filter, options),
  invite: (member, options) => write('members.invite', member, options),
  setRole: (role, options) => repeat('members.setRole', role, options),
  remove: (which, options) => remove('members.remove', which, options),
})
