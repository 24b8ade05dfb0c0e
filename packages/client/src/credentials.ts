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
}

/** One that cannot be renewed. */
export function fixed(proof: Proof): Credentials {
  return { current: async () => proof, renew: async () => null }
}

export const nobody = fixed({})
export const withKey = (apiKey: string): Credentials => fixed({ 'x-api-key': apiKey })
export const withToken = (token: string): Credentials => fixed({ authorization: `Bearer ${token}` })

type Tokens = Pick<TokenPair, 'token' | 'refreshToken'>

export interface SessionOptions {
  tokens: Tokens | null
  login: Input<typeof Login> | null
  /** How tokens are got; they go without a credential. */
  auth: { login(input: Input<typeof Login>): Promise<TokenPair>; refresh(input: { refreshToken: string }): Promise<TokenPair> }
  onTokens(tokens: TokenPair): void
}

/** Tokens that are renewed when they are refused: by the refresh token, else by logging in. */
export function createSession({ tokens, login, auth, onTokens }: SessionOptions): Credentials {
  let held = tokens && { tokens, proof: proofOf(tokens) }
  let renewing: Promise<Proof | null> | null = null

  function hold(pair: TokenPair): Proof {
    held = { tokens: pair, proof: proofOf(pair) }
    onTokens(pair)
    return held.proof
  }

  /** Only a refusal ends the old tokens: when there was no answer, the next call tries them once more. */
  async function obtain(): Promise<Proof | null> {
    if (held) {
      const refreshed = await auth.refresh({ refreshToken: held.tokens.refreshToken }).catch(ifRefused)
      if (refreshed) return hold(refreshed)
      held = null
    }
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
  }
}

const proofOf = ({ token }: Tokens): Proof => ({ authorization: `Bearer ${token}` })

function ifRefused(error: unknown): null {
  if (error instanceof UnauthenticatedError) return null
  throw error
}
