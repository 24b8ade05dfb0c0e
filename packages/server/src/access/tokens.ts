import type { KeyObject } from 'node:crypto'
import { Fault, type JsonObject } from '@sluice/schema'
import { SignJWT } from 'jose/jwt/sign'
import { jwtVerify } from 'jose/jwt/verify'
import { z } from 'zod'
import { digestText, randomToken } from './digest.ts'
import { createFresh } from './fresh.ts'

/** What a token says. The role is not in it: that is read from the database. */
export interface Claims {
  userId: string
  workspaceId: string
  /** The user's token epoch when it was issued. */
  epoch: number
  /** The login it descends from. */
  family: string
  /** When a password or a refresh token was last shown for it. Milliseconds since 1970, in whole seconds. */
  provenAt: number
  /** Milliseconds since 1970, in whole seconds. */
  expiresAt: number
}

export interface Tokens {
  /** For a day, unless it is said when it expires. */
  sign(claims: Omit<Claims, 'expiresAt'> & { expiresAt?: number }): Promise<string>
  /** Throws `credential_invalid` for what is forged, expired, or not one of ours. */
  verify(token: string): Promise<Claims>
}

/** What the APIs that are served tell their clients in a token, beside what we read of it. PURE. */
export type MoreClaims = (of: { userId: string; workspaceId: string }) => JsonObject

export const tokenLifetimeMs = 24 * 3_600_000
const issuer = 'sluice'
const audience = 'sluice'
/** Of ours none is longer than 1,000 characters. */
const longest = 4_096

const Payload = z.object({ sub: z.string(), wid: z.string(), epoch: z.int(), family: z.string(), auth_time: z.int(), exp: z.int() })

const seconds = (ms: number): number => Math.floor(ms / 1000)

export function createTokens(key: KeyObject, now: () => number, more: MoreClaims = () => ({})): Tokens {
  // Saves the signature of a client's next requests: 2 s, 10,000 tokens.
  const verified = createFresh<Claims>({ ttl: 2_000, size: 10_000, now })

  async function verify(token: string): Promise<Claims> {
    try {
      const { payload } = await jwtVerify(token, key, { algorithms: ['HS256'], issuer, audience, requiredClaims: ['exp', 'jti'], currentDate: new Date(now()) })
      const { sub, wid, epoch, family, auth_time, exp } = Payload.parse(payload)
      return { userId: sub, workspaceId: wid, epoch, family, provenAt: auth_time * 1000, expiresAt: exp * 1000 }
    } catch {
      // Its reason stays here: it would tell whoever forges how far they got.
      throw new Fault('credential_invalid')
    }
  }

  return {
    sign: ({ userId, workspaceId, epoch, family, provenAt, expiresAt = now() + tokenLifetimeMs }) => {
      // `auth_time` as OpenID Connect has it. Ours come last: no other API says in their place what we read.
      const claims = { ...more({ userId, workspaceId }), wid: workspaceId, epoch, family, auth_time: seconds(provenAt) }
      return new SignJWT(claims)
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .setSubject(userId)
        .setIssuer(issuer)
        .setAudience(audience)
        .setJti(randomToken())
        .setIssuedAt(seconds(now()))
        .setExpirationTime(seconds(expiresAt))
        .sign(key)
    },
    async verify(token) {
      if (token.length > longest) throw new Fault('credential_invalid')
      const claims = await verified.get(digestText(token), () => verify(token))
      if (claims.expiresAt <= now()) throw new Fault('credential_invalid')
      return claims
    },
  }
}
