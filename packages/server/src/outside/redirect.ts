import { hostOf } from './allow-list.ts'
import { OutsideError } from './error.ts'
import { checkedUrl } from './request.ts'
import type { Hop } from './request.ts'

const redirects = new Set([301, 302, 303, 307, 308])

/** The request a redirect asks for, or null when the answer is none. PURE. Throws `redirects` when it leads where we do not go. */
export function redirectOf(hop: Hop, status: number, location: string | undefined): Hop | null {
  if (!redirects.has(status) || location === undefined) return null
  const url = target(location, hop.url)
  const next: Hop = { ...hop, url, headers: new Map(hop.headers) }
  // As browsers do: 303 asks with GET, and so do 301 and 302 after a POST.
  if ((status === 303 && hop.method !== 'HEAD') || ((status === 301 || status === 302) && hop.method === 'POST')) {
    next.method = 'GET'
    next.body = null
    for (const name of hop.headers.keys()) if (name.startsWith('content-')) next.headers.delete(name)
  }
  // Dropped for good: a later hop back to the first origin goes without them too.
  if (url.origin !== hop.url.origin) for (const name of hop.credentials) next.headers.delete(name)
  return next
}

function target(location: string, base: URL): URL {
  try {
    return checkedUrl(location, base)
  } catch {
    throw new OutsideError('redirects', `${hostOf(base)} redirects to where we do not go`)
  }
}
