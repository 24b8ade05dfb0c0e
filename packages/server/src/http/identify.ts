import type { IncomingHttpHeaders } from 'node:http'
import { Fault } from '@sluice/schema'
import type { Credential, Principal } from '../access/authenticate.ts'
import type { AccessPart } from '../rpc/context.ts'
import type { Origins } from './origins.ts'
import { tokenIn } from './session-cookie.ts'

/** Who asks, or why that could not be told. With neither, nothing was sent. */
export interface Identity {
  principal: Principal | null
  refusal?: Fault
}

/** How credentials are read at an address. */
export interface Reading {
  /** The names of the cookie, the one that counts before the others first. */
  cookies: readonly string[]
  refusesKeyAsBearer?: string
}

/** What a request says of its sender. The Authorization header wins over a key, and a key over what the browser adds by itself. */
export function credentialOf(headers: IncomingHttpHeaders, method: string, origins: Origins, { cookies }: Reading): Credential | null {
  const authorization = headers.authorization?.trim()
  if (authorization) return ofAuthorization(authorization)
  const apiKey = headers['x-api-key']
  if (typeof apiKey === 'string') return { kind: 'apiKey', value: apiKey.trim() }
  const cookie = tokenIn(headers.cookie, cookies)
  return cookie !== undefined && origins.takesCookie(headers, method) ? { kind: 'cookie', value: cookie } : null
}

/** Schemes are told by case-insensitive name; what has none is a bare token. */
function ofAuthorization(value: string): Credential {
  const [, scheme = '', rest = ''] = /^(\S+)\s+(.*)$/s.exec(value) ?? []
  if (/^bearer$/i.test(scheme)) return { kind: 'bearer', value: rest }
  if (/^basic$/i.test(scheme)) return { kind: 'basic', value: rest }
  return { kind: value.startsWith('sk_') ? 'apiKey' : 'bare', value }
}

/** Looks the sender up. An outage is thrown; a credential that does not hold is told, because some doors need none. */
export async function identify(access: AccessPart, origins: Origins, headers: IncomingHttpHeaders, method: string, reading: Reading): Promise<Identity> {
  return settle(async () => {
    const credential = credentialOf(headers, method, origins, reading)
    if (reading.refusesKeyAsBearer !== undefined && credential?.kind === 'bearer' && credential.value.startsWith('sk_'))
      throw new Fault('credential_invalid', { message: reading.refusesKeyAsBearer })
    const principal = await access.authenticate(credential)
    // Being let in without a word is a credential that the browser adds by itself, too.
    return principal?.credential === 'anonymous' && !origins.takesAnonymous(headers) ? null : principal
  })
}

/** What a tRPC client sends where it cannot send headers. Only a ticket may stand in a URL. */
export async function identifyByParams(access: AccessPart, params: Readonly<Record<string, string | undefined>>, inUrl: boolean): Promise<Identity> {
  const { ticket, token, apiKey } = params
  if (ticket !== undefined) return identifyByTicket(access, ticket)
  if (inUrl) return { principal: null }
  if (token !== undefined) return settle(() => access.authenticate(ofAuthorization(`Bearer ${token}`)))
  if (apiKey !== undefined) return settle(() => access.authenticate({ kind: 'apiKey', value: apiKey }))
  return { principal: null }
}

export const identifyByTicket = (access: AccessPart, ticket: string): Promise<Identity> => settle(() => access.redeem(ticket))

async function settle(look: () => Promise<Principal | null>): Promise<Identity> {
  try {
    return { principal: await look() }
  } catch (error) {
    if (error instanceof Fault && error.kind === 'unauthenticated') return { principal: null, refusal: error }
    throw error
  }
}
