import type { Login, TokenPair } from '@sluice/schema'
import { UnauthenticatedError } from './errors.ts'
import type { Input } from './input.ts'

/** What a call says of who asks: headers. Its identity tells a new proof from one that was refused. */
export type Proof = Readonly<Record<string, string>>

export interface Credentials {
  /** What the next call goes with. Logs in first, where that is how it is got. */
  current(): Promise<Proof>
  /** After a 401 with this proof: another one, or null when there is none. However many ask, it is renewed once. */
  renew(refused: Proof): Promise<Proof | null>
  /** Tokens that came otherwise, in place of those that died of it. A key stays what it is. */
  adopt(tokens: TokenPair): void
}

/** One that cannot be renewed. */
export function fixed(proof: Proof): Credentials {
  return { current: async () => proof, renew: async () => null, adopt: () => {} }
}

export const nobody = fixed({})
export const withKey = (apiKey: string): Credentials => fixed({ 'x-api-key': apiKey })

/** Without a refresh token it is used as it is, until it is refused. */
type Tokens = { token: string; refreshToken?: string }

export interface SessionOptions {
  tokens: Tokens | null
  login: Input<typeof Login> | null
  /** How tokens are got; they go without a credential. */
  auth: { login(input: Input<typeof Login>): Promise<TokenPair>; refresh(input: { refreshToken: string }): Promise<TokenPair> }
  onTokens(tokens: TokenPair): void
}

/** Tokens that are renewed when they are refused: by the refresh token, else by logging in. */
export function createSession({ tokens, login, auth, onTokens }: SessionOptions): Credentials {
  let held: { tokens: Tokens; proof: Proof } | null = tokens && { tokens, proof: proofOf(tokens) }
  let renewing: Promise<Proof | null> | null = null

  function hold(pair: TokenPair): Proof {
    held = { tokens: pair, proof: proofOf(pair) }
    onTokens(pair)
    return held.proof
  }

  /** Only a refusal ends a refresh token: when there was no answer, the next call tries it once more. */
  async function obtain(): Promise<Proof | null> {
    const refreshToken = held?.tokens.refreshToken
    const refreshed = refreshToken !== undefined && (await auth.refresh({ refreshToken }).catch(ifRefused))
    if (refreshed) return hold(refreshed)
    if (held) held = { proof: held.proof, tokens: { token: held.tokens.token } }
    return login && hold(await auth.login(login))
  }

  /** One at a time, for all who ask meanwhile. */
  const obtainOnce = (): Promise<Proof | null> => (renewing ??= obtain().finally(() => (renewing = null)))

  return {
    async current() {
      if (held && !renewing) return held.proof
      return (await obtainOnce()) ?? {}
    },
    async renew(refused) {
      return held && held.proof !== refused ? held.proof : obtainOnce()
    },
    adopt: (pair) => void hold(pair),
  }
}

const proofOf = ({ token }: Tokens): Proof => ({ authorization: `Bearer ${token}` })

function ifRefused(error: unknown): null {
  if (error instanceof UnauthenticatedError) return null
  throw error
}
