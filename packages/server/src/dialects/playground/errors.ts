import { type FaultKind, limits } from '@sluice/schema'
import type { Problem } from '../../rpc/faults.ts'
import { type Dialect, Other, type Rendered } from '../dialect.ts'
import { ErrorResponse } from './contract.ts'
import { unfitCore, unfitWire } from './mapping/unfit.ts'

/** How the playground tells a problem: a status, and always one text as `detail`. */

const told = (status: number, detail: string): Rendered & { body: ErrorResponse } => ({ status, body: { detail } })

// ── what is not there ──────────────────────────────────────────────────────────────────────────────────────────────────

const missing = (detail: string): Other => new Other(404, { detail } satisfies ErrorResponse)

export const workflowMissing = (id: string): Other => missing(`Workflow with ID ${id} not found`)
export const messageMissing = (id: string): Other => missing(`Message with ID ${id} not found`)
export const fileMissing = (id: string): Other => missing(`File with ID ${id} not found`)

// ── all problems ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** What has no status in the document is told under the one it has for a request that cannot be done. */
const statuses: Partial<Record<FaultKind, number>> = { conflict: 400, limit_exceeded: 400 }

/** In its own words. Of what is not there without an id: rows that know it say it. */
const names: Partial<Record<Problem['code'], string>> = {
  session_missing: 'Workflow not found',
  workflow_missing: 'Workflow not found',
  line_missing: 'Message not found',
  lane_full: `${limits.laneQueue} messages wait for their turn already`,
}

/** That of the document, where nobody says which it was. */
const limitIn = ({ limit }: Problem['details']): number => (typeof limit === 'number' ? limit : 120)

export function render({ code, kind, status, message, issues, details, wire }: Problem): Rendered {
  switch (code) {
    case 'credential_missing':
    case 'credential_invalid':
      return told(status, 'Not authenticated')
    case 'permission_denied':
      return told(status, 'Not enough permissions')
    case 'route_missing':
      return told(status, status === 405 ? 'Method Not Allowed' : 'Not Found')
    case 'rate_limited':
      return told(status, `Rate limit exceeded: ${limitIn(details)} per 1 minute`)
    case 'internal':
      return told(status, 'Internal server error')
    default: {
      const words = wire ? unfitWire(wire) : unfitCore(issues)
      const detail = words === '' ? (names[code] ?? message) : code === 'input_invalid' ? words : `${message}: ${words}`
      return told(status === 405 ? status : (statuses[kind] ?? status), detail)
    }
  }
}

export const errors: Dialect['errors'] = { schema: ErrorResponse, render }
