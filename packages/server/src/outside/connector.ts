import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { buildConnector } from 'undici'
import { isPublicAddress } from './addresses.ts'
import type { AllowList } from './allow-list.ts'
import { OutsideError } from './error.ts'

export interface Address {
  address: string
  family: 4 | 6
}

/** How the HTTP client opens connections, and what makes it such a way. */
export type BuildConnector = typeof buildConnector
export type Connector = buildConnector.connector

/** Resolves a name to all of its addresses. */
export type Lookup = (host: string) => Promise<Address[]>

// The system's resolver, so that /etc/hosts counts as everywhere else.
export const systemLookup: Lookup = async (host) => (await lookup(host, { all: true, order: 'verbatim' })).map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }))

/**
 * Opens every connection of the HTTP client. The name is resolved once, here, and the socket is opened to one of the
 * addresses that were checked: a second answer of the name server is never asked for. A connection that is used again is
 * one that was opened here.
 */
export function guardedConnector(build: BuildConnector, allow: AllowList, resolve: Lookup): Connector {
  return (options, callback) => {
    const host = options.hostname.replace(/^\[|\]$/g, '')
    const port = Number(options.port) || (options.protocol === 'https:' ? 443 : 80)
    checkedAddresses(host, port, allow, resolve).then(
      (addresses) => pinnedTo(build, addresses)({ ...options, hostname: host }, callback),
      (error: unknown) => callback(error instanceof Error ? error : new Error('lookup failed'), null),
    )
  }
}

async function checkedAddresses(host: string, port: number, allow: AllowList, resolve: Lookup): Promise<Address[]> {
  const family = isIP(host)
  const found: Address[] = family === 0 ? await resolve(host) : [{ address: host, family: family === 6 ? 6 : 4 }]
  const open = allow.has(host.replace(/\.$/, ''), port) ? found : found.filter(({ address }) => isPublicAddress(address))
  if (open.length === 0) throw new OutsideError('refused_address', `the address of ${host} is not public; an operator may allow ${host}:${port}`)
  return open
}

const connectTimeoutMs = 10_000

// Node tries the addresses one after another by itself (happy eyeballs); all it is told of are the checked ones.
const pinnedTo = (build: BuildConnector, addresses: Address[]) =>
  build({
    allowH2: false,
    timeout: connectTimeoutMs,
    maxCachedSessions: 0,
    autoSelectFamily: true,
    lookup: (_host, options, callback) => (options.all ? callback(null, addresses) : callback(null, addresses[0]!.address, addresses[0]!.family)),
  })
