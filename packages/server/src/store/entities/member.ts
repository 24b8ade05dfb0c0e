import { roles, type Role } from '@sluice/schema'
import { defineEntity, p, type EntityManager } from '@mikro-orm/postgresql'

/** What a user may do in a workspace. */
export const Member = defineEntity({
  name: 'Member',
  tableName: 'members',
  properties: {
    workspaceId: p.string().primary(),
    userId: p.string().primary(),
    role: p.enum(roles),
    createdAt: p.datetime(3),
  },
})

export interface MemberRow {
  workspaceId: string
  userId: string
  role: Role
  createdAt: Date
}

export async function insertMember(em: EntityManager, row: MemberRow): Promise<void> {
  await em.insert(Member, row)
}

export const memberOf = (em: EntityManager, workspaceId: string, userId: string): Promise<MemberRow | null> => em.findOne(Member, { workspaceId, userId })

/** The workspace a user joined first: where a login goes when the default one is no longer theirs. */
export const firstMembership = (em: EntityManager, userId: string): Promise<MemberRow | null> =>
  em.findOne(Member, { userId }, { orderBy: { createdAt: 'asc', workspaceId: 'asc' } })

export const countOwners = (em: EntityManager, workspaceId: string): Promise<number> => em.count(Member, { workspaceId, role: 'owner' })

export async function updateRole(em: EntityManager, workspaceId: string, userId: string, role: Role): Promise<void> {
  await em.nativeUpdate(Member, { workspaceId, userId }, { role })
}

export async function deleteMember(em: EntityManager, workspaceId: string, userId: string): Promise<void> {
  await em.nativeDelete(Member, { workspaceId, userId })
}
