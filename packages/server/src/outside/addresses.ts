import ipaddr from 'ipaddr.js'

/**
 * Which addresses are the public internet. PURE. It is a list of what is let through, not of what is refused: an address
 * of a kind that nobody thought of is refused.
 */

/** The virtual host of one cloud answers metadata on an address that looks public. */
const metadata = new Set(['168.63.129.16'])

// Everything that IANA has given out for global unicast. What lies outside and inside an IPv6 address hides an IPv4
// one (mapped, compatible, NAT64) is refused with it.
const globalUnicast = ipaddr.IPv6.parseCIDR('2000::/3')

/**
 * Whether an IP address is public: not private, loopback, link-local, unique-local, carrier-grade NAT, multicast, reserved,
 * unspecified or metadata, and no IPv6 form that carries an IPv4 address (mapped, NAT64, 6to4, Teredo, ISATAP).
 * What is not an address is not public.
 */
export function isPublicAddress(text: string): boolean {
  if (!ipaddr.isValid(text)) return false
  const address = ipaddr.parse(text)
  if (address instanceof ipaddr.IPv6) return address.range() === 'unicast' && address.match(globalUnicast) && !isIsatap(address)
  return address.range() === 'unicast' && !metadata.has(address.toString())
}

/** An interface identifier `[02]00:5efe` stands before an embedded IPv4 address. */
const isIsatap = (address: ipaddr.IPv6) => (address.parts[4]! & 0xfdff) === 0 && address.parts[5] === 0x5efe
