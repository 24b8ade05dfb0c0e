import { roles, type Role } from '@sluice/schema'
import type * as Mikro from '@mikro-orm/postgresql'
import type { EntityManager } from '@mikro-orm/postgresql'

/** What a user may do in a workspace. */
export class MemberRow {
  declare workspaceId: string
  declare userId: string
  declare role: Role
  declare createdAt: Date
}

export const mapMember = ({ defineEntity, p }: typeof Mikro) =>
  defineEntity({
    class: MemberRow,
    tableName: 'members',
    properties: {
      workspaceId: p.string().primary(),
      userId: p.string().primary(),
      role: p.enum(roles),
      createdAt: p.datetime(3),
    },
  })

export async function insertMember(em: EntityManager, row: MemberRow): Promise<void> {
  await em.insert(MemberRow, row)
}

export const memberOf = (em: EntityManager, workspaceId: string, userId: string): Promise<MemberRow | null> => em.findOne(MemberRow, { workspaceId, userId })

/** The workspace a user joined first: where a login goes when the default one is no longer theirs. */
export const firstMembership = (em: EntityManager, userId: string): Promise<MemberRow | null> =>
  em.findOne(MemberRow, { userId }, { orderBy: { createdAt: 'asc', workspaceId: 'asc' } })

/** All that a user belongs to, as it stands now. */
export const membershipsOf = (em: EntityManager, userId: string): Promise<MemberRow[]> =>
  em.find(MemberRow, { userId }, { orderBy: { workspaceId: 'asc' }, disableIdentityMap: true })

export const countMemberships = (em: EntityManager, userId: string): Promise<number> => em.count(MemberRow, { userId })

export const countOwned = (em: EntityManager, userId: string): Promise<number> => em.count(MemberRow, { userId, role: 'owner' })

/** A member with the user that they are. */
export interface Person extends MemberRow {
  email: string
  name: string
  pending: boolean
  userCreatedAt: Date
}

/** In order of their users' ids. */
export async function listPeople(em: EntityManager, of: { workspaceId: string; userId?: string }, limit: number): Promise<Person[]> {
  const rows = await em.execute<PersonRow[]>(
    `select m.workspace_id, m.user_id, m.role, m.created_at, u.email, u.name, u.password_hash = '' as pending, u.created_at as user_created_at
     from members m join users u on u.id = m.user_id
     where m.workspace_id = ? and (?::text is null or m.user_id = ?)
     order by m.user_id limit ?`,
    [of.workspaceId, of.userId ?? null, of.userId ?? null, limit],
  )
  return rows.map((row) => ({
    workspaceId: row.workspace_id,
    userId: row.user_id,
    role: row.role,
    createdAt: new Date(row.created_at),
    email: row.email,
    name: row.name,
    pending: row.pending,
    userCreatedAt: new Date(row.user_created_at),
  }))
}

interface PersonRow {
  workspace_id: string
  user_id: string
  role: Role
  created_at: string | Date
  email: string
  name: string
  pending: boolean
  user_created_at: string | Date
}

export const countOwners = (em: EntityManager, workspaceId: string): Promise<number> => em.count(MemberRow, { workspaceId, role: 'owner' })

export async function updateRole(em: EntityManager, workspaceId: string, userId: string, role: Role): Promise<void> {
  await em.nativeUpdate(MemberRow, { workspaceId, userId }, { role })
}

export async function deleteMember(em: EntityManager, workspaceId: string, userId: string): Promise<void> {
  await em.nativeDelete(MemberRow, { workspaceId, userId })
}
