import { Fault, type CreateWorkspace, type ListWorkspaces, type OneWorkspace, type Page, type UpdateWorkspace, type Workspace } from '@sluice/schema'
import { countOwned, insertMember, listPeople, memberOf } from '../store/entities/member.ts'
import { lockUser } from '../store/entities/user.ts'
import {
  belongingOf,
  closeWorkspace,
  deleteWorkspace,
  insertWorkspace,
  updateWorkspace,
  usesOf,
  workspaceById,
  type Belonging,
  type WorkspaceRow,
} from '../store/entities/workspace.ts'
import { sqlState } from '../store/database.ts'
import { newId } from '../store/ids.ts'
import type { EntityManager, Orm } from '../store/orm.ts'
import type { Tx } from '../store/index.ts'
import { listWorkspace, listWorkspaces } from '../store/views/identity.ts'
import { authorize } from './policy.ts'
import type { Principal } from './principal.ts'
import type { Standings } from './standings.ts'

/** A credential stands in one workspace. Only that one can be looked at and changed with it: any other is `workspace_missing`, the user's own others too. */
export interface Workspaces {
  /** All that the user belongs to, to switch to; with a key only its own. */
  list(principal: Principal, input?: Partial<ListWorkspaces>): Promise<Page<Workspace>>
  get(principal: Principal, input: OneWorkspace): Promise<Workspace>
  /** Who creates it is its owner. Only owners may: a workspace of one's own brings all rights in it. Throws `handle_taken`. */
  create(principal: Principal, input: CreateWorkspace): Promise<Workspace>
  update(principal: Principal, input: UpdateWorkspace): Promise<Workspace>
  /** With everything in it. Throws `workspace_in_use` while runs are live, and while it is the default or the last one of a member. */
  delete(principal: Principal, input: OneWorkspace): Promise<void>
}

/** The one of the first start, where anonymous callers are. Nobody else gets its name. */
const first = 'default'

/** That one user owns. */
const most = 100

/** Rows of a deletion are many. */
const mostMembers = 10_000

export function createWorkspaces(orm: Orm, database: Tx, standings: Standings, now: () => number): Workspaces {
  return {
    async list(principal, { limit = 50, ...more } = {}) {
      authorize(principal, 'workspaces.read')
      const { userId, workspaceId, credential } = principal
      const asked = { limit, ...more }
      if (credential === 'anonymous') return listWorkspace(await orm.unit((em) => here(em, principal)), asked)
      return listWorkspaces(database, { userId, workspaceId: credential === 'key' ? workspaceId : null }, asked)
    },

    async get(principal, { workspace }) {
      authorize(principal, 'workspaces.read')
      return orm.unit((em) => named(em, principal, workspace))
    },

    async create(principal, { name, handle }) {
      authorize(principal, 'workspaces.manage')
      const id = newId()
      checkHandle(handle)
      const row = { id, handle: handle ?? id, name, createdAt: new Date(now()) }
      const { userId } = principal
      await orm
        .transaction(async (em) => {
          // Not one who is deleted at this moment, and would own it for ever.
          if (!(await lockUser(em, userId)) || !(await memberOf(em, principal.workspaceId, userId))) throw new Fault('credential_invalid')
          if ((await countOwned(em, userId)) >= most) throw new Fault('limit_exceeded', { message: `A user owns at most ${most} workspaces` })
          await insertWorkspace(em, row)
          await insertMember(em, { workspaceId: id, userId, role: 'owner', createdAt: row.createdAt })
        })
        .catch(taken)
      return asWorkspace(row, { role: 'owner', isDefault: false })
    },

    async update(principal, { workspace, name, handle }) {
      authorize(principal, 'workspaces.manage')
      const updated = orm.transaction(async (em) => {
        const before = await named(em, principal, workspace)
        if (handle !== undefined && handle !== before.handle) {
          checkHandle(handle)
          if (before.handle === first) throw new Fault('workspace_in_use', { message: `The workspace ${first} keeps its handle` })
        }
        await updateWorkspace(em, before.id, { ...(name !== undefined && { name }), ...(handle !== undefined && { handle }) })
        return { ...before, name: name ?? before.name, handle: handle ?? before.handle }
      })
      return updated.catch(taken)
    },

    async delete(principal, { workspace }) {
      authorize(principal, 'workspaces.manage')
      const members = await orm.transaction(async (em) => {
        const { id, handle } = await named(em, principal, workspace)
        if (handle === first) throw new Fault('workspace_in_use', { message: `The workspace ${first} stays` })
        // Runs and members refer to it: none can come while it is locked.
        await closeWorkspace(em, id)
        const { liveRuns, members } = await usesOf(em, id)
        if (liveRuns > 0) throw new Fault('workspace_in_use', { message: 'Runs of the workspace are live: cancel them, or wait', details: { liveRuns } })
        if (members > 0)
          throw new Fault('workspace_in_use', {
            message: 'It is the default or the only workspace of some members: they choose another one first, or are removed',
            details: { members },
          })
        const people = await listPeople(em, { workspaceId: id }, mostMembers)
        await deleteWorkspace(em, id)
        return people
      })
      for (const { userId } of members) standings.forgetMember(userId)
    },
  }
}

async function named(em: EntityManager, principal: Principal, ref: string): Promise<Workspace> {
  const found = await here(em, principal)
  if (ref !== found.id && ref !== found.handle) throw new Fault('workspace_missing')
  return found
}

/** The principal's own. */
async function here(em: EntityManager, { userId, workspaceId, role, credential }: Principal): Promise<Workspace> {
  const row = await workspaceById(em, workspaceId)
  if (!row) throw new Fault('workspace_missing')
  if (credential === 'anonymous') return asWorkspace(row, { role, isDefault: true })
  const belonging = await belongingOf(em, userId, workspaceId)
  if (!belonging) throw new Fault('workspace_missing')
  return asWorkspace(belonging, belonging)
}

type Standing = Pick<Belonging, 'role' | 'isDefault'>

const asWorkspace = ({ id, handle, name, createdAt }: WorkspaceRow, { role, isDefault }: Standing): Workspace => ({
  id,
  handle,
  name,
  role,
  isDefault,
  created: createdAt.toISOString(),
})

function checkHandle(handle: string | undefined): void {
  if (handle === first) throw new Fault('handle_taken')
}

function taken(error: unknown): never {
  if (sqlState(error) === '23505') throw new Fault('handle_taken')
  throw error
}
