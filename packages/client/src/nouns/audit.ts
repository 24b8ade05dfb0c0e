import type { AuditRecord, ListAudit } from '@sluice/schema'
import type { Calls } from '../calls.ts'
import type { Input } from '../input.ts'
import type { Listing } from '../listing.ts'
import type { CallOptions } from '../options.ts'

/** Who did what. */
export interface Audit {
  /** What was done or tried in the workspace, and by whom, newest first unless there is an `order`. Throws `ForbiddenError`. */
  list(filter?: Input<typeof ListAudit>, options?: CallOptions): Listing<AuditRecord>
}

export const auditOf = ({ list }: Calls): Audit => ({
  list: (filter, options) => list('audit.list', filter, options),
})
