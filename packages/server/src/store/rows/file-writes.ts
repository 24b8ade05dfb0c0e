import type { Tx } from '../database.ts'

/** Which steps have written into their files: one that is tried again does not write a second time. */

/** False: it has written already. */
export async function markWritten(tx: Tx, runId: string, step: string): Promise<boolean> {
  const text = 'insert into file_writes (run_id, step) values ($1, $2) on conflict do nothing returning step'
  return (await tx.query({ name: 'file-writes-mark', text }, [runId, step])).length > 0
}
