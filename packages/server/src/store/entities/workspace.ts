import type { Role } from '@sluice/schema'
import type * as Mikro from '@mikro-orm/postgresql'
import type { EntityManager } from '@mikro-orm/postgresql'

/** A tenant: every row of Sluice belongs to one. */
export class WorkspaceRow {
  declare id: string
  declare handle: string
  declare name: string
  declare createdAt: Date
}

export const mapWorkspace = ({ defineEntity, p }: typeof Mikro) =>
  defineEntity({
    class: WorkspaceRow,
    tableName: 'workspaces',
    properties: {
      id: p.string().primary(),
      handle: p.string(),
      name: p.string(),
      createdAt: p.datetime(3),
    },
  })

export const insertWorkspace = (em: EntityManager, row: WorkspaceRow): Promise<string> => em.insert(WorkspaceRow, row)

export const workspaceById = (em: EntityManager, id: string): Promise<WorkspaceRow | null> => em.findOne(WorkspaceRow, { id })

export const workspaceByHandle = (em: EntityManager, handle: string): Promise<WorkspaceRow | null> => em.findOne(WorkspaceRow, { handle })

/** By id or handle; an id wins over a handle of the same spelling. */
export const findWorkspace = async (em: EntityManager, ref: string): Promise<WorkspaceRow | null> => (await workspaceById(em, ref)) ?? workspaceByHandle(em, ref)

/**
 * Who changes the members of a workspace goes one after another, so that its last owner cannot leave twice at once. What
 * refers to the workspace is written meanwhile: who holds a member and writes such a row would wait in a circle.
 */
export async function lockWorkspace(em: EntityManager, id: string): Promise<void> {
  await em.execute('select 1 from workspaces where id = ? for no key update', [id])
}

/** Nothing that refers to it comes any more, no run either, and none of its members is changed. */
export async function closeWorkspace(em: EntityManager, id: string): Promise<void> {
  await em.execute('select 1 from workspaces where id = ? for update', [id])
  // Whoever starts a run holds its workflow.
  await em.execute('select 1 from workflows where workspace_id = ? for update', [id])
}

/** Until the end of the transaction, one process alone is at its first start. */
export async function lockFirstStart(em: EntityManager): Promise<void> {
  await em.execute(`select pg_advisory_xact_lock(hashtext('sluice first start'))`)
}

/** A workspace as one of its members stands in it. */
export interface Belonging extends WorkspaceRow {
  role: Role
  isDefault: boolean
}

/** A workspace as this user stands in it; undefined for who does not belong to it. */
export async function belongingOf(em: EntityManager, userId: string, workspaceId: string): Promise<Belonging | undefined> {
  const [row] = await em.execute<{ id: string; handle: string; name: string; created_at: string | Date; role: Role; is_default: boolean }[]>(
    `select w.id, w.handle, w.name, w.created_at, m.role, coalesce(u.default_workspace_id = w.id, false) as is_default
     from members m join workspaces w on w.id = m.workspace_id join users u on u.id = m.user_id
     where m.user_id = ? and w.id = ?`,
    [userId, workspaceId],
  )
  if (!row) return undefined
  const { created_at, is_default, ...rest } = row
  return { ...rest, createdAt: new Date(created_at), isDefault: is_default }
}

/** Throws for a handle that is in use. */
export async function updateWorkspace(em: EntityManager, id: string, change: { name?: string; handle?: string }): Promise<void> {
  await em.nativeUpdate(WorkspaceRow, { id }, change)
}

/**
 * A closed workspace with all that is in it. Its runs, their steps and its events refer to nothing, and so are not taken along by
 * themselves, but piece by piece: a statement has only so much time. Events go last, when whoever still held a row of the
 * workspace, and told of it, has been waited for.
 */
export async function deleteWorkspace(em: EntityManager, id: string): Promise<void> {
  while ((await deleteSomeRuns(em, id)) > 0);
  await em.nativeDelete(WorkspaceRow, { id })
  while ((await deleteSomeEvents(em, id)) > 0);
}

async function deleteSomeRuns(em: EntityManager, workspaceId: string): Promise<number> {
  const runs = await em.execute<{ id: string }[]>('select id from runs where workspace_id = ? order by id limit 5000 for update', [workspaceId])
  const ids = JSON.stringify(runs.map((run) => run.id))
  // Events of trials are in no workspace's log: they go with what is left of runs.
  await em.execute(
    `with gone as (delete from runs where id in (select json_array_elements_text(?::json)) returning id, trial)
     insert into runs_gone (run_id) select id from gone where trial is not null on conflict do nothing`,
    [ids],
  )
  await em.execute('delete from steps where run_id in (select json_array_elements_text(?::json))', [ids])
  return runs.length
}

async function deleteSomeEvents(em: EntityManager, workspaceId: string): Promise<number> {
  const { affectedRows } = await em.execute<{ affectedRows: number }>(
    'delete from events where ctid = any(array(select ctid from events where workspace_id = ? limit 20000))',
    [workspaceId],
    'run',
  )
  return affectedRows
}

/** How much of what keeps a workspace from being deleted there is: runs that have not ended, members whose default it is or who have no other. */
export async function usesOf(em: EntityManager, id: string): Promise<{ liveRuns: number; members: number }> {
  const [row] = await em.execute<[{ live_runs: number; members: number }]>(
    `select
       (select count(*)::int from (select 1 from runs where workspace_id = ? and ended_at is null limit 1000) live) as live_runs,
       (select count(*)::int from members m join users u on u.id = m.user_id where m.workspace_id = ?
          and (u.default_workspace_id = m.workspace_id or not exists (select 1 from members other where other.user_id = m.user_id and other.workspace_id <> m.workspace_id))) as members`,
    [id, id],
  )
  return { liveRuns: row.live_runs, members: row.members }
}
