import type { Json } from '@sluice/schema'
import type { DeliveryContent } from '@sluice/schema'
import type { DeliveryRow, StoredContent } from '../store/rows/webhooks.ts'

/** A request as it came. */
export interface Came {
  method: string
  headers: Readonly<Record<string, string>>
  query: Readonly<Record<string, string | string[]>>
  /** JSON text. */
  body: string
}

/** What says who sent it, under whatever name, is for us alone: it goes to no run, no list and no log. */
const secret = /authorization|cookie|credential|password|secret|signature|token|api-?key/

/** Of one connection, and no part of what was sent. */
const ofConnection = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'])

/** What of a request is kept and handed on. `also` are headers of a signature that are called something else. */
export function keptOf({ method, headers, query, body }: Came, also: readonly string[] = []): StoredContent {
  const kept = Object.entries(headers)
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => !secret.test(name) && !ofConnection.has(name) && !also.includes(name))
  return { method, headers: JSON.stringify(Object.fromEntries(kept)), query: JSON.stringify(query), body }
}

/** A delivery for who gets it. */
export const contentFrom = (row: DeliveryRow): DeliveryContent => ({
  id: row.id,
  body: JSON.parse(row.body) as Json,
  headers: row.headers,
  method: row.method,
  query: row.query,
  receivedAt: row.received_at.toISOString(),
})
