import { AuditRecord, ListAudit, pageOf } from '@sluice/schema'
import { can, router } from './trpc.ts'

export const audit = router({
  list: can('audit.read', { method: 'GET', path: '/v1/audit', summary: 'List what was done in the workspace, and by whom, newest first', tags: ['audit'] }, ListAudit)
    .output(pageOf(AuditRecord))
    .query(({ ctx, input }) => ctx.parts.audit.list(ctx.principal, input)),
})
