import { z } from 'zod'
import { Id, Timestamp } from './ids.ts'

/** What a member may do in a workspace, most powerful first. */
export const roles = ['owner', 'admin', 'editor', 'operator', 'viewer'] as const
export const Role = z.enum(roles)
export type Role = z.infer<typeof Role>

export const User = z.object({ id: Id, email: z.string(), name: z.string(), created: Timestamp })
export type User = z.infer<typeof User>

export const Me = z.object({
  user: User,
  workspace: z.object({ id: Id, handle: z.string(), name: z.string() }),
  role: Role,
  credential: z.enum(['token', 'key', 'cookie', 'anonymous']),
  scopes: z.array(z.string()).nullable(),
})
export type Me = z.infer<typeof Me>

export const Login = z.strictObject({
  email: z.string().min(1).max(320),
  password: z.string().min(1).max(1024),
  workspace: z.string().min(1).max(100).optional().meta({ description: 'Id or handle; the default workspace of the user unless given' }),
})
export type Login = z.infer<typeof Login>

export const TokenPair = z.object({
  token: z.string().meta({ description: 'A JWT, 24 hours' }),
  refreshToken: z.string(),
  user: User,
})
export type TokenPair = z.infer<typeof TokenPair>

/** Of the same login as the token it was given for. */
export const RenewedToken = z.object({
  token: z.string().meta({ description: 'A JWT' }),
  expiresAt: Timestamp,
  user: User,
})
export type RenewedToken = z.infer<typeof RenewedToken>

export const ApiKey = z.object({
  id: Id,
  name: z.string(),
  prefix: z.string().meta({ description: 'The first characters of the secret, to recognise it by' }),
  scopes: z.array(z.string()).nullable().meta({ description: 'Actions the key is limited to; null: all of its user' }),
  userId: Id,
  created: Timestamp,
  lastUsedAt: Timestamp.nullable(),
  revokedAt: Timestamp.nullable(),
})
export type ApiKey = z.infer<typeof ApiKey>

export const keyFields = ['id', 'name', 'prefix', 'scopes', 'userId', 'created', 'lastUsedAt', 'revokedAt'] as const
export type KeyField = (typeof keyFields)[number]

/** A named credential for nodes. Its value is never shown again. */
export const Secret = z.object({ name: z.string(), created: Timestamp, updated: Timestamp })
export type Secret = z.infer<typeof Secret>

export const secretFields = ['name', 'created', 'updated'] as const
export type SecretField = (typeof secretFields)[number]
