import { decide, reachesOthers } from '../access/policy.ts'
import type { Principal } from '../access/principal.ts'
import type { Viewer } from '../store/views/sessions.ts'

/** No user's id. */
const nobody = ''

/** What of the workspace's sessions this principal may see: all as an admin, else their own, and none without the right to use them. */
export function viewerOf(principal: Principal): Viewer {
  const { workspaceId, userId } = principal
  const may = decide(principal, 'sessions.use') === 'allow'
  return { workspaceId, userId: may ? userId : nobody, seesAll: reachesOthers(principal, 'sessions.use') }
}
