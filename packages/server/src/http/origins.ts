import type { IncomingHttpHeaders } from 'node:http'

export interface OriginOptions {
  /** Exact origins. Null: every page of this machine. */
  corsOrigins: readonly string[] | null
  publicUrl: string | null
  /** The name the server listens under. */
  host: string
}

/** Which pages may use what a browser sends by itself: cookies, sockets, and on a loopback server the mere reaching of it. */
export interface Origins {
  /** For replies to pages of other origins (CORS). */
  allows(origin: string): boolean
  /** A socket is opened by one of these pages, or by no page at all. Synchronous: it is asked before anything else. */
  opensSocket(headers: IncomingHttpHeaders): boolean
  /** A session cookie may be taken from this request. */
  takesCookie(headers: IncomingHttpHeaders, method: string): boolean
  /** The anonymous principal may be taken for it. */
  takesAnonymous(headers: IncomingHttpHeaders): boolean
}

const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/** A name or an address, of IPv6 with or without its brackets. */
export const isLoopback = (host: string): boolean => loopback.test(host.includes(':') && !host.startsWith('[') ? `[${host}]` : host)

export function createOrigins({ corsOrigins, publicUrl, host }: OriginOptions): Origins {
  const exact = new Set(corsOrigins ?? [])
  if (publicUrl !== null) exact.add(new URL(publicUrl).origin)
  const ownNames = new Set([host.includes(':') ? `[${host}]` : host, ...(publicUrl === null ? [] : [new URL(publicUrl).hostname])])

  function allows(origin: string): boolean {
    if (exact.has(origin)) return true
    const url = corsOrigins === null ? URL.parse(origin) : null
    return url !== null && /^https?:$/.test(url.protocol) && url.origin === origin && loopback.test(url.hostname)
  }
  /** The page came from the address it now asks; by its name alone, so that a proxy which ends TLS is no stranger. */
  const sameHost = (origin: string, asked: string | undefined) => asked !== undefined && /^https?:$/.test(URL.parse(origin)?.protocol ?? '') && URL.parse(origin)?.host === asked
  /** A stranger's name that resolves to this machine (DNS rebinding) is none of ours. */
  const ownName = (asked: string | undefined) => {
    const name = asked === undefined ? undefined : URL.parse(`http://${asked}`)?.hostname
    return name !== undefined && (loopback.test(name) || ownNames.has(name))
  }
  const fromHere = (headers: IncomingHttpHeaders) => headers['sec-fetch-site'] === 'same-origin' || headers['sec-fetch-site'] === 'none'

  return {
    allows,
    opensSocket: ({ origin, host: asked }) => origin === undefined || allows(origin) || sameHost(origin, asked),
    takesCookie(headers, method) {
      const { origin } = headers
      if (origin !== undefined) return allows(origin) || sameHost(origin, headers.host)
      return (method === 'GET' || method === 'HEAD') && fromHere(headers)
    },
    takesAnonymous(headers) {
      const { origin, host: asked } = headers
      if (!ownName(asked)) return false
      if (origin !== undefined) return allows(origin) || sameHost(origin, asked)
      return headers['sec-fetch-site'] === undefined || fromHere(headers)
    },
  }
}
