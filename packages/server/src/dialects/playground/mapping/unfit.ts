import type { Issue } from '@sluice/schema'
import type { WireIssue } from '../../../rpc/faults.ts'

/** What does not fit, as one text: where, and what was expected there. PURE and total. */

const most = 5

const joined = (problems: readonly { at: string; message: string }[]): string =>
  problems
    .slice(0, most)
    .map(({ at, message }) => (at === '' ? message : `${at}: ${message}`))
    .join('; ')

/** Of what the schemas of the wire refused. */
export const unfitWire = (wire: readonly WireIssue[]): string =>
  joined(wire.map(({ in: place, issue: { path, message } }) => ({ at: path.length > 0 ? path.map(String).join('.') : `the ${place}`, message })))

/** What the core calls otherwise than the document. */
const names: Readonly<Record<string, string>> = { text: 'input', title: 'name', metadataKeys: 'metadata', idempotencyKey: 'Idempotency-Key', mode: 'workflowMode' }

/** Of what the core refused; empty where it says no more than its message. */
export const unfitCore = (issues: readonly Issue[]): string =>
  joined(
    issues.map(({ path = [], nodeId, message }) => {
      const [first, ...others] = nodeId === undefined ? path : [nodeId]
      return { at: first === undefined ? '' : [names[first] ?? first, ...others].join('.'), message }
    }),
  )
