import { Fault, Id } from '@sluice/schema'
import type { Tx } from '../store/index.ts'
import { memberNamed } from '../store/rows/identity.ts'
import { normalEmail } from './passwords.ts'
import type { Principal } from './principal.ts'

export interface Deciders {
  /**
   * Whose a decision is that somebody puts a name to: their own, whatever the name says, unless it is the id or the email of
   * another member of the workspace. By a key, behind which may be a program that many people use, it is that member's; from
   * anybody else it is refused. Throws `permission_denied`.
   */
  deciderOf(principal: Principal, label: string | undefined): Promise<string>
}

export const createDeciders = (database: Tx): Deciders => ({
  async deciderOf(principal, label = '') {
    const name = asMember(label)
    const member = name && (await memberNamed(database, principal.workspaceId, name))
    if (!member || member === principal.userId) return principal.userId
    if (principal.credential !== 'key') throw new Fault('permission_denied', { message: 'The label names another member of this workspace', details: { label } })
    return member
  },
})

/** What a text would be as an id or an email; null for what can be neither, as most labels. */
function asMember(label: string): { id: string } | { email: string } | null {
  const email = normalEmail(label)
  if (email !== null) return { email }
  const id = label.trim()
  return Id.safeParse(id).success ? { id } : null
}
