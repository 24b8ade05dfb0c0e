import { defineEntity, p, type EntityManager } from '@mikro-orm/postgresql'

/** A tenant: every row of Sluice belongs to one. */
export const Workspace = defineEntity({
  name: 'Workspace',
  tableName: 'workspaces',
  properties: {
    id: p.string().primary(),
    handle: p.string(),
    name: p.string(),
    createdAt: p.datetime(3),
  },
})

export interface WorkspaceRow {
  id: string
  handle: string
  name: string
  createdAt: Date
}

export const insertWorkspace = (em: EntityManager, row: WorkspaceRow): Promise<string> => em.insert(Workspace, row)

export const workspaceById = (em: EntityManager, id: string): Promise<WorkspaceRow | null> => em.findOne(Workspace, { id })

export const workspaceByHandle = (em: EntityManager, handle: string): Promise<WorkspaceRow | null> => em.findOne(Workspace, { handle })

/** By id or handle; an id wins over a handle of the same spelling. */
export const findWorkspace = async (em: EntityManager, ref: string): Promise<WorkspaceRow | null> => (await workspaceById(em, ref)) ?? workspaceByHandle(em, ref)

/** Who changes the members of a workspace goes one after another, so that its last owner cannot leave twice at once. */
export async function lockWorkspace(em: EntityManager, id: string): Promise<void> {
  await em.execute('select 1 from workspaces where id = ? for update', [id])
}

/** Until the end of the transaction, one process alone is at its first start. */
export async function lockFirstStart(em: EntityManager): Promise<void> {
  await em.execute(`select pg_advisory_xact_lock(hashtext('sluice first start'))`)
}
