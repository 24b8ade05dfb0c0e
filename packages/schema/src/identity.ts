import { z } from 'zod'
import { Role, User } from './access.ts'
import { Handle, Id, Timestamp, instant } from './ids.ts'
import { listInput } from './conditions.ts'

/** Workspaces, who belongs to them, and what was done there. */

const name = z.string().min(1).max(200)
const email = z.string().min(1).max(320)
const password = z.string().min(8).max(1024)
const workspace = z.string().min(1).max(100).meta({ description: 'Id or handle' })

/** A workspace as who asks stands in it. */
export const Workspace = z.object({
  id: Id,
  handle: z.string(),
  name: z.string(),
  role: Role,
  isDefault: z.boolean().meta({ description: 'Whether a login that names no workspace goes here' }),
  created: Timestamp,
})
export type Workspace = z.infer<typeof Workspace>

export const workspaceFields = ['id', 'handle', 'name', 'role', 'isDefault', 'created'] as const
export type WorkspaceField = (typeof workspaceFields)[number]

export const ListWorkspaces = z.strictObject({ ...listInput(workspaceFields) })
export type ListWorkspaces = z.infer<typeof ListWorkspaces>

export const OneWorkspace = z.strictObject({ workspace })
export type OneWorkspace = z.infer<typeof OneWorkspace>

export const CreateWorkspace = z.strictObject({ name, handle: Handle.optional().meta({ description: 'The id unless given' }) })
export type CreateWorkspace = z.infer<typeof CreateWorkspace>

/** What is absent stays as it is. */
export const UpdateWorkspace = z.strictObject({ workspace, name: name.optional(), handle: Handle.optional() })
export type UpdateWorkspace = z.infer<typeof UpdateWorkspace>

export const Member = z.object({
  userId: Id,
  email: z.string(),
  name: z.string(),
  role: Role,
  pending: z.boolean().meta({ description: 'Was invited and has not set a password yet' }),
  joined: Timestamp,
})
export type Member = z.infer<typeof Member>

export const memberFields = ['userId', 'email', 'name', 'role', 'pending', 'joined'] as const
export type MemberField = (typeof memberFields)[number]

export const ListMembers = z.strictObject({ ...listInput(memberFields) })
export type ListMembers = z.infer<typeof ListMembers>

/** A user of this email joins; name and password are for one who is made by it. */
export const InviteMember = z.strictObject({
  email,
  role: Role,
  name: z.string().max(200).optional(),
  password: password.optional().meta({ description: 'Unless given, the user sets one with a token' }),
})
export type InviteMember = z.infer<typeof InviteMember>

/** Lets its holder set the password of one user, once. Shown to who asked for it, and kept nowhere. */
export const PasswordToken = z.object({ token: z.string(), expiresAt: Timestamp })
export type PasswordToken = z.infer<typeof PasswordToken>

export const InvitedMember = Member.extend({
  created: z.boolean().meta({ description: 'Whether the user was made by this invitation, and is known to nobody else' }),
  setPassword: PasswordToken.nullable().meta({ description: 'For the invited, who is sent nothing: hand it on. Null when there is a password' }),
})
export type InvitedMember = z.infer<typeof InvitedMember>

export const OneMember = z.strictObject({ userId: Id })
export type OneMember = z.infer<typeof OneMember>

export const SetRole = z.strictObject({ userId: Id, role: Role })
export type SetRole = z.infer<typeof SetRole>

/** A user with their role in this workspace. */
export const Account = User.extend({ role: Role })
export type Account = z.infer<typeof Account>

export const userFields = ['id', 'email', 'name', 'role', 'created'] as const
export type UserField = (typeof userFields)[number]

export const ListUsers = z.strictObject({ ...listInput(userFields) })
export type ListUsers = z.infer<typeof ListUsers>

export const OneUser = z.strictObject({ id: Id })
export type OneUser = z.infer<typeof OneUser>

/** What is absent stays as it is. */
export const UpdateUser = z.strictObject({
  id: Id,
  email: email.optional(),
  name: z.string().max(200).optional(),
  defaultWorkspace: workspace.optional().meta({ description: 'Where a login goes that names no workspace: one of the user, by id or handle' }),
})
export type UpdateUser = z.infer<typeof UpdateUser>

/** Ends all other tokens of the user. */
export const ChangePassword = z.strictObject({ current: z.string().min(1).max(1024), next: password })
export type ChangePassword = z.infer<typeof ChangePassword>

export const SetPassword = z.strictObject({ token: z.string().min(1).max(100), password })
export type SetPassword = z.infer<typeof SetPassword>

/** Something that was done, or tried, through one of the doors. */
export const AuditRecord = z.object({
  id: Id,
  at: Timestamp,
  action: z.string().meta({ description: 'The procedure', examples: ['members.invite'] }),
  principalId: z.string().nullable().meta({ description: 'A user or a key; null for who was not let in' }),
  userId: z.string().nullable(),
  credential: z.string().nullable(),
  resource: z.string().nullable().meta({ description: 'Id or name of what it was about' }),
  outcome: z.enum(['done', 'refused', 'failed']),
  code: z.string().nullable().meta({ description: 'Why it was not done' }),
  details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  requestId: z.string(),
  ip: z.string(),
})
export type AuditRecord = z.infer<typeof AuditRecord>

export const auditFields = ['id', 'at', 'action', 'principalId', 'userId', 'credential', 'resource', 'outcome', 'code', 'requestId', 'ip'] as const
export type AuditField = (typeof auditFields)[number]

export const ListAudit = z.strictObject({
  principal: z.string().min(1).max(100).optional().meta({ description: 'A user, with all their keys, or one key' }),
  action: z.string().min(1).max(100).optional().meta({ description: 'A procedure (`members.invite`) or a noun (`members`)' }),
  since: instant().optional(),
  ...listInput(auditFields),
})
export type ListAudit = z.infer<typeof ListAudit>
