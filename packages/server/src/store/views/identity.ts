import type {
  Account,
  ApiKey,
  KeyField,
  ListKeys,
  ListMembers,
  ListSecrets,
  ListUsers,
  ListWorkspaces,
  Member,
  MemberField,
  Page,
  Role,
  Secret,
  SecretField,
  UserField,
  Workspace,
  WorkspaceField,
} from '@sluice/schema'
import type { StoredList } from '../conditions/fields.ts'
import { listPage, pageIn } from '../conditions/list.ts'
import type { Tx } from '../database.ts'

/** Who belongs to workspaces, and with what they come. No list has a hash or a ciphertext, neither to show nor to ask for. */

const people = 'members m join users u on u.id = m.user_id'

interface MemberRow {
  id: string
  email: string
  name: string
  role: Role
  pending: boolean
  joined: Date
}

const memberList: StoredList<Member, MemberField> = {
  id: 'userId',
  order: ['userId'],
  fields: {
    userId: { type: 'id', sql: 'm.user_id', of: (member) => member.userId },
    email: { type: 'text', sql: 'u.email', of: (member) => member.email },
    name: { type: 'text', sql: 'u.name', of: (member) => member.name },
    role: { type: 'text', sql: 'm.role', of: (member) => member.role },
    pending: { type: 'boolean', sql: `u.password_hash = ''`, of: (member) => member.pending },
    joined: { type: 'time', sql: 'm.created_at', of: (member) => member.joined },
  },
}

/** In the order of the users' ids unless asked otherwise. */
export const listMembers = (tx: Tx, workspaceId: string, asked: ListMembers): Promise<Page<Member>> =>
  listPage(tx, memberList, asked, {
    select: `m.user_id as id, u.email, u.name, m.role, u.password_hash = '' as pending, m.created_at as joined`,
    from: people,
    scope: 'm.workspace_id = $1',
    values: [workspaceId],
    item: ({ id, email, name, role, pending, joined }: MemberRow): Member => ({ userId: id, email, name, role, pending, joined: joined.toISOString() }),
  })

const userList: StoredList<Account, UserField> = {
  id: 'id',
  order: ['id'],
  fields: {
    id: { type: 'id', sql: 'u.id', of: (user) => user.id },
    email: { type: 'text', sql: 'u.email', of: (user) => user.email },
    name: { type: 'text', sql: 'u.name', of: (user) => user.name },
    role: { type: 'text', sql: 'm.role', of: (user) => user.role },
    created: { type: 'time', sql: 'u.created_at', of: (user) => user.created },
  },
}

/** All of the workspace, or one of them. */
export const listUsers = (tx: Tx, of: { workspaceId: string; userId: string | null }, asked: ListUsers): Promise<Page<Account>> =>
  listPage(tx, userList, asked, {
    select: 'u.id, u.email, u.name, m.role, u.created_at',
    from: people,
    scope: 'm.workspace_id = $1 and ($2::text is null or m.user_id = $2)',
    values: [of.workspaceId, of.userId],
    item: ({ created_at, id, email, name, role }: Omit<Account, 'created'> & { created_at: Date }): Account => ({ id, email, name, role, created: created_at.toISOString() }),
  })

interface KeyRow {
  id: string
  name: string
  prefix: string
  scopes: string[] | null
  user_id: string
  created_at: Date
  last_used_at: Date | null
  revoked_at: Date | null
}

const keyList: StoredList<ApiKey, KeyField> = {
  id: 'id',
  fields: {
    id: { type: 'id', sql: 'id', of: (key) => key.id },
    name: { type: 'text', sql: 'name', of: (key) => key.name },
    prefix: { type: 'text', sql: 'prefix', of: (key) => key.prefix },
    scopes: { type: 'texts', nullable: true, sql: 'scopes', of: (key) => key.scopes },
    userId: { type: 'id', sql: 'user_id', of: (key) => key.userId },
    created: { type: 'time', sql: 'created_at', of: (key) => key.created },
    lastUsedAt: { type: 'time', nullable: true, sql: 'last_used_at', of: (key) => key.lastUsedAt },
    revokedAt: { type: 'time', nullable: true, sql: 'revoked_at', of: (key) => key.revokedAt },
  },
}

const keyFrom = (row: KeyRow): ApiKey => ({
  id: row.id,
  name: row.name,
  prefix: row.prefix,
  scopes: row.scopes,
  userId: row.user_id,
  created: row.created_at.toISOString(),
  lastUsedAt: row.last_used_at?.toISOString() ?? null,
  revokedAt: row.revoked_at?.toISOString() ?? null,
})

/** All of the workspace, or one user's. Newest first unless asked otherwise. */
export const listKeys = (tx: Tx, of: { workspaceId: string; userId: string | null }, asked: ListKeys): Promise<Page<ApiKey>> =>
  listPage(tx, keyList, asked, {
    select: 'id, name, prefix, scopes, user_id, created_at, last_used_at, revoked_at',
    from: 'api_keys',
    scope: 'workspace_id = $1 and ($2::text is null or user_id = $2)',
    values: [of.workspaceId, of.userId],
    item: keyFrom,
  })

const secretList: StoredList<Secret, SecretField> = {
  id: 'name',
  order: ['name'],
  fields: {
    name: { type: 'text', sql: 'name', of: (secret) => secret.name },
    created: { type: 'time', sql: 'created_at', of: (secret) => secret.created },
    updated: { type: 'time', sql: 'updated_at', of: (secret) => secret.updated },
  },
}

/** In the order of their names unless asked otherwise. */
export const listSecrets = (tx: Tx, workspaceId: string, asked: ListSecrets): Promise<Page<Secret>> =>
  listPage(tx, secretList, asked, {
    select: 'name, created_at, updated_at',
    from: 'secrets',
    scope: 'workspace_id = $1',
    values: [workspaceId],
    item: ({ name, created_at, updated_at }: { name: string; created_at: Date; updated_at: Date }): Secret => ({
      name,
      created: created_at.toISOString(),
      updated: updated_at.toISOString(),
    }),
  })

interface WorkspaceRow extends Omit<Workspace, 'isDefault' | 'created'> {
  is_default: boolean
  created_at: Date
}

const isDefault = 'coalesce(u.default_workspace_id = w.id, false)'

const workspaceList: StoredList<Workspace, WorkspaceField> = {
  id: 'id',
  order: ['id'],
  fields: {
    id: { type: 'id', sql: 'w.id', of: (workspace) => workspace.id },
    handle: { type: 'text', sql: 'w.handle', of: (workspace) => workspace.handle },
    name: { type: 'text', sql: 'w.name', of: (workspace) => workspace.name },
    role: { type: 'text', sql: 'm.role', of: (workspace) => workspace.role },
    isDefault: { type: 'boolean', sql: isDefault, of: (workspace) => workspace.isDefault },
    created: { type: 'time', sql: 'w.created_at', of: (workspace) => workspace.created },
  },
}

/** All that a user belongs to, or one of these. */
export const listWorkspaces = (tx: Tx, of: { userId: string; workspaceId: string | null }, asked: ListWorkspaces): Promise<Page<Workspace>> =>
  listPage(tx, workspaceList, asked, {
    select: `w.id, w.handle, w.name, m.role, ${isDefault} as is_default, w.created_at`,
    from: 'members m join workspaces w on w.id = m.workspace_id join users u on u.id = m.user_id',
    scope: 'm.user_id = $1 and ($2::text is null or w.id = $2)',
    values: [of.userId, of.workspaceId],
    item: ({ id, handle, name, role, is_default, created_at }: WorkspaceRow): Workspace => ({ id, handle, name, role, isDefault: is_default, created: created_at.toISOString() }),
  })

/** Of who belongs to none, and is in one all the same: that one. */
export const listWorkspace = (workspace: Workspace, asked: ListWorkspaces): Page<Workspace> => pageIn([workspace], workspaceList, asked)
