import { type Collection, Fault } from '@sluice/schema'
import { type Action, authorize, decide } from '../access/policy.ts'
import type { Principal } from '../access/principal.ts'

const reading: Readonly<Record<string, Action>> = {
  workflow_sessions: 'sessions.use',
  messages: 'sessions.use',
  runs: 'runs.read',
  workflows: 'workflows.read',
  pauses: 'pauses.read',
  users: 'users.read',
  _superusers: 'members.read',
}
const writing: Readonly<Record<string, Action>> = { workflow_sessions: 'sessions.use', users: 'users.manage' }

const readingOf = ({ system, name }: Collection): Action => (system ? (reading[name] ?? 'records.admin') : 'records.read')

/** Whether the principal may read records of the collection at all; its rules say which. */
export const mayRead = (principal: Principal, collection: Collection): boolean => decide(principal, readingOf(collection)) === 'allow'

/** Throws a Fault `permission_denied`. */
export const authorizeReading = (principal: Principal, collection: Collection): void => authorize(principal, readingOf(collection))

/** Throws a Fault `permission_denied`, or `collection_read_only`. */
export function authorizeWriting(principal: Principal, { system, type, name }: Collection): void {
  if (type === 'view') throw new Fault('collection_read_only')
  authorize(principal, system ? (writing[name] ?? 'records.admin') : 'records.write')
}

/** No rule holds those who administer records. */
export const isSuperuser = (principal: Principal): boolean => decide(principal, 'records.admin') === 'allow'
