import { Fault, roles, type FaultCode, type Role } from '@sluice/schema'
import type { Principal } from './principal.ts'

interface Rule {
  /** The least role that may do it: in the workspace, or to what is their own. */
  least: Role
  /** The least role that may do it to what belongs to another user. Others do not even learn that it exists. */
  others?: Role
  /** Credentials that may not, whatever their role. */
  not?: readonly Principal['credential'][]
  /** A key may, whatever its scopes: it is about the key itself. */
  anyScope?: true
}

/** Who may do what. A role may all that the roles below it may. */
const rules = {
  'workflows.read': { least: 'viewer' },
  'workflows.edit': { least: 'editor' },
  'workflows.publish': { least: 'editor' },
  'workflows.delete': { least: 'editor' },
  'runs.read': { least: 'viewer' },
  'runs.start': { least: 'operator' },
  'runs.control': { least: 'operator' },
  'runs.report': { least: 'operator' },
  'runs.signal': { least: 'operator' },
  'runs.try': { least: 'editor' },
  'runs.delete': { least: 'editor' },
  'pauses.read': { least: 'viewer' },
  'pauses.decide': { least: 'operator' },
  'events.read': { least: 'viewer' },
  'nodeTypes.read': { least: 'viewer' },
  'sessions.use': { least: 'operator', others: 'admin' },
  'sessions.admin': { least: 'admin' },
  'records.read': { least: 'viewer' },
  'records.write': { least: 'operator' },
  'records.admin': { least: 'admin' },
  'files.read': { least: 'viewer', others: 'admin' },
  'files.use': { least: 'operator', others: 'admin' },
  'queues.read': { least: 'viewer' },
  'queues.push': { least: 'operator' },
  'queues.manage': { least: 'editor' },
  'webhooks.read': { least: 'viewer' },
  'webhooks.manage': { least: 'editor' },
  'webhooks.deliver': { least: 'operator' },
  'schedules.read': { least: 'viewer' },
  'schedules.control': { least: 'operator' },
  'schedules.manage': { least: 'editor' },
  'secrets.list': { least: 'editor' },
  'secrets.manage': { least: 'admin' },
  'model.read': { least: 'viewer' },
  'model.manage': { least: 'admin' },
  'keys.manage': { least: 'viewer', others: 'admin', not: ['anonymous'] },
  'members.read': { least: 'viewer' },
  'members.manage': { least: 'admin' },
  'workspaces.read': { least: 'viewer' },
  'workspaces.manage': { least: 'owner' },
  'users.read': { least: 'viewer', others: 'admin' },
  'users.manage': { least: 'viewer', others: 'owner', not: ['anonymous'] },
  'audit.read': { least: 'admin' },
  'account.read': { least: 'viewer', anyScope: true },
  // A key that could end its user's tokens, or get itself one, would be more than its scopes.
  'account.manage': { least: 'viewer', not: ['key', 'anonymous'] },
} as const satisfies Record<string, Rule>

export type Action = keyof typeof rules
export type Decision = 'allow' | 'deny' | 'hide'

/** What the action is about, as far as it is known. Without a workspace: the principal's own; without an owner: nobody's. */
export interface Resource {
  workspaceId?: string
  /** A user's id. */
  ownerId?: string
}

export const actions = Object.keys(rules) as Action[]

/** What a key's scopes may be: everything, all actions on a noun, one action. */
export const scopes: readonly string[] = ['*', ...new Set(actions.map(nounOf)), ...actions]

function nounOf(action: string): string {
  return action.split('.')[0]!
}

/** Whether a role is the other or stands above it. */
export const atLeast = (role: Role, least: Role): boolean => roles.indexOf(role) <= roles.indexOf(least)

/** Whether the scopes reach the action, or the whole of a narrower scope. Null reaches all. */
export const covers = (held: readonly string[] | null, wanted: string): boolean => held === null || held.includes('*') || held.includes(wanted) || held.includes(nounOf(wanted))

/**
 * The one decision about rights. `hide`: to this principal the resource does not exist, and the answer is that of a
 * missing one; it is so for everything of another workspace.
 */
export function decide(principal: Principal, action: Action, resource: Resource = {}): Decision {
  const rule: Rule = rules[action]
  if (resource.workspaceId !== undefined && resource.workspaceId !== principal.workspaceId) return 'hide'
  const foreign = resource.ownerId !== undefined && resource.ownerId !== principal.userId
  if (foreign && rule.others && !atLeast(principal.role, rule.others)) return 'hide'
  if (rule.not?.includes(principal.credential)) return 'deny'
  return atLeast(principal.role, rule.least) && (rule.anyScope || covers(principal.scopes, action)) ? 'allow' : 'deny'
}

/** Whether the action reaches what belongs to others; `*` is no user's id. */
export const reachesOthers = (principal: Principal, action: Action): boolean => decide(principal, action, { ownerId: '*' }) === 'allow'

/** Throws `permission_denied`, or for what is hidden the fault of a missing one of its kind. */
export function authorize(principal: Principal, action: Action, resource?: Resource, missing: FaultCode = 'permission_denied'): void {
  const decision = decide(principal, action, resource)
  if (decision === 'hide') throw new Fault(missing)
  if (decision === 'deny') throw new Fault('permission_denied', { details: { action } })
}
