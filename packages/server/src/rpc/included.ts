import type { DecisionInclude } from '@sluice/schema'
import { type Action, authorize } from '../access/policy.ts'
import type { Principal } from '../access/principal.ts'

/** What is told with something else is asked for as it would be by itself. */
const asksFor: { [I in DecisionInclude]?: Action } = { run: 'runs.read', version: 'workflows.read', pauses: 'pauses.read' }

/** Throws `permission_denied`, before anything is done. */
export function authorizeIncluded(principal: Principal, include: readonly DecisionInclude[] = []): void {
  for (const each of include) {
    const action = asksFor[each]
    if (action) authorize(principal, action)
  }
}
