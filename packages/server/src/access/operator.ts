import { membershipsOf } from '../store/entities/member.ts'
import { userByEmail } from '../store/entities/user.ts'
import { findWorkspace, workspaceById, type WorkspaceRow } from '../store/entities/workspace.ts'
import type { Orm } from '../store/orm.ts'
import { StartRefused } from '../store/refused.ts'
import { normalEmail } from './passwords.ts'
import type { Principal } from './principal.ts'

/**
 * A user as they stand in a workspace, for the operator at the machine who acts for them: the one they land in unless
 * another is given. Throws StartRefused when nobody has this email, or they are no member.
 */
export async function memberPrincipal(orm: Orm, email: string, workspaceRef?: string): Promise<{ principal: Principal; workspace: WorkspaceRow }> {
  return orm.unit(async (em) => {
    const spelled = normalEmail(email)
    const user = spelled === null ? null : await userByEmail(em, spelled)
    if (!user) throw new StartRefused(`No user has the email ${email}. Say with --email whose key it is.`)
    const memberships = await membershipsOf(em, user.id)
    const wanted = workspaceRef === undefined ? null : await findWorkspace(em, workspaceRef)
    if (workspaceRef !== undefined && !wanted) throw new StartRefused(`There is no workspace ${workspaceRef}`)
    const member = memberships.find(({ workspaceId }) => workspaceId === (wanted?.id ?? user.defaultWorkspaceId)) ?? (wanted ? undefined : memberships[0])
    if (!member) throw new StartRefused(`${user.email} is a member of ${wanted ? `no workspace ${wanted.handle}` : 'no workspace'}`)
    const workspace = wanted ?? (await workspaceById(em, member.workspaceId))!
    const { id, name } = user
    return { principal: { id, userId: id, workspaceId: workspace.id, role: member.role, scopes: null, credential: 'token', email: user.email, name }, workspace }
  })
}
