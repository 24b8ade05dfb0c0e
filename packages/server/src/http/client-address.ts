import type { IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'

/** Whose X-Forwarded-* headers are believed: everybody's, nobody's, those of so many proxies, or of these addresses. */
export type TrustProxy = boolean | number | string[]

/** Whether what the peer at an address, so many hops away, says of whom it speaks for is believed. */
export type Trust = (address: string, hop: number) => boolean

export function trustOf(trustProxy: TrustProxy): Trust {
  if (typeof trustProxy === 'boolean') return () => trustProxy
  if (typeof trustProxy === 'number') return (_address, hop) => hop < trustProxy
  const list = new BlockList()
  for (const network of trustProxy) {
    const [ip = '', bits] = network.split('/')
    if (bits === undefined) list.addAddress(ip, familyOf(ip))
    else list.addSubnet(ip, Number(bits), familyOf(ip))
  }
  return (address) => isIP(address) !== 0 && list.check(address, familyOf(address))
}

/**
 * Of the client: the nearest address that is nobody's we trust. The same for requests and for the upgrades of sockets.
 * What is no address is nobody's, and the one that said so is taken.
 */
export function clientAddress({ socket, headers }: Pick<IncomingMessage, 'headers' | 'socket'>, trusts: Trust): string {
  const said = [headers['x-forwarded-for'] ?? []].flat().join(',').split(',')
  let address = socket.remoteAddress ?? ''
  for (let hop = 0; trusts(address, hop); hop++) {
    const next = said.pop()?.trim() ?? ''
    if (isIP(next) === 0) break
    address = next
  }
  return address
}

const familyOf = (ip: string): 'ipv4' | 'ipv6' => (isIP(ip) === 6 ? 'ipv6' : 'ipv4')
