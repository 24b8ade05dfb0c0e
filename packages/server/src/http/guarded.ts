import type { IncomingHttpHeaders } from 'node:http'
import { Fault } from '@sluice/schema'

/**
 * Addresses that do something when they are read, because an API was once published so. A browser reads whatever a page names, and
 * reads ahead: nothing that it adds by itself counts here, and what it only fetches ahead does nothing.
 */

const aheadHeaders = ['sec-purpose', 'purpose', 'x-purpose', 'x-moz'] as const
const ahead = /\b(prefetch|prerender|preview)\b/i

/** Throws `input_invalid` for what nobody has asked for yet. */
export function refuseAhead(headers: IncomingHttpHeaders): void {
  if (aheadHeaders.some((name) => ahead.test(String(headers[name] ?? ''))))
    throw new Fault('input_invalid', { message: 'This address does something: it cannot be fetched ahead of being asked for' })
}

export const withoutCookies = ({ cookie: _ofBrowsers, ...headers }: IncomingHttpHeaders): IncomingHttpHeaders => headers
