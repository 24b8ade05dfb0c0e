import { Role } from '@sluice/schema'
import { z } from 'zod'

/** On whose behalf a request comes, and what it may at most. Made by `authenticate` and by `redeem` alone. */
export const Principal = z.object({
  /** The user's id, or the key's: what limits and idempotency keys count by. */
  id: z.string(),
  userId: z.string(),
  workspaceId: z.string(),
  role: Role,
  /** What a key is narrowed to; null: all that the role allows. */
  scopes: z.array(z.string()).nullable(),
  credential: z.enum(['token', 'key', 'cookie', 'anonymous']),
  keyId: z.string().optional(),
  email: z.string(),
  name: z.string(),
  /** What `stillValid` compares of a token with the database; absent for keys and anonymous. */
  token: z
    .object({
      epoch: z.int(),
      family: z.string(),
      /** When a password or a refresh token was last shown for it. Milliseconds since 1970. */
      provenAt: z.number(),
      /** Milliseconds since 1970. */
      expiresAt: z.number(),
    })
    .optional(),
})
export type Principal = z.infer<typeof Principal>

/** The one user without a row: of the form of an id, and earlier than any that is ever made. */
export const anonymousId = 'anonymous000000'
