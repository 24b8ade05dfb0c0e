import type { Tx } from '../database.ts'

/** From here on no statement of the transaction takes longer, waits for locks and all: it ends as `statement_timeout` ends it (57014). */
export const boundStatements = (tx: Tx, ms: number): Promise<unknown> =>
  tx.query({ name: 'statements-bound', text: "select set_config('statement_timeout', $1, true)" }, [String(Math.max(1, Math.ceil(ms)))])
