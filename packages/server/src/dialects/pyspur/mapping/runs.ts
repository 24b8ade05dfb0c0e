import type { ListRuns, RunField, Where } from '@sluice/schema'
import type { RunStatus } from '../contract.ts'
import { listedWith } from './run.ts'
import { instantOf } from './times.ts'

/** Which runs are listed. PURE and total. */

type RunWhere = Where<RunField>
type Listed = Omit<ListRuns, 'limit' | 'offset'>

const whole = { whole: true, ...listedWith } as const

/** Of each status of PySpur's the runs that `statusOf` gives it. */
const withStatus = {
  PENDING: { status: 'queued' },
  RUNNING: { or: [{ status: { in: ['running', 'held', 'cancelling', 'compensating'] } }, { status: 'waiting', waitingOn: { ne: 'pause' } }] },
  PAUSED: { status: 'waiting', waitingOn: 'pause' },
  COMPLETED: { status: 'completed' },
  FAILED: { status: { in: ['failed', 'compensated'] } },
  CANCELED: { status: 'cancelled' },
} as const satisfies Record<RunStatus, RunWhere>

interface OfWorkflow {
  start_date?: string | undefined
  end_date?: string | undefined
  status?: RunStatus | undefined
}

export function runsOfWorkflow(workflow: string, { start_date, end_date, status }: OfWorkflow): Listed {
  const gte = start_date === undefined ? null : instantOf(start_date)
  const lte = end_date === undefined ? null : instantOf(end_date)
  const created = gte === null && lte === null ? {} : { created: { ...(gte !== null && { gte }), ...(lte !== null && { lte }) } }
  return { workflow, where: { ...created, ...(status && withStatus[status]) }, ...whole }
}

export function runsListed({ parent_only, run_type }: { parent_only: boolean; run_type?: string | undefined }): Listed {
  return { where: { ...(parent_only && { parentRunId: null }), ...(run_type && { trigger: run_type }) }, ...whole }
}
