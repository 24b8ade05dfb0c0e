import type { RunSummary, Version } from '@sluice/schema'
import type { Tx } from '../database.ts'
import { pinnedTo } from './pinned.ts'
import { type SummaryRow, summaryColumns, summaryFrom } from './run-summary.ts'

/** A run with the version that it goes by, whoever asks; undefined for trials, and for what is there no more. */
export async function pinnedRun(tx: Tx, id: string): Promise<{ run: RunSummary; pinned: Version } | undefined> {
  const [row] = await tx.query<SummaryRow & Record<string, unknown>>({ name: 'view-pinned-run', text: `select ${summaryColumns} from runs where id = $1 and trial is null` }, [id])
  if (!row) return undefined
  const of = { ...row, drafted: null }
  const pinned = (await pinnedTo(tx, [of]))(of)
  return pinned ? { run: summaryFrom(row), pinned } : undefined
}
