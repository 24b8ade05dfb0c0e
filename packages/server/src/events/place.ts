import { Fault } from '@sluice/schema'

/**
 * Where in a log something stands. A workspace's log is ordered by transaction and position; that of a run or a session by
 * the numbers of its events, which stand as positions of no transaction.
 */
export interface Place {
  readonly xid: bigint
  readonly position: number
}

export const isBefore = (a: Place, b: Place): boolean => a.xid < b.xid || (a.xid === b.xid && a.position < b.position)

export const later = (a: Place, b: Place): Place => (isBefore(a, b) ? b : a)

/** After all that a transaction has written. */
export const endOf = (xid: bigint): Place => ({ xid, position: Number.MAX_SAFE_INTEGER })

export const numbered = (seq: number): Place => ({ xid: 0n, position: seq })

/** What a transaction saw of all others: those that had committed before. */
export interface Moment {
  /** All before it had come to their end. */
  readonly least: bigint
  /** None from it on had begun. */
  readonly end: bigint
  /** Those between the two that were open still. */
  readonly open: ReadonlySet<bigint>
}

/** From PostgreSQL's `xmin:xmax:xip,…`. */
export function momentOf(snapshot: string): Moment {
  const [least = '', end = '', open = ''] = snapshot.split(':')
  return { least: BigInt(least), end: BigInt(end), open: new Set(open.split(',').filter(Boolean).map(BigInt)) }
}

export const hasSeen = ({ end, open }: Moment, xid: bigint): boolean => xid < end && !open.has(xid)

// ── cursors: a run's and a session's is a number, a workspace's the place in its log ─────────────────────────────────────

export const cursorOf = ({ xid, position }: Place): string => `${xid}.${position}`

export function placeOf(cursor: string): Place {
  const [, xid, position] = /^(\d{1,20})\.(\d{1,16})$/.exec(cursor) ?? []
  if (xid === undefined || BigInt(xid) > 18_446_744_073_709_551_615n) throw new Fault('cursor_invalid')
  return { xid: BigInt(xid), position: Number(position) }
}

export function numberOf(cursor: string): Place {
  if (!/^\d{1,9}$/.test(cursor)) throw new Fault('cursor_invalid')
  return numbered(Number(cursor))
}

/** The cursor after which the event of this one comes, and nothing before it. */
export function justBefore(cursor: string): string {
  if (!cursor.includes('.')) return String(Math.max(0, numberOf(cursor).position - 1))
  const { xid, position } = placeOf(cursor)
  return cursorOf(position > 0 ? { xid, position: position - 1 } : endOf(xid - 1n))
}
