import { crc32 } from 'node:zlib'
import { type Collection, type CollectionRules, type RecordField, type RecordFieldType, limits, RunStatus, SessionStatus } from '@sluice/schema'

/**
 * What the core keeps, as collections. `store/records/tables.ts` says where each field stands; rules narrow what the
 * permissions of a principal have left, and superusers are not held by them.
 */

/** As PocketBase makes it: clients tell collections by it. */
export const collectionId = (type: Collection['type'], name: string): string => `pbc_${crc32(type + name)}`

type More = Partial<Omit<RecordField, 'id' | 'name' | 'type'>>

export const fieldOf = (name: string, type: RecordFieldType, more: More = {}): RecordField => ({
  id: `${type}${crc32(name)}`,
  name,
  type,
  required: false,
  hidden: false,
  system: false,
  ...more,
})

export const idField: RecordField = fieldOf('id', 'text', { required: true, system: true, min: 15, max: 15, pattern: '^[a-z0-9]+$' })

const one = (name: string, collection: string, more: More = {}): RecordField => fieldOf(name, 'relation', { collection, maxSelect: 1, ...more })
const made: RecordField = fieldOf('created', 'autodate', { onCreate: true })
const changed: RecordField = fieldOf('updated', 'autodate', { onCreate: true, onUpdate: true })

const closed: CollectionRules = { list: null, view: null, create: null, update: null, delete: null }
/** Of those who are let in at all everybody reads. */
const readable: CollectionRules = { ...closed, list: '', view: '' }

const own = 'user = @request.auth.id'
const self = 'id = @request.auth.id'

const collectionOf = (name: string, type: Collection['type'], rules: CollectionRules, fields: readonly RecordField[], id = collectionId(type, name)): Collection => ({
  id,
  name,
  type,
  system: true,
  fields: [idField, ...fields],
  rules,
  created: '',
  updated: '',
})

const credentials = [
  fieldOf('password', 'password', { required: true, hidden: true, system: true, min: 8 }),
  fieldOf('tokenKey', 'text', { required: true, hidden: true, system: true }),
  fieldOf('email', 'email', { required: true, system: true, unique: true }),
  fieldOf('emailVisibility', 'bool', { system: true }),
  fieldOf('verified', 'bool', { system: true }),
]

/** The fields of the published collection; `workflow` is ours, set when a session is made, and told only where it is. */
const sessions = collectionOf('workflow_sessions', 'base', { list: own, view: own, create: own, update: own, delete: own }, [
  fieldOf('title', 'text', { required: true, max: 5_000 }),
  fieldOf('status', 'select', { required: true, maxSelect: 1, values: SessionStatus.options.filter((status) => status !== 'stopped') }),
  fieldOf('currentStepId', 'text', { required: true, max: 5_000 }),
  fieldOf('steps', 'json', { required: true, maxSize: limits.contextBytes }),
  fieldOf('context', 'json', { maxSize: limits.contextBytes }),
  one('user', 'users', { required: true }),
  one('workflow', 'workflows'),
  made,
  changed,
])

const users = collectionOf(
  'users',
  'auth',
  { list: self, view: self, create: null, update: self, delete: self },
  [...credentials, fieldOf('name', 'text', { max: 255 }), fieldOf('avatar', 'file', { maxSelect: 1 }), made, changed],
  '_pb_users_auth_',
)

/** The admins and owners of the workspace. */
const superusers = collectionOf('_superusers', 'auth', closed, [...credentials, made, changed], 'pbc_3142635823')

const workflows = collectionOf('workflows', 'view', readable, [
  fieldOf('name', 'text'),
  fieldOf('handle', 'text'),
  fieldOf('description', 'text'),
  fieldOf('version', 'number'),
  made,
  changed,
])

const runs = collectionOf('runs', 'view', readable, [
  one('workflow', 'workflows'),
  fieldOf('version', 'number'),
  fieldOf('status', 'select', { maxSelect: 1, values: RunStatus.options }),
  fieldOf('waitingKind', 'text'),
  one('session', 'workflow_sessions'),
  one('parent', 'runs'),
  fieldOf('transactionId', 'text'),
  fieldOf('trigger', 'text'),
  fieldOf('tags', 'json'),
  fieldOf('input', 'json'),
  fieldOf('output', 'json'),
  fieldOf('reason', 'json'),
  fieldOf('startedAt', 'date'),
  fieldOf('endedAt', 'date'),
  made,
  changed,
])

const pauses = collectionOf('pauses', 'view', readable, [
  one('run', 'runs'),
  one('workflow', 'workflows'),
  fieldOf('step', 'text'),
  fieldOf('kind', 'text'),
  fieldOf('status', 'text'),
  fieldOf('message', 'text'),
  fieldOf('form', 'json'),
  fieldOf('assignee', 'text'),
  fieldOf('decision', 'json'),
  fieldOf('dueAt', 'date'),
  made,
  changed,
])

const messages = collectionOf('messages', 'view', { ...closed, list: 'session.user = @request.auth.id', view: 'session.user = @request.auth.id' }, [
  one('session', 'workflow_sessions'),
  one('run', 'runs'),
  fieldOf('number', 'number'),
  fieldOf('role', 'text'),
  fieldOf('text', 'text'),
  fieldOf('metadata', 'json'),
  fieldOf('files', 'json'),
  made,
])

export const coreCollections: readonly Collection[] = [sessions, users, superusers, workflows, runs, pauses, messages]
